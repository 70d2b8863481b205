#!/usr/bin/env python3
"""Writes a GGUF file in the shape of a known model, with random weights, for benchmarks.

    make-synthetic.py --shape mixtral --type q4_k_m OUT.gguf

The text that such a model writes is noise; size, layout and cost are those of the real one. Shapes: llama3 (Llama-3-8B: 8 heads of keys for 32,
128256 pieces), qwen3 (Qwen3-4B: norms of heads, tied, 151936 pieces), mixtral (8x7B: 2 of 8 experts). `--layers` makes fewer than the real
model's; what it takes of the machine a token is then less by as much, and so the file's name says it (see `--print-name`). The vocabulary is
made up: all bytes and pairs of them.
Needs numpy and gguf (PyPI).
"""
import argparse
import numpy
import gguf

TYPES = gguf.GGMLQuantizationType
SHAPES = {
    "llama3": dict(architecture="llama", title="Llama-3-8B", width=4096, layers=32, heads=32, pairs=8, head=128, forward=14336, pieces=128256,
                   theta=500000.0, context=8192, pre="llama-bpe"),
    "qwen3": dict(architecture="qwen3", title="Qwen3-4B", width=2560, layers=36, heads=32, pairs=8, head=128, forward=9728, pieces=151936,
                  theta=1000000.0, context=40960, pre="qwen2", tied=True),
    "mixtral": dict(architecture="llama", title="Mixtral-8x7B", width=4096, layers=32, heads=32, pairs=8, head=128, forward=14336, pieces=32000,
                    theta=1000000.0, context=32768, experts=8, used=2),
}
# Type: weights a block, bytes a block, where its F16 scales are, and a value for them that gives weights of a deviation near 0.02.
BLOCKS = {
    TYPES.Q4_0: (32, 18, (0,), 0.0043), TYPES.Q5_0: (32, 22, (0,), 0.0021), TYPES.Q8_0: (32, 34, (0,), 0.00027),
    TYPES.Q4_K: (256, 144, (0, 2), 0.0001), TYPES.Q5_K: (256, 176, (0, 2), 0.00005), TYPES.Q6_K: (256, 210, (208,), 0.000015),
}
# Blocks that are made; larger tensors repeat them. Far more than any cache holds.
MOST_BLOCKS = 1 << 20


def tensors(shape):
    """Names and shapes, outermost dimension first."""
    width, forward, queries, keys = shape["width"], shape["forward"], shape["heads"] * shape["head"], shape["pairs"] * shape["head"]
    result = [("token_embd", (shape["pieces"], width)), ("output_norm", (width,))]
    if not shape.get("tied"):
        result.append(("output", (shape["pieces"], width)))
    for layer in range(shape["layers"]):
        parts = [("attn_norm", (width,)), ("attn_q", (queries, width)), ("attn_k", (keys, width)), ("attn_v", (keys, width)),
                 ("attn_output", (width, queries)), ("ffn_norm", (width,))]
        if shape["architecture"] == "qwen3":
            parts += [("attn_q_norm", (shape["head"],)), ("attn_k_norm", (shape["head"],))]
        if count := shape.get("experts"):
            parts += [("ffn_gate_inp", (count, width)), ("ffn_gate_exps", (count, forward, width)), ("ffn_up_exps", (count, forward, width)),
                      ("ffn_down_exps", (count, width, forward))]
        else:
            parts += [("ffn_gate", (forward, width)), ("ffn_up", (forward, width)), ("ffn_down", (width, forward))]
        result += [(f"blk.{layer}.{name}", dimensions) for name, dimensions in parts]
    return result


def kind(mix, name, shape):
    """The type that llama-quantize would give the tensor."""
    part, layers = name.split(".")[-1], shape["layers"]
    if "norm" in part or part == "ffn_gate_inp":
        return TYPES.F32
    if mix in ("f16", "q8_0"):
        return TYPES[mix.upper()]
    if part == "output" or part == "token_embd" and shape.get("tied"):
        return TYPES.Q6_K
    if shape.get("experts") == 8 and part in ("attn_k", "attn_v"):
        return TYPES.Q8_0
    if mix == "q4_k_m":
        if shape.get("experts") == 8 and part == "attn_output":
            return TYPES.Q5_K
        layer = int(name.split(".")[1]) if name.startswith("blk.") else 0
        is_sensitive = layer < layers // 8 or layer >= 7 * layers // 8 or (layer - layers // 8) % 3 == 2
        return TYPES.Q6_K if is_sensitive and part in ("attn_v", "ffn_down", "ffn_down_exps") else TYPES.Q4_K
    return TYPES[mix.upper()]


def data(random, type, count):
    if type == TYPES.F32:
        return (1 + 0.01 * random.standard_normal(count)).astype(numpy.float32).view(numpy.uint8)
    if type == TYPES.F16:
        made = (0.02 * random.standard_normal(min(count, MOST_BLOCKS * 32), dtype=numpy.float32)).astype(numpy.float16).view(numpy.uint8)
        return numpy.resize(made, 2 * count)
    weights, size, scales, value = BLOCKS[type]
    blocks = count // weights
    made = min(blocks, MOST_BLOCKS)
    raw = random.integers(0, 256, size=(made, size), dtype=numpy.uint8)
    for at in scales:
        raw[:, at:at + 2] = (value * random.uniform(0.7, 1.3, made)).astype(numpy.float16).view(numpy.uint8).reshape(made, 2)
    return numpy.resize(raw.reshape(-1), blocks * size)


def letters():
    """The letter of each byte in byte-level vocabularies."""
    plain = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in plain]
    return {**{byte: chr(byte) for byte in plain}, **{byte: chr(0x100 + i) for i, byte in enumerate(others)}}


def add_vocabulary(writer, shape):
    count = shape["pieces"]
    if "pre" not in shape:
        tokens = ["<unk>", "<s>", "</s>"] + [f"<0x{byte:02X}>" for byte in range(256)]
        tokens += [f"\u2581{chr(0x4E00 + i)}" if i % 2 else chr(0x4E00 + i) for i in range(count - len(tokens))]
        writer.add_tokenizer_model("llama")
        writer.add_token_list(tokens)
        writer.add_token_scores([0.0] * 259 + [-float(i) for i in range(count - 259)])
        writer.add_token_types([2, 3, 3] + [6] * 256 + [1] * (count - 259))
        writer.add_bos_token_id(1)
        writer.add_eos_token_id(2)
        return
    by_byte = [letter for _, letter in sorted(letters().items())]
    specials = ["<|begin|>", "<|end|>"]
    room = count - 256 - len(specials)
    pairs = [(a, b) for a in by_byte for b in by_byte][:room]
    # Then three letters: a pair and a letter.
    triples = [(a + b, c) for a, b in pairs[:(room - len(pairs) + 255) // 256] for c in by_byte][:room - len(pairs)]
    tokens = by_byte + [a + b for a, b in pairs + triples] + specials
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(shape["pre"])
    writer.add_token_list(tokens)
    writer.add_token_types([1] * (count - 2) + [3, 3])
    writer.add_token_merges([f"{a} {b}" for a, b in pairs + triples])
    writer.add_bos_token_id(count - 2)
    writer.add_eos_token_id(count - 1)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("output", nargs="?")
    parser.add_argument("--shape", choices=SHAPES, required=True)
    parser.add_argument("--type", default="q4_k_m", choices=["f16", "q8_0", "q4_0", "q5_0", "q4_k_m", "q4_k", "q5_k", "q6_k"])
    parser.add_argument("--layers", type=int, help="in place of the real model's")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--print-name", action="store_true", help="prints the name that says it all, and writes nothing")
    options = parser.parse_args()
    shape = dict(SHAPES[options.shape])
    all_layers = shape["layers"]
    shape["layers"] = options.layers or all_layers
    scaled = f"-{shape['layers']}of{all_layers}" if shape["layers"] != all_layers else ""
    if options.print_name:
        print(f"{options.shape}{scaled}")
        return
    if not options.output:
        parser.error("the following arguments are required: output")
    writer = gguf.GGUFWriter(options.output, shape["architecture"])
    writer.add_name(f"synthetic {shape['title']}{scaled}")
    writer.add_context_length(shape["context"])
    writer.add_embedding_length(shape["width"])
    writer.add_block_count(shape["layers"])
    writer.add_feed_forward_length(shape["forward"])
    writer.add_head_count(shape["heads"])
    writer.add_head_count_kv(shape["pairs"])
    writer.add_key_length(shape["head"])
    writer.add_value_length(shape["head"])
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_freq_base(shape["theta"])
    writer.add_rope_dimension_count(shape["head"])
    writer.add_vocab_size(shape["pieces"])
    if "experts" in shape:
        writer.add_expert_count(shape["experts"])
        writer.add_expert_used_count(shape["used"])
    add_vocabulary(writer, shape)
    plan = []
    for name, dimensions in tensors(shape):
        type, count = kind(options.type, name, shape), int(numpy.prod(dimensions))
        weights, size = gguf.GGML_QUANT_SIZES[type]
        if type in (TYPES.F32, TYPES.F16):
            float_type = numpy.dtype(numpy.float32 if type == TYPES.F32 else numpy.float16)
            writer.add_tensor_info(f"{name}.weight", dimensions, float_type, count * size)
        else:
            stored = (*dimensions[:-1], dimensions[-1] // weights * size)
            writer.add_tensor_info(f"{name}.weight", stored, numpy.dtype(numpy.uint8), count // weights * size, raw_dtype=type)
        plan.append((type, count, name))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_ti_data_to_file()
    random = numpy.random.default_rng(options.seed)
    for type, count, name in plan:
        values = data(random, type, count)
        if name.endswith("ffn_gate_inp"):
            # As of a trained router: tokens differ in what they choose.
            values = (0.02 * random.standard_normal(count)).astype(numpy.float32).view(numpy.uint8)
        writer.write_tensor_data(values)
    writer.close()


if __name__ == "__main__":
    main()
