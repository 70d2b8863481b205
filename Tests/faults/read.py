#!/usr/bin/env python3
"""What the command says when reading its files fails.

    read.py ALPACA FAULTS.so FIXTURES MODELS [--corpus FOLDER] [--full]

ALPACA is the command, FAULTS.so the shim made of faults.c, FIXTURES the folder with the mini family, MODELS that with its GGUF files, FOLDER
the corpus of hostile files, whose few valid ones are small models in every format. Each call that opens, reads, maps or looks at a file of the
input fails once, and from the n-th on: the command says so with the file's name. Reads that give less than was asked for go on, interrupted
ones are repeated: the result is the same. Without --full some calls of each kind fail.
"""
import argparse
import errno
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile

failures, passed = [], 0


def check(holds, what):
    global passed
    if holds:
        passed += 1
    else:
        failures.append(what)
        print("FAIL " + what, flush=True)


class Case:
    """A command that reads the files below `folder`."""

    def __init__(self, title, folder, arguments, output=None):
        self.title, self.folder, self.arguments, self.output = title, os.path.realpath(folder), arguments, output

    def run(self, tool, env=None):
        if self.output and os.path.exists(self.output):
            os.unlink(self.output)
        if os.path.exists(tool.hit):
            os.unlink(tool.hit)
        env = dict(os.environ, LD_PRELOAD=tool.shim, FAULT_PATH=self.folder, FAULT_HIT=tool.hit, **env) if env else None
        p = subprocess.run([tool.command, *self.arguments], stdin=subprocess.DEVNULL, capture_output=True, env=env, timeout=120)
        result = p.stdout
        if self.output and p.returncode == 0:
            with open(self.output, "rb") as f:
                result = hashlib.sha256(f.read()).hexdigest()
        return p.returncode, result, p.stderr.decode()


# Each kind of call, and what becomes of it.
FAULTS = {
    "open": [errno.EIO, errno.EACCES, errno.EMFILE], "pread": [errno.EIO, errno.EINTR, "short"], "fstat": [errno.EIO],
    "stat": [errno.EIO, errno.EACCES], "opendir": [errno.EIO, errno.EMFILE], "mmap": [errno.ENOMEM, errno.ENODEV],
    "fstatfs": [errno.EIO, "nfs"],
}


def faults(tool, case, full):
    status, expected, message = case.run(tool)
    check(status == 0, "%s: status %d, %s" % (case.title, status, message))
    count, seen = 0, set()
    for call, modes in FAULTS.items():
        for mode in modes if full else modes[:1] + [m for m in modes[1:] if m in ["short", "nfs", errno.EINTR]]:
            for persistent in [False, True]:
                # Interrupted for ever is not to be borne.
                if persistent and mode == errno.EINTR:
                    continue
                n = 1
                while True:
                    env = {"FAULT_CALL": call, "FAULT_AT": str(n), "FAULT_MODE": str(mode)}
                    if persistent:
                        env["FAULT_FROM"] = "1"
                    name = mode if isinstance(mode, str) else errno.errorcode[mode]
                    what = "%s, %s %s, call %d%s" % (case.title, name, call, n, " and on" if persistent else "")
                    try:
                        status, result, message = case.run(tool, env)
                    except subprocess.TimeoutExpired:
                        check(False, what + ": hangs")
                        break
                    hit = os.path.exists(tool.hit)
                    lines = message.strip().splitlines()
                    if status == 0:
                        check(result == expected, what + ": another result")
                    else:
                        check(status == 1 and len(lines) == 1 and lines[0].startswith("error: ") and case.folder in lines[0],
                              "%s: status %d, message %r" % (what, status, message))
                        check(hit, what + ": an error without a fault: " + message)
                        check(not case.output or not os.path.exists(case.output), what + ": an output in spite of the error")
                    if hit and (mode in ["short", "nfs", errno.EINTR] or call == "fstatfs"):
                        check(status == 0, what + ": " + message)
                    if hit and call == "pread" and mode == errno.EIO:
                        check(status != 0, what + ": not noticed")
                    count += 1
                    if not hit:
                        break
                    seen.add(call)
                    n += 1 if full or n < 3 else n
    check({"open", "pread", "fstat"} <= seen, "%s: only %s failed" % (case.title, seen))
    return count


def main():
    ap = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    ap.add_argument("alpaca")
    ap.add_argument("shim")
    ap.add_argument("fixtures")
    ap.add_argument("models")
    ap.add_argument("--corpus")
    ap.add_argument("--full", action="store_true")
    a = ap.parse_args()
    with tempfile.TemporaryDirectory() as work:
        class tool:
            command, shim, hit = os.path.abspath(a.alpaca), os.path.abspath(a.shim), os.path.join(work, "hit")
        # Copies, so that no two cases share a folder, and nothing else lies in it.
        inputs = os.path.join(work, "inputs")

        def copy(name, source):
            target = os.path.join(inputs, name)
            os.makedirs(os.path.dirname(target), exist_ok=True)
            shutil.copytree(source, target) if os.path.isdir(source) else shutil.copyfile(source, target)
            return target

        write = ["-n", "2", "--temp", "0", "-t", "1", "山中"]
        output = os.path.join(work, "out.gguf")
        gguf = copy("gguf/model.gguf", os.path.join(a.models, "chinese-alpaca-mini-q8_0.gguf"))
        safetensors = copy("hf/model", os.path.join(a.fixtures, "merged-chinese-alpaca-hf"))
        meta = copy("meta/model", os.path.join(a.fixtures, "mini-llama-meta"))
        base = copy("convert/base", os.path.join(a.fixtures, "mini-llama"))
        adapter = copy("convert/adapter", os.path.join(a.fixtures, "mini-chinese-llama-lora"))
        torch = copy("torch/adapter", os.path.join(a.fixtures, "mini-chinese-alpaca-lora"))
        cases = [
            Case("generate, GGUF", os.path.dirname(gguf), ["generate", gguf, *write]),
            Case("generate, GGUF, read into memory", os.path.dirname(gguf), ["generate", gguf, "--no-mmap", *write]),
            Case("generate, safetensors", os.path.dirname(safetensors), ["generate", safetensors, *write]),
            Case("generate, PyTorch", os.path.dirname(meta), ["generate", meta, *write]),
            Case("convert", os.path.join(inputs, "convert"), ["convert", base, "--adapter", adapter, "-o", output, "-t", "1"], output),
            Case("verify", safetensors, ["verify", safetensors]),
            Case("inspect an adapter", os.path.dirname(torch), ["inspect", torch, "--json"]),
            Case("tokenize", base, ["tokenize", os.path.join(base, "tokenizer.model"), "白日依山尽"]),
        ]
        if a.corpus:
            for name in ["tiny.gguf", "tiny-ggml.bin", "tiny-ggjt3.bin", "hf-sharded", "hf-torch", "meta-2"]:
                model = copy("tiny %s/%s" % (name, name), os.path.join(a.corpus, "base", name))
                cases.append(Case("generate, " + name, os.path.dirname(model), ["generate", model, *write]))
                cases.append(Case("convert, " + name, os.path.dirname(model), ["convert", model, "-o", output, "-t", "1"], output))
        if not a.full:
            cases = [case for case in cases if case.title in ["generate, GGUF", "convert"]]
        count = sum(faults(tool, case, a.full) for case in cases)
    print("reading: %d runs, %d passed, %d failed" % (count, passed, len(failures)))
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
