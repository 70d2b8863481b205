"""Models of one layer and width 4 in every format, a few kilobytes each: fuzzing wants valid files that are short."""
import collections
import io
import json
import pathlib
import pickle
import re
import struct
import sys
import types
import zipfile

PIECES = [("<unk>", 2), ("<s>", 3), ("</s>", 3), ("\u2581", 1), ("a", 1), ("b", 1), ("ab", 1), ("[PAD]", 4)]
BYTE_PIECES = [(f"<0x{byte:02X}>", 6) for byte in range(256)]
VOCABULARY, WIDTH, HEADS, FORWARD = len(PIECES), 4, 2, 12
# ggml's numbers of types: weights a block, bytes a block. From the table of types.
TABLE = pathlib.Path(__file__).resolve().parents[2] / "Sources/CAlpacaKernels/types/types.def"
TYPES = {int(number): (int(block), int(size))
         for number, block, size in re.findall(r"^TYPE\(\w+, *\w+, *(\d+), *(\d+), *(\d+),", TABLE.read_text(), re.MULTILINE)}
# The same in the files of early 2023.
OLD_TYPES = {1: {0: (1, 4), 1: (1, 2), 2: (32, 20), 3: (32, 24), 4: (16, 10), 5: (16, 12), 6: (32, 22), 7: (32, 24), 8: (32, 36)},
             2: {0: (1, 4), 1: (1, 2), 2: (32, 20), 3: (32, 24), 6: (32, 22), 7: (32, 24), 8: (32, 36)},
             3: {number: TYPES[number] for number in TYPES if number <= 14}}


def tensors(names):
    """Name and shape of each tensor, outermost dimension first; `names` in the order of the roles below."""
    shapes = [(VOCABULARY, WIDTH), (WIDTH,), (VOCABULARY, WIDTH), (WIDTH,), (WIDTH, WIDTH), (WIDTH, WIDTH), (WIDTH, WIDTH), (WIDTH, WIDTH),
              (WIDTH,), (FORWARD, WIDTH), (WIDTH, FORWARD), (FORWARD, WIDTH)]
    return list(zip(names, shapes))


GGUF_NAMES = ["token_embd.weight", "output_norm.weight", "output.weight"] + [
    f"blk.0.{part}.weight" for part in ("attn_norm", "attn_q", "attn_k", "attn_v", "attn_output", "ffn_norm", "ffn_gate", "ffn_down", "ffn_up")]
HF_NAMES = ["model.embed_tokens.weight", "model.norm.weight", "lm_head.weight"] + [
    f"model.layers.0.{part}.weight" for part in (
        "input_layernorm", "self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.o_proj", "post_attention_layernorm",
        "mlp.gate_proj", "mlp.down_proj", "mlp.up_proj")]
META_NAMES = ["tok_embeddings.weight", "norm.weight", "output.weight"] + [
    f"layers.0.{part}.weight" for part in (
        "attention_norm", "attention.wq", "attention.wk", "attention.wv", "attention.wo", "ffn_norm", "feed_forward.w1", "feed_forward.w2",
        "feed_forward.w3")]


def elements(shape):
    count = 1
    for size in shape:
        count *= size
    return count


def data(count):
    return bytes(i * 37 % 61 for i in range(count))


# ---- GGUF

def gguf_string(text, version):
    text = text.encode()
    return struct.pack("<I" if version == 1 else "<Q", len(text)) + text


def gguf_value(kind, value, version):
    length = "<I" if version == 1 else "<Q"
    if isinstance(kind, list):
        return struct.pack("<I", kind[0]) + struct.pack(length, len(value)) + b"".join(gguf_value(kind[0], one, version) for one in value)
    return gguf_string(value, version) if kind == 8 else struct.pack("<" + "BbHhIif?__Qqd"[kind], value)


def gguf(keys, infos, version=3, alignment=32):
    """keys: (name, type or [type of elements], value); infos: (name, shape, type)."""
    length = "<I" if version == 1 else "<Q"
    head = b"GGUF" + struct.pack("<I", version) + struct.pack(length, len(infos)) + struct.pack(length, len(keys))
    for name, kind, value in keys:
        head += gguf_string(name, version) + struct.pack("<I", 9 if isinstance(kind, list) else kind) + gguf_value(kind, value, version)
    body = b""
    for name, shape, kind in infos:
        head += gguf_string(name, version) + struct.pack("<I", len(shape))
        head += b"".join(struct.pack(length, size) for size in reversed(shape)) + struct.pack("<IQ", kind, len(body))
        block, size = TYPES[kind]
        body += data(elements(shape) // block * size)
        body += bytes(-len(body) % alignment)
    return head + bytes(-len(head) % alignment) + body


def gguf_tokens(pieces, types=5):
    return [("tokenizer.ggml.model", 8, "llama"), ("tokenizer.ggml.tokens", [8], [piece for piece, _ in pieces]),
            ("tokenizer.ggml.scores", [6], [-float(i) for i in range(len(pieces))]),
            ("tokenizer.ggml.token_type", [types], [kind for _, kind in pieces]), ("tokenizer.ggml.bos_token_id", 4, 1),
            ("tokenizer.ggml.eos_token_id", 4, 2), ("tokenizer.ggml.unknown_token_id", 4, 0)]


def gguf_sizes():
    return [("general.architecture", 8, "llama"), ("llama.context_length", 4, 64), ("llama.embedding_length", 4, WIDTH),
            ("llama.block_count", 4, 1), ("llama.feed_forward_length", 4, FORWARD), ("llama.attention.head_count", 4, HEADS),
            ("llama.attention.head_count_kv", 4, HEADS), ("llama.rope.dimension_count", 4, WIDTH // HEADS),
            ("llama.attention.layer_norm_rms_epsilon", 6, 1e-6)]


def gguf_files():
    infos = [(name, shape, 0) for name, shape in tensors(GGUF_NAMES)]
    for version in (1, 2, 3):
        yield f"model-v{version}", gguf(gguf_sizes() + gguf_tokens(PIECES), infos, version)
    more = [("general.name", 8, "Chinese-Alpaca"), ("general.file_type", 4, 1), ("general.alignment", 4, 8), ("llama.rope.freq_base", 6, 1e4),
            ("llama.rope.scaling.type", 8, "linear"), ("llama.rope.scaling.factor", 6, 2.0),
            ("tokenizer.chat_template", 8, "### Instruction:\n\n"), ("alpaca.base.name", 8, "base"),
            ("alpaca.adapter.names", [8], ["one", "two"]), ("alpaca.adapter.scales", [6], [1.0, 0.5])]
    half = [(name, shape, 1 if len(shape) > 1 else 0) for name, shape in tensors(GGUF_NAMES)]
    yield "model-f16", gguf(gguf_sizes() + gguf_tokens(PIECES) + more, half, alignment=8)
    # Experts, together and a tensor each; queries, keys and values in one; biases.
    experts = gguf_sizes() + [("llama.expert_count", 4, 3), ("llama.expert_used_count", 4, 2)] + gguf_tokens(PIECES)
    attention = [info for info in infos if "ffn_gate" not in info[0] and "ffn_up" not in info[0] and "ffn_down" not in info[0]]
    router = [("blk.0.ffn_gate_inp.weight", (3, WIDTH), 0)]
    shapes = {"gate": (FORWARD, WIDTH), "up": (FORWARD, WIDTH), "down": (WIDTH, FORWARD)}
    yield "experts", gguf(experts, attention + router + [(f"blk.0.ffn_{part}_exps.weight", (3, *shape), 0) for part, shape in shapes.items()])
    yield "old-experts", gguf(experts, attention + router + [
        (f"blk.0.ffn_{part}.{expert}.weight", shape, expert % 2) for part, shape in shapes.items() for expert in range(3)])
    fused = [info for info in infos if info[0].split(".")[-2] not in ("attn_q", "attn_k", "attn_v")]
    yield "fused", gguf(gguf_sizes() + gguf_tokens(PIECES), fused + [
        ("blk.0.attn_qkv.weight", (3 * WIDTH, WIDTH), 0), ("blk.0.attn_qkv.bias", (3 * WIDTH,), 0), ("blk.0.ffn_down.bias", (WIDTH,), 0)])
    yield "types", gguf([("general.architecture", 8, "llama")], [(f"t{kind}", (1, 256 if block == 256 else 32), kind)
                                                                  for kind, (block, _) in TYPES.items()])
    yield "bytes", gguf(gguf_sizes()[:1] + gguf_tokens(PIECES[:3] + BYTE_PIECES, types=0)[:2]
                        + [("tokenizer.ggml.token_type", [0], [kind for _, kind in PIECES[:3] + BYTE_PIECES])], [])
    values = [0, -1, 0, -1, 0, -1, 0.5, True, "text", None, 1 << 40, -1 << 40, 0.25]
    keys = [("general.architecture", 8, "x")]
    for kind, value in enumerate(values):
        if value is not None:
            keys += [(f"k{kind}", kind, value), (f"l{kind}", [kind], [value] * 3), (f"long{kind}", [kind], [value] * 9)]
    yield "values", gguf(keys, [("one", (2, 2, 2, 2), 30)])
    names = ["blk.0.attn_q.weight", "blk.0.ffn_down.weight"]
    yield "imatrix", gguf(
        [("general.type", 8, "imatrix"), ("imatrix.datasets", [8], ["a.txt"]), ("imatrix.chunk_count", 4, 3), ("imatrix.chunk_size", 4, 512)],
        [(name + end, shape, 0) for name in names for end, shape in ((".in_sum2", (1, 4)), (".counts", (1, 1)))])


# ---- Before GGUF

def ggml(container, version, kinds, infos, width=WIDTH):
    """infos: (name, shape), of the types in `kinds` in turn."""
    out = struct.pack("<I", {"ggml": 0x67676D6C, "ggmf": 0x67676D66, "ggjt": 0x67676A74}[container])
    out += b"" if container == "ggml" else struct.pack("<I", version)
    out += struct.pack("<7i", VOCABULARY, width, 4, HEADS, 1, width // HEADS, kinds[0])
    for i, (piece, _) in enumerate(PIECES):
        text = piece.replace("\u2581", " ").encode()
        out += struct.pack("<I", len(text)) + text + (b"" if container == "ggml" else struct.pack("<f", -i))
    for i, (name, shape) in enumerate(infos):
        kind = kinds[i % len(kinds)] if len(shape) > 1 else 0
        out += struct.pack("<3i", len(shape), len(name), kind) + b"".join(struct.pack("<i", size) for size in reversed(shape)) + name.encode()
        out += bytes(-len(out) % 32) if container == "ggjt" else b""
        block, size = OLD_TYPES[version][kind]
        out += data(elements(shape) // block * size)
    return out


def ggml_files():
    for container, version in (("ggml", 1), ("ggmf", 1), ("ggjt", 1), ("ggjt", 2), ("ggjt", 3)):
        yield f"{container}{version}", ggml(container, version, [0], tensors(META_NAMES))
        yield f"{container}{version}-f16", ggml(container, version, [1], tensors(META_NAMES))
        kinds = [kind for kind in OLD_TYPES[version] if kind < 10]
        # The shapes of wk and w1 tell the sizes.
        names = [name for name in META_NAMES if "wk" not in name and "w1" not in name][:len(kinds)]
        yield f"{container}{version}-types", ggml(container, version, kinds, [(name, (2, 32)) for name in names], width=32)
    yield "ggjt3-k", ggml("ggjt", 3, [10, 11, 12, 13, 14], [(name, (1, 256)) for name in META_NAMES[:5]], width=256)


# ---- safetensors

DTYPES = {"F32": 4, "F16": 2, "BF16": 2, "F64": 8, "I64": 8, "I32": 4, "I16": 2, "I8": 1, "U8": 1, "BOOL": 1, "F8_E4M3": 1}


def safetensors(infos, metadata=None):
    """infos: (name, shape, dtype)."""
    header, at = {} if metadata is None else {"__metadata__": metadata}, 0
    for name, shape, dtype in infos:
        end = at + elements(shape) * DTYPES[dtype]
        header[name] = {"dtype": dtype, "shape": list(shape), "data_offsets": [at, end]}
        at = end
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text + data(at)


def hf_weights(dtype="F16"):
    return [(name, shape, dtype) for name, shape in tensors(HF_NAMES)]


def safetensors_files():
    for dtype in ("F32", "F16", "BF16"):
        yield f"model-{dtype}", safetensors(hf_weights(dtype), {"format": "pt"})
    yield "types", safetensors([(dtype, (2, 3), dtype) for dtype in DTYPES] + [("none", (0, 3), "F32"), ("one", (), "F16")])
    yield "adapter", safetensors(lora_weights("F32"))


# ---- PyTorch: the names that its pickles have, without PyTorch

class Stub(types.ModuleType):
    def __init__(self, name, **members):
        super().__init__(name)
        for key, member in members.items():
            member.__module__, member.__qualname__ = name, key
            setattr(self, key, member)


STORAGES = {"F32": "FloatStorage", "F16": "HalfStorage", "BF16": "BFloat16Storage", "F64": "DoubleStorage", "I64": "LongStorage", "U8": "ByteStorage"}


def rebuild(*_):
    pass


sys.modules["torch"] = Stub("torch", **{name: type(name, (), {}) for name in STORAGES.values()})
sys.modules["torch._utils"] = Stub("torch._utils", _rebuild_tensor_v2=rebuild)


class Storage:
    def __init__(self, key, dtype, count):
        self.key, self.dtype, self.count = key, dtype, count


class Tensor:
    def __init__(self, key, shape, dtype, transposed=False):
        strides = [elements(shape[i + 1:]) for i in range(len(shape))]
        self.arguments = (Storage(key, dtype, elements(shape)), 0, tuple(shape[::-1] if transposed else shape),
                          tuple(strides[::-1] if transposed else strides), False, collections.OrderedDict())

    def __reduce__(self):
        return sys.modules["torch._utils"]._rebuild_tensor_v2, self.arguments


def torch_pickle(infos, is_old, transposed=False):
    def reference(value):
        if isinstance(value, Storage):
            found = ("storage", getattr(sys.modules["torch"], STORAGES[value.dtype]), value.key, "cpu", value.count)
            return found + (None,) if is_old else found
        return None

    out = io.BytesIO()
    pickler = pickle.Pickler(out, 2)
    pickler.persistent_id = reference
    pickler.dump(collections.OrderedDict(
        (name, Tensor(str(i), shape, dtype, transposed)) for i, (name, shape, dtype) in enumerate(infos)))
    return out.getvalue()


def torch_zip(infos, transposed=False):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("a/data.pkl", torch_pickle(infos, False, transposed))
        for i, (_, shape, dtype) in enumerate(infos):
            archive.writestr(f"a/data/{i}", data(elements(shape) * DTYPES[dtype]))
        archive.writestr("a/version", b"3\n")
    return out.getvalue()


def torch_old(infos, transposed=False):
    machine = {"protocol_version": 1001, "little_endian": True, "type_sizes": {"short": 2, "int": 4, "long": 4}}
    out = b"".join(pickle.dumps(value, 2) for value in (0x1950A86A20F9469CFC6C, 1001, machine))
    out += torch_pickle(infos, True, transposed) + pickle.dumps([str(i) for i in range(len(infos))], 2)
    return out + b"".join(
        struct.pack("<q", elements(shape)) + data(elements(shape) * DTYPES[dtype]) for _, shape, dtype in infos)


def torch_files():
    weights = [(name, shape, "F16") for name, shape in tensors(HF_NAMES)]
    yield "old", torch_old(weights)
    yield "zip", torch_zip(weights[:4])
    every = [(dtype, (2, 3), dtype) for dtype in STORAGES]
    for transposed in (False, True):
        yield f"types-{transposed}", torch_zip(every, transposed)
        yield f"old-types-{transposed}", torch_old(every, transposed)


# ---- Tokenizers

def protobuf(field, value):
    def varint(number):
        out = b""
        while number > 127:
            out += bytes([number & 127 | 128])
            number >>= 7
        return out + bytes([number])

    if isinstance(value, bytes):
        return varint(field << 3 | 2) + varint(len(value)) + value
    return varint(field << 3 | 5) + struct.pack("<f", value) if isinstance(value, float) else varint(field << 3) + varint(value)


def sentencepiece(pieces, model=2, has_scores=True, normalizer=b"identity", more=b""):
    out = b""
    for i, (text, kind) in enumerate(pieces):
        piece = protobuf(1, text.encode()) + (protobuf(2, -float(i)) if has_scores else b"") + (protobuf(3, kind) if kind != 1 else b"")
        out += protobuf(1, piece)
    falls_back = any(kind == 6 for _, kind in pieces)
    trainer = protobuf(3, model) + (protobuf(35, 1) if falls_back else b"") + protobuf(40, 0) + protobuf(41, 1) + protobuf(42, 2) + more
    return out + protobuf(2, trainer) + protobuf(3, protobuf(1, normalizer) + protobuf(3, 1) + protobuf(4, 0) + protobuf(5, 1))


def sentencepiece_files():
    yield "small", sentencepiece(PIECES)
    yield "bytes", sentencepiece(PIECES[:4] + BYTE_PIECES, has_scores=False)
    yield "unigram", sentencepiece(PIECES, model=1, normalizer=b"nmt_nfkc", more=protobuf(43, 7))
    yield "unused", sentencepiece([(text, 5 if text == "b" else kind) for text, kind in PIECES])


# ---- JSON

CONFIG = {"architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_act": "silu", "hidden_size": WIDTH, "intermediate_size": FORWARD,
          "num_attention_heads": HEADS, "num_key_value_heads": HEADS, "num_hidden_layers": 1, "max_position_embeddings": 64,
          "rms_norm_eps": 1e-06, "rope_theta": 1e4, "rope_scaling": None, "tie_word_embeddings": False, "torch_dtype": "float16",
          "vocab_size": VOCABULARY}
PARAMETERS = {"dim": WIDTH, "multiple_of": 4, "n_heads": HEADS, "n_layers": 1, "norm_eps": 1e-06, "vocab_size": -1}
ADAPTER = {"base_model_name_or_path": "base", "bias": "none", "fan_in_fan_out": False, "inference_mode": True, "lora_alpha": 4, "lora_dropout": 0.0,
           "modules_to_save": ["embed_tokens", "lm_head"], "peft_type": "LORA", "r": 2, "target_modules": ["q_proj", "v_proj"],
           "task_type": "CAUSAL_LM", "use_rslora": False, "use_dora": False, "rank_pattern": {}, "alpha_pattern": {}}
ORIGIN = {"base": {"name": "base"}, "adapters": [{"name": "one", "scale": 0.5}]}
TOKENIZER = {
    "version": "1.0", "added_tokens": [{"id": 3, "content": "<s>", "special": True}], "normalizer": {"type": "NFC"},
    "pre_tokenizer": {"type": "Sequence", "pretokenizers": [{"type": "Split"}, {"type": "ByteLevel"}]},
    "model": {"type": "BPE", "vocab": {"a": 0, "b": 1, "ab": 2}, "merges": ["a b", ["a", "b"]]}}


def text(value):
    return json.dumps(value, separators=(",", ":")).encode()


def index(shards):
    """shards: file and names of its tensors."""
    return {"metadata": {"total_size": 1000}, "weight_map": {name: file for file, names in shards for name in names}}


def json_files():
    yield "config", text(CONFIG)
    yield "config-linear", text(CONFIG | {"rope_scaling": {"type": "linear", "factor": 2.0}})
    yield "config-yarn", text(CONFIG | {"rope_scaling": {"rope_type": "yarn", "factor": 2.0, "original_max_position_embeddings": 32}})
    yield "params", text(PARAMETERS)
    yield "origin", text(ORIGIN)
    yield "tokenizer", text(TOKENIZER)
    yield "index", text(index([("a.bin", HF_NAMES[:2]), ("b.bin", HF_NAMES[2:5])]))
    yield "generation", text({"bos_token_id": 1, "eos_token_id": [2], "transformers_version": "4.28.1"})
    yield "numbers", b'[0,-0,-0.0,1e308,1e-320,9223372036854775807,-9223372036854775808,9223372036854775808,"\\ud83d\\ude00\\n",true,false,null]'


def adapter_configs():
    yield "plain", text(ADAPTER)
    yield "patterns", text(ADAPTER | {"rank_pattern": {"layers.0.q_proj": 4}, "alpha_pattern": {"v_proj": 8}, "use_rslora": True,
                                      "layers_to_transform": [0], "init_lora_weights": "gaussian"})
    yield "regular", text(ADAPTER | {"target_modules": ".*\\.(q|v)_proj", "exclude_modules": None, "use_dora": True})


# ---- Folders and archives

def lora_weights(dtype, prefix="base_model.model.model.layers.0.self_attn."):
    infos = []
    for module in ("q_proj", "v_proj"):
        infos += [(f"{prefix}{module}.lora_A.weight", (2, WIDTH), dtype), (f"{prefix}{module}.lora_B.weight", (WIDTH, 2), dtype)]
    return infos + [(f"base_model.model.{name}.weight", (VOCABULARY, WIDTH), dtype) for name in ("model.embed_tokens", "lm_head")]


def adapter():
    return [("adapter_config.json", text(ADAPTER)), ("adapter_model.safetensors", safetensors(lora_weights("F16")))]


def hf_model():
    return [("config.json", text(CONFIG)), ("model.safetensors", safetensors(hf_weights())), ("tokenizer.model", sentencepiece(PIECES))]


def folders():
    yield "hf", hf_model() + [("alpaca.json", text(ORIGIN)), ("generation_config.json", text({"eos_token_id": 2}))]
    yield "hf-torch", [("config.json", text(CONFIG)), ("pytorch_model.bin", torch_old([(name, shape, "F16") for name, shape in tensors(HF_NAMES)]))]
    weights = hf_weights()
    files = ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"]
    places = [(files[0], [name for name, _, _ in weights[:6]]), (files[1], [name for name, _, _ in weights[6:]])]
    yield "hf-shards", [("config.json", text(CONFIG)), ("model.safetensors.index.json", text(index(places))),
                        (files[0], safetensors(weights[:6])), (files[1], safetensors(weights[6:]))]
    meta = [(name, shape, "F16") for name, shape in tensors(META_NAMES)]
    yield "meta", [("params.json", text(PARAMETERS)), ("consolidated.00.pth", torch_old(meta)), ("tokenizer.model", sentencepiece(PIECES))]
    # Columns of embeddings, wo and w2 are cut, rows of the others; norms are in both.
    halves = [(name, shape if len(shape) < 2 else (shape[0], shape[1] // 2) if name.split(".")[-2] in ("tok_embeddings", "wo", "w2")
               else (shape[0] // 2, shape[1]), "F16") for name, shape in tensors(META_NAMES)]
    yield "meta-2", [("params.json", text(PARAMETERS)), ("consolidated.00.pth", torch_old(halves)), ("consolidated.01.pth", torch_old(halves))]
    yield "adapter", adapter() + [("tokenizer.model", sentencepiece(PIECES))]
    yield "adapter-torch", [("adapter_config.json", text(ADAPTER)), ("adapter_model.bin", torch_old(lora_weights("F32")))]


def archives():
    for name, method in (("stored", zipfile.ZIP_STORED), ("packed", zipfile.ZIP_DEFLATED)):
        for kind, files in (("adapter", adapter()), ("model", hf_model())):
            out = io.BytesIO()
            with zipfile.ZipFile(out, "w", method) as archive:
                for path, content in files:
                    archive.writestr(f"{kind}/{path}", content)
            yield f"{kind}-{name}", out.getvalue()
