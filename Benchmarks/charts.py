#!/usr/bin/env python3
"""Draws what compare.py measured: SIZE-speed.svg (ours beside llama.cpp by type) and SIZE-roofs.svg (the share of the machine's limits).

    charts.py FOLDER

Takes FOLDER/SIZE-TYPE.json, writes the charts beside them. Needs matplotlib.
"""

from __future__ import annotations

import json
import pathlib
import sys
from typing import Any

import matplotlib

matplotlib.use("svg")
import matplotlib.pyplot as plt

# The same data give the same file.
plt.rcParams.update({"svg.hashsalt": "alpaca", "svg.fonttype": "none", "font.family": "sans-serif", "font.size": 9})

OURS = ["#1b6ca8", "#4fa3d9", "#9ccbed"]
THEIRS = ["#6b6b6b", "#9a9a9a", "#c4c4c4"]
#: From small to large, as bits a weight.
TYPES = ["iq1_s", "tq1_0", "iq1_m", "iq2_xxs", "tq2_0", "iq2_xs", "iq2_s", "q2_k", "iq3_xxs", "q3_k_m", "iq3_s", "iq4_xs", "mxfp4", "q4_0", "iq4_nl", "q4_1", "q4_k_m", "q5_0", "q5_1", "q5_k_m", "q6_k", "q8_0", "f16"]

Result = dict[str, Any]


def type_of(result: Result) -> str:
    return str(result["model"].rpartition("-")[2].lower())


def order(result: Result) -> tuple[int, str]:
    name = type_of(result)
    return (TYPES.index(name) if name in TYPES else len(TYPES), name)


def engines(results: list[Result]) -> dict[str, str]:
    """Labels in order, ours first, with their colours."""
    ours = list(dict.fromkeys(e["label"] for r in results for e in r["engines"] if e["ours"]))
    theirs = list(dict.fromkeys(e["label"] for r in results for e in r["engines"] if not e["ours"]))
    # The better of our paths, which come last, in the strongest colour.
    return dict(zip([*reversed(ours), *theirs], [OURS[i % 3] for i in range(len(ours))] + [THEIRS[i % 3] for i in range(len(theirs))]))


def found(result: Result, kind: str, label: str) -> dict[str, Any] | None:
    """The row of most threads and longest prompt at depth 0: pp512, tg32."""
    rows = [r for r in result["rows"] if r["test"][:2] == kind and " " not in r["test"] and label in r["results"]]
    best = max(rows, key=lambda r: (r["n_threads"], int(r["test"][2:])), default=None)
    return {"test": best["test"], **best["results"][label]} if best else None


def bars(axes: Any, results: list[Result], kind: str, value: str, colours: dict[str, str], scale: float, form: str) -> str:
    """One group a type, one bar an engine; returns the test's name."""
    width = 0.8 / max(1, len(colours))
    name = ""
    for i, (label, colour) in enumerate(colours.items()):
        places, heights = [], []
        for x, result in enumerate(results):
            row = found(result, kind, label)
            if row and row.get(value) is not None:
                name = row["test"]
                places.append(x - 0.4 + (i + 0.5) * width)
                heights.append(row[value] * scale)
        drawn = axes.bar(places, heights, width * 0.92, color=colour, label=label)
        axes.bar_label(drawn, labels=[form.format(h) for h in heights], fontsize=6.5, padding=1)
    axes.set_xticks(range(len(results)), [type_of(r).upper() for r in results])
    axes.spines[["top", "right"]].set_visible(False)
    axes.margins(x=0.02, y=0.15)
    return name


def draw(results: list[Result], path: pathlib.Path, value: str, colours: dict[str, str], scale: float, form: str, titles: list[str]) -> None:
    figure, panels = plt.subplots(2, 1, figsize=(max(5.0, 1.2 + 1.1 * len(results)), 6.4), layout="constrained")
    for axes, kind, title in zip(panels, ("pp", "tg"), titles):
        test = bars(axes, results, kind, value, colours, scale, form)
        axes.set_title(title.format(test), loc="left")
        if value == "share":
            axes.set_ylim(0, max(100, axes.get_ylim()[1]))
    panels[0].legend(frameon=False, fontsize=7.5, ncols=3, loc="upper left", bbox_to_anchor=(0, -0.08))
    first = results[0]
    threads = max(r["n_threads"] for r in first["rows"])
    figure.supxlabel(f"{first['model'].rpartition('-')[0].upper()}, {first['cpu'] or 'unknown processor'}, {threads} thread{'s' * (threads > 1)}", fontsize=7.5)
    figure.savefig(path, metadata={"Date": None, "Creator": None})
    plt.close(figure)
    print(path)


def main() -> None:
    folder = pathlib.Path(sys.argv[1])
    by_size: dict[str, list[Result]] = {}
    for path in sorted(folder.glob("*-*.json")):
        result = json.loads(path.read_text())
        by_size.setdefault(result["model"].rpartition("-")[0], []).append(result)
    for size, results in by_size.items():
        results.sort(key=order)
        colours = engines(results)
        draw(results, folder / f"{size}-speed.svg", "median", colours, 1, "{:.3g}",
             ["Reading a prompt ({}): tokens a second", "Writing ({}): tokens a second"])
        ours = {label: colour for label, colour in colours.items() if colour in OURS}
        draw(results, folder / f"{size}-roofs.svg", "share", ours, 100, "{:.0f}",
             ["Reading a prompt ({}): % of the integer peak", "Writing ({}): % of the memory's reading speed"])
    if not by_size:
        sys.exit(f"error: {folder} has no results: make bench writes them")


main()
