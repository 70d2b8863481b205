"""Merged tokenizers, as sentencepiece reads them."""

import hashlib
import json

import pytest
import sentencepiece
from conftest import GOLDENS

import alpaca

#: Of the published models.
CHINESE_LLAMA = "e2676d4ca29ca1750f6ff203328d73b189321dc5776ceede037cbd36541d70c0"
CHINESE_ALPACA = "2d967e855b1213a439df6c8ce2791f869c84b4f3b6cfacf22b86440b8192a2f8"


@pytest.fixture(scope="module")
def merged(shared, tmp_path_factory):
    folder = tmp_path_factory.mktemp("tokenizers")
    llama = alpaca.Tokenizer(shared / "tokenizers/llama.model").merge(shared / "tokenizers/chinese_sp.model")
    llama.save(folder / "chinese_llama.model")
    llama.add_piece("[PAD]").save(folder / "chinese_alpaca.model")
    return folder


@pytest.mark.parametrize("name, pieces, digest", [("chinese_llama", 49953, CHINESE_LLAMA), ("chinese_alpaca", 49954, CHINESE_ALPACA)])
def test_published(merged, name, pieces, digest):
    path = merged / f"{name}.model"
    assert hashlib.sha256(path.read_bytes()).hexdigest() == digest
    model, ours = sentencepiece.SentencePieceProcessor(model_file=str(path)), alpaca.Tokenizer(path)
    assert model.vocab_size() == len(ours) == pieces
    rows = [json.loads(line) for line in (GOLDENS / f"tokenizers/{name}.jsonl").read_text().splitlines()]
    assert len(rows) > 100
    for row in rows:
        assert model.encode(row["text"]) == ours.encode(row["text"]) == row["ids"], row
        assert model.decode(row["ids"]) == row["decoded"], row


def test_mini(mini, tmp_path):
    """The mini family's was merged by sentencepiece's own protobuf classes."""
    ours = alpaca.Tokenizer(mini / "tokenizers/mini_llama.model").merge(mini / "tokenizers/mini_chinese_sp.model")
    ours.save(tmp_path / "merged.model")
    theirs = sentencepiece.SentencePieceProcessor(model_file=str(mini / "tokenizers/mini_chinese_llama.model"))
    model = sentencepiece.SentencePieceProcessor(model_file=str(tmp_path / "merged.model"))
    assert model.vocab_size() == theirs.vocab_size() == 3940
    for i in range(3940):
        assert model.id_to_piece(i) == theirs.id_to_piece(i) and model.get_score(i) == theirs.get_score(i)
    for line in (mini / "tokenizers/tokenizers.jsonl").read_text().splitlines():
        text = json.loads(line)["text"]
        assert model.encode(text) == theirs.encode(text) == ours.encode(text)
