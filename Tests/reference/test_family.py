"""Every architecture that runs, with numbers that the fixtures don't have, against transformers; and PEFT's merges onto each."""

import numpy
import pytest
import torch
from comparison import FAMILY, compare, totals
from family import CHANGES, SEED, reference, tensors, write
from peft import LoraConfig, PeftModel, get_peft_model
from transformers import AutoModelForCausalLM

import alpaca

pytestmark = pytest.mark.filterwarnings("ignore")
#: Lengths around what is special: one token, pages of 64, the windows and contexts of the models.
LENGTHS = (1, 2, 16, 17, 18, 63, 64, 65, 129, 201)
BOUND = 2e-4


@pytest.fixture(scope="module")
def folder(shared, tmp_path_factory):
    """folder(name): the model's folder, made once."""
    made = {}

    def make(name):
        if name not in made:
            made[name] = write(name, shared, tmp_path_factory.mktemp("family") / name)
        return made[name]

    return make


def sequence(vocabulary: int, length: int) -> list[int]:
    return torch.randint(3, vocabulary, (length,), generator=torch.Generator().manual_seed(SEED + length)).tolist()


def worst(source, model) -> float:
    """The largest distance of a last position's logits, over all lengths."""
    ours, distances = alpaca.Model(source), []
    for length in LENGTHS:
        ids = sequence(model.config.vocab_size, length)
        with torch.no_grad():
            theirs = model(torch.tensor([ids])).logits[0, -1].numpy()
        with ours.session(n_ctx=512, cache_type="f32") as session:
            found = session.append(ids).logits
            assert found.shape == theirs.shape
            distances.append(float(numpy.abs(found - theirs).max()))
    return max(distances)


@pytest.mark.parametrize("name", CHANGES)
def test_logits(folder, name):
    model = reference(folder(name))
    assert worst(folder(name), model) <= BOUND


@pytest.mark.parametrize("name", CHANGES)
def test_logits_of_gguf(folder, name, tmp_path):
    kind = {torch.float16: "f16", torch.bfloat16: "bf16"}[next(iter(tensors(folder(name)).values())).dtype]
    alpaca.convert(folder(name), tmp_path / "model.gguf", quantization=kind)
    assert worst(tmp_path / "model.gguf", reference(folder(name))) <= BOUND


@pytest.mark.parametrize("name", CHANGES)
def test_to_gguf_and_back(folder, name, tmp_path):
    """The same bytes of every tensor, and transformers computes the same."""
    before = tensors(folder(name))
    kind = {torch.float16: "f16", torch.bfloat16: "bf16"}[next(iter(before.values())).dtype]
    alpaca.convert(folder(name), tmp_path / "model.gguf", quantization=kind)
    back = tmp_path / name
    alpaca.convert(tmp_path / "model.gguf", back, output_format="hf", quantization=kind)
    after = tensors(back)
    assert set(after) == set(before)
    for key, value in before.items():
        # Vectors are F32 in GGUF.
        assert after[key].shape == value.shape and torch.equal(after[key].float(), value.float()), key
    ids = torch.tensor([sequence(500, 201)])
    with torch.no_grad():
        assert torch.equal(reference(back)(ids).logits, reference(folder(name))(ids).logits)


@pytest.mark.parametrize("name", CHANGES)
def test_greedy(folder, name):
    """The same ids as long as transformers' best logit leads by more than the bound."""
    model, ours = reference(folder(name)), alpaca.Model(folder(name))
    ids = sequence(model.config.vocab_size, 20)
    out, past, compared = list(ids), None, 0
    with ours.session(n_ctx=512, cache_type="f32") as session, torch.no_grad():
        session.append(ids)
        for _ in range(24):
            step = model(torch.tensor([out if past is None else out[-1:]]), past_key_values=past, use_cache=True)
            past = step.past_key_values
            best = step.logits[0, -1].topk(2)
            if best.values[0] - best.values[1] > 2 * BOUND:
                assert int(numpy.argmax(session.logits)) == int(best.indices[0])
                compared += 1
            out.append(int(best.indices[0]))
            session.append(out[-1:])
    assert compared >= 20


MODULES = ["q_proj", "k_proj", "v_proj", "o_proj"]
DENSE = [*MODULES, "gate_proj", "up_proj", "down_proj"]


@pytest.mark.parametrize("rounding", ["each", "once"])
@pytest.mark.parametrize("name", CHANGES)
def test_merging(folder, name, tmp_path, rounding):
    experts = name in ("mixtral", "qwen3-moe")
    base = AutoModelForCausalLM.from_pretrained(folder(name), dtype="auto").eval()
    dtype = next(base.parameters()).dtype
    start = AutoModelForCausalLM.from_pretrained(folder(name), dtype=torch.float32)
    options = dict(r=4, lora_alpha=12, target_modules=MODULES if experts else DENSE, task_type="CAUSAL_LM")
    if experts:
        options["target_parameters"] = ["mlp.experts.gate_up_proj", "mlp.experts.down_proj", "mlp.gate.weight"]
    trained = get_peft_model(start, LoraConfig(**options))
    generator = torch.Generator().manual_seed(SEED)
    with torch.no_grad():
        for key, weights in sorted(trained.named_parameters()):
            if "lora_" in key:
                weights.copy_(torch.randn(weights.shape, generator=generator) * (1 if "lora_A" in key else 0.01))
    trained.to(dtype).save_pretrained(tmp_path / "lora")
    wrapped = PeftModel.from_pretrained(base, tmp_path / "lora", autocast_adapter_dtype=rounding == "once")
    wrapped.merge_and_unload().save_pretrained(tmp_path / "theirs")
    alpaca.convert(folder(name), tmp_path / "ours", adapters=[tmp_path / "lora"], output_format="hf", rounding=rounding)
    ours, theirs, before = tensors(tmp_path / "ours"), tensors(tmp_path / "theirs"), tensors(folder(name))
    assert set(ours) == set(theirs)
    changed, group = 0, f"{FAMILY}{name}, {rounding}"
    for key, value in theirs.items():
        if torch.equal(value, before[key]):
            assert torch.equal(ours[key], value), key
        else:
            changed += 1
            compare(group, key, ours[key], value, before[key])
    assert changed >= 4 * 2
    values, equal, _, parts = totals[group]
    # PEFT's products for experts' parameters are of the base's type, and rounded once more before they are scaled; for all other matrices
    # they are of F32, as ours always are.
    rounds_products = experts and rounding == "each"
    assert parts <= (2 if rounds_products else 1) and equal >= (0.85 if rounds_products else 0.9999) * values
