"""Options and arguments as people type them."""
import json
import os
import re
import shutil
import subprocess

import pytest
from conftest import ALPACA, MODEL, ROOT, TEXT, TOKENIZER, alpaca


def refused(*words):
    ended = alpaca(*words)
    assert ended.returncode == 2 and ended.stdout == "", (words, ended)
    return ended.stderr


def failed(*words):
    ended = alpaca(*words)
    assert ended.returncode == 1 and ended.stderr.startswith("error: "), (words, ended)
    return ended.stderr


def works(*words):
    ended = alpaca(*words)
    assert ended.returncode == 0, (words, ended)
    return ended


ANSWER = ("generate", MODEL, "a", "-n", "2")


def test_negative_numbers():
    for words in ["--repeat-last-n -1", "--presence-penalty -0.5", "--frequency-penalty -.5", "--seed -1", "-s -1", "-n -1 --stop 。",
                  "--n-keep -1 --context-shift", "--repeat-last-n=-1"]:
        works(*ANSWER, *words.split())
        assert alpaca("chat", MODEL, "-n", "2", *words.split(), input="a\n").returncode == 0, words
    # Those that mean nothing are told by their own message, not as options of a strange name.
    for words, message in [
        ("-c -1", "n_ctx: found -1"), ("-b -1", "n_batch: found -1"), ("-t -1", "n_threads: found -1"), ("-n -2", "max_new_tokens: found -2"),
        ("--temperature -1", "temperature: found -1"), ("--top-k -1", "top_k: found -1"), ("--top-p -1", "top_p: found -1"),
        ("--min-p -1", "min_p: found -1"), ("--repetition-penalty -1", "repetition_penalty: found -1"), ("--repeat-last-n -2", "repeat_last_n: found -2"),
        ("--n-keep -2 --context-shift", "n_keep: found -2"),
    ]:
        assert message in failed(*ANSWER, *words.split())
        assert message in failed("chat", MODEL, *words.split())
    assert "'-5' is invalid for '--seed" in refused(*ANSWER, "--seed", "-5")
    assert "stride: found -1" in failed("perplexity", MODEL, TEXT, "--stride", "-1")
    assert "found -1" in failed("perplexity", MODEL, TEXT, "-c", "-1")
    assert "n_threads: found -1" in failed("perplexity", MODEL, TEXT, "-t", "-1")
    assert "found -1" in refused("verify", MODEL, "-t", "-1")
    for option in ["-p", "-n", "-d", "-t", "-np"]:
        assert 'found "-1"' in refused("bench", MODEL, option, "-1")
    assert "found -1" in refused("bench", MODEL, "-r", "-1") and "n_batch: found -1" in failed("bench", MODEL, "-b", "-1")
    for option in ["-t", "--shards", "--shard-size"]:
        assert "-1" in refused("convert", MODEL, "-o", "x", "--format", "pth", option, "-1")


def test_numbers_that_do_not_fit():
    for words in ["-n 99999999999999999999", "--seed 18446744073709551616", "--top-k 1e99", "-c x", "--temperature x"]:
        assert "is invalid for" in refused(*ANSWER, *words.split())
    for words in ["--temperature nan", "--temperature inf", "--top-p nan", "--presence-penalty inf", "--frequency-penalty -inf", "--min-p 2", "--top-p 1.5"]:
        assert "expected" in failed(*ANSWER, *words.split())
    works(*ANSWER[:3], "-n", "4294967298", "--stop", "。")


def test_a_seed_of_minus_one_is_random():
    written = {works("generate", MODEL, "写一首诗", "-n", "24", "--temperature", "1.5", "--top-p", "1", "--seed", "-1").stdout for _ in range(4)}
    again = {works("generate", MODEL, "写一首诗", "-n", "24", "--temperature", "1.5", "--top-p", "1", "--seed", "7").stdout for _ in range(3)}
    assert len(written) > 1 and len(again) == 1


@pytest.mark.parametrize("command", ["generate", "chat", "perplexity", "bench"])
def test_values_that_help_names(command):
    help = " ".join(works("help", command).stdout.split())
    values = re.search(r"--kv-cache <kv-cache> Type[^)]*\(values: ([^;]*); default: f16\)", help).group(1).split(", ")
    assert sorted(values) == ["f16", "f32", "q8_0"]
    words = {"generate": ["a", "-n", "1"], "chat": ["-n", "1"], "perplexity": [TEXT, "-c", "64"], "bench": ["-p", "4", "-n", "0", "-r", "1", "--no-roofs"]}
    for value in values + [value.upper() for value in values]:
        works(command, MODEL, *words[command], "--kv-cache", value)
    assert "'1' is invalid" in refused(command, MODEL, *words[command], "--kv-cache", "1")


def test_the_names_of_the_interface_and_of_llama_cpp():
    want = works("generate", MODEL, "a", "-n", "8", "-c", "256", "-t", "1", "-b", "32", "--temperature", "0.7", "--repetition-penalty", "1.2", "-s", "3").stdout
    for words in [
        "--max-new-tokens 8 --n-ctx 256 --n-threads 1 --n-batch 32 --temp 0.7 --repeat-penalty 1.2 --seed 3",
        "--n-predict 8 --ctx-size 256 --threads 1 --batch-size 32 --temp 0.7 --repeat-penalty 1.2 --seed 3",
        "--max_new_tokens 8 --n_ctx 256 --n_threads 1 --n_batch 32 --temperature 0.7 --repetition_penalty 1.2 --seed 3",
        "--max_new_tokens=8 --ctx_size=256 --threads=1 --n-batch=32 --temp=0.7 --repeat_penalty=1.2 --seed=3 --kv_cache=f16",
    ]:
        assert works("generate", MODEL, "a", *words.split()).stdout == want, words
    works("bench", MODEL, "-p", "4", "-n", "0", "-r", "1", "--no-roofs", "--n-threads", "1", "--batch", "4")
    works("bench", MODEL, "-p", "4", "-n", "0", "-r", "1", "--no-roofs", "--threads", "1", "--batch-size", "4", "--kv-cache", "f16")
    for name in ["--ctx", "--n-ctx", "--ctx-size", "--n_ctx"]:
        works("perplexity", MODEL, TEXT, name, "64", "--threads", "1")
    works("verify", MODEL, "--threads", "1")
    works("convert", MODEL, "-o", "x", "--plan", "--threads", "1")
    # Behind -- it is text.
    assert works("tokenize", MODEL, "--ids", "--", "--ctx-size").stdout == alpaca("tokenize", MODEL, "--ids", input="--ctx-size\n").stdout


def test_texts_that_begin_with_a_dash():
    want = works("generate", MODEL, "-n", "4", "--temperature", "0", "--", "-1 + 2").stdout
    assert works("generate", MODEL, "-n", "4", "--temperature", "0", "-p", "-1 + 2").stdout == want
    assert works("generate", "-p", "-1 + 2", MODEL, "-n", "4", "--temperature", "0").stdout == want
    for text in ["---", "--", "- x", "-n", "--ctx-size", "--stop"]:
        works(*ANSWER, "--stop", text, "--system", text)
        works("convert", MODEL, "-o", "x", "--plan", "--name", text)


def test_empty_arguments():
    for words in [("generate", "", "a"), ("chat", ""), ("inspect", ""), ("tokenize", "", "a"), ("verify", ""), ("verify", MODEL, ""), ("bench", ""),
                  ("perplexity", "", TEXT), ("perplexity", MODEL, ""), ("convert", "", "-o", "x"), ("convert", MODEL, "-o", ""),
                  ("convert", MODEL, "-o", "x", "-a", ""), ("convert", MODEL, "-o", "x", "--tokenizer", ""), ("convert", MODEL, "-o", "x", "--imatrix", ""),
                  ("merge-tokenizer", "", "--add-piece", "x", "-o", "x"), ("merge-tokenizer", TOKENIZER, "", "-o", "x"), ("generate", MODEL, "-f", "")]:
        assert "an empty text, expected a path" in refused(*words)
    for words in [(*ANSWER, "--stop", ""), ("convert", MODEL, "-o", "x", "--name", ""), ("convert", MODEL, "-o", "x", "--type", ""),
                  ("merge-tokenizer", TOKENIZER, "-o", "x", "--add-piece", "")]:
        assert "an empty text" in refused(*words)
    refused("")
    # The template has a text of its own in its place.
    assert prompt(works(*ANSWER, "--system", "", "--stats")) < prompt(works(*ANSWER, "--stats"))


def prompt(ended):
    return int(re.search(r"prompt: (\d+)", ended.stderr).group(1))


def test_the_model_comes_first(tmp_path):
    """And the order that perplexity had before goes on working."""
    # Short: it is measured often.
    text = str(tmp_path / "text")
    (tmp_path / "text").write_text(open(TEXT, encoding="utf-8").read()[:300], encoding="utf-8")
    want = works("perplexity", MODEL, text, "-c", "64").stdout
    assert works("perplexity", text, MODEL, "-c", "64").stdout == want
    with open(text, "rb") as given:
        assert alpaca("perplexity", MODEL, "-", "-c", "64", stdin=given).stdout == want
    with open(text, "rb") as given:
        assert alpaca("perplexity", "-", MODEL, "-c", "64", stdin=given).stdout == want
    other = str(tmp_path / "other.gguf")
    shutil.copy(MODEL, other)
    table = works("perplexity", MODEL, other, text, "-c", "64").stdout
    assert len(table.splitlines()) == 3
    assert works("perplexity", text, MODEL, other, "-c", "64").stdout == table
    assert works("perplexity", text, "-c", "64", "--compare", MODEL, other).stdout == table
    assert works("perplexity", "-c", "64", "--compare", MODEL, other, text).stdout == table
    assert works("perplexity", text, "-c", "64", MODEL, "--compare", other).stdout == table
    for words in [(MODEL, "missing.txt"), ("missing.txt", MODEL)]:
        assert failed("perplexity", *words) == "error: missing.txt: cannot open: No such file or directory\n"
    for words in [("missing.gguf", text), (text, "missing.gguf")]:
        assert failed("perplexity", *words) == "error: missing.gguf: cannot open: No such file or directory\n"
    refused("perplexity", text)
    refused("perplexity")
    for command in ["generate", "chat", "tokenize", "bench", "perplexity"]:
        usage = re.search(r"USAGE: alpaca [^\n]*", works("help", command).stdout).group(0)
        assert re.sub(r" \[[^<]*\]", "", usage).split("<")[1 if "[<options>]" not in usage else 2].startswith("model"), usage


def test_help_says_what_opens():
    for command in ["generate", "chat", "bench"]:
        help = " ".join(works("help", command).stdout.split())
        assert "a GGUF file, an older file of llama.cpp, a Hugging Face or Meta folder, or the name of a downloaded model of the hub" in help


def test_names_that_are_not_utf8(tmp_path):
    name = os.fsencode(tmp_path) + b"/" + "模型.gguf".encode("gbk")
    shutil.copy(MODEL, name)
    # Its first two bytes are a character of UTF-8 too.
    shown = f"{tmp_path}/ģ\\xD0\\xCD.gguf"
    run = lambda *words: subprocess.run([ALPACA, *words], stdin=subprocess.DEVNULL, capture_output=True, timeout=60)
    assert run("generate", name, "a", "-n", "2").returncode == 0
    assert run("tokenize", name, "a").stdout == run("tokenize", MODEL, "a").stdout
    for words in [("inspect", name), ("verify", name)]:
        ended = run(*words)
        assert ended.returncode == 0 and ended.stdout.decode().startswith(shown), ended
    assert json.loads(run("inspect", name, "--json").stdout)["path"] == shown
    assert run("perplexity", name, TEXT, "-c", "256").stdout.decode().endswith(f"  {shown}\n")
    assert run("perplexity", TEXT, name, "-c", "256", "--json").returncode == 0
    assert run("bench", name, "-p", "4", "-n", "0", "-r", "1", "--no-roofs").returncode == 0
    output = os.fsencode(tmp_path) + b"/\xff"
    ended = run("convert", name, "-o", output)
    assert ended.returncode == 0 and os.path.exists(output) and ended.stdout.decode().startswith(f"{tmp_path}/\\xFF: ")
    assert run("merge-tokenizer", TOKENIZER, "--add-piece", "[PAD]", "-o", output + b".model").returncode == 0
    os.rename(name, name + b"\xfe")
    assert run("generate", name, "a").stderr.decode() == f"error: {shown}: cannot open: No such file or directory\n"
    text = os.fsencode(tmp_path) + b"/\xe9.txt"
    with open(text, "w") as file:
        file.write("a\n")
    assert run("generate", MODEL, "-f", text, "-n", "1").returncode == 0
    # A character of the private area, as it is, is a name like others.
    odd = str(tmp_path / "\U0010ff80.gguf")
    shutil.copy(MODEL, odd)
    assert run("generate", odd, "a", "-n", "1").returncode == 0


def test_a_system_without_proc(tmp_path):
    can = subprocess.run(["unshare", "-m", "true"], capture_output=True)
    if can.returncode != 0:
        pytest.skip("unshare is not allowed here")
    run = lambda *words: subprocess.run(
        ["unshare", "-m", "bash", "-c", 'umount -l /proc && exec "$0" "$@"', ALPACA, *words], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)
    assert run("generate", MODEL, "a", "-n", "4", "--temperature", "0").stdout == alpaca("generate", MODEL, "a", "-n", "4", "--temperature", "0").stdout
    assert run("inspect", "no-such-file").returncode == 1
    assert run("--version").stdout == alpaca("--version").stdout
    assert run("help", "convert").stdout == alpaca("help", "convert").stdout
    assert run("generate", "-n", "x").returncode == 2
    assert run("convert", MODEL, "-o", str(tmp_path / "out.gguf"), "--type", "q4_0").returncode == 0
    assert run("merge-tokenizer", TOKENIZER, "--add-piece", "[PAD]", "-o", str(tmp_path / "out.model")).returncode == 0
    assert run("verify", MODEL).stdout == alpaca("verify", MODEL).stdout
    # As many threads as with it.
    threads = lambda ended: [row["n_threads"] for row in json.loads(ended.stdout)["rows"]]
    words = ["bench", MODEL, "-p", "4", "-n", "0", "-r", "1", "--no-roofs", "--json"]
    assert threads(run(*words)) == threads(alpaca(*words))


def test_options_without_effect():
    plan = ("convert", MODEL, "-o", "x", "--plan")
    for words in ["--shard-size 10GB", "--shards 2", "--format pth --shard-size 10GB", "--format hf --shards 2", "--format hf --pure --type f16",
                  "--format pth --override a=f16", "--format hf --name x", "--imatrix x --type f16", "--format hf --imatrix x", "--pure", "--merge-rounding once", "--precision f32", "--hash", "--verify-base",
                  "--progress json"]:
        assert "no effect" in refused(*plan, *words.split()), words
    for option in ["--ids", "--bos", "--special"]:
        assert "no effect" in refused("tokenize", MODEL, "--decode", option, "1")
    assert refused("generate", MODEL, "a", "-f", TEXT).startswith("Error: give a prompt or --file, not both")
    assert "not both" in refused("generate", MODEL, "a", "-p", "b")


def test_warnings_of_options_without_effect(tmp_path):
    def warnings(*words):
        return [line.removeprefix("warning: ") for line in works(*words).stderr.splitlines() if line.startswith("warning: ")]

    assert warnings(*ANSWER) == [] and warnings(*ANSWER, "--temperature", "0", "--seed", "1") == []
    assert warnings(*ANSWER, "--temperature", "0", "--top-k", "3") == ["--top-k: no effect, --temperature 0 always takes the likeliest token"]
    idle = ["--repetition-penalty, --presence-penalty: no effect, --repeat-last-n 0 looks back on nothing"]
    assert warnings(*ANSWER, "--repeat-last-n", "0", "--presence-penalty", "1") == idle and warnings(*ANSWER, "--repeat-last-n", "0") == []
    assert warnings(*ANSWER, "--repeat-last-n", "9", "--repetition-penalty", "1") == ["--repeat-last-n: no effect, there is no penalty that looks back"]
    assert warnings(*ANSWER, "--n-keep", "3") == ["--n-keep: no effect without --context-shift"]
    # A context beyond what the model was trained for, wherever there is one.
    for words in [(*ANSWER, "-c", "4096"), ("perplexity", MODEL, TEXT, "-c", "1024")]:
        assert len(warnings(*words)) == 1 and "trained for 512" in warnings(*words)[0]
    assert warnings("bench", MODEL, "-p", "4", "-n", "0", "-np", "2", "-r", "1", "--no-roofs") == ["-np: no effect, nothing is written"]
    assert warnings("inspect", TOKENIZER, "--tensors") == ["--tensors: no effect, a tokenizer has none"]
    assert warnings("convert", MODEL, "-o", "/dev/null", "--hash") == ["hashing the output has no effect: nothing is kept of it"]


def test_files_of_another_kind(tmp_path):
    letter = tmp_path / "letter.txt"
    letter.write_text("Dear reader, this is a letter.")
    config = tmp_path / "config.json"
    config.write_text('{"a": 1}')
    for path, kind in [(MODEL, "this is a GGUF model"), (str(letter), "found a text file"), (str(config), "this is a JSON file")]:
        for words in [("merge-tokenizer", TOKENIZER, path, "-o", str(tmp_path / "x")), ("convert", MODEL, "--tokenizer", path, "-o", str(tmp_path / "y"))]:
            message = failed(*words)
            assert message.startswith(f"error: {path}: {kind}") and message.endswith("expected a sentencepiece tokenizer.model\n"), message
    assert failed("merge-tokenizer", MODEL, TOKENIZER, "-o", str(tmp_path / "x")).startswith(f"error: {MODEL}: this tokenizer is a model's")
    shutil.copy(ROOT / "Tests/Goldens/tokenizers/mini_chinese_sp.model", tmp_path / "tokenizer.model")
    works("merge-tokenizer", TOKENIZER, str(tmp_path), "-o", str(tmp_path / "z"))
