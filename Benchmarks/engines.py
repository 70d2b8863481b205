"""The programs whose speed compare.py measures: the command `alpaca` on a CPU path, llama.cpp's `llama-bench`, and the PyPI package xllamacpp.

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

Samples = dict[tuple[str, int], list[float]]


@dataclasses.dataclass
class Suite:
    """What is measured in one go."""

    prompts: list[int]
    generations: list[int]
    threads: list[int]
    depth: int = 0
    parallel: int = 1
    repetitions: int = 1


def test_name(n_prompt: int, n_gen: int, depth: int) -> str:
    return (f"pp{n_prompt}" if n_prompt else f"tg{n_gen}") + (f" @ {depth}" if depth else "")


def commas(numbers: list[int]) -> str:
    return ",".join(map(str, numbers)) or "0"


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
        arguments = ["-p", commas(suite.prompts), "-n", commas(suite.generations), "-d", str(suite.depth)]
        arguments += ["-t", commas(suite.threads), "-np", str(suite.parallel), "-r", str(suite.repetitions), "--json"]
        text = output([self.command, "bench", model, *arguments], **({"ALPACA_CPU": self.path} if self.path else {}))
        report = json.loads(text)
        if self.path and report["cpu_path"] != self.path:
            raise RuntimeError(f"this machine has no path {self.path!r}; alpaca took {report['cpu_path']!r}")
        self.path = report["cpu_path"]
        self.label = f"alpaca {self.path}"
        self.about = {key: report[key] for key in ("version", "cpu_path", "n_batch", "type_k", "type_v")}
        self.reports.append(report)
        return {(row["test"], row["n_threads"]): row["tokens_per_second"] for row in report["rows"]}


class LlamaBench:
    """A build of llama.cpp's llama-bench."""

    def __init__(self, command: str, label: str) -> None:
        self.command = command
        self.label = f"llama.cpp {label}" if label else "llama.cpp"
        self.isa = "avx2" if "avx2" in label.lower() else ""
        self.about: dict[str, Any] = {"command": pathlib.Path(command).name, "cmake": cmake_options(pathlib.Path(command))}

    def run(self, model: str, suite: Suite) -> Samples:
        arguments = ["-m", model, "-p", commas(suite.prompts), "-n", commas(suite.generations), "-d", str(suite.depth)]
        arguments += ["-t", commas(suite.threads), "-r", str(suite.repetitions), "-ub", "512", "-o", "json"]
        rows = json.loads(output([self.command, *arguments]))
        for key in ("build_commit", "build_number", "cpu_info", "backends", "type_k", "type_v", "n_ubatch", "flash_attn"):
            if rows and key in rows[0]:
                self.about[key] = rows[0][key]
        return {(test_name(row["n_prompt"], row["n_gen"], row.get("n_depth", 0)), row["n_threads"]): row["samples_ts"] for row in rows}


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
        request = json.dumps({"model": model, **dataclasses.asdict(suite)})
        script = pathlib.Path(__file__).with_name("run_xllamacpp.py")
        answer = json.loads(output([sys.executable, str(script), request]).splitlines()[-1])
        self.about = answer["about"]
        self.isa = "" if "AVX512" in self.about["system_info"] else "avx2"
        return {(test, threads): samples for test, threads, samples in answer["rows"]}
