"""Folders of weights, read by torch, safetensors and transformers."""

import json

import pytest
import sentencepiece
import torch
from lora import load_folder
from safetensors import safe_open
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer, GenerationConfig

DIMENSION = {"wo": 1, "w2": 1, "tok_embeddings": 1}
META = {"wq": "self_attn.q_proj", "wk": "self_attn.k_proj", "wv": "self_attn.v_proj", "wo": "self_attn.o_proj", "w1": "mlp.gate_proj",
        "w3": "mlp.up_proj", "w2": "mlp.down_proj", "attention_norm": "input_layernorm",
        "ffn_norm": "post_attention_layernorm"}  # fmt: skip


def check_generation(folder, generation, silent, prompts=10):
    model, info = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, output_loading_info=True)
    assert {key: value for key, value in info.items() if value} == {}
    model.eval()
    for prompt in generation["prompts"][:prompts]:
        ids = torch.tensor([prompt["prompt_ids"]])
        for penalty, key in ((1.0, "greedy"), (1.1, "greedy_repetition_penalty_1.1")):
            out = model.generate(ids, attention_mask=torch.ones_like(ids), max_new_tokens=64, do_sample=False, repetition_penalty=penalty)
            assert out[0, ids.shape[1] :].tolist() == prompt[key]["ids"], (prompt["name"], penalty)


def test_hugging_face_runs(made, generation, silent):
    check_generation(made("hf"), generation, silent)


@pytest.mark.parametrize("base", ["mini-llama", "mini-llama-meta", "official/base-hf-bin"])
def test_hugging_face_tensors(made, mini, silent, base):
    with safe_open(mini / "merged-chinese-alpaca-hf/model.safetensors", "pt") as golden:
        ours = load_folder(made("hf", base=base))
        assert set(ours) == set(golden.keys())
        for name in golden.keys():
            assert ours[name].dtype == torch.float16 and torch.equal(ours[name], golden.get_tensor(name)), name


def test_hugging_face_settings(made, mini, silent):
    ours, golden = AutoConfig.from_pretrained(made("hf")), AutoConfig.from_pretrained(mini / "merged-chinese-alpaca-hf")
    a, b = ours.to_dict(), golden.to_dict()
    assert {key for key in a | b if a.get(key) != b.get(key)} <= {"_name_or_path", "transformers_version", "use_cache"}
    ours, golden = (GenerationConfig.from_pretrained(f) for f in (made("hf"), mini / "merged-chinese-alpaca-hf"))
    for key in ("bos_token_id", "eos_token_id", "pad_token_id"):
        assert getattr(ours, key) == getattr(golden, key), key


def test_hugging_face_in_shards(made, generation, silent):
    folder = made("hf", shard_size=1_500_000)
    index = json.loads((folder / "model.safetensors.index.json").read_text())
    files = sorted(set(index["weight_map"].values()))
    count = len(files)
    assert count > 4 and files == [f"model-{i + 1:05}-of-{count:05}.safetensors" for i in range(count)]
    whole, parts = load_folder(made("hf")), load_folder(folder)
    assert set(whole) == set(parts) and all(torch.equal(whole[name], parts[name]) for name in whole)
    assert index["metadata"]["total_size"] == sum(weights.nbytes for weights in parts.values())
    for file in files:
        with safe_open(folder / file, "pt") as part:
            assert part.metadata()["format"] == "pt"
        tensors = sum(parts[name].nbytes for name, place in index["weight_map"].items() if place == file)
        assert tensors <= 1_500_000 or len([1 for place in index["weight_map"].values() if place == file]) == 1
    check_generation(folder, generation, silent, prompts=1)


def test_pytorch_bin(made, generation, silent):
    folder = made("hf-bin", shard_size=3_000_000)
    index = json.loads((folder / "pytorch_model.bin.index.json").read_text())
    state = {}
    for file in sorted(set(index["weight_map"].values())):
        for options in ({}, {"mmap": True}):
            part = torch.load(folder / file, weights_only=True, **options)
            assert set(part) == {name for name, place in index["weight_map"].items() if place == file}
        state.update(part)
    whole = load_folder(made("hf"))
    assert set(state) >= set(whole) and all("inv_freq" in name for name in set(state) - set(whole))
    for name, weights in whole.items():
        assert state[name].dtype == torch.float16 and state[name].is_contiguous() and torch.equal(state[name], weights), name
    check_generation(folder, generation, silent, prompts=1)


@pytest.mark.parametrize("count", [1, 2, 4])
def test_meta(made, silent, count):
    folder = made("pth", n_shards=count)
    files = sorted(folder.glob("consolidated.*.pth"))
    assert [file.name for file in files] == [f"consolidated.{i:02}.pth" for i in range(count)]
    shards = [torch.load(file, weights_only=True, mmap=True) for file in files]
    params = json.loads((folder / "params.json").read_text())
    assert {key: params[key] for key in ("dim", "n_heads", "n_layers")} == {"dim": 256, "n_heads": 4, "n_layers": 4}
    whole = load_folder(made("hf"))
    names = {"tok_embeddings.weight": "model.embed_tokens.weight", "norm.weight": "model.norm.weight", "output.weight": "lm_head.weight"}
    for layer in range(4):
        for meta, theirs in META.items():
            inside = meta if "norm" in meta else ("feed_forward." if meta in ("w1", "w2", "w3") else "attention.") + meta
            names[f"layers.{layer}.{inside}.weight"] = f"model.layers.{layer}.{theirs}.weight"
    assert set(names.values()) == set(whole)
    for shard in shards:
        assert set(shard) - {"rope.freqs"} == set(names)
    for meta, name in names.items():
        parts = [shard[meta] for shard in shards]
        part = meta.split(".")[-2]
        weights = parts[0] if "norm" in part else torch.cat(parts, DIMENSION.get(part, 0))
        wanted = whole[name]
        if part in ("wq", "wk"):
            wanted = wanted.view(4, 2, 32, 256).transpose(1, 2).reshape(256, 256)
        assert weights.dtype == torch.float16 and torch.equal(weights, wanted), meta
        assert all(torch.equal(parts[0], other) for other in parts) or "norm" not in part


@pytest.mark.parametrize("output_format", ["hf", "pth", "hf-bin"])
def test_tokenizer_model(made, generation, output_format):
    model = sentencepiece.SentencePieceProcessor(model_file=str(made(output_format) / "tokenizer.model"))
    for prompt in generation["prompts"]:
        assert [1, *model.encode(prompt["prompt"])] == prompt["prompt_ids"]
        assert model.decode(prompt["greedy"]["ids"]).strip() == prompt["greedy"]["text"].strip()


def test_tokenizer_of_transformers(made, mini, silent):
    """transformers' own reading of tokenizer.model. It takes the names of control tokens in a text for these tokens, and where pieces tie
    it does not always join those that sentencepiece does: both is so with any folder."""
    tokenizer = AutoTokenizer.from_pretrained(made("hf"))
    assert len(tokenizer) == 3941
    assert (tokenizer.bos_token_id, tokenizer.eos_token_id, tokenizer.unk_token_id, tokenizer.pad_token_id) == (1, 2, 0, 3940)
    assert tokenizer("\u5c71")["input_ids"][0] == 1
    rows = [json.loads(line) for line in (mini / "tokenizers/mini_chinese_alpaca.jsonl").read_text().splitlines()]
    # Longer ones are warned of.
    rows = [row for row in rows if len(row["ids"]) < 500 and not any(name in row["text"] for name in ("<s>", "<unk>", "[PAD]"))]
    other = [row for row in rows if tokenizer(row["text"], add_special_tokens=False)["input_ids"] != row["ids"]]
    assert len(rows) > 700 and len(other) <= 2, [row["text"] for row in other]
    assert all(tokenizer.decode(row["ids"]) == row["decoded"] for row in rows)
