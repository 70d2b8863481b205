"""The results that compare.py wrote: reading them, and finding rows."""

from __future__ import annotations

import json
import pathlib
import re
from typing import Any

Result = dict[str, Any]
#: From small to large, as bits a weight.
TYPES = [
    "iq1_s", "tq1_0", "iq1_m", "iq2_xxs", "tq2_0", "iq2_xs", "iq2_s", "q2_k", "iq3_xxs", "q3_k_m", "iq3_s", "iq4_xs", "mxfp4", "q4_0",
    "iq4_nl", "q4_1", "q4_k_m", "q5_0", "q5_1", "q5_k_m", "q6_k", "q8_0", "f16",
]  # fmt: skip
#: From small to large.
SIZES = ["mini", "130m", "1.3b", "7b"]


def load(folder: pathlib.Path) -> list[Result]:
    """All of a kind of CPU, models by size and type, each with its suites in order."""
    found = []
    for path in folder.glob("*-*.json"):
        result = json.loads(path.read_text())
        # Other tools keep files of other forms there.
        if isinstance(result, dict) and {"model", "engines", "rows"} <= set(result):
            found.append(result)
    return sorted(found, key=lambda r: (order_of_size(size_of(r)), order(r), suite_of(r)))


def suite_of(result: Result) -> str:
    """Results of before there were suites hold types, depth and threads in one."""
    return str(result.get("suite", "types"))


def size_of(result: Result) -> str:
    return str(result["model"].rpartition("-")[0].lower())


def type_of(result: Result) -> str:
    return str(result["model"].rpartition("-")[2].lower())


def order_of_size(size: str) -> tuple[int, str]:
    return (SIZES.index(size) if size in SIZES else len(SIZES), size)


def order(result: Result) -> tuple[int, str]:
    name = type_of(result)
    return (TYPES.index(name) if name in TYPES else len(TYPES), name)


def by_size(results: list[Result]) -> dict[str, list[Result]]:
    found: dict[str, list[Result]] = {}
    for result in results:
        found.setdefault(size_of(result), []).append(result)
    return found


def ours(result: Result) -> list[str]:
    """Labels of our paths, the best one last."""
    return [engine["label"] for engine in result["engines"] if engine["ours"]]


def theirs(result: Result) -> list[str]:
    return [engine["label"] for engine in result["engines"] if not engine["ours"]]


def threads_of(result: Result) -> int:
    return max(row["n_threads"] for row in result["rows"])


def main_row(result: Result, kind: str, label: str) -> dict[str, Any] | None:
    """The row of most threads and longest prompt at depth 0: pp512, tg32."""
    rows = [r for r in result["rows"] if re.fullmatch(kind + r"\d+", r["test"]) and label in r["results"]]
    return max(rows, key=lambda r: (r["n_threads"], int(r["test"][2:])), default=None)


def rows_by_depth(result: Result, kind: str, label: str, cache: str = "f16") -> dict[int, dict[str, Any]]:
    """The rows of most threads by the tokens before."""
    suffix = "" if cache == "f16" else f", {cache} cache"
    found = {}
    for row in result["rows"]:
        match = re.fullmatch(kind + r"(\d+)(?: @ (\d+))?" + re.escape(suffix), row["test"])
        if match and row["n_threads"] == threads_of(result) and label in row["results"]:
            found[int(match[2] or 0), int(match[1])] = row
    # Where there are prompts of several lengths, the longest.
    return {depth: row for (depth, _), row in sorted(found.items())}


def by_depth(result: Result, kind: str, label: str, cache: str = "f16") -> dict[int, dict[str, Any]]:
    """What an engine reached by the tokens before."""
    return {depth: row["results"][label] for depth, row in rows_by_depth(result, kind, label, cache).items()}


def ratio(row: dict[str, Any] | None, label: str, peer: str | None = None) -> float | None:
    """Of ours by that of the peer, the first one that it was compared with unless one is named."""
    for pair in (row or {}).get("ratios", []):
        if pair["ours"] == label and peer in (None, pair["peer"]):
            return float(pair["ratio"])
    return None
