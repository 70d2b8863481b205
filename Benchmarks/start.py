"""The time from nothing to the first token after a prompt of ten tokens, beside the time to read the file once in order.

    start.py PROGRAM MODEL [ROUNDS]

PROGRAM is Benchmarks/start.c. Each round reads the file in order with none of it in memory, then starts with none of it in memory, then
twice with all of it there; of the last two the better counts. None in memory: as far as POSIX_FADV_DONTNEED goes. A disk that remembers what
was read last gives the second of the two cold cases less to do than the first, so they take turns in who is first.
"""

import os
import statistics
import subprocess
import sys
import time


def drop(path):
    file = os.open(path, os.O_RDONLY)
    try:
        os.fsync(file)
        os.posix_fadvise(file, 0, 0, os.POSIX_FADV_DONTNEED)
    finally:
        os.close(file)


def read(path):
    begin = time.monotonic()
    with open(path, "rb", buffering=0) as file:
        buffer = bytearray(1 << 20)
        while file.readinto(buffer):
            pass
    return time.monotonic() - begin


def start(program, path):
    line = subprocess.run([program, path], check=True, stdout=subprocess.PIPE, text=True).stdout
    return [float(word) for word in line.split()]


def main():
    program, path = sys.argv[1:3]
    rounds = int(sys.argv[3]) if len(sys.argv) > 3 else 3
    reading, cold, warm = [], [], []
    for round in range(rounds):
        for what in ("read", "start") if round % 2 == 0 else ("start", "read"):
            drop(path)
            if what == "read":
                reading.append(read(path))
            else:
                cold.append(start(program, path))
        # All of it is in memory now if there is room.
        read(path)
        warm.append(min((start(program, path) for _ in range(2)), key=lambda times: times[-1]))
    size = os.path.getsize(path)
    print(f"{path}: {size / 1e9:.2f} GB, {rounds} rounds, medians")
    print(f"  {'read once in order':24} {statistics.median(reading):8.2f} s")
    ratio = statistics.median(c[-1] / r for c, r in zip(cold, reading))
    print(f"  {'cold start':24} {statistics.median(c[-1] for c in cold):8.2f} s   {ratio:.2f} of it; aim: at most 1.10")
    for name, times, aim in (("cold", cold, ""), ("warm", warm, "   aim: at most 50 ms together")):
        opening, session, prompt = (1e3 * statistics.median(t[i] for t in times) for i in range(3))
        print(f"  {name + ': model, session':24} {opening:8.1f} ms {session:6.1f} ms, the prompt {prompt:8.1f} ms{aim}")


main()
