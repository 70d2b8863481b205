#!/usr/bin/env python3
"""Writes the measured figures into the documents: docs/performance.md and docs/benchmarks/README.md, between their markers.

    figures.py [--check]

Takes docs/benchmarks/KIND/*.json of each kind of CPU. --check: writes nothing, fails where a document is not what the files say.
"""

from __future__ import annotations

import pathlib
import re
import sys
from typing import Any

import machine
import results as measured
import steps

REPOSITORY = pathlib.Path(__file__).resolve().parents[1]
BEGIN, END = "<!-- figures: written by Benchmarks/figures.py -->", "<!-- end of figures -->"

Result = dict[str, Any]


def kinds(folder: pathlib.Path) -> dict[str, list[Result]]:
    found = {path.name: measured.load(path) for path in sorted(folder.iterdir()) if path.is_dir()}
    return {kind: results for kind, results in found.items() if results}


def table(head: list[str], rows: list[list[str]]) -> list[str]:
    """Words to the left, figures to the right; columns that no row fills are left out."""
    used = [i for i in range(len(head)) if any(row[i] for row in rows)]
    lines = ["| " + " | ".join(head[i] for i in used) + " |"]
    lines.append("|" + "|".join("---:" if all(is_figure(row[i]) for row in rows) else "---" for i in used) + "|")
    return lines + ["| " + " | ".join(row[i] for i in used) + " |" for row in rows]


def is_figure(cell: str) -> bool:
    return re.fullmatch(r"([\d.]+( %| x)?)?", cell) is not None


def speed(value: float) -> str:
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def percent(found: dict[str, Any]) -> str:
    return f"{100 * found['share']:.0f} %" if "share" in found else ""


def times(value: float | None) -> str:
    return f"{value:.2f} x" if value else ""


def machine_line(results: list[Result]) -> str:
    """The processor, what its limits were measured to be over all files, and when."""
    cpu = next((r["cpu"] for r in results if r["cpu"]), "")
    threads = max(measured.threads_of(r) for r in results)
    roofs = [roof for r in results for e in r["engines"] if e["ours"] for roof in e["roofs"] if roof["n_threads"] == threads]
    reads = [roof["read_bytes_per_second"] / 1e9 for roof in roofs]
    peak = max(roof["integer_ops_per_second"] / 1e9 for roof in roofs)
    dates = sorted({r["date"] for r in results})
    span = dates[0] if len(dates) == 1 else f"{dates[0]} to {dates[-1]}"
    read = f"{min(reads):.0f} to {max(reads):.0f}" if max(reads) - min(reads) >= 1 else f"{max(reads):.0f}"
    return f"{cpu}, {threads} threads, {span}. Memory read at {read} GB/s, {peak:.0f} billion operations a second."


def types_rows(results: list[Result]) -> list[list[str]]:
    rows = []
    for result in results:
        label, peers = measured.ours(result)[-1], measured.theirs(result)
        row: list[str] = [measured.size_of(result), measured.type_of(result).upper()]
        for kind in ("pp", "tg"):
            found = measured.main_row(result, kind, label)
            if not found:
                row += ["", "", ""]
                continue
            mine = found["results"][label]
            row += [speed(mine["median"]), percent(mine), times(measured.ratio(found, label) if peers else None)]
        rows.append(row)
    return rows


def steps_rows(result: Result) -> list[list[str]]:
    label = measured.ours(result)[-1]
    rows = []
    drafts = {size: row["results"][label] for kind, size, row in steps.rows(result, label) if kind == "pp"}
    for kind, size, row in steps.rows(result, label):
        if kind != "tg":
            continue
        found = row["results"][label]
        draft = drafts.get(size, {})
        rows.append([str(size), speed(found["median"]), times(found.get("of_floor")), times(measured.ratio(row, label)),
                     speed(draft["median"]) if draft else "", times(draft.get("of_floor"))])  # fmt: skip
    return rows


def depth_rows(result: Result) -> list[list[str]]:
    label = measured.ours(result)[-1]
    rows = []
    for cache in ("f16", "q8_0"):
        writing, reading = (measured.rows_by_depth(result, kind, label, cache) for kind in ("tg", "pp"))
        start = reading[0]["results"][label]["median"] if 0 in reading else None
        for depth in sorted({*writing, *reading}):
            row = [str(depth), cache.upper(), *[""] * 6]
            if depth in writing:
                found = writing[depth]["results"][label]
                row[2:5] = [speed(found["median"]), percent(found), times(measured.ratio(writing[depth], label))]
            if depth in reading:
                median = reading[depth]["results"][label]["median"]
                row[5:] = [speed(median), f"{100 * median / start:.0f} %" if start else "", times(measured.ratio(reading[depth], label))]
            rows.append(row)
    return rows


def charts(folder: pathlib.Path, kind: str, prefix: str) -> str:
    names = sorted(path.name for path in (folder / kind).glob("*.svg"))
    return ", ".join(f"[{name[:-4]}]({prefix}{kind}/{name})" for name in names)


def performance(folder: pathlib.Path) -> str:
    lines: list[str] = []
    for kind, results in kinds(folder).items():
        lines += [f"### {machine.title(kind)}", "", machine_line(results), ""]
        if types := [r for r in results if measured.suite_of(r) == "types"]:
            lines += table(["model", "type", "pp512", "of the peak", "of llama.cpp", "tg32", "of the memory", "of llama.cpp"], types_rows(types))
            lines.append("")
        for result in results:
            if measured.suite_of(result) == "steps":
                lines += [f"Several tokens in a step, {result['model'].upper()}:", ""]
                head = ["tokens", "sequences: tokens/s", "of the floor", "of llama.cpp", "one prompt: tokens/s", "of the floor"]
                lines += [*table(head, steps_rows(result)), ""]
        for result in results:
            if any(" @ " in row["test"] for row in result["rows"]):
                lines += [f"After other tokens, {result['model'].upper()}:", ""]
                head = ["before", "cache", "tg32", "of the memory", "of llama.cpp", "pp512", "of depth 0", "of llama.cpp"]
                lines += [*table(head, depth_rows(result)), ""]
        lines += [f"Charts: {charts(folder, kind, 'benchmarks/')}", ""]
    return "\n".join(lines).rstrip()


def index(folder: pathlib.Path) -> str:
    rows = []
    for kind, results in kinds(folder).items():
        models = sorted({r["model"] for r in results})
        cpu = next((r["cpu"] for r in results if r["cpu"]), "")
        suites = [name for name in ("types", "threads", "steps", "depth") if any(measured.suite_of(r) == name for r in results)]
        path = next((measured.ours(r)[-1].removeprefix("alpaca ") for r in results), "")
        rows.append([f"[{kind}]({kind})", f"{machine.title(kind)}: {cpu}", path, ", ".join(models), ", ".join(suites), charts(folder, kind, "")])
    return "\n".join(table(["folder", "processor", "path", "models", "suites", "charts"], rows))


def replaced(text: str, name: str, content: str) -> str:
    """The text with what stands between the markers replaced."""
    if text.count(BEGIN) != 1 or text.count(END) != 1 or text.index(BEGIN) > text.index(END):
        raise SystemExit(f"error: {name}: expected the markers {BEGIN!r} and {END!r}, each once and in this order")
    before, rest = text.split(BEGIN)
    return f"{before}{BEGIN}\n{content}\n{END}{rest.split(END)[1]}"


def main(check: bool) -> None:
    folder = REPOSITORY / "docs/benchmarks"
    stale = []
    for path, content in ((REPOSITORY / "docs/performance.md", performance(folder)), (folder / "README.md", index(folder))):
        text = path.read_text()
        new = replaced(text, path.name, content)
        if new != text:
            stale.append(path)
            if not check:
                path.write_text(new)
                print(path.relative_to(REPOSITORY))
    if check and stale:
        names = ", ".join(str(path.relative_to(REPOSITORY)) for path in stale)
        sys.exit(f"error: {names}: not what docs/benchmarks says: run Benchmarks/figures.py")


if __name__ == "__main__":
    if sys.argv[1:] not in ([], ["--check"]):
        sys.exit(__doc__)
    main(sys.argv[1:] == ["--check"])
