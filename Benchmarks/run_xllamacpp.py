"""Runs a suite of engines.py through the package xllamacpp; prints its samples as a line of JSON. Ids are random: the time does not depend on
them, and no two prompts share a beginning that was not meant to be shared."""

import importlib.metadata
import json
import random
import sys

import xllamacpp
from engines import test_name
from suites import Suite

request = json.loads(sys.argv[1])
model = request.pop("model")
suite = Suite(**request)
rng = random.Random(1)
most = max(suite.depths) + max(suite.prompts + suite.generations) + 16
rows: list[tuple[str, int, list[float]]] = []


def ids(count: int) -> list[int]:
    return [rng.randrange(300, 30000) for _ in range(count)]


def server(threads: int) -> "xllamacpp.Server":
    params = xllamacpp.CommonParams()
    params.model.path = model
    params.n_ctx = most
    params.n_parallel = 1
    params.n_batch = 512
    params.n_ubatch = 512
    params.cpuparams.n_threads = threads
    params.cpuparams_batch.n_threads = threads
    return xllamacpp.Server(params)


def timings(peer: "xllamacpp.Server", prompt: list[int], n_predict: int) -> dict[str, float]:
    options = {"ignore_eos": True, "temperature": 0, "cache_prompt": True, "timings_per_token": False}
    answer = peer.handle_completions({"prompt": prompt, "n_predict": n_predict, **options})
    answer = answer if isinstance(answer, dict) else json.loads(answer)
    found: dict[str, float] = answer.get("timings") or answer["__verbose"]["timings"]
    return found


for threads in suite.threads:
    peer = server(threads)
    for depth in suite.depths:
        before = ids(depth)
        if before:
            timings(peer, before, 1)
        for length in suite.prompts:
            samples = []
            for run in range(suite.repetitions + 1):
                found = timings(peer, before + ids(length), 1)
                # What was read before is used again; the first run warms up.
                assert abs(found["prompt_n"] - length) <= 1, found
                if run:
                    samples.append(found["prompt_per_second"])
            rows.append((test_name(length, 0, depth), threads, samples))
        for length in suite.generations:
            samples = []
            for run in range(suite.repetitions):
                samples.append(timings(peer, before + ids(1), length + 1)["predicted_per_second"])
            rows.append((test_name(0, length, depth), threads, samples))
    del peer

# What its build and this processor have in common.
about = {"version": importlib.metadata.version("xllamacpp"), "system_info": xllamacpp.get_system_info()}
print()
print(json.dumps({"about": about, "rows": rows}))
