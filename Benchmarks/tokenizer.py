#!/usr/bin/env python3
"""Speed of the tokenizer beside sentencepiece's, one thread, the same texts in the same run; the ids must be the same.

    tokenizer.py [-r 15] [--tokenizers FOLDER] [--json FILE]

The texts are the golden files' Chinese poems, English verses, and more, some 32 KB and over, each encoded in one call. MB/s of text and
"ratio" are of Python's calls, both of which return a list of integers; for Chinese, making the list is half of ours. "in C" leaves that
out: our C function against sentencepiece's call less the time that a list of these ids takes. The sides alternate, repetition by repetition;
ratios are medians of the ratios pair by pair. The published tokenizers are measured where FOLDER has llama.model and chinese_sp.model, of
which the merged one is made; otherwise the mini ones.
"""

import argparse
import array
import ctypes
import json
import pathlib
import statistics
import sys
import tempfile
import time

import sentencepiece

root = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(root / "bindings/python/src"))
import alpaca  # noqa: E402
from alpaca import _abi  # noqa: E402

arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
arguments.add_argument("-r", "--repetitions", type=int, default=15)
arguments.add_argument("--tokenizers", type=pathlib.Path, help="a folder with llama.model and chinese_sp.model")
arguments.add_argument("--json", type=pathlib.Path, help="where the figures are written too")
options = arguments.parse_args()
goldens = root / "Tests/Goldens/tokenizers"


def texts() -> dict[str, str]:
    """Chinese and English text of about 32 KB each, and the two in turns."""
    lines = [json.loads(line) for line in (goldens / "llama.jsonl").read_text("utf-8").splitlines()]
    poems = [line["text"] for line in lines if line["kind"] in ("trad", "ci", "lunyu")]
    english = [line["text"] for line in lines if line["kind"] == "kjv"]
    real = [line["text"] for line in lines if line["kind"] == "real"]

    def joined(parts: list[str]) -> str:
        text = "\n".join(parts)
        return text * max(1, round(32768 / len(text.encode())))

    return {"Chinese": joined(poems), "English": joined(english), "mixed": joined(real), "all": joined([line["text"] for line in lines])}


def seconds(call, *values) -> float:
    start = time.perf_counter()
    call(*values)
    return time.perf_counter() - start


def measure(name: str, path: str, rows: list[dict]) -> None:
    ours, theirs = alpaca.Tokenizer(path), sentencepiece.SentencePieceProcessor(model_file=path)
    for kind, text in texts().items():
        raw = text.encode()
        ids = ours.encode(text)
        if ids != theirs.encode(text):
            sys.exit(f"error: {name}, {kind}: the ids differ")
        buffer, n = (ctypes.c_int32 * (len(raw) + 4))(), ctypes.c_size_t()
        tokenize = (_abi.lib.alpaca_tokenize, ours._handle, raw, len(raw), 0, buffer, len(buffer), ctypes.byref(n))
        packed = memoryview(array.array("i", ids))
        a, b, c, d = [], [], [], []
        for _ in range(options.repetitions):
            a.append(seconds(ours.encode, text))
            b.append(seconds(theirs.encode, text))
            c.append(seconds(*tokenize))
            d.append(seconds(packed.tolist))
        row = {
            "tokenizer": name,
            "text": kind,
            "bytes": len(raw),
            "tokens": len(ids),
            "alpaca_mb_s": round(len(raw) / 1e6 / statistics.median(a), 1),
            "sentencepiece_mb_s": round(len(raw) / 1e6 / statistics.median(b), 1),
            "ratio": round(statistics.median(y / x for x, y in zip(a, b)), 2),
            "library_mb_s": round(len(raw) / 1e6 / statistics.median(c), 1),
            "ratio_in_c": round(statistics.median((y - w) / z for y, z, w in zip(b, c, d)), 2),
        }
        rows.append(row)
        print("".join(f"{str(value):>{width}}" for value, width in zip(row.values(), widths)), flush=True)


rows: list[dict] = []
widths = (14, 9, 8, 8, 10, 15, 7, 10, 7)
heads = ("tokenizer", "text", "bytes", "tokens", "alpaca", "sentencepiece", "ratio", "library", "in C")
print("".join(f"{head:>{width}}" for head, width in zip(heads, widths)) + "   (MB/s)")
llama = options.tokenizers / "llama.model" if options.tokenizers else pathlib.Path()
if llama.is_file():
    with tempfile.TemporaryDirectory() as folder:
        merged = f"{folder}/tokenizer.model"
        alpaca.Tokenizer(str(llama)).merge(str(llama.with_name("chinese_sp.model"))).save(merged)
        measure("Chinese-LLaMA", merged, rows)
        measure("LLaMA", str(llama), rows)
else:
    measure("mini Chinese", str(goldens / "mini_chinese_alpaca.model"), rows)
    measure("mini LLaMA", str(goldens / "mini_llama.model"), rows)
if options.json:
    options.json.write_text(json.dumps(rows, indent=1) + "\n")
