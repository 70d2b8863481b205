#!/usr/bin/env python3
"""Speed of `alpaca convert` on a base of real size with a rank-64 adapter, beside what users did before: PEFT, then llama.cpp's tools.

    convert.py --size 1.3b [--types f16,q4_0,q8_0,q4_k_m] [-r 3] [-t 2] [--peer-python PYTHON] [--json FILE]

The peers are measured in the same run if they are there: PEFT's merge where PEFT, transformers and torch can be imported by --peer-python,
`convert_hf_to_gguf.py` and `llama-quantize` if they are on PATH. Ours and theirs alternate, round by round, so that a machine whose speed
drifts is fair to both; the tables have medians. Inputs are read once before each run, so that everything is cached.
"""

import argparse
import dataclasses
import json
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent

arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
arguments.add_argument("--size", default="1.3b")
arguments.add_argument("--types", default="f16,q4_0,q8_0,q4_k_m")
arguments.add_argument("-r", "--rounds", type=int, default=3)
arguments.add_argument("-t", "--threads", type=int, default=0)
arguments.add_argument("--folder", type=pathlib.Path, help="where the models lie (build/bench/SIZE)")
arguments.add_argument("--alpaca", default="build/bin/alpaca")
arguments.add_argument("--peer-python", default=sys.executable)
arguments.add_argument("--no-peers", action="store_true")
arguments.add_argument("--discard", action="store_true", help="ours writes to /dev/null: reading and computing alone")
arguments.add_argument("--json", type=pathlib.Path)
options = arguments.parse_args()
types = options.types.split(",")
folder: pathlib.Path = options.folder or pathlib.Path("build/bench") / options.size
lora, output = folder / "lora", folder / "out"
base = folder / "meta" if (folder / "meta").is_dir() else folder / "base"
merged, merged_f16 = folder / "out-hf", folder / "out-f16.gguf"


@dataclasses.dataclass
class Run:
    seconds: float
    cpu: float
    """Processor seconds, which hardly depend on what else the machine does."""
    peak: int
    """Resident memory at most, in bytes, with mapped pages of files; no less than that of this script, which the child begins as."""
    private: int | None = None
    """Private memory at most, in bytes."""
    flush: float = 0
    """Of the seconds, those that the end waits for the disk."""


def size(path: pathlib.Path) -> int:
    return sum(file.stat().st_size for file in path.rglob("*") if file.is_file()) if path.is_dir() else path.stat().st_size


def read(*paths: pathlib.Path) -> None:
    for path in paths:
        for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
            if file.is_file():
                with open(file, "rb", buffering=0) as stream:
                    while stream.read(1 << 24):
                        pass


def remove(*paths: pathlib.Path) -> None:
    for path in paths:
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


def measure(command: list[str], inputs: list[pathlib.Path], outputs: list[pathlib.Path]) -> tuple[Run, str]:
    remove(*outputs)
    # The next does not pay for the writes of the one before.
    os.sync()
    read(*inputs)
    flush: float | None = None
    start = time.perf_counter()
    with open(folder / "out.txt", "w+") as text:
        process = subprocess.Popen(command, stdout=text, stderr=subprocess.PIPE, text=True)
        assert process.stderr is not None
        said: list[str] = []
        for line in process.stderr:
            said = (said + [line])[-20:]
            if flush is None and line.startswith("{") and json.loads(line).get("stage") == "flush":
                flush = time.perf_counter()
        # What this child alone used.
        _, status, usage = os.wait4(process.pid, 0)
        end = time.perf_counter()
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            sys.exit(f"{' '.join(command)} failed:\n{''.join(said)}")
        text.seek(0)
        answer = text.read()
    return Run(end - start, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024, None, end - flush if flush else 0), answer


def ours(type: str) -> Run:
    target = pathlib.Path("/dev/null") if options.discard else output
    command = [options.alpaca, "convert", str(base), "--adapter", str(lora), "-o", str(target), "--type", type, "--overwrite", "--json"]
    command += ["--progress", "json", "--threads", str(options.threads)]
    # Made-up tokenizers and weights are none of the family's.
    run, answer = measure(command + ["--no-check"], [base, lora], [] if options.discard else [output])
    run.private = json.loads(answer).get("peak_memory")
    return run


def find_peers() -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    check = subprocess.run([options.peer_python, "-c", "import peft, transformers, torch"], capture_output=True)
    if base.name == "meta":
        print("no comparison with PEFT: it does not read Meta folders")
    elif check.returncode == 0:
        found["merge"] = [options.peer_python, str(HERE / "peer_merge.py"), str(base), str(lora), str(merged)]
    else:
        print(f"PEFT, transformers or torch are missing in {options.peer_python}: no comparison with their merge")
    converter, quantizer = shutil.which("convert_hf_to_gguf.py"), shutil.which("llama-quantize")
    if "merge" in found and converter:
        found["convert"] = [options.peer_python, converter, str(merged), "--outtype", "f16", "--outfile", str(merged_f16)]
    elif not converter:
        print("convert_hf_to_gguf.py is not on PATH: no comparison with it")
    if quantizer:
        found["quantize"] = [quantizer, str(merged_f16), str(output)]
    else:
        print("llama-quantize is not on PATH: no comparison with it")
    return found


def theirs(commands: dict[str, list[str]], results: dict[str, list[Run]]) -> None:
    if "merge" in commands:
        results.setdefault("merge", []).append(measure(commands["merge"], [base, lora], [merged])[0])
    if "convert" in commands:
        results.setdefault("convert", []).append(measure(commands["convert"], [merged], [merged_f16])[0])
    elif "quantize" in commands and not merged_f16.exists():
        convert = [options.alpaca, "convert", str(base), "--adapter", str(lora), "-o", str(merged_f16), "--type", "f16", "--no-check"]
        measure(convert, [], [merged_f16])
    remove(merged)
    for type in types:
        if "quantize" in commands and type != "f16":
            command = commands["quantize"] + [type.upper()] + ([str(options.threads)] if options.threads else [])
            results.setdefault(f"quantize {type}", []).append(measure(command, [merged_f16], [output])[0])
    remove(output)


def median(runs: list[Run]) -> Run:
    peaks = [run.private for run in runs if run.private is not None]
    return Run(
        statistics.median(run.seconds for run in runs),
        statistics.median(run.cpu for run in runs),
        max(run.peak for run in runs),
        max(peaks) if peaks else None,
        statistics.median(run.flush for run in runs),
    )


def row(name: str, run: Run, bytes_read: int, ratio: str = "") -> str:
    private = f"{run.private / 1e6:9.0f}" if run.private is not None else f"{'':9}"
    speed = f"{bytes_read / run.seconds / 1e9:7.2f}" if bytes_read else f"{'':7}"
    return f"{name:24}{run.seconds:9.1f}{speed}{run.cpu:9.1f}{run.flush:9.1f}{private}{run.peak / 1e6:9.0f}{ratio:>9}"


peers = {} if options.no_peers else find_peers()
mine: dict[str, list[Run]] = {}
others: dict[str, list[Run]] = {}
for _ in range(options.rounds):
    for type in types:
        mine.setdefault(type, []).append(ours(type))
    theirs(peers, others)
remove(merged, merged_f16, output, folder / "out.txt")

bytes_read = size(base) + size(lora)
load = os.getloadavg()[1]
print(f"{base} + {lora}: {bytes_read / 1e9:.2f} GB, {os.cpu_count()} cores, load {load:.1f}, medians of {options.rounds}")
print(f"{'':24}{'seconds':>9}{'GB/s':>7}{'CPU s':>9}{'flush s':>9}{'priv. MB':>9}{'RSS MB':>9}{'ratio':>9}")
for name, runs in others.items():
    print(row({"merge": "PEFT merge", "convert": "convert_hf_to_gguf"}.get(name, "llama-" + name), median(runs), 0))
report: dict[str, object] = {"input_bytes": bytes_read, "rounds": options.rounds, "load": load, "ours": {}, "peers": {}}
report["peers"] = {name: dataclasses.asdict(median(runs)) for name, runs in others.items()}
summary = {}
for type in types:
    steps = [name for name in ("merge", "convert", f"quantize {type}") if name in others]
    whole = len(steps) == (2 if type == "f16" else 3)
    # Round by round, as the machine's speed drifts.
    ratios = [sum(others[name][i].seconds for name in steps) / mine[type][i].seconds for i in range(options.rounds)] if steps else []
    ratio = statistics.median(ratios) if ratios else None
    print(row(f"alpaca convert {type}", median(mine[type]), bytes_read, f"{ratio:.1f}{'' if whole else '*'}" if ratio else ""))
    summary[type] = dataclasses.asdict(median(mine[type])) | {"ratio": ratio, "steps": steps}
    if ratio and not whole:
        summary[type]["note"] = "peers are missing"
report["ours"] = summary
if any("note" in entry for entry in summary.values()):
    print("* against the steps that could be measured; the others are missing")
if options.json:
    options.json.write_text(json.dumps(report, indent=2) + "\n")
