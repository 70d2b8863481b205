#!/usr/bin/env python3
"""The table of sizes of the README: what `alpaca convert --plan` says of LLaMA 7B to 65B with the vocabulary of Chinese-Alpaca.

    Benchmarks/sizes.py [--alpaca build/bin/alpaca] [--types q4_0,q4_k_m,...]

The bases are folders with real headers and empty (sparse) weights: a plan reads headers only. The tokenizer is made of LLaMA's and the Chinese
pieces in the folder that ALPACA_SHARED names.
"""
import argparse
import json
import os
import pathlib
import struct
import subprocess
import tempfile

REPOSITORY = pathlib.Path(__file__).resolve().parents[1]
# width, feed-forward, layers, heads, epsilon
SIZES = {"7B": (4096, 11008, 32, 32, 1e-6), "13B": (5120, 13824, 40, 40, 1e-6), "33B": (6656, 17920, 60, 52, 1e-6),
         "65B": (8192, 22016, 80, 64, 1e-5)}
VOCABULARY = 49954


def tensors(width, wide, layers):
    yield "model.embed_tokens.weight", [VOCABULARY, width]
    for i in range(layers):
        prefix = f"model.layers.{i}."
        for name in "qkvo":
            yield f"{prefix}self_attn.{name}_proj.weight", [width, width]
        yield prefix + "mlp.gate_proj.weight", [wide, width]
        yield prefix + "mlp.up_proj.weight", [wide, width]
        yield prefix + "mlp.down_proj.weight", [width, wide]
        yield prefix + "input_layernorm.weight", [width]
        yield prefix + "post_attention_layernorm.weight", [width]
    yield "model.norm.weight", [width]
    yield "lm_head.weight", [VOCABULARY, width]


def make_base(folder, size, tokenizer):
    width, wide, layers, heads, epsilon = SIZES[size]
    header, end = {}, 0
    for name, shape in tensors(width, wide, layers):
        count = 2
        for n in shape:
            count *= n
        header[name] = {"dtype": "F16", "shape": shape, "data_offsets": [end, end + count]}
        end += count
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(folder / "model.safetensors", "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        file.truncate(8 + len(text) + end)
    config = {"architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": width, "intermediate_size": wide,
              "num_hidden_layers": layers, "num_attention_heads": heads, "rms_norm_eps": epsilon, "vocab_size": VOCABULARY,
              "max_position_embeddings": 2048, "tie_word_embeddings": False}
    (folder / "config.json").write_text(json.dumps(config))
    os.link(tokenizer, folder / "tokenizer.model")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--alpaca", default=REPOSITORY / "build/bin/alpaca")
    parser.add_argument("--types", default="q4_0,q4_k_m,q5_k_m,q6_k,q8_0,f16")
    options = parser.parse_args()
    types = options.types.split(",")
    shared = pathlib.Path(os.environ.get("ALPACA_SHARED", REPOSITORY.parent / "shared")) / "fixtures/tokenizers"
    with tempfile.TemporaryDirectory() as work:
        work = pathlib.Path(work)
        tokenizer = work / "tokenizer.model"
        subprocess.run([options.alpaca, "merge-tokenizer", shared / "llama.model", shared / "chinese_sp.model", "--add-piece", "[PAD]",
                        "-o", tokenizer], check=True, stdout=subprocess.DEVNULL)
        print("| | base (F16) | " + " | ".join(name.upper() for name in types) + " | memory |")
        print("|---" * (len(types) + 3) + "|")
        for size in SIZES:
            folder = work / size
            folder.mkdir()
            make_base(folder, size, tokenizer)
            row, memory = [], 0
            for name in types:
                plan = subprocess.run([options.alpaca, "convert", folder, "--type", name, "-o", work / "out.gguf", "--plan", "--json"],
                                      check=True, capture_output=True, text=True)
                plan = json.loads(plan.stdout)
                row.append(f"{plan['size_bytes'] / 1e9:.1f} GB")
                memory = max(memory, plan["memory_bytes"])
            print(f"| {size} | {plan['base']['size_bytes'] / 1e9:.1f} GB | " + " | ".join(row) + f" | {memory / 1e6:.0f} MB |")


if __name__ == "__main__":
    main()
