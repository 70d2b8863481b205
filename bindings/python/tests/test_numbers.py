"""Numbers that aren't, and vocabularies that differ from their matrices, as they show in Python."""

import json
import math
import pathlib
import struct

import pytest

import alpaca

from conftest import REPOSITORY

MODEL = REPOSITORY / "models/mini/chinese-alpaca-mini-f16.gguf"


@pytest.fixture
def damaged(tmp_path: pathlib.Path) -> pathlib.Path:
    """A model whose last tensor ends with NaN."""
    path = tmp_path / "damaged.gguf"
    path.write_bytes(MODEL.read_bytes()[:-4] + b"\xff" * 4)
    return path


def test_conversions_name_what_is_no_number(damaged: pathlib.Path, tmp_path: pathlib.Path) -> None:
    for quantization in (None, "f16", "f32", "bf16", "q8_0", "q4_k_m"):
        with pytest.raises(alpaca.Error, match=r"damaged\.gguf: tensor .* infinite or NaN"):
            alpaca.convert(damaged, tmp_path / "out.gguf", quantization=quantization)
    report = alpaca.convert(damaged, tmp_path / "out.gguf", allow_nonfinite=True)
    assert len(report["warnings"]) == 1 and "damaged.gguf" in report["warnings"][0]
    assert alpaca.convert(MODEL, tmp_path / "good.gguf", allow_nonfinite=True)["warnings"] == []


def test_results_that_are_infinite(damaged: pathlib.Path) -> None:
    with alpaca.Model(damaged) as model:
        found = model.perplexity("白日依山尽，黄河入海流。" * 20, n_ctx=32)
    assert math.isinf(found.perplexity) and math.isinf(found.standard_error) and math.isinf(found.mean_nll)
    assert found.n_scored > 0


def test_inspect_agrees_with_opening(tmp_path: pathlib.Path) -> None:
    assert alpaca.inspect(MODEL)["problem"] is None
    key = b"tokenizer.ggml.bos_token_id"
    raw = bytearray(MODEL.read_bytes())
    at = raw.index(key) + len(key) + 4
    raw[at : at + 4] = struct.pack("<I", 1 << 20)
    path = tmp_path / "bos.gguf"
    path.write_bytes(raw)
    problem = alpaca.inspect(path)["problem"]
    with pytest.raises(alpaca.Error) as error:
        alpaca.Model(path)
    assert "bos_token_id" in problem and problem in str(error.value)


def test_added_tokens(tmp_path: pathlib.Path) -> None:
    folder = tmp_path / "folder"
    alpaca.convert(MODEL, folder, output_format="hf")
    config = json.loads((folder / "config.json").read_text())
    # The last piece, [PAD], becomes a token that is told beside the tokenizer.
    with alpaca.Tokenizer(folder / "tokenizer.model") as tokenizer:
        count = len(tokenizer)
    assert config["vocab_size"] == count
    path = folder / "tokenizer.model"
    raw = path.read_bytes()
    piece = b"[PAD]"
    start = raw.rindex(piece) - 4
    end = start + 2 + raw[start + 1]
    path.write_bytes(raw[:start] + raw[end:])
    (folder / "added_tokens.json").write_text(json.dumps({"[PAD]": count - 1}))
    with alpaca.Model(folder) as model:
        assert len(model.tokenizer) == count
        assert model.tokenizer.encode("a[PAD]", parse_special=True)[-1] == count - 1
    (folder / "added_tokens.json").unlink()
    with alpaca.Model(folder) as model:
        assert len(model.tokenizer) == count
        assert model.tokenizer.piece(count - 1) == f"[extra_id_{count - 1}]"
