"""GGUF files, read by llama.cpp's own package and by transformers."""

import gguf
import numpy as np
import pytest
import sentencepiece
import torch
from gguf import GGMLQuantizationType as Kind
from lora import load_folder
from transformers import AutoModelForCausalLM

import alpaca

TYPES = ["f16", "bf16", "f32", "q8_0", "q4_0", "q4_1", "q5_0", "q5_1", "q4_k_m", "q2_k", "q3_k_m", "q5_k_m", "q6_k", "iq4_nl", "iq4_xs", "mxfp4", "tq1_0", "tq2_0"]
FILE_TYPES = {"f32": 0, "f16": 1, "q4_0": 2, "q4_1": 3, "q8_0": 7, "q5_0": 8, "q5_1": 9, "q2_k": 10, "q3_k_m": 12, "q4_k_m": 15,
              "q5_k_m": 17, "q6_k": 18, "iq4_nl": 25, "iq4_xs": 30, "tq1_0": 36, "tq2_0": 37, "mxfp4": 38, "bf16": 32}  # fmt: skip
LAYER = {"attn_q": "self_attn.q_proj", "attn_k": "self_attn.k_proj", "attn_v": "self_attn.v_proj", "attn_output": "self_attn.o_proj",
         "ffn_gate": "mlp.gate_proj", "ffn_up": "mlp.up_proj", "ffn_down": "mlp.down_proj", "attn_norm": "input_layernorm",
         "ffn_norm": "post_attention_layernorm"}  # fmt: skip
WHOLE = {"token_embd.weight": "model.embed_tokens.weight", "output_norm.weight": "model.norm.weight", "output.weight": "lm_head.weight"}


def hf_name(name: str) -> str:
    if name in WHOLE:
        return WHOLE[name]
    _, layer, part, _ = name.split(".")
    return f"model.layers.{layer}.{LAYER[part]}.weight"


def in_pairs(weights: np.ndarray, heads: int) -> np.ndarray:
    """A head's rows as llama.cpp has them: the two of a rotation beside each other (convert_hf_to_gguf's permute)."""
    return weights.reshape(heads, 2, -1, weights.shape[1]).swapaxes(1, 2).reshape(weights.shape)


@pytest.fixture(scope="module")
def expected(made):
    """Our Hugging Face folder, in llama.cpp's order of rows."""
    tensors = {name: weights.float().numpy() for name, weights in load_folder(made("hf")).items()}
    return {name: in_pairs(w, 4) if "q_proj" in name or "k_proj" in name else w for name, w in tensors.items()}


@pytest.mark.parametrize("kind", TYPES)
def test_tensors(made, expected, silent, kind):
    reader = gguf.GGUFReader(made("gguf", kind))
    assert {hf_name(t.name) for t in reader.tensors} == set(expected) and len(reader.tensors) == len(expected)
    for tensor in reader.tensors:
        wanted = expected[hf_name(tensor.name)]
        assert tensor.data_offset % reader.alignment == 0
        assert [int(d) for d in reversed(tensor.shape)] == list(wanted.shape)
        block, size = gguf.GGML_QUANT_SIZES[tensor.tensor_type]
        assert tensor.n_bytes == wanted.size // block * size
        values = gguf.dequantize(tensor.data, tensor.tensor_type).reshape(wanted.shape)
        if wanted.ndim == 1:
            assert tensor.tensor_type == Kind.F32
        if tensor.tensor_type in (Kind.F32, Kind.F16):
            assert np.array_equal(values, wanted), tensor.name
        elif tensor.tensor_type == Kind.BF16:
            assert np.array_equal(values, torch.from_numpy(wanted).bfloat16().float().numpy()), tensor.name
        else:
            name = tensor.tensor_type.name
            bits = 4 if name == "MXFP4" else int(name.lstrip("IT")[1])
            error = np.sqrt(np.mean((values - wanted) ** 2) / np.mean(wanted**2))
            # The step of a block with the range of a normal distribution, some four sigma in 2^bits.
            assert 0 < error < (0.9 if name[0] == "T" else 2.6 / 2**bits), (tensor.name, name, error)
        if tensor.tensor_type.name in ("Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0", "TQ1_0", "TQ2_0"):
            # These have one way to be made, the package's own.
            assert np.array_equal(gguf.quantize(wanted, tensor.tensor_type), tensor.data), tensor.name


@pytest.mark.parametrize("kind", TYPES)
def test_metadata(made, mini, silent, kind):
    reader = gguf.GGUFReader(made("gguf", kind))
    value = {key: field.contents() for key, field in reader.fields.items()}
    assert value["GGUF.version"] == 3 and reader.alignment == 32
    assert value["general.file_type"] == FILE_TYPES[kind]
    for key, wanted in {
        "general.architecture": "llama", "general.quantization_version": 2, "llama.context_length": 512, "llama.embedding_length": 256,
        "llama.block_count": 4, "llama.feed_forward_length": 768, "llama.attention.head_count": 4, "llama.attention.head_count_kv": 4,
        "llama.rope.dimension_count": 64, "llama.vocab_size": 3941, "tokenizer.ggml.model": "llama", "tokenizer.ggml.bos_token_id": 1,
        "tokenizer.ggml.eos_token_id": 2, "tokenizer.ggml.unknown_token_id": 0, "tokenizer.ggml.padding_token_id": 3940,
        "tokenizer.ggml.add_bos_token": True, "tokenizer.ggml.add_eos_token": False,
    }.items():  # fmt: skip
        if key != "general.quantization_version" or kind[0] == "q":
            assert value.get(key) == wanted, key
    assert value["llama.attention.layer_norm_rms_epsilon"] == pytest.approx(1e-6)
    assert value["alpaca.adapter.names"] == ["mini-chinese-llama-lora", "mini-chinese-alpaca-lora"]
    known = {key.split(".", 1)[1] for key in vars(gguf.Keys.General).values() if isinstance(key, str)}
    assert {key.split(".", 1)[1] for key in value if key.startswith("general.")} <= known


def test_tokenizer(made, mini, silent):
    value = {key: field.contents() for key, field in gguf.GGUFReader(made("gguf", "q8_0")).fields.items()}
    model = sentencepiece.SentencePieceProcessor(model_file=str(mini / "mini-chinese-alpaca-lora/tokenizer.model"))
    ids = range(model.vocab_size())
    assert value["tokenizer.ggml.tokens"] == [model.id_to_piece(i) for i in ids]
    assert value["tokenizer.ggml.scores"] == [model.get_score(i) for i in ids]

    def kind(i):
        if model.is_unknown(i):
            return gguf.TokenType.UNKNOWN
        if model.is_control(i):
            return gguf.TokenType.CONTROL
        return gguf.TokenType.BYTE if model.is_byte(i) else gguf.TokenType.NORMAL

    assert value["tokenizer.ggml.token_type"] == [kind(i) for i in ids]


@pytest.mark.parametrize("kind", ["q8_0", "q4_0", "q4_k_m", "q3_k_m", "q5_1", "bf16"])
def test_from_quantized_to_floats(made, tmp_path, kind):
    """Our reading of a type is the package's, to the bit: an F32 file made from a quantized one."""
    source = gguf.GGUFReader(made("gguf", kind))
    alpaca.convert(made("gguf", kind), tmp_path / "floats.gguf", quantization="f32")
    floats = {t.name: t for t in gguf.GGUFReader(tmp_path / "floats.gguf").tensors}
    for tensor in source.tensors:
        wanted = gguf.dequantize(tensor.data, tensor.tensor_type)
        assert np.array_equal(floats[tensor.name].data.reshape(-1), wanted.reshape(-1)), (tensor.name, tensor.tensor_type.name)


def test_transformers_runs_it(made, generation):
    path = made("gguf", "f16")
    model = AutoModelForCausalLM.from_pretrained(path.parent, gguf_file=path.name, dtype=torch.float32)
    for prompt in generation["prompts"][:2]:
        ids = torch.tensor([prompt["prompt_ids"]])
        out = model.generate(ids, attention_mask=torch.ones_like(ids), max_new_tokens=64, do_sample=False, repetition_penalty=1.0)
        assert out[0, ids.shape[1] :].tolist() == prompt["greedy"]["ids"], prompt["name"]
