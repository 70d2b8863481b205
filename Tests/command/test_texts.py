"""One rule for texts from files, pipes and arguments: the same bytes are the same prompt."""
import json
import os
import re
import subprocess

import pytest
from conftest import ALPACA, MODEL, TEXT, alpaca


def prompt_tokens(*words, **options):
    ended = alpaca("generate", MODEL, *words, "-n", "1", "--temperature", "0", "--stats", **options)
    assert ended.returncode == 0, ended
    return re.search(r"prompt: (\d+)", ended.stderr).group(1), ended.stdout


BOM = b"\xef\xbb\xbf"
# What follows is one text, whatever wrote it.
SPELLINGS = ["第一行\n第二行".encode(), "第一行\n第二行\n".encode(), "第一行\r\n第二行\r\n".encode(), BOM + "第一行\r\n第二行".encode()]


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_the_same_text_is_the_same_prompt(tmp_path, spelling):
    file = tmp_path / "prompt"
    file.write_bytes(spelling)
    want = prompt_tokens("第一行\n第二行")
    assert prompt_tokens(spelling.decode()) == want
    assert prompt_tokens("-p", spelling.decode()) == want
    assert prompt_tokens("-f", str(file)) == want
    for words in [(), ("-",), ("-f", "-"), ("-f", "/dev/stdin")]:
        with open(file, "rb") as prompt:
            assert prompt_tokens(*words, stdin=prompt) == want
    ids = alpaca("tokenize", MODEL, "--ids", "第一行\n第二行").stdout
    assert alpaca("tokenize", MODEL, "--ids", spelling.decode()).stdout == ids
    with open(file, "rb") as text:
        assert alpaca("tokenize", MODEL, "--ids", stdin=text).stdout == ids


def test_one_line_end_is_dropped_and_no_more():
    def ids(text):
        return json.loads(alpaca("tokenize", MODEL, "--ids", "--json", "-", input=text).stdout)

    assert ids(b"a") == ids(b"a\n") == ids(b"a\r\n")
    assert ids(b"a\n\n") == ids(b"a\r\n\r\n") != ids(b"a")
    assert len(ids(b"a\n\n")) == len(ids(b"a")) + 1
    # A carriage return of its own and a zero byte are characters like others.
    assert len(ids(b"a\rb")) > len(ids(b"ab")) and len(ids(b"a\0b")) > len(ids(b"a")) + 1
    assert ids("\ufeffa".encode()) == ids(b"a") != ids("a\ufeff".encode())
    assert ids(b"") == ids(b"\n") == ids(BOM) == []


@pytest.mark.parametrize("content, place", [
    (b"abc\xff", 3), (BOM + b"ab\x80", 5), ("中文".encode("gbk"), 0), ("x中文".encode()[:-1], 4), (b"caf\xe9\n", 3), (b"\xed\xa0\x80", 0)])
def test_what_is_not_utf8_is_refused_with_the_place(tmp_path, content, place):
    file = tmp_path / "text"
    file.write_bytes(content)
    for words in [("generate", MODEL, "-f", str(file)), ("perplexity", MODEL, str(file)), ("perplexity", str(file), MODEL)]:
        ended = alpaca(*words)
        assert (ended.returncode, ended.stderr) == (1, f"error: {file}: not UTF-8 at byte {place}\n"), words
    for words in [("generate", MODEL), ("tokenize", MODEL), ("perplexity", MODEL, "-"), ("tokenize", MODEL, "--decode")]:
        with open(file, "rb") as text:
            ended = alpaca(*words, stdin=text)
        assert (ended.returncode, ended.stderr) == (1, f"error: standard input: not UTF-8 at byte {place}\n"), words


@pytest.mark.parametrize("words", [
    ("generate", MODEL), ("tokenize", MODEL), ("generate", MODEL, "-p"), ("generate", MODEL, "a", "--system"), ("generate", MODEL, "a", "--stop"),
    ("chat", MODEL, "--system"), ("merge-tokenizer", MODEL, "-o", "x", "--add-piece")])
def test_arguments_that_are_not_utf8(words):
    ended = alpaca(*words, b"ab\xd0\xcd")
    assert ended.returncode == 2 and "not UTF-8 at byte 2\n" in ended.stderr and "ab\\xD0\\xCD" in ended.stderr


def test_characters_of_the_private_area_are_text():
    text = "a\U0010ff80\U0010fffd"
    assert alpaca("tokenize", MODEL, "--ids", text).stdout == alpaca("tokenize", MODEL, "--ids", input=text).stdout != ""


@pytest.mark.parametrize("order", ["utf-16-le", "utf-16-be"])
def test_utf16_is_said_to_be_so(tmp_path, order):
    file = tmp_path / "text"
    file.write_bytes("\ufeff你好\r\n".encode(order))
    ended = alpaca("generate", MODEL, "-f", str(file))
    assert ended.returncode == 1 and "not UTF-8 at byte 0; it begins like UTF-16" in ended.stderr


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read(tmp_path):
    locked = tmp_path / "locked"
    locked.write_text("a")
    locked.chmod(0)
    for words in [("generate", MODEL, "-f", str(locked)), ("perplexity", MODEL, str(locked))]:
        assert (alpaca(*words).returncode, alpaca(*words).stderr) == (1, f"error: {locked}: cannot open: Permission denied\n")


def test_why_a_file_cannot_be_read(tmp_path):
    (tmp_path / "file").write_text("a")
    (tmp_path / "loop").symlink_to("loop")
    cases = [(tmp_path / "missing", "cannot open: No such file or directory"), (tmp_path, "found a folder, expected a text file"),
             (tmp_path / "file/x", "cannot open: Not a directory"), (tmp_path / "loop", "cannot open: Too many levels of symbolic links")]
    for path, reason in cases:
        for words in [("generate", MODEL, "-f", path), ("perplexity", MODEL, path), ("perplexity", path, MODEL)]:
            ended = alpaca(*map(str, words))
            assert (ended.returncode, ended.stderr) == (1, f"error: {path}: {reason}\n")


def test_a_prompt_from_a_pipe_with_a_name():
    said = subprocess.run(
        ["bash", "-c", '"$0" generate "$1" -n 1 --temperature 0 --stats -f <(echo 第一行)', ALPACA, MODEL], capture_output=True, text=True)
    assert (re.search(r"prompt: (\d+)", said.stderr).group(1), said.stdout) == prompt_tokens("第一行")


def test_a_text_from_a_named_pipe(tmp_path):
    """Its writer sees one reader, who reads all of it."""
    want = alpaca("perplexity", MODEL, TEXT, "-c", "256").stdout
    for order in [lambda pipe: (MODEL, pipe), lambda pipe: (pipe, MODEL)]:
        pipe = str(tmp_path / "pipe")
        os.mkfifo(pipe)
        writer = subprocess.Popen(["bash", "-c", 'cat "$0" > "$1"', TEXT, pipe])
        assert alpaca("perplexity", *order(pipe), "-c", "256").stdout == want
        assert writer.wait(60) == 0
        os.unlink(pipe)


def test_perplexity_measures_the_text_as_it_is(tmp_path):
    def count(content):
        file = tmp_path / "text"
        file.write_bytes(content)
        return json.loads(alpaca("perplexity", MODEL, str(file), "-c", "64", "--json").stdout)[0]["n_tokens"]

    text = open(TEXT, encoding="utf-8").read()[:300].rstrip("\n").encode()
    assert count(text + b"\n") == count(text) + 1 == count(BOM + text + b"\n")
    assert count(text.replace(b"\n", b"\r\n")) == count(text) + text.count(b"\n")


def test_numbers_to_decode_with_any_line_ends():
    want = alpaca("tokenize", MODEL, "--decode", "372", "905").stdout
    assert alpaca("tokenize", MODEL, "--decode", "372,905").stdout == want
    for numbers in [b"372\r\n905\r\n", b"[372, 905]\n", b"372\t905"]:
        assert alpaca("tokenize", MODEL, "--decode", input=numbers).stdout.decode() == want


def test_an_empty_prompt_is_said():
    for words, given in [(("",), b""), ((), b""), ((), b"\n"), (("-p", ""), b"")]:
        ended = alpaca("generate", MODEL, *words, "-n", "1", input=given)
        assert ended.returncode == 0 and ended.stderr == b"warning: the prompt is empty\n"
