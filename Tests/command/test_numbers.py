"""Numbers that aren't, in what the command writes: valid JSON and text that can be read."""
import json
import struct
import sys

from conftest import ROOT, alpaca

sys.path.insert(0, str(ROOT / "Tests/reports/common"))
import tiny  # noqa: E402


def test_a_perplexity_without_end(tmp_path, monkeypatch):
    write = tiny.gguf

    def surer(path, keys, tensors):
        """The same model, a thousand times as sure of what it says: for a text that is another, the perplexity is infinite."""
        kind, shape, raw = tensors["output_norm.weight"]
        assert kind == 0
        tensors["output_norm.weight"] = (kind, shape, struct.pack("<f", 1000.0) * (len(raw) // 4))
        write(path, keys=keys, tensors=tensors)

    monkeypatch.setattr(tiny, "gguf", surer)
    tiny.chain(tmp_path / "m.gguf", ["h", "e", "l", "o"])
    (tmp_path / "text").write_text("hello there " * 40)
    words = ("perplexity", str(tmp_path / "m.gguf"), str(tmp_path / "text"), "-c", "16")
    told = alpaca(*words, "--json")

    def refuse(word):
        raise AssertionError(word)

    (row,) = json.loads(told.stdout, parse_constant=refuse)
    assert told.returncode == 0 and row["perplexity"] is None and row["n_scored"] > 0
    assert alpaca(*words).stdout.startswith("inf +/- ")
    table = alpaca("perplexity", "--compare", words[1], words[1], "-c", "16", words[2])
    assert table.returncode == 0 and table.stdout.count(" inf ") >= 2
