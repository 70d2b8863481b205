#!/usr/bin/env python3
"""make_family.py OUTDIR: a model family in the form of the mini family (base, the same in Meta's shards, two adapters, the merged model) for
tests that need files like these and not those very weights. The merged model is the real one (of models/mini); the base and the adapters hold
random numbers, the same in each run. Tokenizers are the real ones. Standard library only; two seconds.

What the real family is, and the scripts that trained it: README.md."""
import json
import os
import pathlib
import random
import struct
import sys

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(REPOSITORY / "Tests/hostile"))
import make_hostile as torch  # noqa: E402  It writes what torch.save writes.

LAYERS, WIDTH, HEADS, FORWARD, RANK, POSITIONS = 4, 256, 4, 768, 32, 512
PROJECTIONS = {"self_attn.q_proj": (WIDTH, WIDTH), "self_attn.k_proj": (WIDTH, WIDTH), "self_attn.v_proj": (WIDTH, WIDTH),
               "self_attn.o_proj": (WIDTH, WIDTH), "mlp.gate_proj": (FORWARD, WIDTH), "mlp.up_proj": (FORWARD, WIDTH),
               "mlp.down_proj": (WIDTH, FORWARD)}
META = {"self_attn.q_proj": ("attention.wq", 0), "self_attn.k_proj": ("attention.wk", 0), "self_attn.v_proj": ("attention.wv", 0),
        "self_attn.o_proj": ("attention.wo", 1), "mlp.gate_proj": ("feed_forward.w1", 0), "mlp.up_proj": ("feed_forward.w3", 0),
        "mlp.down_proj": ("feed_forward.w2", 1)}
TOKENIZERS = {"llama": 1000, "chinese_llama": 3940, "chinese_alpaca": 3941}


def size(shape):
    count = 1
    for n in shape:
        count *= n
    return count


class Numbers:
    """F16 numbers without an order: of both signs, from 2^-9 to 2^-6 (near what trained weights are)."""

    def __init__(self, seed):
        self.source = random.Random(seed)

    def take(self, shape):
        count = size(shape)
        bits = int.from_bytes(self.source.randbytes(2 * count), "little")
        every = int.from_bytes(b"\x01\x00" * count, "little")
        # Sign and fraction from the source, two bits of the exponent too: 6 + 0...3 of a bias of 15.
        low = bits & every * 0x83FF
        steps = (bits >> 10) & every * 0x3
        return (low | (every * 6 + steps) << 10).to_bytes(2 * count, "little")


def ones(shape):
    return b"\x00\x3c" * size(shape)


def base_tensors():
    numbers = Numbers("base")
    vocabulary = TOKENIZERS["llama"]
    tensors = {"model.embed_tokens.weight": ([vocabulary, WIDTH], None)}
    for layer in range(LAYERS):
        prefix = f"model.layers.{layer}."
        for name, shape in PROJECTIONS.items():
            tensors[f"{prefix}{name}.weight"] = (list(shape), None)
        tensors[prefix + "input_layernorm.weight"] = ([WIDTH], ones([WIDTH]))
        tensors[prefix + "post_attention_layernorm.weight"] = ([WIDTH], ones([WIDTH]))
    tensors["model.norm.weight"] = ([WIDTH], ones([WIDTH]))
    tensors["lm_head.weight"] = ([vocabulary, WIDTH], None)
    return {name: (shape, data or numbers.take(shape)) for name, (shape, data) in tensors.items()}


def adapter_tensors(seed, vocabulary):
    numbers = Numbers(seed)
    tensors = {}
    for layer in range(LAYERS):
        for name, (rows, columns) in PROJECTIONS.items():
            prefix = f"base_model.model.model.layers.{layer}.{name}."
            tensors[prefix + "lora_A.weight"] = ([RANK, columns], numbers.take([RANK, columns]))
            tensors[prefix + "lora_B.weight"] = ([rows, RANK], numbers.take([rows, RANK]))
    for name in ["model.embed_tokens", "lm_head"]:
        tensors[f"base_model.model.{name}.weight"] = ([vocabulary, WIDTH], numbers.take([vocabulary, WIDTH]))
    return tensors


def swap_pairs(data, rows, columns, parts):
    """Rows of each head in another order: (2, half) becomes (half, 2) with parts = 2, and back with parts = half of a head."""
    row, head = 2 * columns, rows // HEADS
    other = head // parts
    order = [h * head + p * other + o for h in range(HEADS) for o in range(other) for p in range(parts)]
    return b"".join(data[r * row:(r + 1) * row] for r in order)


# ---- Files


def safetensors(path, tensors, metadata=None):
    header, end = {"__metadata__": metadata or {"format": "pt"}}, 0
    for name in sorted(tensors):
        shape, data = tensors[name]
        header[name] = {"dtype": "F16", "shape": shape, "data_offsets": [end, end + len(data)]}
        end += len(data)
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for name in sorted(tensors):
            file.write(tensors[name][1])


def pickle(path, tensors, root):
    """What torch.save writes of a dictionary of F16 tensors."""
    pairs, storages = [], {}
    for number, (name, (shape, data)) in enumerate(tensors.items()):
        pairs.append((name, torch.tensor(str(number), "Half", shape)))
        storages[str(number)] = data
    path.write_bytes(torch.torch_zip(torch.state(pairs), storages, root=root).build())


def text(path, value):
    path.write_text(json.dumps(value, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")


def tokenizer(folder, name):
    (folder / "tokenizer.model").write_bytes((REPOSITORY / f"Tests/Goldens/tokenizers/mini_{name}.model").read_bytes())


def configuration(folder, vocabulary, pad=0):
    text(folder / "config.json", {
        "architectures": ["LlamaForCausalLM"], "bos_token_id": 1, "eos_token_id": 2, "hidden_act": "silu", "hidden_size": WIDTH,
        "initializer_range": 0.02, "intermediate_size": FORWARD, "max_position_embeddings": POSITIONS, "model_type": "llama",
        "num_attention_heads": HEADS, "num_hidden_layers": LAYERS, "pad_token_id": pad, "rms_norm_eps": 1e-06,
        "tie_word_embeddings": False, "torch_dtype": "float16", "transformers_version": "4.28.0.dev0", "use_cache": True,
        "vocab_size": vocabulary})
    text(folder / "generation_config.json", {
        "_from_model_config": True, "bos_token_id": 1, "eos_token_id": 2, "pad_token_id": pad, "transformers_version": "4.28.0.dev0"})


def adapter(folder, base, name, special):
    text(folder / "adapter_config.json", {
        "base_model_name_or_path": base, "bias": "none", "fan_in_fan_out": False, "inference_mode": True, "init_lora_weights": True,
        "lora_alpha": 64.0, "lora_dropout": 0.0, "merge_weights": False, "modules_to_save": ["embed_tokens", "lm_head"],
        "peft_type": "LORA", "r": RANK, "target_modules": [p.split(".")[1] for p in PROJECTIONS], "task_type": "CAUSAL_LM"})
    text(folder / "special_tokens_map.json", special)
    tokenizer(folder, name)


# ---- Meta's layout, and back


def meta(tensors, shards, shard):
    """A shard in Meta's layout: its part of each matrix, heads in pairs."""
    def rows(data, shape):
        part = len(data) // shards
        return [shape[0] // shards, *shape[1:]], data[shard * part:(shard + 1) * part]

    def columns(data, shape):
        row, part = 2 * shape[1], 2 * shape[1] // shards
        return [shape[0], shape[1] // shards], b"".join(data[r + shard * part:r + (shard + 1) * part] for r in range(0, len(data), row))

    result = {}
    for name, (shape, data) in tensors.items():
        key = name.removeprefix("model.").removesuffix(".weight")
        if key == "embed_tokens":
            result["tok_embeddings.weight"] = columns(data, shape)
        elif key == "lm_head":
            result["output.weight"] = rows(data, shape)
        elif key == "norm":
            result["norm.weight"] = (shape, data)
        else:
            _, layer, part = key.split(".", 2)
            if part.endswith("layernorm"):
                result[f"layers.{layer}.{'attention' if part[0] == 'i' else 'ffn'}_norm.weight"] = (shape, data)
                continue
            to, axis = META[part]
            if to in ("attention.wq", "attention.wk"):
                data = swap_pairs(data, *shape, 2)
            result[f"layers.{layer}.{to}.weight"] = (columns if axis else rows)(data, shape)
    half = WIDTH // HEADS // 2
    result["rope.freqs"] = ([half], b"".join(struct.pack("<e", 10000 ** (-i / half)) for i in range(half)))
    return result


GGUF = {"token_embd": "model.embed_tokens", "output": "lm_head", "output_norm": "model.norm", "attn_q": "self_attn.q_proj",
        "attn_k": "self_attn.k_proj", "attn_v": "self_attn.v_proj", "attn_output": "self_attn.o_proj", "ffn_gate": "mlp.gate_proj",
        "ffn_up": "mlp.up_proj", "ffn_down": "mlp.down_proj", "attn_norm": "input_layernorm", "ffn_norm": "post_attention_layernorm"}


def merged_tensors():
    """Those of models/mini, by their names at Hugging Face: norms as F16, which they were, heads in halves."""
    data = (REPOSITORY / "models/mini/chinese-alpaca-mini-f16.gguf").read_bytes()
    at = 0

    def take(form):
        nonlocal at
        value = struct.unpack_from("<" + form, data, at)
        at += struct.calcsize("<" + form)
        return value[0]

    def string():
        nonlocal at
        length = take("Q")
        at += length
        return data[at - length:at].decode(errors="replace")

    def value(kind):
        if kind == 8:
            return string()
        if kind == 9:
            kind, count = take("I"), take("Q")
            return [value(kind) for _ in range(count)]
        return take("BbHhIif?"[kind] if kind < 8 else {10: "Q", 11: "q", 12: "d"}[kind])

    assert take("4s") == b"GGUF" and take("I") == 3
    tensor_count, key_count = take("Q"), take("Q")
    alignment = 32
    for _ in range(key_count):
        key = string()
        found = value(take("I"))
        alignment = found if key == "general.alignment" else alignment
    infos = []
    for _ in range(tensor_count):
        name = string()
        shape = [take("Q") for _ in range(take("I"))][::-1]
        infos.append((name, shape, take("I"), take("Q")))
    start = -(-at // alignment) * alignment
    tensors = {}
    for name, shape, kind, offset in infos:
        stem = name.removesuffix(".weight")
        part = stem.split(".", 2)[2] if stem.startswith("blk.") else stem
        prefix = f"model.layers.{stem.split('.')[1]}." if stem.startswith("blk.") else ""
        count = size(shape)
        raw = data[start + offset:start + offset + count * (4 if kind == 0 else 2)]
        if kind == 0:
            raw = struct.pack(f"<{count}e", *struct.unpack(f"<{count}f", raw))
        if part in ("attn_q", "attn_k"):
            raw = swap_pairs(raw, *shape, WIDTH // HEADS // 2)
        tensors[f"{prefix}{GGUF[part]}.weight"] = (shape, raw)
    return tensors


def main():
    out = pathlib.Path(sys.argv[1])
    for name in ["mini-llama", "mini-llama-meta", "mini-chinese-llama-lora", "mini-chinese-alpaca-lora", "merged-chinese-alpaca-hf"]:
        os.makedirs(out / name, exist_ok=True)
    base = base_tensors()
    safetensors(out / "mini-llama/model.safetensors", base)
    configuration(out / "mini-llama", TOKENIZERS["llama"])
    tokenizer(out / "mini-llama", "llama")
    for shard in range(2):
        pickle(out / f"mini-llama-meta/consolidated.{shard:02}.pth", meta(base, 2, shard), f"consolidated.{shard:02}")
    text(out / "mini-llama-meta/params.json", {
        "dim": WIDTH, "multiple_of": 256, "n_heads": HEADS, "n_layers": LAYERS, "norm_eps": 1e-06, "vocab_size": -1})
    tokenizer(out / "mini-llama-meta", "llama")
    special = {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>"}
    adapter(out / "mini-chinese-llama-lora", "mini-llama", "chinese_llama", special)
    safetensors(out / "mini-chinese-llama-lora/adapter_model.safetensors", adapter_tensors("llama", TOKENIZERS["chinese_llama"]))
    adapter(out / "mini-chinese-alpaca-lora", "mini-chinese-llama", "chinese_alpaca", {**special, "pad_token": "[PAD]"})
    pickle(out / "mini-chinese-alpaca-lora/adapter_model.bin", adapter_tensors("alpaca", TOKENIZERS["chinese_alpaca"]), "adapter_model")
    safetensors(out / "merged-chinese-alpaca-hf/model.safetensors", merged_tensors())
    configuration(out / "merged-chinese-alpaca-hf", TOKENIZERS["chinese_alpaca"], pad=TOKENIZERS["chinese_alpaca"] - 1)
    tokenizer(out / "merged-chinese-alpaca-hf", "chinese_alpaca")


if __name__ == "__main__":
    main()
