"""Ctrl-C is heard within 100 ms (here: 1 s, for slow machines), and ends the command as shells expect it."""
import fcntl
import json
import os
import signal
import struct
import subprocess
import termios
import threading
import time

import pytest
from conftest import ALPACA, ENDLESS, MODEL, TEXT, alpaca

SOON = 1.0
STARTED = 0.7


def interrupt(process, number=signal.SIGINT):
    """Sends the signal; how long it took to end."""
    start = time.monotonic()
    process.send_signal(number)
    process.wait(60)
    return time.monotonic() - start


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_an_answer_ends_by_the_signal(number):
    process = subprocess.Popen([ALPACA, *ENDLESS], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    process.stdout.read(1)
    assert interrupt(process, number) < SOON
    assert process.returncode == -number
    assert process.stderr.read() == b""


def test_an_answer_as_json_says_that_it_was_stopped():
    process = subprocess.Popen([ALPACA, *ENDLESS, "--json"], stdout=subprocess.PIPE)
    time.sleep(STARTED)
    assert interrupt(process) < SOON
    assert process.returncode == -signal.SIGINT
    assert json.loads(process.stdout.read())["finish_reason"] == "cancelled"


def test_whatever_it_is_doing(tmp_path):
    large = tmp_path / "large"
    with open(large, "wb") as file:
        file.truncate(1 << 38)
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    text = tmp_path / "long.txt"
    text.write_text(open(TEXT, encoding="utf-8").read() * 200, encoding="utf-8")
    for words in [
        ["bench", MODEL, "-p", "0", "-n", "4000", "-r", "1000", "--no-roofs"], ["bench", MODEL, "-p", "4000", "-r", "1000", "-n", "0"],
        ["perplexity", MODEL, str(text), "-c", "256"], ["verify", str(large)], ["generate", MODEL, "-f", str(fifo)], ["generate", MODEL],
        ["tokenize", MODEL], ["chat", MODEL],
    ]:
        process = subprocess.Popen([ALPACA, *words], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        time.sleep(STARTED)
        assert process.poll() is None, (words, process.stderr.read())
        assert interrupt(process) < SOON, words
        assert process.returncode == -signal.SIGINT, words


def test_a_loop_of_a_shell_ends():
    loop = 'for i in 1 2 3; do "$0" "$@" > /dev/null; echo "next $i"; done'
    shell = subprocess.Popen(["bash", "-c", loop, ALPACA, *ENDLESS], stdout=subprocess.PIPE, start_new_session=True)
    time.sleep(STARTED)
    os.killpg(shell.pid, signal.SIGINT)
    said, _ = shell.communicate(timeout=30)
    assert shell.returncode == -signal.SIGINT and said == b""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_that_was_ignored_stays_ignored(number):
    process = subprocess.Popen(
        ["bash", "-c", f'trap "" {number.value}; exec "$0" "$@"', ALPACA, *ENDLESS], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    time.sleep(STARTED)
    process.send_signal(number)
    time.sleep(0.5)
    assert process.poll() is None
    process.kill()


def test_a_reader_that_does_not_read_holds_nobody():
    """The answer waits in a full pipe when Ctrl-C is pressed."""
    read, write = os.pipe()
    fcntl.fcntl(write, 1031, 4096)  # F_SETPIPE_SZ
    process = subprocess.Popen([ALPACA, *ENDLESS], stdout=write, stderr=subprocess.PIPE)
    fill(read)
    assert interrupt(process) < SOON
    assert process.returncode == -signal.SIGINT
    os.close(read)
    os.close(write)


def test_a_conversion_leaves_nothing_behind(tmp_path):
    base = tmp_path / "base.gguf"
    assert alpaca("convert", MODEL, "-o", str(base), "--type", "f32").returncode == 0
    output = tmp_path / "out"
    output.mkdir()
    stopped = 0
    for moment in range(12):
        process = subprocess.Popen(
            [ALPACA, "convert", str(base), "-o", str(output / "out.gguf"), "--type", "q4_k_m", "--overwrite", "-t", "1"],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        time.sleep(0.03 * moment)
        assert interrupt(process, [signal.SIGINT, signal.SIGTERM][moment % 2]) < SOON
        assert process.returncode in (0, -signal.SIGINT, -signal.SIGTERM), process.stderr.read()
        stopped += process.returncode != 0
        assert [file.name for file in output.iterdir() if file.name != "out.gguf"] == []
    assert stopped > 0


def test_a_conversation_outlives_its_answers():
    chat = subprocess.Popen(
        [ALPACA, "chat", MODEL, "-n", "0", "--ignore-eos", "--context-shift"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE)
    for _ in range(2):
        chat.stdin.write("写一首诗\n".encode())
        chat.stdin.flush()
        os.read(chat.stdout.fileno(), 1)
        time.sleep(0.2)
        # Of the next answer nothing is there yet.
        os.set_blocking(chat.stdout.fileno(), False)
        while chat.stdout.read():
            pass
        os.set_blocking(chat.stdout.fileno(), True)
        chat.send_signal(signal.SIGINT)
        assert chat.stderr.readline() == b"stopped; the turn is left out of the conversation\n"
        assert chat.poll() is None
    chat.stdin.write(b"/history\n")
    said, complaints = chat.communicate(timeout=60)
    assert chat.returncode == 0 and complaints == b""
    assert not said.decode().rstrip("\n").endswith("user: 写一首诗")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_other_signals_end_a_conversation(number):
    chat = subprocess.Popen(
        [ALPACA, "chat", MODEL, "-n", "0", "--ignore-eos", "--context-shift"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    chat.stdin.write("写一首诗\n".encode())
    chat.stdin.flush()
    chat.stdout.read(1)
    assert interrupt(chat, number) < SOON
    assert chat.returncode == -number


def fill(read):
    """Waits until a pipe has taken what it takes, and its writer waits for a reader."""
    before = 0
    while (now := struct.unpack("i", fcntl.ioctl(read, termios.FIONREAD, b"\0" * 4))[0]) == 0 or now != before:
        before = now
        time.sleep(0.5)


def test_an_answer_that_waits_for_its_reader_is_stopped():
    """Ctrl-C while a conversation's answer waits in a full pipe: when it is read, it ends, and the next line is answered."""
    read, write = os.pipe()
    fcntl.fcntl(write, 1031, 4096)  # F_SETPIPE_SZ
    chat = subprocess.Popen(
        [ALPACA, "chat", MODEL, "-n", "0", "--ignore-eos", "--context-shift"], stdin=subprocess.PIPE, stdout=write, stderr=subprocess.PIPE)
    os.close(write)
    chat.stdin.write("写一首诗\n".encode())
    chat.stdin.flush()
    fill(read)
    chat.send_signal(signal.SIGINT)
    time.sleep(0.2)
    assert chat.poll() is None
    said = []
    reader = threading.Thread(target=lambda: said.extend(iter(lambda: os.read(read, 4096), b"")))
    reader.start()
    assert chat.stderr.readline() == b"stopped; the turn is left out of the conversation\n"
    chat.stdin.write(b"/history\n/system x\n/history\n")
    chat.stdin.close()
    assert chat.wait(60) == 0
    reader.join(60)
    os.close(read)
    text = b"".join(said).decode()
    assert text.endswith("\nsystem: x\n") and "user: " not in text


def test_a_second_interrupt_ends_a_conversation():
    read, write = os.pipe()
    fcntl.fcntl(write, 1031, 4096)  # F_SETPIPE_SZ
    chat = subprocess.Popen(
        [ALPACA, "chat", MODEL, "-n", "0", "--ignore-eos", "--context-shift"], stdin=subprocess.PIPE, stdout=write, stderr=subprocess.PIPE)
    chat.stdin.write("写一首诗\n".encode())
    chat.stdin.flush()
    fill(read)
    chat.send_signal(signal.SIGINT)
    time.sleep(0.2)
    assert chat.poll() is None and interrupt(chat) < SOON
    assert chat.returncode == -signal.SIGINT
    os.close(read)
    os.close(write)
