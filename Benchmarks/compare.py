#!/usr/bin/env python3
"""Speed on one model: `alpaca bench` on each CPU path, and llama.cpp on the same file, in alternation.

    compare.py MODEL --alpaca build/bin/alpaca [--paths avx2,avx512] [--peers avx2=FILE:native=FILE] [--json FILE]

Every round runs each engine once, so that a machine whose speed drifts is fair to all; the table has medians, and ratios are medians of the
rounds' ratios. A peer is a llama-bench with a label, or without one; the package xllamacpp is used where it is installed. A peer whose label
says avx2, as xllamacpp, is compared with our path avx2 where that is measured; others with the last of our paths.

Measured are prompts of 128 and 512 tokens, 512 at a depth, and writing at both; ours also with fewer threads and with several sequences
together. The share of the roof is that of the memory's reading speed (tg) or of the integer peak (pp), measured in the same run.
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

from engines import Alpaca, LlamaBench, Samples, Suite, XLlamaCpp

Peer = Union[LlamaBench, XLlamaCpp]


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("--alpaca", default="build/bin/alpaca", help="our command")
    parser.add_argument("--paths", default="", help="CPU paths of ours, with commas; default: the one that it chooses")
    parser.add_argument("--peers", default="", help="llama-bench programs, LABEL=FILE or FILE, with colons between them")
    parser.add_argument("--no-xllamacpp", action="store_true", help="leave the package out although it is installed")
    parser.add_argument("-p", "--prompts", default="128,512")
    parser.add_argument("-n", "--n-gen", type=int, default=32)
    parser.add_argument("-d", "--depth", type=int, default=4096, help="0: none")
    parser.add_argument("-np", "--parallel", type=int, default=4, help="sequences that write together; 1: none")
    parser.add_argument("-t", "--threads", type=int, default=0, help="0: one for each processor that the process may use")
    parser.add_argument("-r", "--rounds", type=int, default=3)
    parser.add_argument("--depth-repetitions", type=int, default=2, help="runs at the depth, after it was filled once; 0: none")
    parser.add_argument("--json", help="where the results are written")
    return parser.parse_args()


class Comparison:
    """Samples of all engines by test, in the order of the rounds."""

    def __init__(self, model: str, ours: list[Alpaca], peers: list[Peer]) -> None:
        self.model = model
        self.ours = ours
        self.peers = peers
        self.samples: dict[tuple[str, int], dict[str, list[float]]] = {}

    def round(self, suite: Suite, with_peers: bool = True) -> None:
        for engine in [*self.ours, *(self.peers if with_peers else [])]:
            tests = commas_of(suite)
            say(f"{engine.label or 'alpaca ' + (getattr(engine, 'path', '') or '')}: {tests}")
            try:
                found: Samples = engine.run(self.model, suite)
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

    def shares(self, engine: Alpaca) -> dict[tuple[str, int], tuple[str, float]]:
        """The roof of each test, and the median's share of the best that was measured of it."""
        best = {roof["n_threads"]: roof for roof in self.roofs(engine)}
        found = {}
        for row in (row for report in engine.reports for row in report["rows"]):
            key = (row["test"], row["n_threads"])
            roof = best.get(row["n_threads"])
            if row["roof"] and roof and engine.label in self.samples.get(key, {}):
                cost = row["bytes_per_token"] or row["operations_per_token"]
                limit = roof["read_bytes_per_second" if row["roof"] == "read" else "integer_ops_per_second"]
                found[key] = (row["roof"], statistics.median(self.samples[key][engine.label]) * cost / limit)
        return found

    def roofs(self, engine: Alpaca) -> list[dict[str, Any]]:
        """The best of all runs by number of threads."""
        best: dict[int, dict[str, Any]] = {}
        for roof in (roof for report in engine.reports for roof in report["roofs"]):
            known = best.setdefault(roof["n_threads"], {"n_threads": roof["n_threads"]})
            for name in ("read_bytes_per_second", "integer_ops_per_second"):
                known[name] = max(known.get(name, 0), roof[name])
        return [best[threads] for threads in sorted(best)]

    def result(self) -> dict[str, Any]:
        report = self.ours[0].reports[0]
        shares = {engine.label: self.shares(engine) for engine in self.ours}
        rows = []
        for (test, threads), by_engine in self.samples.items():
            results = {}
            for label, values in by_engine.items():
                results[label] = {"median": statistics.median(values), "samples": values}
                roof, share = shares.get(label, {}).get((test, threads), (None, None))
                if share is not None:
                    results[label] |= {"roof": roof, "share": share}
            ratios = [
                {"ours": ours.label, "peer": peer.label, "ratio": ratio}
                for ours, peer in self.pairs()
                if (ratio := self.ratio((test, threads), ours.label, peer.label)) == ratio
            ]
            rows.append({"test": test, "n_threads": threads, "results": results, "ratios": ratios})
        engines = [{"label": engine.label, "ours": True, **engine.about, "roofs": self.roofs(engine)} for engine in self.ours]
        engines += [{"label": peer.label, "ours": False, **peer.about} for peer in self.peers]
        head = {"model": pathlib.Path(self.model).stem, **{key: report[key] for key in ("quantization", "model_bytes", "n_params", "cpu")}}
        return {**head, "date": datetime.date.today().isoformat(), "engines": engines, "rows": rows}


def commas_of(suite: Suite) -> str:
    what = [f"pp{length}" for length in suite.prompts] + [f"tg{length}" for length in suite.generations]
    notes = [f"depth {suite.depth}"] * (suite.depth > 0) + [f"{suite.parallel} sequences"] * (suite.parallel > 1)
    return ", ".join([*what, *notes, f"threads {', '.join(map(str, suite.threads))}"])


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
    lines.append(f"{'test':18}{'threads':>8}" + "".join(f"{label:>{width}}" for label in labels) + "   share of the roof, ratios")
    for row in result["rows"]:
        line = f"{row['test']:18}{row['n_threads']:8}"
        notes = []
        for label in labels:
            found = row["results"].get(label)
            line += f"{found['median']:{width}.2f}" if found else " " * (width - 1) + "-"
            if found and "share" in found:
                notes.append(f"{100 * found['share']:.0f} %")
        notes += [f"{pair['ratio']:.2f} x {pair['peer']}" for pair in row["ratios"]]
        lines.append(line + "   " + ", ".join(notes))
    return "\n".join([*lines, *scalings(result)])


def scalings(result: dict[str, Any]) -> list[str]:
    """What more threads, and more sequences together, bring."""
    lines = []
    most = max(row["n_threads"] for row in result["rows"])
    medians = {
        (row["test"], row["n_threads"], label): found["median"] for row in result["rows"] for label, found in row["results"].items()
    }
    for (test, threads, label), median in medians.items():
        alone, _, together = test.partition(" x ")
        if together and (alone, threads, label) in medians:
            lines.append(f"{label}: {test}: {median / medians[alone, threads, label]:.2f} x one sequence")
        if threads == 1 < most and (test, most, label) in medians:
            lines.append(f"{label}: {test}: {most} threads are {medians[test, most, label] / median:.2f} x one thread")
    return lines


def main() -> None:
    o = options()
    peers: list[Peer] = []
    for word in filter(None, o.peers.split(":")):
        label, _, file = word.rpartition("=")
        peers.append(LlamaBench(file, label))
    if not o.no_xllamacpp and XLlamaCpp.is_installed():
        peers.append(XLlamaCpp())
    threads = o.threads or len(os.sched_getaffinity(0))
    prompts = [int(length) for length in o.prompts.split(",")]
    comparison = Comparison(o.model, [Alpaca(o.alpaca, path) for path in o.paths.split(",")], peers)
    for _ in range(o.rounds):
        comparison.round(Suite(prompts, [o.n_gen], [threads]))
    if o.depth and o.depth_repetitions:
        comparison.round(Suite(prompts[-1:], [o.n_gen], [threads], depth=o.depth, repetitions=o.depth_repetitions))
    if o.parallel > 1:
        comparison.round(Suite([], [o.n_gen], [threads], parallel=o.parallel, repetitions=o.rounds), with_peers=False)
    if threads > 1:
        comparison.round(Suite(prompts[-1:], [o.n_gen], list(range(1, threads)), repetitions=min(2, o.rounds)), with_peers=False)
    if not comparison.ours:
        sys.exit("error: nothing was measured")
    result = comparison.result()
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


main()
