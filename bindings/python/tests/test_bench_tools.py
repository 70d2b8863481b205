"""The parts of Benchmarks/ that measure nothing: parsers of llama.cpp's output, kinds of CPU, floors, tables, charts."""

import importlib
import json
import pathlib
import subprocess
import sys
from typing import Any

import pytest

from conftest import REPOSITORY

sys.path.insert(0, str(REPOSITORY / "Benchmarks"))
engines, figures, machine, measured, steps, suites = map(importlib.import_module, ("engines", "figures", "machine", "results", "steps", "suites"))

# ---- llama.cpp's output: as the builds of llama-cpp-python 0.3.36 print it, keys that are not used cut

BENCH = """[
  {"build_commit": "0c1e570", "n_threads": 2, "type_k": "f16", "n_prompt": 512, "n_gen": 0, "n_depth": 0, "samples_ts": [52.8432, 51.7083]},
  {"build_commit": "0c1e570", "n_threads": 2, "type_k": "q8_0", "n_prompt": 0, "n_gen": 32, "n_depth": 4096, "samples_ts": [7.5]},
  {"build_commit": "0c1e570", "n_threads": 1, "n_prompt": 0, "n_gen": 32, "samples_ts": [5.25]}
]"""

BATCHED = """
{"n_kv_max": 8192, "n_batch": 2048, "n_threads": 2, "n_threads_batch": 2, "pp": 1, "tg": 8, "pl": 1, "n_kv": 9, "t_tg": 0.021703, "speed_tg": 368.612640}
{"n_kv_max": 8192, "n_batch": 2048, "n_threads": 2, "n_threads_batch": 2, "pp": 1, "tg": 8, "pl": 32, "n_kv": 288, "t_tg": 0.225975, "speed_tg": 1132.868652}

llama_perf_context_print:        load time =      42.00 ms
"""


def test_llama_bench() -> None:
    assert engines.bench_samples(BENCH) == {
        ("pp512", 2): [52.8432, 51.7083], ("tg32 @ 4096, q8_0 cache", 2): [7.5], ("tg32", 1): [5.25],
    }  # fmt: skip


def test_llama_batched_bench() -> None:
    assert engines.batched_samples(BATCHED) == {("tg8", 2): [368.612640], ("tg8 x 32", 2): [1132.868652]}
    assert engines.batched_samples(BATCHED, "q8_0") == {("tg8, q8_0 cache", 2): [368.612640], ("tg8 x 32, q8_0 cache", 2): [1132.868652]}
    with pytest.raises(RuntimeError, match="printed no results: 'error: unable'"):
        engines.batched_samples("error: unable")


def test_llama_bench_without_the_batched_one(tmp_path: pathlib.Path) -> None:
    peer = engines.LlamaBench(str(tmp_path / "llama-bench"), "native")
    with pytest.raises(RuntimeError, match="llama-batched-bench is missing"):
        peer.run("model.gguf", suites.Suite([], [8], [2], sequences=[1, 2]))


# ---- Kinds of CPU


def cpuinfo(vendor: str, family: int, model: int) -> str:
    one = f"processor\t: 0\nvendor_id\t: {vendor}\ncpu family\t: {family}\nmodel\t\t: {model}\nmodel name\t: Some Processor\nstepping\t: 2\n\n"
    return one + one.replace(f"model\t\t: {model}", "model\t\t: 1")


@pytest.mark.parametrize(
    "vendor, family, model, kind",
    [
        ("AuthenticAMD", 25, 17, "zen4"),  # EPYC 9004
        ("AuthenticAMD", 25, 97, "zen4"),  # Ryzen 7000
        ("AuthenticAMD", 25, 1, "zen3"),  # EPYC 7003
        ("AuthenticAMD", 26, 2, "zen5"),  # EPYC 9005
        ("AuthenticAMD", 23, 49, "zen2"),  # EPYC 7002
        ("GenuineIntel", 6, 207, "emerald-rapids"),
        ("GenuineIntel", 6, 143, "sapphire-rapids"),
        ("GenuineIntel", 6, 85, "skylake-x"),
        ("GenuineIntel", 6, 3, "intel-6-3"),
        ("AuthenticAMD", 99, 7, "amd-99-7"),
        ("Some Vendor!", 1, 2, "some-vendor-1-2"),
    ],
)
def test_kinds(vendor: str, family: int, model: int, kind: str) -> None:
    assert machine.kind_of(cpuinfo(vendor, family, model)) == kind


def test_kinds_of_arm() -> None:
    text = "processor\t: 0\nBogoMIPS\t: 50.00\nCPU implementer\t: 0x41\nCPU architecture: 8\nCPU variant\t: 0x1\nCPU part\t: 0x{}\nCPU revision\t: 1\n"
    assert machine.kind_of(text.format("d4f")) == "neoverse-v2"
    assert machine.kind_of(text.format("fff")) == "0x41-4095"
    assert machine.kind_of("") == "unknown"


def test_kind_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CPU_KIND", "my-machine")
    assert machine.kind() == "my-machine"
    monkeypatch.setenv("CPU_KIND", "../elsewhere")
    with pytest.raises(SystemExit, match="CPU_KIND: found '../elsewhere'"):
        machine.kind()


def test_last_caches(tmp_path: pathlib.Path) -> None:
    for cpu, shared in enumerate(("0-1", "0-1", "2")):
        for level, size in ((0, "32K"), (2, "1024K"), (3, "32768K")):
            index = tmp_path / f"cpu{cpu}/cache/index{level}"
            index.mkdir(parents=True)
            (index / "size").write_text(size + "\n")
            (index / "shared_cpu_list").write_text(shared + "\n")
    assert machine.last_cache_bytes(tmp_path) == 2 * (32 << 20)
    assert machine.last_cache_bytes(tmp_path / "nothing") == 32 << 20


# ---- Suites and steps


def test_suites() -> None:
    parts = {name: suites.runs(name, 4, 3, [128, 512], 32, [4096], [1, 2, 3, 8]) for name in suites.NAMES}
    assert [(s.prompts, s.generations, s.threads, s.rounds) for s in parts["types"]] == [([128, 512], [32], [4], 3)]
    assert [s.threads for s in parts["threads"]] == [[4], [1, 2, 3]] and not any(s.with_peers for s in parts["threads"])
    (step,) = parts["steps"]
    assert step.prompts == [2, 3, 8, 512] and step.sequences == [1, 2, 3, 8]
    assert step.for_peer(2).sequences == [1, 2, 8] and step.for_peer(2).prompts == [] and step.for_peer(2).rounds == 2
    assert [(s.depths, s.cache) for s in parts["depth"]] == [([0, 4096], "f16"), ([0, 4096], "q8_0")]
    with pytest.raises(ValueError, match="found 'all'"):
        suites.runs("all", 4, 3, [512], 32, [], [])


def test_estimates() -> None:
    # 512 tokens at 100 a second, twice for warming up; 32 at 10.
    assert suites.Suite([512], [32], [2]).seconds(100, 10) == pytest.approx(2 * 5.12 + 3.2)
    # Up to ten sequences share the reading; twenty take as long as a prompt of twenty tokens does.
    assert suites.Suite([], [8], [2], sequences=[1, 10, 20], rounds=3).seconds(100, 10) == pytest.approx(3 * 8 * (0.1 + 0.1 + 0.2))


def row(test: str, median: float, cost: float = 100.0, **more: Any) -> "dict[str, Any]":
    ours = {"median": median, "samples": [median], "roof": "read", "share": 0.9, **more}
    peer = {"median": median / 2, "samples": [median / 2]}
    pairs = [{"ours": "alpaca avx2", "peer": "llama.cpp avx2", "ratio": 2.0}]
    return {"test": test, "n_threads": 2, "cost": cost, "results": {"alpaca avx2": ours, "llama.cpp avx2": peer}, "ratios": pairs}


def result(suite: str, rows: "list[dict[str, Any]]", model: str = "7b-q4_0") -> "dict[str, Any]":
    roof = {"n_threads": 2, "read_bytes_per_second": 900.0, "integer_ops_per_second": 4e9, "read_limit": 1000.0, "integer_limit": 4e9}
    engines = [{"label": "alpaca avx2", "ours": True, "roofs": [roof]}, {"label": "llama.cpp avx2", "ours": False}]
    head = {"model": model, "quantization": "Q4_0", "model_bytes": 1 << 30, "n_params": 1, "cpu": "A Processor", "date": "2026-01-02"}
    return {**head, "kind": "here", "suite": suite, "engines": engines, "rows": rows}


def steps_result() -> "dict[str, Any]":
    # Ten steps a second are read at most; a prompt takes 40 tokens a second.
    return result("steps", [row("tg8", 8), row("tg8 x 2", 16, 50), row("tg8 x 4", 20, 25), row("tg8 x 8", 30, 12.5), row("pp2", 15, 7), row("pp512", 40, 7)])


def test_floors() -> None:
    found = steps_result()
    steps.add_floors(found)
    floors = {row["test"]: row["results"]["alpaca avx2"].get("of_floor") for row in found["rows"]}
    assert floors == {"tg8": pytest.approx(1.25), "tg8 x 2": pytest.approx(1.25), "tg8 x 4": pytest.approx(2.0), "tg8 x 8": pytest.approx(8 / 30 * 5),
                      "pp2": pytest.approx(2 / 15 * 10), "pp512": None}  # fmt: skip
    assert "of_floor" not in found["rows"][0]["results"]["llama.cpp avx2"]
    # 2 take 0.125 s, 4 take 0.2 s, 8 take 0.267 s.
    assert steps.slower_than_apart(found, "alpaca avx2") == []
    found["rows"][2]["results"]["alpaca avx2"]["median"] = 14.0
    assert steps.slower_than_apart(found, "alpaca avx2") == ["alpaca avx2: 4 sequences take 1.14 of the time of 2 and 2 apart"]


# ---- Tables and charts


def depth_result() -> "dict[str, Any]":
    tests = {f"{test}{depth}{cache}": (10.0, 100.0) for test in ("tg32", "pp512") for depth in ("", " @ 4096") for cache in ("", ", q8_0 cache")}
    return result("depth", [row(name, median / (2 if "@" in name else 1), cost) for name, (median, cost) in tests.items()])


def test_tables(tmp_path: pathlib.Path) -> None:
    folder = tmp_path / "benchmarks"
    (folder / "zen4").mkdir(parents=True)
    (folder / "zen4/other-tool.json").write_text("[1]")
    found = steps_result()
    steps.add_floors(found)
    types = result("types", [row("pp128", 30), row("pp512", 123.4), row("tg32", 8.125)])
    for name, content in (("7b-q4_0", types), ("7b-q4_0-steps", found), ("7b-q4_0-depth", depth_result())):
        (folder / f"zen4/{name}.json").write_text(json.dumps(content))
    lines = figures.performance(folder).splitlines()
    assert "### AMD Zen 4" in lines
    assert "| 7b | Q4_0 | 123 | 90 % | 2.00 x | 8.12 | 90 % | 2.00 x |" in lines
    assert "| 8 | 30.0 | 1.33 x | 2.00 x |  |  |" in lines and "| 2 | 16.0 | 1.25 x | 2.00 x | 15.0 | 1.33 x |" in lines
    assert "| 4096 | Q8_0 | 5.00 | 90 % | 2.00 x | 5.00 | 50 % | 2.00 x |" in lines
    assert "| [zen4](zen4) | AMD Zen 4: A Processor | avx2 | 7b-q4_0 | types, steps, depth |" in figures.index(folder)
    text = f"before\n{figures.BEGIN}\nold\n{figures.END}\nafter\n"
    assert figures.replaced(text, "x.md", "new") == f"before\n{figures.BEGIN}\nnew\n{figures.END}\nafter\n"
    for bad in ("nothing", text + text, f"{figures.END}{figures.BEGIN}"):
        with pytest.raises(SystemExit, match="x.md: expected the markers"):
            figures.replaced(bad, "x.md", "new")


def test_documents_are_current() -> None:
    told = subprocess.run([sys.executable, "Benchmarks/figures.py", "--check"], cwd=REPOSITORY, capture_output=True, text=True, timeout=60)
    assert told.returncode == 0, told.stderr


def test_every_kind_has_a_folder_of_its_own() -> None:
    folders = [path for path in (REPOSITORY / "docs/benchmarks").iterdir() if path.is_dir()]
    assert folders
    for folder in folders:
        results = measured.load(folder)
        assert results, folder
        assert {result.get("kind", folder.name) for result in results} == {folder.name}
        for found in results:
            suite = measured.suite_of(found)
            assert (folder / (found["model"] + ("" if suite == "types" else f"-{suite}") + ".json")).is_file()


def test_charts(tmp_path: pathlib.Path) -> None:
    pytest.importorskip("matplotlib", reason="matplotlib is not installed: make bench installs it")
    charts = importlib.import_module("charts")
    for name, content in (
        ("7b-q4_0", result("types", [row("pp512", 123.4), row("tg32", 8.125)])), ("7b-q4_0-steps", steps_result()), ("7b-q4_0-depth", depth_result()),
    ):  # fmt: skip
        (tmp_path / f"{name}.json").write_text(json.dumps(content))
    charts.main(tmp_path)
    texts = {path.name: path.read_text() for path in tmp_path.glob("*.svg")}
    assert set(texts) == {"7b-speed.svg", "7b-roofs.svg", "7b-q4_0-steps.svg", "7b-q4_0-depth.svg"}
    assert "limit: pp512" in texts["7b-q4_0-steps.svg"] and "llama.cpp avx2, sequences" in texts["7b-q4_0-steps.svg"]
    assert "alpaca avx2, Q8_0 cache" in texts["7b-q4_0-depth.svg"]
    charts.main(tmp_path)
    assert texts == {path.name: path.read_text() for path in tmp_path.glob("*.svg")}
    with pytest.raises(SystemExit, match="has no results"):
        charts.main(tmp_path / "nothing")
