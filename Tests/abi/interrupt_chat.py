"""Ctrl-C stops an answer and not the program.

The program's output is a pipe that is full but for a few bytes, so that it surely waits in the middle of its first answer when the signal
comes; then the pipe is emptied and a second prompt must still be answered.
"""
import fcntl
import os
import signal
import subprocess
import sys
import time

signal.alarm(60)  # nothing here takes long; a hang is a failure

F_SETPIPE_SZ = 1031


def main() -> None:
    program, model = sys.argv[1:]
    prompt = "写一首五言绝句，题目是《山中》\n".encode()
    read_end, write_end = os.pipe()
    size = fcntl.fcntl(read_end, F_SETPIPE_SZ, 4096)
    filler = b"#" * (size - 4)  # room for one Chinese character
    os.write(write_end, filler)
    chat = subprocess.Popen([program, "-t", "0", model], stdin=subprocess.PIPE, stdout=write_end)
    os.close(write_end)
    chat.stdin.write(prompt)
    chat.stdin.flush()
    syscall = f"/proc/{chat.pid}/syscall"
    for _ in range(600):  # until it is in write(1, ...): system call 1 on x86-64, 64 on arm64
        time.sleep(0.05)
        try:
            call = open(syscall).read().split()
        except OSError:
            call = []
        if call[:2] in (["1", "0x1"], ["64", "0x1"]):
            break
    else:
        print("interrupt: the program never waited in its answer")
        sys.exit(1)
    chat.send_signal(signal.SIGINT)
    time.sleep(0.3)
    output = b""
    while b"[stopped]\n" not in output:
        part = os.read(read_end, 65536)
        if not part:
            print("interrupt: the program ended or did not stop its answer; it wrote", output[len(filler):].decode(errors="replace"))
            sys.exit(1)
        output += part
    chat.stdin.write(b"/reset\n" + prompt)
    chat.stdin.close()
    rest = b""
    while part := os.read(read_end, 65536):
        rest += part
    assert chat.wait(60) == 0, f"exit status {chat.returncode}"
    stopped = output[len(filler):].decode()
    whole = rest.decode()
    assert stopped.endswith(" [stopped]\n"), stopped
    words = stopped.removesuffix(" [stopped]\n").strip()
    assert words and whole.startswith(words), (stopped, whole)
    assert len(whole) > len(words), (stopped, whole)


main()
