#!/usr/bin/env python3
"""Speed on one model: `alpaca bench` on each CPU path, and llama.cpp on the same file, in alternation.

    compare.py MODEL --alpaca build/bin/alpaca [--suite steps] [--paths avx2,avx512] [--peers avx2=FILE:native=FILE] [--json FILE]

Every round runs each engine once, so that a machine whose speed drifts is fair to all; the table has medians, and ratios are medians of the
rounds' ratios. A peer is a llama-bench with a label, or without one; the package xllamacpp is used where it is installed. A peer whose label
says avx2, as xllamacpp, is compared with our path avx2 where that is measured; others with the last of our paths.

Suites:
    types    prompts, and tokens written one after the other
    threads  ours with fewer threads
    steps    1 to 32 sequences together, and prompts of so few tokens
    depth    prompts and writing after other tokens, with caches of F16 and of Q8_0

The share of the roof is that of the memory's reading speed (tg) or of the integer peak (pp), the best that was measured in the run or that an
engine was seen to reach in it. A step of n tokens takes at least the time to read what it reads, and n times what a token of a long prompt
takes: "x the floor" is its time by the longer of the two.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import pathlib
import statistics
import sys
from typing import Any, Union

import machine
import steps
import suites
from engines import Alpaca, LlamaBench, Samples, XLlamaCpp
from suites import Suite

Peer = Union[LlamaBench, XLlamaCpp]
MEASURED = {"read": "read_bytes_per_second", "integer": "integer_ops_per_second"}
#: A model so many times as large as the last cache comes from memory.
CACHES_FACTOR = 4


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("--alpaca", default="build/bin/alpaca", help="our command")
    parser.add_argument("--paths", default="", help="CPU paths of ours, with commas; default: the one that it chooses")
    parser.add_argument("--peers", default="", help="llama-bench programs, LABEL=FILE or FILE, with colons between them")
    parser.add_argument("--no-xllamacpp", action="store_true", help="leave the package out although it is installed")
    parser.add_argument("-p", "--prompts", default="128,512")
    parser.add_argument("-n", "--n-gen", type=int, default=32)
    parser.add_argument("--suite", default="types", choices=suites.NAMES)
    parser.add_argument("-d", "--depths", default="4096", help="of the suite depth, beside 0")
    parser.add_argument("-np", "--parallel", default=suites.commas(suites.STEPS), help="sequences that write together in the suite steps")
    parser.add_argument("-t", "--threads", type=int, default=0, help="0: one for each processor that the process may use")
    parser.add_argument("-r", "--rounds", type=int, default=3)
    parser.add_argument("--peer-rounds", type=int, default=0, help="rounds in which llama.cpp takes part; 0: all")
    parser.add_argument("--no-estimate", action="store_true", help="do not say beforehand how long it will take")
    parser.add_argument("--json", help="where the results are written")
    return parser.parse_args()


class Comparison:
    """Samples of all engines by test, in the order of the rounds."""

    def __init__(self, model: str, ours: list[Alpaca], peers: list[Peer]) -> None:
        self.model = model
        self.ours = ours
        self.peers = peers
        self.samples: dict[tuple[str, int], dict[str, list[float]]] = {}

    def round(self, suite: Suite, with_peers: bool) -> None:
        for engine in [*self.ours, *(self.peers if with_peers else [])]:
            part = suite if isinstance(engine, Alpaca) else suite.for_peer(1)
            say(f"{engine.label or 'alpaca ' + (getattr(engine, 'path', '') or '')}: {part.title()}")
            try:
                found: Samples = engine.run(self.model, part)
            except (RuntimeError, OSError, ValueError) as error:
                print(f"left out: {error}", flush=True)
                self.ours = [e for e in self.ours if e is not engine]
                self.peers = [e for e in self.peers if e is not engine]
                continue
            for key, values in found.items():
                self.samples.setdefault(key, {}).setdefault(engine.label, []).extend(values)

    def pairs(self) -> list[tuple[Alpaca, Peer]]:
        """Which of our paths each peer is compared with."""
        result = []
        for peer in self.peers:
            same = [engine for engine in self.ours if peer.isa and engine.path == peer.isa]
            result += [((same or self.ours[-1:])[0], peer)] if self.ours else []
        return result

    def ratio(self, key: tuple[str, int], ours: str, theirs: str) -> float:
        """Median of the ratios, pair by pair; nan where one was not measured."""
        by_engine = self.samples[key]
        pairs = list(zip(by_engine.get(ours, []), by_engine.get(theirs, [])))
        return statistics.median(a / b for a, b in pairs) if pairs else float("nan")

    def costs(self) -> dict[tuple[str, int], tuple[str, float]]:
        """What limits each test, and what a token takes of it."""
        found = {}
        for row in (row for engine in self.ours for report in engine.reports for row in report["rows"]):
            if row["roof"]:
                found[row["test"], row["n_threads"]] = (row["roof"], row["bytes_per_token"] or row["operations_per_token"])
        return found

    def limits(self, engine: Alpaca) -> list[dict[str, Any]]:
        """The machine's by number of threads: the best that was measured in all runs (reading is no matter of the path), and where an engine
        was seen to do more, that. A model that fits caches says nothing of memory."""
        best: dict[int, dict[str, Any]] = {}
        for other in self.ours:
            for roof in (roof for report in other.reports for roof in report["roofs"]):
                known = best.setdefault(roof["n_threads"], {"n_threads": roof["n_threads"], **dict.fromkeys(MEASURED.values(), 0.0)})
                for kind, name in MEASURED.items():
                    if kind == "read" or other is engine:
                        known[name] = max(known[name], roof[name])
        costs = self.costs()
        in_memory = self.ours[0].reports[0]["model_bytes"] >= CACHES_FACTOR * machine.last_cache_bytes()
        for threads, known in best.items():
            reached = {"read": 0.0, "integer": 0.0}
            for key, by_engine in self.samples.items():
                if key[1] != threads or key not in costs:
                    continue
                kind, cost = costs[key]
                fastest = [max(values) for label, values in by_engine.items() if label == engine.label or (kind == "read" and in_memory)]
                if kind == "integer" or in_memory:
                    reached[kind] = max([reached[kind], *(cost * speed for speed in fastest)])
            known |= {"read_limit": max(known[MEASURED["read"]], reached["read"])}
            known |= {"integer_limit": max(known[MEASURED["integer"]], reached["integer"])}
        return [best[threads] for threads in sorted(best)]

    def share(self, key: tuple[str, int], label: str, limits: dict[str, dict[int, dict[str, Any]]]) -> tuple[str, float] | None:
        """The roof of a test, and the median's share of it. llama.cpp reads the same bytes; what it multiplies with is its own matter."""
        kind, cost = self.costs().get(key, ("", 0.0))
        known = limits.get(label) or (next(iter(limits.values()), {}) if kind == "read" else {})
        limit = known.get(key[1], {}).get(f"{kind}_limit")
        return (kind, statistics.median(self.samples[key][label]) * cost / limit) if limit else None

    def result(self, suite: str) -> dict[str, Any]:
        report = self.ours[0].reports[0]
        of_engine = {engine.label: self.limits(engine) for engine in self.ours}
        limits = {label: {roof["n_threads"]: roof for roof in roofs} for label, roofs in of_engine.items()}
        costs = self.costs()
        rows = []
        for (test, threads), by_engine in self.samples.items():
            results: dict[str, dict[str, Any]] = {}
            for label, values in by_engine.items():
                results[label] = {"median": statistics.median(values), "samples": values}
                if share := self.share((test, threads), label, limits):
                    results[label] |= {"roof": share[0], "share": share[1]}
            ratios = [
                {"ours": ours.label, "peer": peer.label, "ratio": ratio}
                for ours, peer in self.pairs()
                if (ratio := self.ratio((test, threads), ours.label, peer.label)) == ratio
            ]
            cost = costs.get((test, threads))
            rows.append({"test": test, "n_threads": threads, "cost": cost[1] if cost else None, "results": results, "ratios": ratios})
        engines = [{"label": engine.label, "ours": True, **engine.about, "roofs": of_engine[engine.label]} for engine in self.ours]
        engines += [{"label": peer.label, "ours": False, **peer.about} for peer in self.peers if peer.label in used_labels(rows)]
        head = {"model": pathlib.Path(self.model).stem, **{key: report[key] for key in ("quantization", "model_bytes", "n_params", "cpu")}}
        head |= {"kind": machine.kind(), "suite": suite, "date": datetime.date.today().isoformat()}
        result = {**head, "engines": engines, "rows": rows}
        if suite == "steps":
            steps.add_floors(result)
        return result


def used_labels(rows: list[dict[str, Any]]) -> set[str]:
    return {label for row in rows for label in row["results"]}


def say(text: str) -> None:
    print(f"  {datetime.datetime.now():%H:%M:%S} {text}", file=sys.stderr, flush=True)


def table(result: dict[str, Any]) -> str:
    labels = [engine["label"] for engine in result["engines"]]
    width = max(map(len, labels)) + 2
    lines = [f"{result['model']}  {result['quantization']}  {result['model_bytes'] / 1e9:.2f} GB  {result['cpu']}"]
    for engine in result["engines"]:
        for roof in engine.get("roofs", []):
            read, integer = roof["read_bytes_per_second"] / 1e9, roof["integer_ops_per_second"] / 1e9
            lines.append(f"{engine['label']}: {roof['n_threads']} threads: read roof {read:.1f} GB/s, integer peak {integer:.0f} GOPS")
            for kind, name in MEASURED.items():
                if roof[f"{kind}_limit"] > roof[name]:
                    lines.append(f"  disturbed: an engine reached {roof[f'{kind}_limit'] / 1e9:.1f}, which counts as the limit ({kind})")
    lines.append(f"{'test':26}{'threads':>8}" + "".join(f"{label:>{width}}" for label in labels) + "   share of the roof, ratios")
    for row in result["rows"]:
        line = f"{row['test']:26}{row['n_threads']:8}"
        notes = []
        for label in labels:
            found = row["results"].get(label)
            line += f"{found['median']:{width}.2f}" if found else " " * (width - 1) + "-"
            if found and "share" in found and "of_floor" not in found:
                notes.append(f"{100 * found['share']:.0f} %")
            if found and "of_floor" in found:
                notes.append(f"{found['of_floor']:.2f} x the floor")
        notes += [f"{pair['ratio']:.2f} x {pair['peer']}" for pair in row["ratios"]]
        lines.append(line + "   " + ", ".join(notes))
    return "\n".join([*lines, *scalings(result)])


def scalings(result: dict[str, Any]) -> list[str]:
    """What more threads bring, and which steps take longer than smaller ones apart."""
    lines: list[str] = []
    if result["suite"] == "steps":
        # The table has them side by side.
        for engine in result["engines"]:
            lines += steps.slower_than_apart(result, engine["label"]) if engine["ours"] else []
        return lines
    most = max(row["n_threads"] for row in result["rows"])
    medians = {
        (row["test"], row["n_threads"], label): found["median"] for row in result["rows"] for label, found in row["results"].items()
    }
    for (test, threads, label), median in medians.items():
        if threads == 1 < most and (test, most, label) in medians:
            lines.append(f"{label}: {test}: {most} threads are {medians[test, most, label] / median:.2f} x one thread")
    return lines


def estimate(comparison: Comparison, parts: list[Suite], threads: int, peer_rounds: int) -> str:
    """Of a short look at the model. llama.cpp is taken to read prompts at a third of our speed and to write at three quarters of it."""
    probe = Suite([64], [4], [threads])
    for engine in comparison.ours:
        try:
            found = Alpaca(engine.command, engine.path).run(comparison.model, probe)
        except (RuntimeError, OSError, ValueError):
            continue  # It says so in its first round.
        pp, tg = (statistics.median(found[test, threads]) for test in ("pp64", "tg4"))
        # Each run measures the machine's limits too, and opens the model.
        ours = sum(suite.seconds(pp, tg) + 8 * suite.rounds for suite in parts) * len(comparison.ours)
        peers = [suite.for_peer(min(suite.rounds, peer_rounds or suite.rounds)) for suite in parts if suite.with_peers]
        theirs = sum(suite.seconds(pp / 3, tg * 0.75) + 4 * suite.rounds for suite in peers)
        return f"about {max(1, round((ours + theirs * len(comparison.peers)) / 60))} min"
    return "no estimate"


def main() -> None:
    o = options()
    peers: list[Peer] = []
    for word in filter(None, o.peers.split(":")):
        label, _, file = word.rpartition("=")
        peers.append(LlamaBench(file, label))
    if not o.no_xllamacpp and XLlamaCpp.is_installed():
        peers.append(XLlamaCpp())
    threads = o.threads or len(os.sched_getaffinity(0))
    numbers = {name: [int(word) for word in getattr(o, name).split(",") if int(word)] for name in ("prompts", "depths", "parallel")}
    parts = suites.runs(o.suite, threads, o.rounds, numbers["prompts"], o.n_gen, numbers["depths"], numbers["parallel"])
    comparison = Comparison(o.model, [Alpaca(o.alpaca, path) for path in o.paths.split(",")], peers)
    if not o.no_estimate:
        say(estimate(comparison, parts, threads, o.peer_rounds))
    for suite in parts:
        for number in range(suite.rounds):
            comparison.round(suite, suite.with_peers and number < (o.peer_rounds or suite.rounds))
    if not comparison.ours:
        sys.exit("error: nothing was measured")
    result = comparison.result(o.suite)
    print(table(result))
    for ours, peer in comparison.pairs():
        if peer.isa and peer.isa != ours.path:
            print(f"note: {peer.label} is compiled for {peer.isa} and compared with our path {ours.path}: measure PATHS={peer.isa} too")
    for peer in comparison.peers:
        if isinstance(peer, XLlamaCpp) and peer.isa == "avx2":
            print("note: this xllamacpp is compiled for AVX2, as all of PyPI's are, whatever the machine has")
    if not comparison.peers:
        print("no llama.cpp to compare with: pip install xllamacpp in .venv, or make bench-peer, or LLAMA_BENCH=label=/path/llama-bench")
    if o.json:
        pathlib.Path(o.json).write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
