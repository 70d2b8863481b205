"""Random base models and PEFT adapters on disk, and their merge by PEFT."""

import copy
import json
import pathlib
import zipfile

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors.torch import load_file
from transformers import LlamaConfig, LlamaForCausalLM

ALL = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
TYPES = {"f16": torch.float16, "bf16": torch.bfloat16, "f32": torch.float32}
SHAPES = {
    # Nothing is a multiple of 8: heads of 14, grouped queries, feed-forward of a prime.
    "odd": dict(hidden_size=84, intermediate_size=251, num_attention_heads=6, num_key_value_heads=2, num_hidden_layers=2, vocab_size=333),
    # Attention is narrower than the model.
    "narrow": dict(hidden_size=204, intermediate_size=72, num_attention_heads=3, num_key_value_heads=1, head_dim=34, num_hidden_layers=2,
                   vocab_size=130),
    "square": dict(hidden_size=128, intermediate_size=352, num_attention_heads=4, num_key_value_heads=4, num_hidden_layers=3,
                   vocab_size=512),
    "grouped": dict(hidden_size=384, intermediate_size=1040, num_attention_heads=6, num_key_value_heads=2, num_hidden_layers=1,
                    vocab_size=1000),
    "large": dict(hidden_size=1024, intermediate_size=2752, num_attention_heads=16, num_key_value_heads=4, num_hidden_layers=1,
                  vocab_size=600),
}  # fmt: skip


def base_model(shape: str, dtype: str = "f16", seed: int = 1, **changes) -> LlamaForCausalLM:
    torch.manual_seed(seed)
    config = LlamaConfig(max_position_embeddings=256, tie_word_embeddings=False, **SHAPES[shape], **changes)
    model = LlamaForCausalLM(config)
    with torch.no_grad():
        for name, weights in model.named_parameters():
            weights.normal_(1.0 if "norm" in name else 0.0, 0.1 if "norm" in name else 0.03)
    model.config.dtype = TYPES[dtype]
    return model.to(TYPES[dtype]).eval()


def save(model: LlamaForCausalLM, folder: pathlib.Path) -> pathlib.Path:
    model.save_pretrained(folder)
    return folder


def adapter(model: LlamaForCausalLM, folder: pathlib.Path, dtype: str = "f16", seed: int = 7, safetensors: bool = True,
            rows: "int | None" = None, strength: float = 0.05, **options) -> pathlib.Path:  # fmt: skip
    """A folder as PEFT writes it, its numbers random as if trained: the change is about `strength` times as large as the base."""
    torch.manual_seed(seed)
    start = copy.deepcopy(model).to(torch.float32)
    if rows:
        start.resize_token_embeddings(rows, mean_resizing=False)
    options = {"r": 8, "lora_alpha": 16, "target_modules": ALL, **options}
    trained = get_peft_model(start, LoraConfig(task_type="CAUSAL_LM", **options))
    with torch.no_grad():
        for name, weights in trained.named_parameters():
            if "lora_A" in name or "lora_embedding_A" in name:
                weights.normal_(0, 1)
            elif "lora_B" in name or "lora_embedding_B" in name:
                rank = weights.shape[1]
                weights.normal_(0, 0.03 * strength * rank**0.5 / options["lora_alpha"] * (rank**-0.5 if options.get("use_rslora") else 1))
            elif "magnitude" in name or "modules_to_save" in name:
                weights.mul_(1 + 0.1 * torch.randn_like(weights))
    trained.to(TYPES[dtype])
    trained.save_pretrained(folder, safe_serialization=True)
    if not safetensors:
        # PEFT 0.21 still can (safe_serialization=False), later ones may not.
        torch.save(load_file(folder / "adapter_model.safetensors"), folder / "adapter_model.bin")
        (folder / "adapter_model.safetensors").unlink()
    return folder


def zipped(folder: pathlib.Path, method: int, prefix: str) -> pathlib.Path:
    path = folder.with_suffix(".zip")
    with zipfile.ZipFile(path, "w", method) as archive:
        for file in sorted(folder.iterdir()):
            if file.name != "README.md":
                archive.write(file, prefix + file.name)
    return path


def merged(model: LlamaForCausalLM, adapters: list, rounding: str) -> dict[str, torch.Tensor]:
    """PEFT's merge_and_unload of one adapter after the other.

    `each` is PEFT with autocast_adapter_dtype=False: the adapter is in the base's type, of which the product and the sum are rounded to
    it. `once` is PEFT's default (True), which holds adapters in F32, so that the sum alone is rounded.
    """
    model = copy.deepcopy(model)
    for item in adapters:
        folder, scale = item if isinstance(item, tuple) else (item, 1.0)
        rows = [shape[0] for shape in saved_shapes(folder, "embed_tokens.weight")]
        if rows and rows[0] != model.config.vocab_size:
            model.resize_token_embeddings(rows[0], mean_resizing=False)
        wrapped = PeftModel.from_pretrained(model, folder, autocast_adapter_dtype=rounding == "once")
        if scale != 1:
            for module in wrapped.modules():
                if hasattr(module, "set_scale"):
                    module.set_scale("default", scale)
        model = wrapped.merge_and_unload()
    return {name: weights.detach() for name, weights in model.state_dict().items()}


def saved_shapes(folder: pathlib.Path, ending: str) -> list:
    file = folder / "adapter_model.safetensors"
    state = load_file(file) if file.exists() else torch.load(folder / "adapter_model.bin", weights_only=True)
    return [list(weights.shape) for name, weights in state.items() if name.endswith(ending)]


def load_folder(folder: pathlib.Path) -> dict[str, torch.Tensor]:
    """All tensors of a Hugging Face folder with safetensors, by its index where it has one."""
    index = folder / "model.safetensors.index.json"
    if not index.exists():
        return load_file(folder / "model.safetensors")
    places = json.loads(index.read_text())["weight_map"]
    result = {}
    for file in sorted(set(places.values())):
        part = load_file(folder / file)
        assert set(part) == {name for name, place in places.items() if place == file}
        result.update(part)
    return result


def save_bin(model: LlamaForCausalLM, folder: pathlib.Path) -> pathlib.Path:
    """As transformers saved models in 2023."""
    folder.mkdir()
    model.config.save_pretrained(folder)
    torch.save(model.state_dict(), folder / "pytorch_model.bin")
    return folder


__all__ = ["ALL", "SHAPES", "TYPES", "adapter", "base_model", "load_folder", "merged", "save", "save_bin", "zipped"]
