"""Byte-level tokenizers and LLaMA's tokenizer.json, as the library `tokenizers` reads them; and what is written, read by it."""

import json
import os
import random

import pytest
import tokenizers

import alpaca

NAMES = ("llama_bpe", "qwen2", "smollm", "gpt2", "llama2", "llama2_chinese")
#: Another seed gives other texts: ALPACA_SEED=7 make test-reference.
SEED = int(os.environ.get("ALPACA_SEED", "1"))
TEXTS = 1500


@pytest.fixture(scope="module")
def family(shared):
    folder = shared / "family"
    if not (folder / "tokenizers/qwen2/tokenizer.json").exists():
        pytest.skip(f"no fixtures at {folder}: set ALPACA_SHARED")
    return folder


def texts(names, seed):
    """Random texts of characters of all kinds, words, and names of added tokens."""
    numbers = random.Random(seed)
    ranges = [(0x20, 0x7E), (0x30, 0x39), (0x61, 0x7A), (0x4E00, 0x9FA5), (0xA0, 0x24F), (0x300, 0x36F), (0x3000, 0x30FF), (0xAC00, 0xD7A3),
              (0x600, 0x6FF), (0xFF00, 0xFFEF), (0x2000, 0x206F), (0xF900, 0xFAFF), (0x1F600, 0x1F64F), (0x1100, 0x11FF), (0x9, 0xD)]  # fmt: skip
    words = ["the", " of", "'s", "'LL", "don't", "12345", "\n\n", "  ", "\r\n", "\t", "山", "白日依山尽，", "e\u0301", "I'm", "ſ", "３", "½", "\u00a0"]
    result = []
    for _ in range(TEXTS):
        parts = []
        for _ in range(numbers.randint(1, 24)):
            kind = numbers.random()
            if kind < 0.1 and names:
                parts.append(numbers.choice(names))
            elif kind < 0.5:
                parts.append(numbers.choice(words))
            else:
                low, high = numbers.choice(ranges)
                parts += [chr(numbers.randint(low, high)) for _ in range(numbers.randint(1, 6))]
        result.append("".join(parts))
    return result


def check(ours, theirs, seed):
    names = [token.content for token in theirs.get_added_tokens_decoder().values()]
    for text in texts(names, seed):
        ids = theirs.encode(text, add_special_tokens=False).ids
        assert ours.encode(text, parse_special=True) == ids, ascii(text)
        assert ours.decode(ids) == theirs.decode(ids, skip_special_tokens=True), ascii(text)


@pytest.mark.parametrize("name", NAMES)
def test_random_texts(family, name):
    path = family / f"tokenizers/{name}/tokenizer.json"
    check(alpaca.Tokenizer(path), tokenizers.Tokenizer.from_file(str(path)), SEED)


@pytest.mark.parametrize("name", NAMES[:4])
def test_gguf(family, name):
    """GGUF keeps no flags of added tokens: no such names in these texts."""
    theirs = tokenizers.Tokenizer.from_file(str(family / f"tokenizers/{name}/tokenizer.json"))
    ours = alpaca.Tokenizer(family / f"gguf/vocab-{name}.gguf")
    for text in texts([], SEED + 1):
        assert ours.encode(text) == theirs.encode(text, add_special_tokens=False).ids, ascii(text)


@pytest.mark.parametrize("model", ["qwen2", "qwen3", "llama3-tied"])
def test_written(family, tmp_path, model):
    """A folder made of a GGUF file: its tokenizer.json gives the same ids in the library, and the template the same beginning."""
    alpaca.convert(family / "models" / model, tmp_path / "m.gguf")
    alpaca.convert(tmp_path / "m.gguf", tmp_path / "hf", output_format="hf")
    theirs = tokenizers.Tokenizer.from_file(str(family / f"models/{model}/tokenizer.json"))
    written = tokenizers.Tokenizer.from_file(str(tmp_path / "hf/tokenizer.json"))
    assert written.get_vocab_size() == theirs.get_vocab_size()
    for text in texts([token.content for token in theirs.get_added_tokens_decoder().values()], SEED + 2):
        for special in (False, True):
            assert written.encode(text, add_special_tokens=special).ids == theirs.encode(text, add_special_tokens=special).ids, ascii(text)
    check(alpaca.Tokenizer(tmp_path / "hf"), written, SEED + 3)
    # And carried along.
    alpaca.convert(family / "models" / model, tmp_path / "copy", output_format="hf")
    assert (tmp_path / "copy/tokenizer.json").read_bytes() == (family / f"models/{model}/tokenizer.json").read_bytes()
    transformers = pytest.importorskip("transformers")
    fast = transformers.AutoTokenizer.from_pretrained(tmp_path / "hf")
    config = json.loads((tmp_path / "hf/tokenizer_config.json").read_text())
    assert fast.eos_token == config.get("eos_token")
    for text in texts([], SEED + 4)[:100]:
        assert fast(text)["input_ids"] == theirs.encode(text).ids


def test_ranks(family, tmp_path):
    """Meta's file of ranks gives what the folder's tokenizer.json does, for text without special tokens."""
    ours = alpaca.Tokenizer(family / "tokenizers/llama_bpe/tokenizer.model")
    theirs = tokenizers.Tokenizer.from_file(str(family / "tokenizers/llama_bpe/tokenizer.json"))
    for text in texts([], SEED + 5):
        assert ours.encode(text) == theirs.encode(text, add_special_tokens=False).ids, ascii(text)
