#!/usr/bin/env python3
"""Speed of the tokenizer beside sentencepiece's, one thread, the same texts in the same run; the ids must be the same.

    tokenizer.py [-r 15] [--tokenizers FOLDER] [--json FILE]

The texts are the golden files' Chinese and English lines, joined to some 32 KB, each encoded in one call, so that the cost of a call from
Python hardly counts; both sides return a list of Python integers. "library" is our C function alone, without the list, and so no
part of the comparison. The two alternate, repetition by repetition; the ratio is the median of the ratios pair by pair. The published
tokenizers are measured where FOLDER has llama.model and chinese_sp.model, of which the merged one is made; otherwise the mini ones.
"""

import argparse
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
        a, b, c = [], [], []
        for _ in range(options.repetitions):
            a.append(seconds(ours.encode, text))
            b.append(seconds(theirs.encode, text))
            c.append(seconds(_abi.lib.alpaca_tokenize, ours._handle, raw, len(raw), 0, buffer, len(buffer), ctypes.byref(n)))
        ratio = statistics.median(y / x for x, y in zip(a, b))
        speed = [len(raw) / 1e6 / statistics.median(t) for t in (a, b, c)]
        row = {"tokenizer": name, "text": kind, "bytes": len(raw), "tokens": len(ids), "ratio": round(ratio, 2)}
        rows.append(row | dict(zip(("alpaca", "sentencepiece", "library"), (round(s, 1) for s in speed))))
        print(f"{name:16} {kind:10} {len(raw):7} {len(ids):7} {speed[0]:9.1f} {speed[1]:13.1f} {ratio:6.2f} {speed[2]:9.1f}", flush=True)


rows: list[dict] = []
print(f"{'tokenizer':16} {'text':10} {'bytes':>7} {'tokens':>7} {'alpaca':>9} {'sentencepiece':>13} {'ratio':>6} {'library':>9}   MB/s")
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
