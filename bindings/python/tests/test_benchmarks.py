"""Benchmarks/compare.py on the mini model: what it measures and the shape of what it writes."""

import json
import os
import pathlib
import subprocess
import sys

import alpaca

from conftest import REPOSITORY


def run(*arguments: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "Benchmarks/compare.py", "models/mini/chinese-alpaca-mini-q8_0.gguf", "--no-xllamacpp", *arguments]
    return subprocess.run(command, cwd=REPOSITORY, env={**os.environ}, capture_output=True, text=True, timeout=300)


def test_mini(tmp_path: pathlib.Path) -> None:
    best = alpaca.build_info()["cpu_path"]
    out = tmp_path / "mini-q8_0.json"
    quick = ["-p", "8,16", "-n", "2", "-d", "64", "-np", "2", "-t", "2", "-r", "2", "--depth-repetitions", "1"]
    told = run("--paths", f"generic,{best},z80", *quick, "--json", str(out))
    assert told.returncode == 0, told.stderr
    assert "left out: this machine has no path 'z80'" in told.stdout and "no llama.cpp to compare with" in told.stdout
    result = json.loads(out.read_text())
    labels = ["alpaca generic", f"alpaca {best}"]
    assert [engine["label"] for engine in result["engines"]] == labels
    assert (result["model"], result["quantization"], result["n_params"]) == ("chinese-alpaca-mini-q8_0", "Q8_0", 5427968)
    for engine in result["engines"]:
        assert [roof["n_threads"] for roof in engine["roofs"]] == [1, 2]
        assert all(roof["read_bytes_per_second"] > 0 and roof["integer_ops_per_second"] > 0 for roof in engine["roofs"])
    tests = {(row["test"], row["n_threads"]): row for row in result["rows"]}
    assert set(tests) == {
        ("pp8", 2), ("pp16", 2), ("tg2", 2), ("pp16 @ 64", 2), ("tg2 @ 64", 2), ("tg2 x 2", 2), ("pp16", 1), ("tg2", 1),
    }  # fmt: skip
    for (test, _), row in tests.items():
        assert list(row["results"]) == labels and row["ratios"] == []
        for found in row["results"].values():
            assert found["roof"] == ("integer" if test.startswith("pp") else "read")
            assert found["share"] > 0 and min(found["samples"]) <= found["median"] <= max(found["samples"])
    assert len(tests["pp8", 2]["results"][labels[0]]["samples"]) == 2
    assert f"{labels[1]}: tg2 x 2: " in told.stdout and f"{labels[0]}: pp16: 2 threads are " in told.stdout


def test_nothing_to_measure() -> None:
    told = run("--paths", "z80", "-r", "1", "-d", "0")
    assert told.returncode == 1 and told.stderr.endswith("error: nothing was measured\n")
    told = run("--alpaca", "/nowhere/alpaca", "-r", "1", "-d", "0")
    assert told.returncode == 1 and "left out: " in told.stdout
