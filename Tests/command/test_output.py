"""Output that doesn't arrive: every byte is written, or the exit status and a sentence say so."""
import fcntl
import os
import re
import signal
import subprocess
import time

import pytest
from conftest import ALPACA, ENDLESS, MODEL, TOKENIZER, alpaca, every_command

F_SETPIPE_SZ = 1031
full = pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full")


@full
def test_a_full_disk_is_an_error(tmp_path):
    for words in every_command(tmp_path):
        with open("/dev/full", "wb") as disk:
            ended = alpaca(*words, stdout=disk)
        assert ended.returncode == 1, (words, ended)
        assert ended.stderr.endswith("error: standard output: cannot write: No space left on device\n"), words


@full
def test_what_standard_error_lost_shows_in_the_status():
    with open("/dev/full", "wb") as disk:
        assert alpaca("generate", MODEL, "a", "-n", "2", "--stats", stderr=disk).returncode == 1
        assert alpaca("generate", MODEL, "a", "-n", "2", stderr=disk).returncode == 0
        assert alpaca("inspect", "/nonexistent", stderr=disk).returncode == 1
        assert alpaca("generate", stderr=disk).returncode == 2


@full
def test_a_conversation_that_cannot_be_saved():
    talk = alpaca("chat", MODEL, "-n", "2", input="hello\n/save /dev/full\n/save /nonexistent/file\n")
    assert talk.returncode == 1
    assert "/dev/full: there is something else than a saved conversation" in talk.stderr
    assert "/nonexistent/file: cannot write: No such file or directory" in talk.stderr


def test_files_on_a_full_disk(tmp_path):
    """A disk of 64 KB: what doesn't fit is said, and nothing is left of it."""
    if subprocess.run(["unshare", "-m", "true"], capture_output=True).returncode != 0:
        pytest.skip("unshare is not allowed here")
    disk = tmp_path / "disk"
    disk.mkdir()
    script = 'mount -t tmpfs -o size=64k none "$D" && "$@"; echo "$?"; ls -A "$D"'
    talk = f"/system {'x' * 70000}\n/save {disk}/talk.json\n"
    for words, given in [
        (["convert", MODEL, "-o", str(disk / "out.gguf")], ""), (["convert", MODEL, "-o", str(disk / "out"), "--format", "hf"], ""),
        (["chat", MODEL], talk), (["merge-tokenizer", TOKENIZER, *["--add-piece=" + "x" * 3000 + str(i) for i in range(25)], "-o", str(disk / "a.model")], ""),
    ]:
        ended = subprocess.run(
            ["unshare", "-m", "bash", "-c", script, "bash", ALPACA, *words], input=given, env={**os.environ, "D": str(disk)}, capture_output=True, text=True,
            timeout=60)
        assert ended.stdout == "1\n" and "No space left on device" in ended.stderr, (words[:1], ended.stdout[-300:], ended.stderr[-300:])


def test_a_file_that_may_not_grow(tmp_path):
    with open(tmp_path / "out", "wb") as file:
        ended = subprocess.run(
            ["bash", "-c", 'ulimit -f 1; exec "$0" "$@"', ALPACA, "inspect", MODEL, "--tensors", "--json"], stdout=file,
            stderr=subprocess.PIPE, text=True, timeout=60)
    assert ended.returncode == 1 and ended.stderr == "error: standard output: cannot write: File too large\n"


def test_a_reader_that_leaves_ends_it_quietly(tmp_path):
    """As SIGPIPE would: shells see 141."""
    for words in every_command(tmp_path):
        read, write = os.pipe()
        os.close(read)
        ended = alpaca(*words, stdout=write)
        os.close(write)
        assert ended.returncode == -signal.SIGPIPE, (words, ended)
        assert "error" not in ended.stderr, words
    shell = subprocess.run(
        ["bash", "-c", '"$0" "$@" | head -c 10; echo " ${PIPESTATUS[0]}"', ALPACA, *ENDLESS], capture_output=True, timeout=60)
    assert shell.stdout.endswith(b" 141\n") and shell.stderr == b""


def test_a_reader_that_leaves_where_the_signal_is_ignored():
    process = subprocess.Popen(
        ["bash", "-c", 'trap "" PIPE; exec "$0" "$@"', ALPACA, *ENDLESS], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    process.stdout.read(1)
    process.stdout.close()
    assert process.wait(60) == 141 and process.stderr.read() == b""


def test_a_reader_of_standard_error_that_leaves():
    """The work is done; the status tells that something was lost."""
    read, write = os.pipe()
    os.close(read)
    ended = alpaca("generate", MODEL, "a", "-n", "2", "--stats", stderr=write)
    os.close(write)
    assert ended.returncode == -signal.SIGPIPE and ended.stdout.endswith("\n") and len(ended.stdout) > 1


def read_slowly(words, prepare, pause):
    """What a slow reader gets through a small pipe."""
    read, write = os.pipe()
    prepare(read, write)
    process = subprocess.Popen([ALPACA, *words], stdin=subprocess.DEVNULL, stdout=write, stderr=subprocess.PIPE)
    os.close(write)
    said = b""
    while part := os.read(read, 1000):
        said += part
        time.sleep(pause)
    os.close(read)
    assert process.wait(60) == 0, process.stderr.read()
    return said


def test_pipes_that_do_not_wait_and_readers_that_are_slow():
    words = ["inspect", MODEL, "--tensors", "--json"]
    whole = alpaca(*words).stdout.encode()
    assert len(whole) > 8192

    def small(read, write):
        fcntl.fcntl(write, F_SETPIPE_SZ, 4096)

    def impatient(read, write):
        small(read, write)
        os.set_blocking(write, False)

    assert read_slowly(words, small, 0.01) == whole
    assert read_slowly(words, impatient, 0.01) == whole


def test_an_answer_through_a_pipe_that_does_not_wait():
    words = ["generate", MODEL, "写一首诗", "-n", "100", "--ignore-eos", "--temperature", "0"]
    whole = alpaca(*words).stdout.encode()

    def impatient(read, write):
        fcntl.fcntl(write, F_SETPIPE_SZ, 4096)
        os.write(write, b"#" * 4090)
        os.set_blocking(write, False)

    assert read_slowly(words, impatient, 0.02) == b"#" * 4090 + whole


def test_standard_error_that_does_not_wait():
    read, write = os.pipe()
    fcntl.fcntl(write, F_SETPIPE_SZ, 4096)
    os.write(write, b"#" * 4096)
    os.set_blocking(write, False)
    process = subprocess.Popen([ALPACA, "generate", MODEL, "a", "-n", "2", "--stats"], stdout=subprocess.DEVNULL, stderr=write)
    os.close(write)
    time.sleep(0.5)
    said = b""
    while part := os.read(read, 65536):
        said += part
    os.close(read)
    assert process.wait(60) == 0 and re.search(rb"ended by \w+\n$", said)


def test_descriptors_that_are_closed(tmp_path):
    """What is opened later doesn't become standard output."""
    output = tmp_path / "out.gguf"
    ended = subprocess.run(
        ["bash", "-c", 'exec "$0" "$@" <&- >&- 2>"$E"', ALPACA, "convert", MODEL, "-o", str(output)], env={**os.environ, "E": str(tmp_path / "e")},
        timeout=60)
    assert ended.returncode == 1
    assert (tmp_path / "e").read_text() == "error: standard output: cannot write: Bad file descriptor\n"
    assert alpaca("generate", str(output), "a", "-n", "2").returncode == 0
    quiet = subprocess.run(["bash", "-c", 'exec "$0" "$@" 2>&-', ALPACA, "generate", MODEL, "a", "-n", "2", "--stats"], stdout=subprocess.PIPE)
    assert quiet.returncode == 0 and quiet.stdout
    none = subprocess.run(["bash", "-c", 'exec "$0" "$@" <&-', ALPACA, "generate", MODEL], capture_output=True, text=True)
    assert none.returncode == 1 and none.stderr == "error: standard input: cannot read: Bad file descriptor\n"


def test_input_that_comes_late():
    """A prompt through a pipe that doesn't wait is read to its end."""
    read, write = os.pipe()
    os.set_blocking(read, False)
    process = subprocess.Popen([ALPACA, "tokenize", MODEL, "--ids"], stdin=read, stdout=subprocess.PIPE)
    os.close(read)
    for part in (b"the ", b"LORD"):
        time.sleep(0.3)
        os.write(write, part)
    os.close(write)
    assert process.communicate(timeout=60)[0].decode() == alpaca("tokenize", MODEL, "--ids", "the LORD").stdout
