#!/usr/bin/env python3
"""Bases of real size with random F16 weights and a rank-64 adapter on all seven matrices, for measuring conversions. Needs numpy.

    make_model.py --size 1.3b [--tokenizers FOLDER] FOLDER

FOLDER gets `base` (a Hugging Face folder: one model.safetensors) and `lora` (a PEFT folder whose embeddings and output head have the 49954
rows of Chinese-Alpaca). The numbers mean nothing, size and layout are those of real models. They are really random: zeros or a repeated
block would be served from caches, and quantize faster than weights do. Nothing but a block of rows is in memory at a time.

--tokenizers: a folder with `llama.model` and `chinese_alpaca.model`, which become the tokenizers of base and adapter; without it they are
made up too.
"""

import argparse
import concurrent.futures
import json
import math
import os
import pathlib
import shutil
import struct

import numpy as np

SIZES = {"mini": (256, 2, 4, 768), "130m": (768, 12, 12, 2048), "1.3b": (2048, 24, 16, 5504), "7b": (4096, 32, 32, 11008)}
VOCABULARY, EXTENDED, RANK = 32000, 49954, 64
DEVIATION = 0.02
BLOCK = 1 << 22  # weights

Shapes = dict[str, tuple[int, ...]]


def matrices(width: int, feed: int) -> Shapes:
    """The seven of a layer, (outputs, inputs)."""
    attention: Shapes = {f"self_attn.{name}_proj": (width, width) for name in "qkvo"}
    return attention | {"mlp.gate_proj": (feed, width), "mlp.up_proj": (feed, width), "mlp.down_proj": (width, feed)}


def base_shapes(width: int, layers: int, feed: int) -> Shapes:
    shapes: Shapes = {"model.embed_tokens.weight": (VOCABULARY, width)}
    for layer in range(layers):
        for name, shape in matrices(width, feed).items():
            shapes[f"model.layers.{layer}.{name}.weight"] = shape
        for name in ("input_layernorm", "post_attention_layernorm"):
            shapes[f"model.layers.{layer}.{name}.weight"] = (width,)
    return shapes | {"model.norm.weight": (width,), "lm_head.weight": (VOCABULARY, width)}


def adapter_shapes(width: int, layers: int, feed: int) -> Shapes:
    shapes: Shapes = {}
    for layer in range(layers):
        for name, (rows, columns) in matrices(width, feed).items():
            shapes[f"base_model.model.model.layers.{layer}.{name}.lora_A.weight"] = (RANK, columns)
            shapes[f"base_model.model.model.layers.{layer}.{name}.lora_B.weight"] = (rows, RANK)
    shapes["base_model.model.model.embed_tokens.weight"] = (EXTENDED, width)
    shapes["base_model.model.lm_head.weight"] = (EXTENDED, width)
    return shapes


def values(number: int, count: int, is_norm: bool) -> np.ndarray:
    rng = np.random.Generator(np.random.SFC64(number))
    floats = rng.standard_normal(count, dtype=np.float32)
    floats *= DEVIATION
    if is_norm:
        floats += 1
    return floats.astype(np.float16)


def write_safetensors(path: pathlib.Path, shapes: Shapes, seed: int) -> None:
    header: dict[str, object] = {"__metadata__": {"format": "pt"}}
    offset = 0
    blocks: list[tuple[int, bool]] = []
    for name, shape in shapes.items():
        count = math.prod(shape)
        header[name] = {"dtype": "F16", "shape": shape, "data_offsets": [offset, offset + 2 * count]}
        offset += 2 * count
        blocks += [(min(BLOCK, count - start), len(shape) == 1) for start in range(0, count, BLOCK)]
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    partial = path.with_suffix(".partial")
    workers = os.cpu_count() or 1
    with open(partial, "wb") as file, concurrent.futures.ThreadPoolExecutor(workers) as pool:
        file.write(struct.pack("<Q", len(text)) + text)
        # Not all at once: what is ready waits in memory.
        for first in range(0, len(blocks), 2 * workers):
            batch = blocks[first : first + 2 * workers]
            for array in pool.map(lambda i, block: values(seed + i, *block), range(first, first + len(batch)), batch):
                file.write(array.data)
    partial.rename(path)


def write_json(path: pathlib.Path, value: object) -> None:
    path.write_text(json.dumps(value, indent=2) + "\n")


def write_tokenizer(path: pathlib.Path, count: int) -> None:
    """A SentencePiece model of LLaMA's kind, a protobuf message: pieces (text, score, type), type of model (BPE), normalizer."""
    pieces = [("<unk>", 2), ("<s>", 3), ("</s>", 3)] + [(f"<0x{i:02X}>", 6) for i in range(256)]
    pieces += [(f"piece{i}", 1) for i in range(len(pieces), count)]
    message = bytearray()
    for i, (text, kind) in enumerate(pieces):
        name, score = text.encode(), struct.pack("<f", -i)
        piece = b"\x0a" + bytes([len(name)]) + name + b"\x15" + score + b"\x18" + bytes([kind])
        message += b"\x0a" + bytes([len(piece)]) + piece
    normalizer = b"\x0a\x08identity\x18\x01\x20\x00"
    path.write_bytes(message + b"\x12\x02\x18\x02\x1a" + bytes([len(normalizer)]) + normalizer)


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("folder", type=pathlib.Path)
    arguments.add_argument("--size", choices=SIZES, default="1.3b")
    arguments.add_argument("--tokenizers", type=pathlib.Path)
    options = arguments.parse_args()
    width, layers, heads, feed = SIZES[options.size]
    base, lora = options.folder / "base", options.folder / "lora"

    base.mkdir(parents=True, exist_ok=True)
    write_json(
        base / "config.json",
        {
            "architectures": ["LlamaForCausalLM"],
            "model_type": "llama",
            "hidden_size": width,
            "intermediate_size": feed,
            "num_hidden_layers": layers,
            "num_attention_heads": heads,
            "num_key_value_heads": heads,
            "max_position_embeddings": 2048,
            "rms_norm_eps": 1e-6,
            "hidden_act": "silu",
            "vocab_size": VOCABULARY,
            "bos_token_id": 1,
            "eos_token_id": 2,
            "tie_word_embeddings": False,
            "torch_dtype": "float16",
        },
    )
    write_safetensors(base / "model.safetensors", base_shapes(width, layers, feed), 0)
    lora.mkdir(parents=True, exist_ok=True)
    write_json(
        lora / "adapter_config.json",
        {
            "peft_type": "LORA",
            "task_type": "CAUSAL_LM",
            "base_model_name_or_path": "base",
            "r": RANK,
            "lora_alpha": 2.0 * RANK,
            "lora_dropout": 0.0,
            "bias": "none",
            "fan_in_fan_out": False,
            "inference_mode": True,
            "target_modules": [name.split(".")[1] for name in matrices(width, feed)],
            "modules_to_save": ["embed_tokens", "lm_head"],
        },
    )
    write_safetensors(lora / "adapter_model.safetensors", adapter_shapes(width, layers, feed), 1 << 32)
    for folder, name, count in ((base, "llama.model", VOCABULARY), (lora, "chinese_alpaca.model", EXTENDED)):
        source = options.tokenizers / name if options.tokenizers else None
        if source and source.is_file():
            shutil.copyfile(source, folder / "tokenizer.model")
        else:
            write_tokenizer(folder / "tokenizer.model", count)


if __name__ == "__main__":
    main()
