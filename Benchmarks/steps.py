"""What a step of a few tokens costs by what it can cost at least: of the rows of the suite `steps`."""

from __future__ import annotations

import re
from typing import Any

Result = dict[str, Any]


def size_of(test: str) -> tuple[str, int] | None:
    """("tg", sequences) of "tg8 x 4", ("tg", 1) of "tg8", ("pp", 5) of "pp5"; None for others."""
    if found := re.fullmatch(r"tg\d+(?: x (\d+))?", test):
        return "tg", int(found[1] or 1)
    if found := re.fullmatch(r"pp(\d+)", test):
        return "pp", int(found[1])
    return None


def sequences(result: Result, label: str) -> dict[int, float]:
    """Tokens a second by the number of sequences that write together."""
    return {size: row["results"][label]["median"] for kind, size, row in rows(result, label) if kind == "tg"}


def drafts(result: Result, label: str) -> dict[int, float]:
    """The same by the length of a short prompt."""
    return {size: row["results"][label]["median"] for kind, size, row in rows(result, label) if kind == "pp" and size != longest(result)}


def rows(result: Result, label: str) -> list[tuple[str, int, dict[str, Any]]]:
    threads = max(row["n_threads"] for row in result["rows"])
    found = []
    for row in result["rows"]:
        size = size_of(row["test"])
        if size and row["n_threads"] == threads and label in row["results"]:
            found.append((*size, row))
    return found


def longest(result: Result) -> int:
    """The prompt whose speed is the limit of many tokens."""
    sizes = [size for row in result["rows"] for kind, size in [size_of(row["test"]) or ("", 0)] if kind == "pp"]
    return max(sizes, default=0)


def limits(result: Result, engine: dict[str, Any]) -> tuple[dict[int, float], float]:
    """Steps a second that reading allows by the number of sequences, and the tokens a second of the long prompt."""
    label = engine["label"]
    threads = max(row["n_threads"] for row in result["rows"])
    read = next((roof["read_limit"] for roof in engine["roofs"] if roof["n_threads"] == threads), 0.0)
    reading = {size: read / (row["cost"] * size) for kind, size, row in rows(result, label) if kind == "tg" and row["cost"] and read}
    prompts = {size: row["results"][label]["median"] for kind, size, row in rows(result, label) if kind == "pp"}
    return reading, prompts.get(longest(result), 0.0)


def add_floors(result: Result) -> None:
    """To each step of ours `of_floor`: its time by max(the time to read what it reads, its tokens by the long prompt's time for one). A short
    prompt reads what one sequence reads."""
    for engine in result["engines"]:
        if not engine["ours"]:
            continue
        label = engine["label"]
        reading, prompt = limits(result, engine)
        if not reading or not prompt:
            continue
        for kind, size, row in rows(result, label):
            steps_a_second = reading.get(size if kind == "tg" else 1)
            if steps_a_second and not (kind == "pp" and size == longest(result)):
                floor = max(1 / steps_a_second, size / prompt)
                found = row["results"][label]
                found["of_floor"] = size / found["median"] / floor


def slower_than_apart(result: Result, label: str) -> list[str]:
    """Steps that take longer than two smaller ones that were measured, one after the other."""
    speeds = sequences(result, label)
    times = {size: size / speed for size, speed in speeds.items()}
    said = []
    for size, time in times.items():
        apart = [(times[a] + times[size - a], a) for a in times if size - a in times and a <= size - a]
        best = min(apart, default=None)
        if best and best[0] < time:
            said.append(f"{label}: {size} sequences take {time / best[0]:.2f} of the time of {best[1]} and {size - best[1]} apart")
    return said
