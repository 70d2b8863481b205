#!/usr/bin/env python3
"""make_seeds.py OUTDIR: a folder of small valid inputs for each fuzz target, from the goldens and, where it is there, from the corpus of hostile
files in the folder that ALPACA_SHARED names (its valid bases and its cases, up to 64 KB)."""
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
KINDS = {"gguf": "gguf", "ggml": "ggml", "legacy": "ggml", "safetensors": "safetensors", "torch": "torch", "tokenizer": "sentencepiece"}
JSON_NAMES = {"config.json": "json", "params.json": "json", "adapter_config.json": "adapter_config", "model.safetensors.index.json": "json"}


def put(out, target, name, data):
    folder = out / target
    folder.mkdir(parents=True, exist_ok=True)
    if len(data) <= 1 << 16:
        (folder / name.replace("/", "_")).write_bytes(data)


def main():
    out = pathlib.Path(sys.argv[1])
    goldens = REPOSITORY / "Tests/Goldens"
    for path in (goldens / "torch").glob("*.pt"):
        put(out, "torch", path.name, path.read_bytes())
    put(out, "sentencepiece", "mini_llama", (goldens / "tokenizers/mini_llama.model").read_bytes())
    for i, line in enumerate((goldens / "tokenizers/tokenizers.jsonl").read_text().splitlines()[:200]):
        text = json.loads(line)["text"].encode()
        put(out, "text", f"text-{i}", text)
        put(out, "template", f"text-{i}", text + b"\0" + text)
    put(out, "sampler", "plain", bytes(range(64)))
    shared = pathlib.Path(os.environ.get("ALPACA_SHARED", REPOSITORY.parent / "shared")) / "fixtures/hostile/make_hostile.py"
    if not shared.exists():
        print(f"SKIPPED: {shared} is not there; fuzzing begins with fewer seeds")
        return
    with tempfile.TemporaryDirectory() as work:
        subprocess.run([sys.executable, shared, work], check=True, stdout=subprocess.DEVNULL)
        work = pathlib.Path(work)
        files = [work / case["path"] for case in json.loads((work / "manifest.json").read_text())]
        for path in list((work / "base").rglob("*")) + files:
            # Links, pipes and names that no system takes are part of the corpus.
            inside = [path / name for name in os.listdir(path)] if os.path.isdir(path) and not os.path.islink(path) else [path]
            for file in inside:
                if not os.path.isfile(file) or os.path.islink(file) or os.path.getsize(file) > 1 << 16:
                    continue
                data, name = file.read_bytes(), str(file.relative_to(work))
                if file.name in JSON_NAMES:
                    put(out, JSON_NAMES[file.name], name, data)
                elif data[:4] == b"GGUF":
                    put(out, "gguf", name, data)
                elif data[:4] in (b"lmgg", b"fmgg", b"tjgg"):
                    put(out, "ggml", name, data)
                elif data[:2] == b"PK":
                    put(out, "torch", name, data)
                    put(out, "zip", name, data)
                elif data[:1] == b"\x80":
                    put(out, "torch", name, data)
                elif data[8:9] == b"{":
                    put(out, "safetensors", name, data)
                elif data[:1] == b"\n":
                    put(out, "sentencepiece", name, data)


if __name__ == "__main__":
    main()
