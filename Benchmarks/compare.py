#!/usr/bin/env python3
"""Speed of reading (pp) and writing (tg), beside llama.cpp's on the same file in the same run when the package xllamacpp is there.

    compare.py MODEL [-p 128,512] [-n 32] [-t 2] [-r 3]

The two alternate, repetition by repetition, so that a machine whose speed drifts is fair to both; the table has medians of tokens a second
and the median of the ratios pair by pair. Random ids are fed, the same to both.
"""

import argparse
import json
import random
import statistics
import time

import alpaca

arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
arguments.add_argument("model")
arguments.add_argument("-p", "--prompt", default="128,512")
arguments.add_argument("-n", "--n-gen", type=int, default=32)
arguments.add_argument("-t", "--threads", type=int, default=2)
arguments.add_argument("-r", "--repetitions", type=int, default=3)
options = arguments.parse_args()
prompts = [int(p) for p in options.prompt.split(",")]
n_ctx = max(prompts) + options.n_gen + 16

model = alpaca.Model(options.model)
session = model.session(n_ctx=n_ctx, n_threads=options.threads)
n_vocab = model.info["n_vocab"]
rng = random.Random(1)


def ids(count: int) -> list[int]:
    return [rng.randrange(300, n_vocab - 10) for _ in range(count)]


def ours(prompt: list[int], n_gen: int) -> tuple[float, float]:
    session.truncate(0)
    start = time.perf_counter()
    session.append(prompt)
    middle = time.perf_counter()
    for id in ids(n_gen):
        session.append([id])
    end = time.perf_counter()
    return len(prompt) / (middle - start), n_gen / (end - middle)


peer = None
try:
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = options.model
    params.n_ctx = n_ctx
    params.n_parallel = 1
    params.n_batch = 512
    params.n_ubatch = 512
    params.cpuparams.n_threads = options.threads
    params.cpuparams_batch.n_threads = options.threads
    params.warmup = False
    peer = xllamacpp.Server(params)
except ImportError:
    print("xllamacpp is not installed: no comparison (pip install xllamacpp)")


def theirs(prompt: list[int], n_gen: int) -> tuple[float, float]:
    assert peer is not None
    answer = peer.handle_completions(
        {
            "prompt": prompt,
            "n_predict": n_gen + 1,
            "ignore_eos": True,
            "temperature": 0,
            "cache_prompt": False,
            "timings_per_token": False,
        }
    )
    answer = answer if isinstance(answer, dict) else json.loads(answer)
    timings = answer.get("timings") or answer["__verbose"]["timings"]
    assert timings["prompt_n"] == len(prompt), timings
    return timings["prompt_per_second"], timings["predicted_per_second"]


results: dict[str, list[tuple[float, float]]] = {}
for round in range(options.repetitions + 1):
    for length in prompts:
        prompt = ids(length)
        a = ours(prompt, options.n_gen)
        b = theirs(prompt, options.n_gen) if peer else (0.0, 0.0)
        if round:  # the first warms up
            results.setdefault(f"pp{length}", []).append((a[0], b[0]))
            results.setdefault(f"tg{options.n_gen}", []).append((a[1], b[1]))

print(f"{options.model}  {options.threads} threads, {alpaca.build_info()['cpu_path']}")
print(f"{'test':10}{'alpaca':>12}{'llama.cpp':>12}{'ratio':>8}")
for test, pairs in sorted(results.items()):
    ratio = statistics.median(a / b for a, b in pairs) if peer else float("nan")
    print(f"{test:10}{statistics.median(a for a, _ in pairs):12.2f}{statistics.median(b for _, b in pairs):12.2f}{ratio:8.2f}")
