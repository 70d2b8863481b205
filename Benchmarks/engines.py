"""The programs whose speed compare.py measures: the command `alpaca` on a CPU path, llama.cpp's `llama-bench` with the `llama-batched-bench`
beside it, and the PyPI package xllamacpp.

Each takes a Suite and gives samples by test: {("pp512", 2): [tokens a second, ...]}, tests named as `alpaca bench` names them.
"""

from __future__ import annotations

import dataclasses
import json
import os
import pathlib
import re
import subprocess
import sys
from typing import Any

from suites import Suite, commas

Samples = dict[tuple[str, int], list[float]]


def test_name(n_prompt: int, n_gen: int, depth: int, cache: str = "f16", sequences: int = 1) -> str:
    """As `alpaca bench` names tests, and the type of the cache where it is not the usual one."""
    name = (f"pp{n_prompt}" if n_prompt else f"tg{n_gen}") + (f" x {sequences}" if sequences > 1 else "")
    return name + (f" @ {depth}" if depth else "") + (f", {cache} cache" if cache != "f16" else "")


def output(command: list[str], **environment: str) -> str:
    result = subprocess.run(command, env={**os.environ, **environment}, capture_output=True, text=True)
    if result.returncode != 0:
        raise RuntimeError(f"{command[0]}: exit status {result.returncode}: {result.stderr.strip()[-400:]}")
    return result.stdout


class Alpaca:
    """Our command. `path` is what ALPACA_CPU forces; "" leaves the choice to it."""

    def __init__(self, command: str, path: str) -> None:
        self.command = command
        self.path = path
        self.label = ""
        self.about: dict[str, Any] = {}
        #: All reports, for the machine's limits and the shares of them.
        self.reports: list[dict[str, Any]] = []

    def run(self, model: str, suite: Suite) -> Samples:
        arguments = ["-p", commas(suite.prompts), "-n", commas(suite.generations), "-d", commas(suite.depths), "-t", commas(suite.threads)]
        arguments += ["-np", commas(suite.sequences), "--kv-cache", suite.cache, "-r", str(suite.repetitions), "--json"]
        text = output([self.command, "bench", model, *arguments], **({"ALPACA_CPU": self.path} if self.path else {}))
        report = json.loads(text)
        if self.path and report["cpu_path"] != self.path:
            raise RuntimeError(f"this machine has no path {self.path!r}; alpaca took {report['cpu_path']!r}")
        self.path = report["cpu_path"]
        self.label = f"alpaca {self.path}"
        self.about = {key: report[key] for key in ("version", "cpu_path", "n_batch")}
        for row in report["rows"]:
            row["test"] = test_name(row["n_prompt"], row["n_gen"], row["depth"], suite.cache, row["n_parallel"])
        self.reports.append(report)
        return {(row["test"], row["n_threads"]): row["tokens_per_second"] for row in report["rows"]}


class LlamaBench:
    """A build of llama.cpp's llama-bench; of several sequences together that of llama-batched-bench, from the same folder."""

    def __init__(self, command: str, label: str) -> None:
        self.command = command
        self.label = f"llama.cpp {label}" if label else "llama.cpp"
        self.isa = "avx2" if "avx2" in label.lower() else ""
        self.about: dict[str, Any] = {"command": pathlib.Path(command).name, "cmake": cmake_options(pathlib.Path(command))}

    def run(self, model: str, suite: Suite) -> Samples:
        if suite.sequences != [1]:
            return self.run_batched(model, suite)
        arguments = ["-m", model, "-p", commas(suite.prompts), "-n", commas(suite.generations), "-d", commas(suite.depths)]
        arguments += ["-ctk", suite.cache, "-ctv", suite.cache, "-t", commas(suite.threads), "-r", str(suite.repetitions)]
        text = output([self.command, *arguments, "-ub", "512", "-o", "json"])
        rows = json.loads(text)
        for key in ("build_commit", "build_number", "cpu_info", "backends", "n_ubatch", "flash_attn"):
            if rows and key in rows[0]:
                self.about[key] = rows[0][key]
        return bench_samples(text)

    def run_batched(self, model: str, suite: Suite) -> Samples:
        command = pathlib.Path(self.command).with_name("llama-batched-bench")
        if not command.is_file():
            raise RuntimeError(f"{command} is missing, which measures several sequences: make bench-peer builds it")
        length = max(suite.generations)
        # A sequence begins with a token of its own; the caches of all sequences together have to hold what they write.
        room = max(suite.sequences) * max(256, length + 8)
        samples: Samples = {}
        for threads in suite.threads:
            arguments = ["-m", model, "-npp", "1", "-ntg", commas(suite.generations), "-npl", commas(suite.sequences), "-c", str(room)]
            arguments += ["-t", str(threads), "-tb", str(threads), "-ctk", suite.cache, "-ctv", suite.cache, "--output-format", "jsonl"]
            for _ in range(suite.repetitions):
                for key, values in batched_samples(output([str(command), *arguments]), suite.cache).items():
                    samples.setdefault(key, []).extend(values)
        return samples


def bench_samples(text: str) -> Samples:
    """Of what `llama-bench -o json` prints."""
    found: Samples = {}
    for row in json.loads(text):
        found[test_name(row["n_prompt"], row["n_gen"], row.get("n_depth", 0), row.get("type_k", "f16")), row["n_threads"]] = row["samples_ts"]
    return found


def batched_samples(text: str, cache: str = "f16") -> Samples:
    """Of what `llama-batched-bench --output-format jsonl` prints: tokens a second that all sequences write."""
    found: Samples = {}
    for line in text.splitlines():
        if line.startswith("{"):
            row = json.loads(line)
            found.setdefault((test_name(0, row["tg"], 0, cache, row["pl"]), row["n_threads"]), []).append(row["speed_tg"])
    if not found:
        raise RuntimeError(f"llama-batched-bench printed no results: {text.strip()[-200:]!r}")
    return found


def cmake_options(command: pathlib.Path) -> dict[str, str]:
    """The instruction sets that a build was made for, from its cache where that lies beside it."""
    cache = command.resolve().parent.parent / "CMakeCache.txt"
    if not cache.is_file():
        return {}
    wanted = r"^(GGML_(?:NATIVE|SSE42|AVX\w*|FMA|F16C|BMI2|AMX\w*|OPENMP|BLAS|LLAMAFILE|CPU_REPACK)):\w+=(.+)$"
    return dict(re.findall(wanted, cache.read_text(errors="replace"), re.M))


class XLlamaCpp:
    """llama.cpp as the package xllamacpp carries it, in a process of its own for each suite."""

    label = "xllamacpp"

    def __init__(self) -> None:
        self.about: dict[str, Any] = {}
        # What its wheels on PyPI are compiled for; its own word comes with the first samples.
        self.isa = "avx2"

    @staticmethod
    def is_installed() -> bool:
        return subprocess.run([sys.executable, "-c", "import xllamacpp"], capture_output=True).returncode == 0

    def run(self, model: str, suite: Suite) -> Samples:
        if suite.sequences != [1] or suite.cache != "f16":
            return {}
        request = json.dumps({"model": model, **dataclasses.asdict(suite)})
        script = pathlib.Path(__file__).with_name("run_xllamacpp.py")
        answer = json.loads(output([sys.executable, str(script), request]).splitlines()[-1])
        self.about = answer["about"]
        self.isa = "" if "AVX512" in self.about["system_info"] else "avx2"
        return {(test, threads): samples for test, threads, samples in answer["rows"]}
