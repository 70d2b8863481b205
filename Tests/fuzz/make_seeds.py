#!/usr/bin/env python3
"""make_seeds.py OUTDIR TARGET:BYTES...: a folder of inputs for each fuzz target, none longer than that: small valid ones (small_models.py), the
goldens, and what fits of the corpus of hostile files (Tests/hostile)."""
import json
import os
import pathlib
import random
import re
import struct
import subprocess
import sys
import tempfile

import small_models

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
JSON_NAMES = {"config.json": "json", "params.json": "json", "adapter_config.json": "adapter_config", "model.safetensors.index.json": "json"}
# Of InputFolder in Input.swift.
FOLDER_NAMES = [
    "config.json", "params.json", "generation_config.json", "alpaca.json", "tokenizer.model", "model.safetensors",
    "model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors", "model.safetensors.index.json", "pytorch_model.bin",
    "pytorch_model.bin.index.json", "consolidated.00.pth", "consolidated.01.pth", "adapter_config.json", "adapter_model.safetensors",
    "adapter_model.bin"]


class Seeds:
    def __init__(self, out, limits):
        self.out, self.limits = out, limits
        for target in limits:
            (out / target).mkdir(parents=True, exist_ok=True)

    def put(self, target, name, data):
        """Longer ones are left out: cut, they would be no more than damaged files."""
        if len(data) <= self.limits.get(target, 0):
            (self.out / target / name.replace("/", "_")).write_bytes(data)


def small(seeds):
    for target, files in (
            ("gguf", small_models.gguf_files()), ("ggml", small_models.ggml_files()), ("safetensors", small_models.safetensors_files()),
            ("torch", small_models.torch_files()), ("sentencepiece", small_models.sentencepiece_files()), ("json", small_models.json_files()),
            ("adapter_config", small_models.adapter_configs()), ("zip", small_models.archives())):
        for name, data in files:
            seeds.put(target, f"small-{name}", data)
    for name, files in small_models.folders():
        seeds.put("folder", name, b"".join(struct.pack("<BH", FOLDER_NAMES.index(path), len(data)) + data for path, data in files))


def texts(seeds, goldens):
    for i, line in enumerate((goldens / "tokenizers/tokenizers.jsonl").read_text().splitlines()[:200]):
        text = json.loads(line)["text"].encode()
        seeds.put("text", f"text-{i}", bytes([i % 16]) + text)
        seeds.put("bytes", f"text-{i}", bytes([i % 32]) + text)
        seeds.put("template", f"text-{i}", bytes([i % 7, i % 8]) + b"\0".join([b"s" + text, text, text, text][i % 2:][:i % 4 + 1]))
    said = "\0你好 <s>\0a</s>b\0s\n".encode()
    for i, line in enumerate((goldens / "jinja/expressions.jsonl").read_text().split("\n")[1:]):
        if line and i % 3 == 0:
            seeds.put("jinja", f"expression-{i}", json.loads(line)["template"].encode() + said)
    for path in (goldens / "family/chat/templates").glob("*.jinja"):
        seeds.put("jinja", path.stem, path.read_bytes() + said)
    seeds.put("text", "names", b"\x02<s>a</s> <unk>b<0x0A>\xff\xe5\xb1")
    for rule in range(5):
        seeds.put("bytes", f"names-{rule}", bytes([8 + rule]) + b" <l>a<r>  bb<s> abb<<\xc3\x85\xff\xe5\xb1 it's 123")
        seeds.put("bytes", f"long-{rule}", bytes([16 + rule]) + "ab山".encode() * 30)
    seeds.put("text", "long", b"\x09" + "ab山".encode() * 60)


def blocks(seeds, goldens):
    """Of every quantized type a row of the goldens, and blocks of one byte."""
    rows = json.loads((goldens / "dequantize/dequantize.json").read_text())
    table = (REPOSITORY / "Sources/CAlpacaKernels/types/types.def").read_text()
    names = [name for name in re.findall(r"^TYPE\((\w+),", table, re.M) if name not in ("F32", "F16", "BF16")]
    for number, name in enumerate(names):
        seeds.put("blocks", name, bytes([number, number % 16]) + bytes.fromhex(rows[name]["row"])[:400])
        seeds.put("blocks", name + "-full", bytes([number, 0, 255]))
        seeds.put("blocks", name + "-zero", bytes([number, 4, 0]))


def parameters(seeds):
    numbers = random.Random(1)
    for i, (temperature, top_p, min_p, repetition, presence, frequency, top_k) in enumerate([
            (0.8, 0.9, 0, 1.1, 0, 0, 40), (0, 1, 0, 1, 0, 0, 0), (1, 1, 0.05, 1, 0.5, 0.5, 0), (0.2, 0.5, 0, 1.3, 0, -1, 150), (1e-3, 0, 1, 1, 0, 0, 1)]):
        for size in (0, 1):
            head = struct.pack(">6f", temperature, top_p, min_p, repetition, presence, frequency) + bytes([top_k, 64 * (i % 2), size, 3])
            logits = [numbers.gauss(0, 3) for _ in range(16)]
            seeds.put("sampler", f"{i}-{size}", head + struct.pack(">17f", [0.5, -float("inf")][size], *logits))


def hostile(seeds):
    with tempfile.TemporaryDirectory() as work:
        subprocess.run([sys.executable, REPOSITORY / "Tests/hostile/make_hostile.py", work], check=True, stdout=subprocess.DEVNULL)
        work = pathlib.Path(work)
        files = [work / case["path"] for case in json.loads((work / "manifest.json").read_text())]
        for path in list((work / "base").rglob("*")) + files:
            # Links, pipes and names that no system takes are part of the corpus.
            inside = [path / name for name in os.listdir(path)] if os.path.isdir(path) and not os.path.islink(path) else [path]
            for file in inside:
                if not os.path.isfile(file) or os.path.islink(file) or os.path.getsize(file) > max(seeds.limits.values()):
                    continue
                data, name = file.read_bytes(), str(file.relative_to(work))
                if file.name in JSON_NAMES:
                    seeds.put(JSON_NAMES[file.name], name, data)
                elif file.suffix == ".dat":
                    seeds.put("imatrix", name, data)
                elif data[:4] == b"GGUF":
                    seeds.put("gguf", name, data)
                elif data[:4] in (b"lmgg", b"fmgg", b"tjgg"):
                    seeds.put("ggml", name, data)
                elif data[:2] == b"PK":
                    seeds.put("torch", name, data)
                    seeds.put("zip", name, data)
                elif data[:1] == b"\x80":
                    seeds.put("torch", name, data)
                elif data[8:9] == b"{":
                    seeds.put("safetensors", name, data)
                elif "tokenizer_json/" in name or name == "base/tokenizer.json":
                    seeds.put("tokenizer_json", name, data)
                elif "tiktoken" in name:
                    seeds.put("tiktoken", name, data)
                elif data[:1] == b"\n":
                    seeds.put("sentencepiece", name, data)


def main():
    seeds = Seeds(pathlib.Path(sys.argv[1]), {target: int(size) for target, size in (one.split(":") for one in sys.argv[2:])})
    goldens = REPOSITORY / "Tests/Goldens"
    small(seeds)
    for path in (goldens / "torch").glob("*.pt"):
        seeds.put("torch", path.name, path.read_bytes())
    for path in (goldens / "family/imatrix").iterdir():
        seeds.put("imatrix", path.name, path.read_bytes())
    for name, data in small_models.gguf_files():
        if name == "imatrix":
            seeds.put("imatrix", "small", data)
    texts(seeds, goldens)
    parameters(seeds)
    blocks(seeds, goldens)
    hostile(seeds)


if __name__ == "__main__":
    main()
