"""Models with experts against transformers and PEFT: random ones of several shapes, their adapters, and both ways of a conversion.

Transformers 5 has a layer's experts in one parameter, and PEFT trains that; files have a tensor for each expert, as before.
"""

import shutil

import pytest
import torch
from conftest import GOLDENS
from lora import TYPES, load_folder, save
from peft import LoraConfig, PeftModel, get_peft_model
from transformers import MixtralConfig, MixtralForCausalLM, Qwen3MoeConfig, Qwen3MoeForCausalLM

import alpaca

pytestmark = pytest.mark.filterwarnings("ignore")

COMMON = dict(max_position_embeddings=256, tie_word_embeddings=False, vocab_size=1000, num_hidden_layers=2, rope_theta=1e6)
MODULES = {"mixtral": ["w1", "w2", "w3"], "qwen3_moe": ["gate_proj", "up_proj", "down_proj"]}


def moe(kind: str, dtype: str, seed: int, **changes):
    """Sizes that are no multiples of 8, as many experts as seldom are."""
    torch.manual_seed(seed)
    if kind == "mixtral":
        sizes = dict(hidden_size=84, intermediate_size=51, num_attention_heads=6, num_key_value_heads=2, num_local_experts=5)
        config = MixtralConfig(**{**sizes, "num_experts_per_tok": 2, **COMMON, **changes})
        model = MixtralForCausalLM(config)
    else:
        sizes = dict(hidden_size=60, intermediate_size=77, moe_intermediate_size=26, num_attention_heads=4, num_key_value_heads=2, head_dim=20)
        experts = dict(num_experts=7, num_experts_per_tok=3, norm_topk_prob=True, mlp_only_layers=[1])
        config = Qwen3MoeConfig(**{**sizes, **experts, **COMMON, **changes})
        model = Qwen3MoeForCausalLM(config)
    with torch.no_grad():
        for name, weights in model.named_parameters():
            weights.normal_(1.0 if "norm" in name else 0.0, 0.1 if "norm" in name else 0.03)
    model.config.dtype = TYPES[dtype]
    return model.to(TYPES[dtype]).eval()


def adapter(model, folder, **options):
    trained = get_peft_model(model, LoraConfig(task_type="CAUSAL_LM", r=5, lora_alpha=12, **options))
    with torch.no_grad():
        for name, weights in trained.named_parameters():
            if "lora_" in name:
                weights.normal_(0, 1.0 if "lora_A" in name else 0.003)
    trained.save_pretrained(folder)
    return folder


@pytest.mark.parametrize("dtype", ["f16", "bf16", "f32"])
@pytest.mark.parametrize("kind", ["mixtral", "qwen3_moe"])
def test_there_and_back(tmp_path, kind, dtype):
    folder = save(moe(kind, dtype, seed=3), tmp_path / "base")
    alpaca.convert(folder, tmp_path / "m.gguf", tokenizer=GOLDENS / "tokenizers/mini_llama.model")
    alpaca.convert(tmp_path / "m.gguf", tmp_path / "back", output_format="hf")
    before, after = load_folder(folder), load_folder(tmp_path / "back")
    assert set(before) == set(after)
    for name, tensor in before.items():
        assert torch.equal(after[name], tensor), name


#: Mixtral's shares always sum to 1.
CASES = [(kind, {"num_experts_per_tok": used}) for kind in MODULES for used in (1, 2, 5)] + [
    ("qwen3_moe", {"norm_topk_prob": False}), ("qwen3_moe", {"norm_topk_prob": False, "num_experts_per_tok": 7})]  # fmt: skip


@pytest.mark.parametrize(("kind", "changes"), CASES)
def test_logits(tmp_path, kind, changes):
    model = moe(kind, "f32", seed=5, **changes)
    # The other ways want rows of 16 bytes.
    model.set_experts_implementation("eager")
    with torch.no_grad():
        for name, weights in model.named_parameters():
            if "norm" not in name:
                weights.mul_(5)
    folder = save(model, tmp_path / "base")
    shutil.copy(GOLDENS / "tokenizers/mini_llama.model", folder / "tokenizer.model")
    ids = [1, *torch.randint(3, 1000, (70,), generator=torch.Generator().manual_seed(6)).tolist()]
    with torch.no_grad():
        expected = model(torch.tensor([ids])).logits[0, -1]
    alpaca.convert(folder, tmp_path / "m.gguf")
    for path in (folder, tmp_path / "m.gguf"):
        with alpaca.Model(path) as ours, ours.session(n_ctx=128, cache_type="f32") as session:
            session.append(ids)
            found = torch.tensor(session.logits)
        assert (found - expected).abs().max() <= 1e-4 * max(1.0, float(expected.abs().max()))


@pytest.mark.parametrize("form", ["modules", "parameters"])
@pytest.mark.parametrize("dtype", ["f16", "bf16", "f32"])
@pytest.mark.parametrize("kind", ["mixtral", "qwen3_moe"])
def test_merge(tmp_path, kind, dtype, form):
    """By modules' names of before, which PEFT turns into parameters, or by those."""
    folder = save(moe(kind, dtype, seed=4), tmp_path / "base")
    options = dict(target_modules=["q_proj", "o_proj", "gate", *MODULES[kind]])
    if form == "parameters":
        options = dict(target_modules=["q_proj"], target_parameters=["mlp.gate.weight", "mlp.experts.gate_up_proj", "mlp.experts.down_proj"])
    lora = adapter(moe(kind, "f32", seed=4), tmp_path / "lora", **options)
    theirs = PeftModel.from_pretrained(moe(kind, dtype, seed=4), lora).merge_and_unload()
    save(theirs, tmp_path / "theirs")
    alpaca.convert(folder, tmp_path / "ours", adapters=[lora], output_format="hf", rounding="once")
    ours, expected, before = load_folder(tmp_path / "ours"), load_folder(tmp_path / "theirs"), load_folder(folder)
    assert set(ours) == set(expected)
    values = others = changed = 0
    for name, tensor in expected.items():
        changed += not torch.equal(before[name], tensor)
        values += tensor.numel()
        others += int((ours[name] != tensor).sum())
        # A neighbour at most, where sums are added in another order.
        step = torch.finfo(tensor.dtype).eps * torch.maximum(tensor.abs(), before[name].abs()).float() + 1e-7
        assert ((ours[name].float() - tensor.float()).abs() <= 2 * step).all(), name
    # Experts of layers that have some, their routers, and attention.
    assert changed >= (2 * 5 * 3 if kind == "mixtral" else 7 * 3)
    assert others * 10_000 <= values, f"{others} of {values}"
