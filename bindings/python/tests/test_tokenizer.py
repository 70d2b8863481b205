"""Against sentencepiece's own ids, from its golden file and from the package itself."""

import json

import pytest
import sentencepiece

import alpaca

from conftest import GOLDENS

MODEL = GOLDENS / "tokenizers" / "mini_chinese_alpaca.model"


def test_golden_lines(model: alpaca.Model) -> None:
    lines = [json.loads(line) for line in (GOLDENS / "tokenizers/mini_chinese_alpaca.jsonl").read_text().splitlines()]
    assert len(lines) == 730
    with alpaca.Tokenizer(MODEL) as tokenizer:
        for t in (tokenizer, model.tokenizer):
            for line in lines:
                assert t.encode(line["text"]) == line["ids"]
                assert t.decode(line["ids"]) == line["decoded"]


def test_like_the_package() -> None:
    peer = sentencepiece.SentencePieceProcessor(model_file=str(MODEL))
    tokenizer = alpaca.Tokenizer(MODEL)
    assert len(tokenizer) == peer.get_piece_size()
    assert [tokenizer.piece(i) for i in range(len(tokenizer))] == [peer.id_to_piece(i) for i in range(len(tokenizer))]
    assert (tokenizer.bos, tokenizer.eos, tokenizer.unk) == (peer.bos_id(), peer.eos_id(), peer.unk_id())
    for text in ["", " ", "  山  水 ", "a\u0000b", "\U0001f642\ufffd", "床前明月光" * 300, "In the beginning " * 100]:
        assert tokenizer.encode(text) == peer.encode(text)


def test_ends_and_special(model: alpaca.Model) -> None:
    t = model.tokenizer
    assert t.encode("山", add_bos=True, add_eos=True) == [1, *t.encode("山"), 2]
    assert t.encode("</s>", parse_special=True) == [2]
    assert 2 not in t.encode("</s>")


def test_errors(model: alpaca.Model) -> None:
    with pytest.raises(FileNotFoundError):
        alpaca.Tokenizer("/nonexistent")
    with pytest.raises(ValueError, match="token id at index 1: found 3941, expected 0 to 3940"):
        model.tokenizer.decode([5, 3941])
    with pytest.raises(ValueError, match="expected 0 to 3940"):
        model.tokenizer.piece(-1)
