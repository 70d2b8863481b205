"""The command as other programs meet it: pipes, signals, full disks, terminals, a system without /proc. ALPACA names it."""
import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ALPACA = os.path.abspath(os.environ.get("ALPACA", ROOT / "build/bin/alpaca"))
MODEL = str(ROOT / "models/mini/chinese-alpaca-mini-q8_0.gguf")
TOKENIZER = str(ROOT / "Tests/Goldens/tokenizers/mini_llama.model")
TEXT = str(ROOT / "Tests/Goldens/mini/heldout_poems.txt")
# A text without end: it goes on until somebody stops it.
ENDLESS = ["generate", MODEL, "写一首诗", "-n", "0", "--context-shift", "--ignore-eos"]


def alpaca(*words, **options):
    """Runs the command; text in and out, unless bytes are given."""
    options.setdefault("timeout", 60)
    given = options.get("input", "")
    if not {"stdin", "input"} & set(options):
        options["stdin"] = subprocess.DEVNULL
    if "stdout" not in options:
        options["stdout"] = subprocess.PIPE
    if "stderr" not in options:
        options["stderr"] = subprocess.PIPE
    return subprocess.run([ALPACA, *words], text=not isinstance(given, bytes), **options)


def every_command(folder):
    """A call of each subcommand, in all its forms of output, that ends with 0."""
    output = str(folder / "out.gguf")
    return [
        ["--help"], ["--version"], ["help", "generate"],
        ["generate", MODEL, "a", "-n", "4"], ["generate", MODEL, "a", "-n", "4", "--json"],
        ["inspect", MODEL], ["inspect", MODEL, "--json", "--tensors"], ["inspect", TOKENIZER],
        ["tokenize", MODEL, "hello"], ["tokenize", MODEL, "--ids", "hello"], ["tokenize", MODEL, "--json", "hello"],
        ["tokenize", MODEL, "--decode", "372"], ["tokenize", MODEL, "--decode", "--json", "372"],
        ["verify", MODEL], ["verify", MODEL, "--json"],
        ["convert", MODEL, "-o", output, "--overwrite"], ["convert", MODEL, "-o", output, "--overwrite", "--json"],
        ["convert", MODEL, "-o", output, "--plan"], ["convert", MODEL, "-o", output, "--plan", "--json"],
        ["merge-tokenizer", TOKENIZER, "--add-piece", "[PAD]", "-o", str(folder / "out.model"), "--overwrite"],
        ["perplexity", MODEL, TEXT, "-c", "256"], ["perplexity", MODEL, TEXT, "-c", "256", "--json"],
        ["perplexity", "--compare", MODEL, MODEL, "-c", "256", TEXT],
        ["bench", MODEL, "-p", "8", "-n", "2", "-r", "1", "--no-roofs"],
        ["bench", MODEL, "-p", "8", "-n", "2", "-r", "1", "--no-roofs", "--json"],
    ]
