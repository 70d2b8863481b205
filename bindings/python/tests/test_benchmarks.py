"""Benchmarks/compare.py on the mini model: what it measures and the shape of what it writes."""

import json
import os
import pathlib
import subprocess
import sys
from typing import Any

import pytest

import alpaca

from conftest import REPOSITORY

QUICK = ["-p", "8,16", "-n", "2", "-t", "2", "-r", "2"]


def run(*arguments: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "Benchmarks/compare.py", "models/mini/chinese-alpaca-mini-q8_0.gguf", "--no-xllamacpp", *arguments]
    return subprocess.run(command, cwd=REPOSITORY, env={**os.environ, "CPU_KIND": "here"}, capture_output=True, text=True, timeout=300)


def measured(out: pathlib.Path, *arguments: str) -> "tuple[dict[str, Any], dict[Any, Any], str]":
    told = run(*QUICK, *arguments, "--json", str(out))
    assert told.returncode == 0, told.stderr
    result = json.loads(out.read_text())
    return result, {(row["test"], row["n_threads"]): row for row in result["rows"]}, told.stdout


def test_types(tmp_path: pathlib.Path) -> None:
    best = alpaca.build_info()["cpu_path"]
    result, tests, said = measured(tmp_path / "mini-q8_0.json", "--paths", f"generic,{best},z80")
    assert "left out: this machine has no path 'z80'" in said and "no llama.cpp to compare with" in said
    labels = ["alpaca generic", f"alpaca {best}"]
    assert [engine["label"] for engine in result["engines"]] == labels
    assert (result["model"], result["quantization"], result["n_params"]) == ("chinese-alpaca-mini-q8_0", "Q8_0", 5427968)
    assert (result["kind"], result["suite"]) == ("here", "types")
    for engine in result["engines"]:
        assert [roof["n_threads"] for roof in engine["roofs"]] == [1, 2]
        assert all(roof["read_bytes_per_second"] > 0 and roof["integer_ops_per_second"] > 0 for roof in engine["roofs"])
        assert all(roof["integer_limit"] >= roof["integer_ops_per_second"] for roof in engine["roofs"])
        # The mini model fits caches: what it reads says nothing of memory.
        assert all(roof["read_limit"] == roof["read_bytes_per_second"] for roof in engine["roofs"])
    # Reading memory is no matter of the path: all of them have one limit.
    assert len({roof["read_limit"] for engine in result["engines"] for roof in engine["roofs"] if roof["n_threads"] == 2}) == 1
    assert set(tests) == {("pp8", 2), ("pp16", 2), ("tg2", 2)}
    for (test, _), row in tests.items():
        assert list(row["results"]) == labels and row["ratios"] == [] and row["cost"] > 0
        for found in row["results"].values():
            assert found["roof"] == ("integer" if test.startswith("pp") else "read")
            assert found["share"] > 0 and min(found["samples"]) <= found["median"] <= max(found["samples"])
            assert len(found["samples"]) == 2
    assert all(found["share"] <= 1 for found in tests["pp16", 2]["results"].values())


def test_threads(tmp_path: pathlib.Path) -> None:
    result, tests, said = measured(tmp_path / "mini-q8_0-threads.json", "--suite", "threads")
    assert set(tests) == {("pp16", 2), ("tg2", 2), ("pp16", 1), ("tg2", 1)}
    assert f"{result['engines'][0]['label']}: pp16: 2 threads are " in said


def test_steps(tmp_path: pathlib.Path) -> None:
    result, tests, said = measured(tmp_path / "mini-q8_0-steps.json", "--suite", "steps", "-np", "1,2,3,32", "-p", "64")
    assert set(tests) == {(test, 2) for test in ("tg1", "tg1 x 2", "tg1 x 3", "tg1 x 32", "pp2", "pp3", "pp32", "pp64")}
    label = result["engines"][0]["label"]
    read = next(roof["read_limit"] for roof in result["engines"][0]["roofs"] if roof["n_threads"] == 2)
    prompt = tests["pp64", 2]["results"][label]["median"]
    assert "of_floor" not in tests["pp64", 2]["results"][label]
    for test, n in (("tg1", 1), ("tg1 x 3", 3), ("tg1 x 32", 32)):
        row = tests[test, 2]
        found = row["results"][label]
        floor = max(row["cost"] * n / read, n / prompt)
        assert found["of_floor"] == pytest.approx(n / found["median"] / floor)
    one = tests["tg1", 2]["cost"]
    found = tests["pp3", 2]["results"][label]
    assert found["of_floor"] == pytest.approx(3 / found["median"] / max(one / read, 3 / prompt))
    assert " x the floor" in said


def test_depth(tmp_path: pathlib.Path) -> None:
    _, tests, _ = measured(tmp_path / "mini-q8_0-depth.json", "--suite", "depth", "-d", "64,128")
    names = {f"{test}{depth}{cache}" for test in ("pp16", "tg2") for depth in ("", " @ 64", " @ 128") for cache in ("", ", q8_0 cache")}
    assert set(tests) == {(name, 2) for name in names}
    # Deeper reads more; a Q8_0 cache is 34 bytes where F16 has 64.
    assert tests["tg2", 2]["cost"] < tests["tg2 @ 64, q8_0 cache", 2]["cost"] < tests["tg2 @ 64", 2]["cost"] < tests["tg2 @ 128", 2]["cost"]


def test_nothing_to_measure() -> None:
    told = run("--paths", "z80", "-r", "1")
    assert told.returncode == 1 and told.stderr.endswith("error: nothing was measured\n")
    told = run("--alpaca", "/nowhere/alpaca", "-r", "1")
    assert told.returncode == 1 and "left out: " in told.stdout
    told = run("--suite", "everything")
    assert told.returncode == 2 and "everything" in told.stderr
