#!/usr/bin/env python3
"""Draws what compare.py measured: SIZE-speed.svg (ours beside llama.cpp by type), SIZE-roofs.svg (the share of the machine's limits),
SIZE-TYPE-steps.svg (tokens a second by the number of sequences, below the two limits), SIZE-TYPE-depth.svg (shares and speed by depth).

    charts.py FOLDER

Takes FOLDER/SIZE-TYPE.json, SIZE-TYPE-steps.json and SIZE-TYPE-depth.json, writes the charts beside them. Needs matplotlib.
"""

from __future__ import annotations

import pathlib
import sys
from typing import Any

import matplotlib

import results as measured
import steps

matplotlib.use("svg")
import matplotlib.pyplot as plt

# The same data give the same file.
plt.rcParams.update({"svg.hashsalt": "alpaca", "svg.fonttype": "none", "font.family": "sans-serif", "font.size": 9})

OURS = ["#1b6ca8", "#4fa3d9", "#9ccbed"]
LIMITS = ["#c0504d", "#d99694"]
THEIRS = ["#6b6b6b", "#9a9a9a", "#c4c4c4"]
Result = dict[str, Any]


def engines(results: list[Result]) -> dict[str, str]:
    """Labels in order, ours first, with their colours."""
    ours = list(dict.fromkeys(e["label"] for r in results for e in r["engines"] if e["ours"]))
    theirs = list(dict.fromkeys(e["label"] for r in results for e in r["engines"] if not e["ours"]))
    # The better of our paths, which come last, in the strongest colour.
    return dict(zip([*reversed(ours), *theirs], [OURS[i % 3] for i in range(len(ours))] + [THEIRS[i % 3] for i in range(len(theirs))]))


def found(result: Result, kind: str, label: str) -> dict[str, Any] | None:
    """The row of most threads and longest prompt at depth 0: pp512, tg32."""
    row = measured.main_row(result, kind, label)
    return {"test": row["test"], **row["results"][label]} if row else None


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
    axes.set_xticks(range(len(results)), [measured.type_of(r).upper() for r in results])
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


def draw_steps(result: Result, path: pathlib.Path) -> None:
    """Lines of tokens a second by the size of the step, and the two limits: memory's line rises with the sequences that share a reading, the long
    prompt's is level."""
    figure, axes = plt.subplots(figsize=(6.2, 4.2), layout="constrained")
    most = 0.0
    ours = [engine for engine in result["engines"] if engine["ours"]]
    for index, engine in enumerate(result["engines"]):
        label = engine["label"]
        colour = OURS[ours.index(engine) % 3] if engine["ours"] else THEIRS[index % 3]
        speeds = steps.sequences(result, label)
        if speeds:
            axes.plot(list(speeds), list(speeds.values()), marker="o", markersize=3, color=colour, label=f"{label}, sequences")
            most = max(most, *speeds.values())
        drafts = steps.drafts(result, label)
        if drafts:
            axes.plot(list(drafts), list(drafts.values()), marker=".", markersize=3, linestyle=":", color=colour, label=f"{label}, one prompt")
    # The limits of the best of our paths, which comes last.
    for engine in ours[-1:]:
        reading, prompt = steps.limits(result, engine)
        if prompt:
            axes.axhline(prompt, color=LIMITS[0], linewidth=1, label=f"limit: pp{steps.longest(result)}")
            most = max(most, prompt)
        if reading:
            axes.plot(list(reading), [n * per_second for n, per_second in reading.items()], color=LIMITS[1], linewidth=1, linestyle="--",
                      label="limit: reading the weights once a step")
    axes.set_ylim(0, most * 1.1)
    axes.set_xlim(0, None)
    axes.set_xlabel("tokens in a step")
    axes.set_title(f"{result['model'].upper()}: tokens a second", loc="left")
    finish(figure, [axes], result, path)


def draw_depth(result: Result, path: pathlib.Path) -> None:
    """Writing: the share of the memory's speed; reading a prompt: the speed by that at depth 0."""
    figure, panels = plt.subplots(2, 1, figsize=(6.2, 6.2), layout="constrained")
    ours = [engine for engine in result["engines"] if engine["ours"]]
    for index, engine in enumerate(result["engines"]):
        colour = OURS[ours.index(engine) % 3] if engine["ours"] else THEIRS[index % 3]
        for cache, style in (("f16", "-"), ("q8_0", "--")):
            label = engine["label"]
            named = f"{label}, {cache.upper()} cache"
            shares = {depth: found["share"] for depth, found in measured.by_depth(result, "tg", label, cache).items() if "share" in found}
            if shares:
                panels[0].plot(list(shares), [100 * share for share in shares.values()], marker="o", markersize=3, color=colour, linestyle=style, label=named)
            speeds = {depth: found["median"] for depth, found in measured.by_depth(result, "pp", label, cache).items()}
            if speeds.get(0):
                panels[1].plot(list(speeds), [100 * speed / speeds[0] for speed in speeds.values()], marker="o", markersize=3, color=colour, linestyle=style,
                               label=named)
    panels[0].set_title(f"{result['model'].upper()}, writing: % of the memory's reading speed (weights and cache)", loc="left")
    panels[1].set_title("Reading a prompt: % of the speed at depth 0", loc="left")
    for axes in panels:
        # Above 100: caches serve a small model.
        axes.set_ylim(0, max([105, *(1.05 * top for line in axes.get_lines() for top in line.get_ydata())]))
        axes.set_xlabel("tokens before")
    finish(figure, list(panels), result, path)


def finish(figure: Any, panels: list[Any], result: Result, path: pathlib.Path) -> None:
    for axes in panels:
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(alpha=0.25)
        if axes.get_legend_handles_labels()[0]:
            axes.legend(frameon=False, fontsize=7)
    threads = max(row["n_threads"] for row in result["rows"])
    figure.supxlabel(f"{result['cpu'] or 'unknown processor'}, {threads} thread{'s' * (threads > 1)}", fontsize=7.5)
    figure.savefig(path, metadata={"Date": None, "Creator": None})
    plt.close(figure)
    print(path)


def main(folder: pathlib.Path) -> None:
    known = measured.load(folder)
    if not known:
        sys.exit(f"error: {folder} has no results: make bench writes them")
    for size, results in measured.by_size([result for result in known if measured.suite_of(result) == "types"]).items():
        colours = engines(results)
        draw(results, folder / f"{size}-speed.svg", "median", colours, 1, "{:.3g}",
             ["Reading a prompt ({}): tokens a second", "Writing ({}): tokens a second"])
        if any("share" in found for result in results for row in result["rows"] for found in row["results"].values()):
            draw(results, folder / f"{size}-roofs.svg", "share", colours, 100, "{:.0f}",
                 ["Reading a prompt ({}): % of the integer peak", "Writing ({}): % of the memory's reading speed"])
    for result in known:
        if measured.suite_of(result) == "steps":
            draw_steps(result, folder / f"{result['model']}-steps.svg")
        if measured.suite_of(result) == "depth":
            draw_depth(result, folder / f"{result['model']}-depth.svg")


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]))
