"""How a session scales positions: the options and what they mean."""

import pytest

import alpaca


def logits(model: alpaca.Model, ids: "list[int]", **options: object) -> "list[float]":
    with model.session(n_ctx=1024, cache_type="f32", **options) as session:  # type: ignore[arg-type]
        session.append(ids)
        return list(session.logits)


@pytest.mark.filterwarnings("ignore:n_ctx")
def test_kinds(model: alpaca.Model) -> None:
    ids = model.tokenizer.encode("白日依山尽，黄河入海流。" * 60, add_bos=True)[:600]
    plain = logits(model, ids)
    seen = [plain]
    for options in (
        {"rope_scale": 2.0},
        {"rope_scaling": "yarn"},
        {"rope_scaling": "yarn", "yarn_attn_factor": 1.0},
        {"rope_scaling": "yarn", "yarn_beta_fast": 16.0, "yarn_beta_slow": 2.0},
        {"rope_scaling": "ntk", "rope_alpha": 2.0},
        {"rope_scaling": "ntk"},
        {"rope_scaling": "dynamic", "rope_scale": 4.0},
        {"rope_theta": 20000.0},
    ):
        found = logits(model, ids, **options)
        assert all(max(abs(a - b) for a, b in zip(found, other)) > 1e-3 for other in seen), options
        seen.append(found)
    assert logits(model, ids, rope_scaling="none") == plain
    # The factor alone divides positions; without it the context over the original one.
    assert logits(model, ids, rope_scaling="linear") == logits(model, ids, rope_scaling="linear", rope_scale=2.0) == seen[1]
    assert logits(model, ids, rope_scaling="ntk", rope_alpha="auto") == seen[6]
    # Up to the original context the length has no say.
    short = ids[:300]
    assert logits(model, short, rope_scaling="dynamic", rope_scale=4.0) == logits(model, short)


def test_what_makes_no_sense(model: alpaca.Model) -> None:
    for options in (
        {"rope_scaling": "none", "rope_scale": 2.0},
        {"rope_alpha": 2.0},
        {"yarn_beta_fast": 2.0},
        {"rope_original_ctx": 512},
        {"rope_scaling": "yarn", "rope_original_ctx": -1},
        {"rope_scaling": "linear", "rope_scale": -1.0},
        {"rope_scaling": "ntk", "rope_alpha": float("nan")},
    ):
        with pytest.raises(alpaca.Error, match="rope_|yarn_"):
            model.session(**options)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="rope_scaling"):
        model.session(rope_scaling="longrope")
    with pytest.raises(TypeError, match="rope_alpha"):
        model.session(rope_scaling="ntk", rope_alpha="much")
