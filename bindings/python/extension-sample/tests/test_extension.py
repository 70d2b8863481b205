"""The sample extension: what it writes, the GIL, exceptions, Ctrl-C, and the limited API on every Python that is there."""

import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import textwrap
import threading
import zipfile
from typing import Any

import alpaca
import alpaca_sample
import pytest

REPOSITORY = pathlib.Path(__file__).resolve().parents[4]
MODEL = REPOSITORY / "models/mini/chinese-alpaca-mini-f16.gguf"
PROMPT = "写一首五言绝句，题目是《秋夜》"
ENDLESS: dict[str, Any] = {"max_new_tokens": 0, "ignore_eos": True, "context_shift": True}


def run(program: str, python: str = sys.executable, **options: Any) -> "subprocess.CompletedProcess[str]":
    """A program of its own: what hangs is stopped, what crashes is seen."""
    source = f"MODEL, PROMPT, ENDLESS = {str(MODEL)!r}, {PROMPT!r}, {ENDLESS!r}\n" + textwrap.dedent(program)
    return subprocess.run([python, "-c", source], capture_output=True, text=True, timeout=120, **options)


def test_writes_what_the_package_writes() -> None:
    stream = alpaca.Model(MODEL).generate(PROMPT, temperature=0)
    expected = [(token.id, token.text) for token in stream.tokens()]
    found: list[tuple[int, str]] = []
    writer = alpaca_sample.Writer(MODEL)
    count = writer.generate(PROMPT, lambda id, text: found.append((id, text)), temperature=0)
    assert found == expected
    assert stream.result is not None and count == stream.result.n_generated > 10
    assert writer.generate(PROMPT, temperature=0) == count, "without a function"
    assert alpaca_sample.library_version == alpaca.__version__


def test_the_same_seed_writes_the_same() -> None:
    writer = alpaca_sample.Writer(str(MODEL), n_threads=1)

    def draw(seed: int) -> list[int]:
        ids: list[int] = []
        writer.generate(PROMPT, lambda id, text: ids.append(id), max_new_tokens=16, temperature=1.0, seed=seed)
        return ids

    assert draw(2**64 - 1) == draw(2**64 - 1) != draw(1)
    assert len({tuple(draw(-1)) for _ in range(4)}) > 1, "-1 is no seed"


def test_an_exception_is_carried_over() -> None:
    class Mine(Exception):
        pass

    writer = alpaca_sample.Writer(MODEL)
    mine = Mine("from the function")
    seen: list[int] = []

    def third(id: int, text: str) -> None:
        seen.append(id)
        if len(seen) == 3:
            raise mine

    with pytest.raises(Mine) as caught:
        writer.generate(PROMPT, third, **ENDLESS)
    assert caught.value is mine
    assert "third" in [entry.name for entry in caught.traceback]
    assert len(seen) == 3, "it is not called again"
    assert writer.generate(PROMPT, max_new_tokens=4) == 4, "the writer can be used again"
    with pytest.raises(TypeError):
        writer.generate(PROMPT, lambda: None)
    with pytest.raises(TypeError):
        writer.generate(PROMPT, 7)


def test_references_are_kept_in_balance() -> None:
    writer = alpaca_sample.Writer(MODEL)

    def function(id: int, text: str) -> None:
        if id < 0:
            raise ValueError

    before = sys.getrefcount(function), sys.getrefcount(PROMPT), sys.getrefcount(alpaca_sample.Writer)
    for _ in range(20):
        writer.generate(PROMPT, function, max_new_tokens=2)
        with pytest.raises(FileNotFoundError):
            alpaca_sample.Writer("/nonexistent")
        alpaca_sample.Writer(MODEL)
    assert (sys.getrefcount(function), sys.getrefcount(PROMPT), sys.getrefcount(alpaca_sample.Writer)) == before


def test_the_gil_is_free_while_the_model_works() -> None:
    # This thread can cancel only if the other one lets it run: without a function nothing else would ever give the GIL up.
    done = run(
        """
        import threading, time, alpaca_sample
        writer = alpaca_sample.Writer(MODEL)
        thread = threading.Thread(target=writer.generate, args=(PROMPT,), kwargs=ENDLESS)
        thread.start()
        while thread.is_alive():
            writer.cancel()
            time.sleep(0.01)
        print("cancelled")
        """
    )
    assert (done.returncode, done.stdout) == (0, "cancelled\n"), done


def test_threads_write_side_by_side() -> None:
    texts: dict[int, str] = {}

    def write(number: int) -> None:
        pieces: list[str] = []
        alpaca_sample.Writer(MODEL, n_threads=1).generate(PROMPT, lambda id, text: pieces.append(text), temperature=0)
        texts[number] = "".join(pieces)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(texts) == 4 and len(set(texts.values())) == 1


def test_a_busy_writer_says_so() -> None:
    writer = alpaca_sample.Writer(MODEL)
    with pytest.raises(RuntimeError, match="in use by another call"):
        writer.generate(PROMPT, lambda id, text: writer.generate(PROMPT), **ENDLESS)


@pytest.mark.parametrize("function", ["None", "lambda id, text: None"])
def test_ctrl_c_from_outside(function: str) -> None:
    program = f"""
        import alpaca_sample
        writer = alpaca_sample.Writer(MODEL)
        try:
            print("begins", flush=True)
            writer.generate(PROMPT, {function}, **ENDLESS)
        except KeyboardInterrupt:
            print("interrupted", writer.generate(PROMPT, max_new_tokens=4), flush=True)
        """
    source = f"MODEL, PROMPT, ENDLESS = {str(MODEL)!r}, {PROMPT!r}, {ENDLESS!r}\n" + textwrap.dedent(program)
    process = subprocess.Popen([sys.executable, "-c", source], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None and process.stdout.readline() == "begins\n"
        process.send_signal(signal.SIGINT)
        output, _ = process.communicate(timeout=60)
    finally:
        process.kill()
    assert (output, process.returncode) == ("interrupted 4\n", 0)


def test_ctrl_c_while_a_long_prompt_is_read() -> None:
    done = run(
        """
        import os, signal, threading, time, alpaca_sample
        writer = alpaca_sample.Writer(MODEL)
        began = []
        def interrupt():
            time.sleep(0.02)
            began.append(time.monotonic())
            os.kill(os.getpid(), signal.SIGINT)
        threading.Thread(target=interrupt).start()
        try:
            while True:
                writer.generate("the rain. " * 100, max_new_tokens=1)
                writer.generate("a rain. " * 100, max_new_tokens=1)
        except KeyboardInterrupt:
            print(time.monotonic() - began[0] < 0.5, writer.generate(PROMPT, max_new_tokens=4))
        """
    )
    assert (done.returncode, done.stdout) == (0, "True 4\n"), done


def test_the_writer_goes_while_it_writes() -> None:
    """Nothing that the call needs goes before it has ended."""
    done = run(
        """
        import gc, threading, alpaca_sample
        def function(id, text):
            global writer
            writer = None
            gc.collect()
        writer = alpaca_sample.Writer(MODEL)
        print(writer.generate(PROMPT, function, max_new_tokens=4))
        threads = [threading.Thread(target=alpaca_sample.Writer(MODEL).generate, args=(PROMPT, print)) for _ in range(3)]
        raise SystemExit(0)
        """
    )
    assert (done.returncode, done.stdout) == (0, "4\n"), done


def test_ctrl_c_while_the_function_runs() -> None:
    done = run(
        """
        import os, signal, alpaca_sample
        seen = []
        def function(id, text):
            seen.append(id)
            if len(seen) == 3:
                os.kill(os.getpid(), signal.SIGINT)
        try:
            alpaca_sample.Writer(MODEL).generate(PROMPT, function, **ENDLESS)
        except KeyboardInterrupt:
            print("interrupted", len(seen))
        """
    )
    assert (done.returncode, done.stdout) == (0, "interrupted 3\n"), done


def test_errors_are_the_library_s() -> None:
    with pytest.raises(FileNotFoundError, match="/nonexistent/x.gguf: cannot open"):
        alpaca_sample.Writer("/nonexistent/x.gguf")
    with pytest.raises(ValueError, match="n_threads: found -1"):
        alpaca_sample.Writer(MODEL, n_threads=-1)
    writer = alpaca_sample.Writer(MODEL)
    with pytest.raises(ValueError, match="temperature: found -1"):
        writer.generate(PROMPT, temperature=-1.0)
    for seed in (-2, 2**64, -(2**80)):
        with pytest.raises(OverflowError):
            writer.generate(PROMPT, seed=seed)
    with pytest.raises(OverflowError):
        writer.generate(PROMPT, max_new_tokens=2**32 + 2)
    with pytest.raises(ValueError, match="null"):
        alpaca_sample.Writer(f"{MODEL}\0x")
    with pytest.raises(TypeError):
        writer.generate(7)
    with pytest.raises(ValueError, match="prompt: found bytes that are not UTF-8"):
        writer.generate(b"\xff")
    with pytest.raises(RuntimeError, match="tokens do not fit"):
        writer.generate("好" * 5000)


def other_pythons() -> list[str]:
    """Every Python from 3.9 on: on PATH, and those of pyenv."""
    names = [f"python3.{minor}" for minor in range(9, 20)]
    folders = [*os.environ.get("PATH", "").split(":")]
    folders += [str(path) for path in pathlib.Path(os.environ.get("PYENV_ROOT", pathlib.Path.home() / ".pyenv")).glob("versions/*/bin")]
    found = {}
    for folder in folders:
        for name in names:
            path = shutil.which(name, path=folder)
            # What only stands in for a version that is not there ends with an error.
            if path and subprocess.run([path, "-c", ""], capture_output=True).returncode == 0:
                found.setdefault(name, path)
    return [found[name] for name in names if name in found]


def test_one_wheel_for_every_python(tmp_path: pathlib.Path) -> None:
    extension = pathlib.Path(alpaca_sample.__file__)
    assert extension.name == "alpaca_sample.abi3.so"
    wheels = list((REPOSITORY / "build/extension").glob("*.whl"))
    assert len(wheels) == 1 and re.search(r"-cp39-abi3-linux_\w+\.whl$", wheels[0].name), wheels
    with zipfile.ZipFile(wheels[0]) as archive:
        archive.extract("alpaca_sample.abi3.so", tmp_path)
    ids = []
    pythons = other_pythons()
    for python in pythons:
        done = run(
            """
            import alpaca_sample
            ids = []
            alpaca_sample.Writer(MODEL).generate(PROMPT, lambda id, text: ids.append(id), temperature=1.0, seed=7)
            print(ids)
            """,
            python,
            env={"PYTHONPATH": str(tmp_path), "PATH": os.environ["PATH"]},
        )
        assert done.returncode == 0, (python, done.stderr)
        ids.append(done.stdout)
    print("run by", *(pathlib.Path(python).name for python in pythons))
    assert len(set(ids)) == 1
