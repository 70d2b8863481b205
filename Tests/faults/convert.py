#!/usr/bin/env python3
"""What `alpaca convert` leaves behind when it is killed, interrupted, or the system refuses.

    convert.py ALPACA FAULTS.so FIXTURES [--full]

ALPACA is the command, FAULTS.so the shim made of faults.c, FIXTURES the folder with the mini family. After each run: the old target is as
it was, or the new one is whole; nothing else lies beside it (after a kill: nothing once the next run is through). Without --full some
of the calls of each kind fail, one kill in ten; with it all of them, and 200 kills at random moments for each format.
"""
import argparse
import errno
import hashlib
import json
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time

FORMATS = ["gguf", "pth"]
failures, passed, skipped = [], 0, []


def check(holds, what):
    global passed
    if holds:
        passed += 1
    else:
        failures.append(what)
        print("FAIL " + what, flush=True)


def digest(path):
    """Of a file, or of a folder's names and files; "" where there is nothing."""
    sha = hashlib.sha256()
    if not os.path.lexists(path):
        return ""
    files = [path] if os.path.isfile(path) else [os.path.join(path, n) for n in sorted(os.listdir(path))]
    for file in files:
        with open(file, "rb") as f:
            sha.update(os.path.basename(file).encode() + b"\0" + f.read())
    return sha.hexdigest()


class Place:
    """A folder with the target of conversions in it."""

    def __init__(self, folder, form, earlier):
        """`earlier` is an output of that form: what is no output is not replaced."""
        self.folder, self.earlier = folder, earlier
        self.path = os.path.join(self.folder, "out.gguf" if form == "gguf" else "out")
        self.form, self.old, self.new = form, "", ""

    def reset(self, old=True):
        shutil.rmtree(self.folder, ignore_errors=True)
        os.makedirs(self.folder)
        if old:
            self.fill()
        self.old = digest(self.path)

    def fill(self):
        """The old target."""
        (shutil.copyfile if self.form == "gguf" else shutil.copytree)(self.earlier, self.path)

    def litter(self):
        return [n for n in os.listdir(self.folder) if n != os.path.basename(self.path)]


class Alpaca:
    def __init__(self, command, shim, fixtures, work):
        self.command, self.shim, self.work = command, shim, work
        self.base = os.path.join(fixtures, "mini-llama")
        self.adapter = os.path.join(fixtures, "mini-chinese-llama-lora")
        self.hit = os.path.join(work, "hit")

    def arguments(self, place, *more):
        # --overwrite only where there is something: without it the last step is another one.
        overwrite = ["--overwrite"] if os.path.lexists(place.path) else []
        return [self.command, "convert", self.base, "--adapter", self.adapter, "--format", place.form, "-o", place.path, "-t", "1",
                *overwrite, *more]

    def start(self, place, *more, env=None, limit=None):
        if os.path.exists(self.hit):
            os.unlink(self.hit)
        env = dict(os.environ, **env) if env else None
        if env:
            env.update(LD_PRELOAD=self.shim, FAULT_PATH=place.folder, FAULT_HIT=self.hit)
        return subprocess.Popen(self.arguments(place, *more), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                                text=True, env=env, preexec_fn=limit)

    def run(self, place, *more, env=None, limit=None):
        process = self.start(place, *more, env=env, limit=limit)
        try:
            message = process.communicate(timeout=120)[1]
        except subprocess.TimeoutExpired:
            process.kill()
            message = process.communicate()[1]
        return process.returncode, message


def clean_error(status, message):
    lines = message.strip().splitlines()
    return status == 1 and len(lines) == 1 and lines[0].startswith("error: ")


def faults(alpaca, place, full):
    """Each call that concerns the output fails, or is the last."""
    kinds = [(call, str(number)) for call, numbers in {
        "create": [errno.ENOSPC, errno.EACCES, errno.EMFILE], "mkdir": [errno.ENOSPC, errno.EACCES],
        "pwrite": [errno.ENOSPC, errno.EIO, errno.EDQUOT, errno.EINTR], "fsync": [errno.EIO, errno.ENOSPC, errno.EINTR],
        "rename": [errno.EIO, errno.EXDEV, errno.ENOSPC], "exchange": [errno.EIO, errno.EINVAL], "link": [errno.EIO, errno.EPERM],
        "fallocate": [errno.ENOSPC, errno.EIO, errno.EINTR, errno.EOPNOTSUPP], "ftruncate": [errno.EIO, errno.EINVAL],
    }.items() for number in numbers]
    kinds += [("pwrite", "short"), ("any", "kill"), ("any", "late")]
    if not full:
        # The first of each kind, and what has to be borne.
        some = {call: mode for call, mode in reversed(kinds)}
        kinds = [k for k in kinds if k[1] == some[k[0]] or k[1] in ["short", "late", str(errno.EINTR)]]
    count, seen = 0, set()
    for old in [True, False]:
        for call, mode in kinds:
            if not full and not old and call not in ["rename", "link", "mkdir", "any"]:
                continue
            for persistent in [False, True]:
                if persistent and (not full or mode in ["kill", "late", "short"] or mode == str(errno.EINTR)):
                    continue
                n = 1
                while True:
                    place.reset(old)
                    env = {"FAULT_CALL": call, "FAULT_AT": str(n), "FAULT_MODE": mode}
                    if persistent:
                        env["FAULT_FROM"] = "1"
                    status, message = alpaca.run(place, env=env)
                    hit = os.path.exists(alpaca.hit)
                    name = mode if not mode.isdigit() else errno.errorcode[int(mode)]
                    what = "%s %s, %s call %d%s" % (place.form, name, call, n, " and on" if persistent else "")
                    what += "" if old else ", no old target"
                    left, now = place.litter(), digest(place.path)
                    if mode in ["kill", "late"]:
                        check(status == (-9 if hit else 0), "%s: status %d, %s" % (what, status, message))
                        check(now in [place.old, place.new], what + ": the target is neither old nor new")
                        status, message = alpaca.run(place)
                        check(status == 0 and digest(place.path) == place.new, what + ": the next run: " + message)
                        check(place.litter() == [], what + ": the next run leaves %s" % place.litter())
                    elif status == 0:
                        check(now == place.new, what + ": success, but the target is not the new one")
                        check(left == [], what + ": left %s" % left)
                    else:
                        check(clean_error(status, message), "%s: status %d, message %r" % (what, status, message))
                        # The last steps of all, a name and its folder on the disk, come after the new one is whole.
                        allowed = [place.old, place.new] if call == "fsync" else [place.old]
                        check(now in allowed, what + ": the old target is not what it was")
                        check(left == [], what + ": left %s" % left)
                    if mode in ["short", str(errno.EINTR)]:
                        check(status == 0 or call not in ["pwrite", "fallocate"], what + ": " + message)
                    count += 1
                    if not hit:
                        break
                    seen.add(call)
                    n += 1 if full or n < 3 else n
    # A file is exchanged with the old one; it is renamed only where the file system can't do that.
    last = {"gguf": {"link"}, "pth": {"mkdir", "rename"}}[place.form]
    check(seen == {"create", "pwrite", "fsync", "exchange", "fallocate", "ftruncate", "any"} | last, "%s: only %s failed" % (place.form, seen))
    return count


def kills(alpaca, place, count):
    """kill -9 at random moments; the pauses make the writing long."""
    random.seed(4)
    slow = {"FAULT_SLEEP": "3000"}
    place.reset()
    begin = time.monotonic()
    alpaca.run(place, env=slow)
    length = time.monotonic() - begin
    place.reset()
    after = 0
    for i in range(count):
        process = alpaca.start(place, env=slow)
        time.sleep(random.uniform(0, length))
        process.kill()
        process.communicate()
        now = digest(place.path)
        what = "%s, kill %d" % (place.form, i)
        check(now in [place.old, place.new], what + ": the target is neither old nor new")
        check(len(place.litter()) <= 1, what + ": left %s: the run before was to remove what the kill before left" % place.litter())
        after += bool(place.litter())
        if now != place.old or i % 20 == 19 or i == count - 1:
            status, message = alpaca.run(place)
            check(status == 0 and digest(place.path) == place.new, what + ": the next run: " + message)
            check(place.litter() == [], what + ": the next run leaves %s" % place.litter())
            place.reset()
    return after


def interrupts(alpaca, place, count):
    """Ctrl-C while tensors are written."""
    for i in range(count):
        place.reset()
        process = alpaca.start(place, "--progress", "json", env={"FAULT_SLEEP": "20000"})
        seen = ""
        for line in process.stderr:
            seen = json.loads(line).get("stage", "") if line.startswith("{") else line
            if seen == "convert":
                break
        time.sleep(0.05 * i)
        process.send_signal(signal.SIGINT)
        message = process.communicate()[1]
        what = "%s, Ctrl-C %d" % (place.form, i)
        check(process.returncode == -signal.SIGINT, "%s: status %d, %s" % (what, process.returncode, message))
        check(digest(place.path) == place.old, what + ": the old target is not what it was")
        check(place.litter() == [], what + ": left %s" % place.litter())


def refused(alpaca, place, what, words, **more):
    """A run that has to fail, at once and cleanly."""
    old, names = digest(place.path), sorted(os.listdir(place.folder)) if os.path.isdir(place.folder) else None
    status, message = alpaca.run(place, **more)
    check(clean_error(status, message) and any(w in message for w in words), "%s, %s: status %d, %r" % (place.form, what, status, message))
    check(digest(place.path) == old, "%s, %s: the old target is not what it was" % (place.form, what))
    after = sorted(os.listdir(place.folder)) if os.path.isdir(place.folder) else None
    check(names == after, "%s, %s: left %s" % (place.form, what, after))


def limits(alpaca, place):
    place.reset()

    def small():
        resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))
    refused(alpaca, place, "RLIMIT_FSIZE", ["File too large"], limit=small)
    lost = Place(os.path.join(place.folder, "none"), place.form, place.earlier)
    refused(alpaca, lost, "missing folder", ["No such file or directory"])


def read_only(alpaca, place):
    """As somebody who may not write there: for root every folder is open."""
    place.reset()
    if os.geteuid() != 0:
        os.chmod(place.folder, 0o555)
        refused(alpaca, place, "read-only folder", ["Permission denied"])
        os.chmod(place.folder, 0o755)
        return

    def nobody():
        os.setgroups([])
        os.setgid(65534)
        os.setuid(65534)
    os.chmod(alpaca.work, 0o755)
    try:
        probe = subprocess.run([alpaca.command, "inspect", alpaca.base], preexec_fn=nobody, capture_output=True).returncode
    except (OSError, subprocess.SubprocessError):
        probe = 1
    if probe != 0:
        skipped.append("read-only folder: run by root, and nobody may not read the command or the fixtures")
        return
    refused(alpaca, place, "read-only folder", ["Permission denied"], limit=nobody)


def full_disk(alpaca, form, earlier):
    """A file system with 4 MB beside the old target, where there may be one; the output takes 11."""
    place = Place(os.path.join(alpaca.work, form + "-full"), form, earlier)
    os.makedirs(place.folder)
    files = [earlier] if form == "gguf" else [os.path.join(earlier, name) for name in os.listdir(earlier)]
    size = "size=%d" % (sum(map(os.path.getsize, files)) + (4 << 20))
    if subprocess.run(["mount", "-t", "tmpfs", "-o", size, "tmpfs", place.folder], capture_output=True).returncode != 0:
        skipped.append("full disk: no right to mount a small tmpfs")
        return
    try:
        place.fill()
        refused(alpaca, place, "small disk", ["No space left on device"])
    finally:
        subprocess.run(["umount", place.folder], check=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("alpaca")
    parser.add_argument("shim")
    parser.add_argument("fixtures")
    parser.add_argument("--full", action="store_true")
    a = parser.parse_args()
    begin = time.monotonic()
    with tempfile.TemporaryDirectory() as work:
        work = os.path.realpath(work)
        alpaca = Alpaca(os.path.abspath(a.alpaca), os.path.abspath(a.shim), a.fixtures, work)
        for form in FORMATS:
            earlier = os.path.join(work, "earlier-" + form)
            subprocess.run([alpaca.command, "convert", alpaca.base, "--format", form, "-o", earlier], check=True, capture_output=True)
            place = Place(os.path.join(work, form), form, earlier)
            place.reset(old=False)
            status, message = alpaca.run(place)
            if status != 0:
                sys.exit("%s: a plain run fails: %s" % (form, message))
            place.new = digest(place.path)
            limits(alpaca, place)
            read_only(alpaca, place)
            full_disk(alpaca, form, earlier)
            interrupts(alpaca, place, 10 if a.full else 3)
            count = 200 if a.full else 20
            left = kills(alpaca, place, count)
            print("%s: %d kills, %d of them left something for the next run to remove, %.0f s" % (
                form, count, left, time.monotonic() - begin), flush=True)
            check(left > 0, form + ": no kill came while something was being written")
            count = faults(alpaca, place, a.full)
            print("%s: %d runs with faults, %.0f s" % (form, count, time.monotonic() - begin), flush=True)
    for line in sorted(set(skipped)):
        print("SKIPPED " + line)
    print("%d passed, %d failed in %.0f s" % (passed, len(failures), time.monotonic() - begin))
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
