"""Importance matrices: measured, combined, used; compared with llama-imatrix's by the package gguf."""

import pathlib
import struct
import threading
from typing import Any

import gguf
import numpy
import pytest

import alpaca

from conftest import GOLDENS, REPOSITORY

FAMILY = GOLDENS / "family"
MODEL = FAMILY / "gguf/llama3-tied.gguf"
MINI = REPOSITORY / "models/mini/chinese-alpaca-mini-f16.gguf"
# The first 6000 bytes, as the golden was made; they end in a character.
TEXT = (GOLDENS / "mini/heldout_poems.txt").read_bytes()[:6000].decode("utf-8", "ignore")


def means(path: pathlib.Path) -> dict[str, Any]:
    tensors = {tensor.name: tensor.data for tensor in gguf.GGUFReader(path).tensors}
    return {
        name[:-8]: tensors[name] / tensors[name[:-8] + ".counts"]
        for name in tensors
        if name.endswith(".in_sum2")
    }


@pytest.fixture(scope="module")
def model() -> Any:
    with alpaca.Model(MODEL) as model:
        yield model


def test_it_is_llama_imatrix(model: alpaca.Model, tmp_path: pathlib.Path) -> None:
    steps: list[tuple[str, str, int, int]] = []
    path = tmp_path / "imatrix.gguf"
    report = model.imatrix(TEXT, path, n_ctx=128, dataset="t.txt", progress=lambda *step: steps.append(step))
    assert report["n_chunks"] == 37 and report["n_tokens"] == 37 * 128 and report["n_matrices"] == 21
    assert report["datasets"] == ["t.txt"] and report["warnings"] == [] and report["perplexity"] > 1
    assert steps[-1][0] == "imatrix" and steps[-1][2:] == (37 * 128, 37 * 128)
    found, golden = means(path), means(FAMILY / "imatrix/llama3-tied.gguf")
    assert found.keys() == golden.keys()
    for name, values in golden.items():
        # llama.cpp rounds inside of attention, to F16, which shows from there on.
        bound = 1e-4 if name in ("blk.0.attn_q.weight", "blk.0.attn_k.weight", "blk.0.attn_v.weight") else 4e-3
        assert numpy.max(numpy.abs(found[name] / values - 1)) < bound, name
    reader = gguf.GGUFReader(path)
    assert bytes(reader.fields["general.type"].parts[-1]) == b"imatrix"
    assert "general.architecture" not in reader.fields
    assert reader.fields["imatrix.chunk_count"].parts[-1][0] == 37
    assert reader.fields["imatrix.chunk_size"].parts[-1][0] == 128


def test_the_older_form(model: alpaca.Model, tmp_path: pathlib.Path) -> None:
    path = tmp_path / "imatrix.dat"
    assert model.imatrix(TEXT, path, n_ctx=128, dataset="t.txt", perplexity=False)["perplexity"] is None
    found, golden = path.read_bytes(), (FAMILY / "imatrix/llama3-tied.dat").read_bytes()
    assert len(found) == len(golden) and found[:4] == golden[:4]
    # The end: chunks, and what the text is called.
    assert found[-13:] == golden[-13:] == struct.pack("<ii", 37, 5) + b"t.txt"


def test_combining(model: alpaca.Model, tmp_path: pathlib.Path) -> None:
    whole, first, rest, both = (tmp_path / name for name in ("whole.gguf", "first.dat", "rest.gguf", "both.gguf"))
    model.imatrix(TEXT, whole, n_ctx=128, n_chunks=6)
    model.imatrix(TEXT, first, n_ctx=128, n_chunks=4)
    model.imatrix(TEXT, rest, n_ctx=128, first_chunk=4, n_chunks=2)
    report = alpaca.combine_imatrix([first, rest], both, n_ctx=128)
    assert report["n_chunks"] == 6 and report["n_matrices"] == 21
    more = model.imatrix(TEXT, rest, n_ctx=128, first_chunk=4, n_chunks=2, inputs=first, overwrite=True)
    assert more["n_chunks"] == 2
    expected = means(whole)
    for path in (both, rest):
        for name, values in means(path).items():
            assert numpy.allclose(values, expected[name], rtol=1e-6), (path, name)


def test_conversion_heeds_it(tmp_path: pathlib.Path) -> None:
    with alpaca.Model(MINI) as model:
        model.imatrix(TEXT, tmp_path / "imatrix.gguf", n_ctx=256)
    for name, imatrix in (("with", tmp_path / "imatrix.gguf"), ("without", None)):
        report = alpaca.convert(MINI, tmp_path / f"{name}.gguf", quantization="q4_k_m", imatrix=imatrix)
        assert not [warning for warning in report["warnings"] if "importance" in warning]
    assert (tmp_path / "with.gguf").read_bytes() != (tmp_path / "without.gguf").read_bytes()


def test_refusals(model: alpaca.Model, tmp_path: pathlib.Path) -> None:
    path = tmp_path / "imatrix.gguf"
    with pytest.raises(ValueError, match=r"the text has \d+ tokens, expected at least the 512 of a chunk"):
        model.imatrix("短", path)
    with pytest.raises(ValueError, match="n_ctx: found 3, expected 4 to"):
        model.imatrix(TEXT, path, n_ctx=3)
    with pytest.raises(ValueError, match="format"):
        model.imatrix(TEXT, path, format="csv")
    with pytest.raises(FileNotFoundError):
        model.imatrix(TEXT, path, n_ctx=128, inputs=[tmp_path / "none.gguf"])
    with pytest.raises(alpaca.Error, match="was it made for another model"):
        model.imatrix(TEXT, path, n_ctx=128, inputs=FAMILY / "imatrix/mixtral.gguf")
    with pytest.raises(ValueError, match="found none"):
        alpaca.combine_imatrix([], path)
    assert not path.exists()


def test_cancelling(model: alpaca.Model, tmp_path: pathlib.Path) -> None:
    path = tmp_path / "imatrix.gguf"
    with pytest.raises(alpaca.CancelledError):
        model.imatrix(TEXT, path, n_ctx=128, progress=lambda *_: False)
    with model.session(n_ctx=128) as session:
        timer = threading.Timer(0.2, session.cancel)
        timer.start()
        with pytest.raises(alpaca.CancelledError):
            session.imatrix(TEXT * 200, path, n_ctx=128)
        timer.join()
    assert not path.exists()
