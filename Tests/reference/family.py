"""Random models of every architecture, in the shape of the fixtures' but with numbers of their own, and what transformers makes of them."""

import os
import pathlib
import shutil

import torch
from safetensors.torch import load_file
from transformers import AutoConfig, AutoModelForCausalLM

#: Another seed gives other models: ALPACA_SEED.
SEED = int(os.environ.get("ALPACA_SEED", 2026))
TOKENIZER_FILES = ("tokenizer.model", "tokenizer.json", "tokenizer_config.json")
#: Settings that differ from the fixture's, by its name. Widths are multiples of what heads need, and of nothing else.
CHANGES = {
    "llama3-tied": dict(hidden_size=96, intermediate_size=200),
    "llama3-untied": dict(hidden_size=96, intermediate_size=136, num_attention_heads=6, num_key_value_heads=2),
    "llama3-plain": dict(num_hidden_layers=2, num_key_value_heads=1),
    "llama2-yarn": dict(hidden_size=128, num_attention_heads=4, num_key_value_heads=4),
    "llama2-yarn-attention-factor": dict(num_hidden_layers=2),
    "llama2-yarn-mscale": dict(intermediate_size=232),
    "llama2-linear": dict(intermediate_size=104),
    "llama2-dynamic": dict(num_hidden_layers=2),
    "qwen2": dict(hidden_size=128, num_attention_heads=4, num_key_value_heads=2),
    "qwen2-yarn": dict(intermediate_size=72),
    "qwen3": dict(intermediate_size=88, head_dim=24),
    "qwen3-moe": dict(num_experts=6, num_experts_per_tok=2, moe_intermediate_size=40, norm_topk_prob=False),
    "mixtral": dict(num_local_experts=5, num_experts_per_tok=3, intermediate_size=72),
    "mistral-window": dict(sliding_window=17),
    "llama-biases": dict(num_key_value_heads=4),
    "llama-head-dim": dict(head_dim=40),
}


def fill(model: torch.nn.Module, seed: int) -> None:
    """Weights of a size by which positions, routing and biases matter: the logits are of some units."""
    generator = torch.Generator().manual_seed(seed)
    tied = model.config.tie_word_embeddings
    with torch.no_grad():
        for name, weights in sorted(model.named_parameters()):
            noise = torch.randn(weights.shape, generator=generator)
            if "norm" in name:
                weights.copy_(1 + 0.15 * noise)
            elif name.endswith("bias"):
                weights.copy_(0.3 * noise)
            elif "embed_tokens" in name:
                weights.copy_((0.25 if tied else 0.9) * noise)
            else:
                weights.copy_((1.3 if "lm_head" not in name else 1.8) * noise / weights.shape[-1] ** 0.5)


def write(name: str, fixtures: pathlib.Path, folder: pathlib.Path, seed: int = SEED, **changes) -> pathlib.Path:
    """A folder as transformers writes it, with the tokenizer of the fixture."""
    source = fixtures / "family/models" / name
    config = AutoConfig.from_pretrained(source)
    for key, value in {**CHANGES[name], **changes}.items():
        assert hasattr(config, key), key
        setattr(config, key, value)
    # Mistral's and Llama's keep what they have derived from the widths.
    if "head_dim" not in CHANGES[name] and name.split("-")[0] in ("llama2", "mistral") and hasattr(config, "head_dim"):
        config.head_dim = config.hidden_size // config.num_attention_heads
    dtype = config.dtype
    model = AutoModelForCausalLM.from_config(config, dtype=torch.float32).eval()
    fill(model, seed)
    model.to(dtype)
    model.generation_config.eos_token_id = None
    model.save_pretrained(folder)
    for file in TOKENIZER_FILES:
        if (source / file).exists():
            shutil.copy(source / file, folder / file)
    return folder


def reference(folder: pathlib.Path) -> torch.nn.Module:
    """The folder in F32, with nothing but plain sums."""
    options = {"experts_implementation": "eager"} if any(part in folder.name for part in ("moe", "mixtral")) else {}
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager", **options)
    return model.eval()


def tensors(folder: pathlib.Path) -> dict[str, torch.Tensor]:
    return {name: value for file in sorted(folder.glob("*.safetensors")) for name, value in load_file(file).items()}
