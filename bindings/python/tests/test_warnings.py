"""What the library warns of is a warning of Python's, told as of the line that called."""

import asyncio
import ctypes
import json
import pathlib
import subprocess
import sys
import textwrap
import threading
import warnings
from typing import Any, Callable

import pytest

import alpaca
from alpaca import _abi, _calls
from alpaca._writer import Writer
from alpaca.stream import Stream

from conftest import REPOSITORY

MINI = REPOSITORY / "models/mini/chinese-alpaca-mini-f16.gguf"
WORDS = "tie_word_embeddings"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """A folder of which the library warns: its configuration says something else than its weights."""
    folder = tmp_path_factory.mktemp("model") / "folder"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        alpaca.convert(MINI, folder, output_format="hf")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "tie_word_embeddings": True}))
    return folder


def line() -> int:
    return sys._getframe(1).f_lineno


def test_the_line_that_called(folder: pathlib.Path, tmp_path: pathlib.Path) -> None:
    calls: list[tuple[int, Callable[[], Any]]] = [
        (line(), lambda: alpaca.Model(folder)),
        (line(), lambda: alpaca.convert(folder, tmp_path / "a.gguf", plan=True)),
        (line(), lambda: alpaca.convert(folder, tmp_path / "b.gguf", quantization="q8_0")),
        (line(), lambda: alpaca.convert(folder, tmp_path / "c.gguf", progress=lambda *_: None)),
    ]
    for number, call in calls:
        with pytest.warns(alpaca.Warning, match=WORDS) as told:
            call()
        mine = [warning for warning in told if WORDS in str(warning.message)]
        assert [(warning.filename, warning.lineno) for warning in mine] == [(__file__, number)]


def test_other_threads_and_tasks(folder: pathlib.Path) -> None:
    async def main() -> None:
        alpaca.Model(folder)

    def in_a_thread() -> None:
        thread = threading.Thread(target=alpaca.Model, args=(folder,))
        thread.start()
        thread.join()

    for call in (lambda: asyncio.run(main()), in_a_thread):
        with pytest.warns(alpaca.Warning, match=WORDS):
            call()
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        threads = [threading.Thread(target=lambda: [alpaca.Model(folder) for _ in range(5)]) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len([warning for warning in told if WORDS in str(warning.message)]) == 20


def test_filters(folder: pathlib.Path, tmp_path: pathlib.Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(alpaca.Warning, match=WORDS):
            alpaca.Model(folder)
        with pytest.raises(UserWarning, match=WORDS):
            alpaca.convert(folder, tmp_path / "a.gguf")
        warnings.simplefilter("ignore", alpaca.Warning)
        assert alpaca.Model(folder).session().append([1]).position == 1


def test_a_hook_that_calls_the_library(folder: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []

    def show(message: Any, *_: Any, **__: Any) -> None:
        told.append(str(message))
        alpaca.Model(folder)

    with warnings.catch_warnings():
        warnings.simplefilter("always")
        monkeypatch.setattr(warnings, "showwarning", show)
        alpaca.Model(folder)
    assert len(told) == 1 and WORDS in told[0]


def test_in_a_program_of_its_own(folder: pathlib.Path) -> None:
    """As people see it: once for each line, with the line; errors with -W error."""
    program = textwrap.dedent(
        f"""
        import alpaca
        for _ in range(3):
            model = alpaca.Model({str(folder)!r})  # this line
        print(model.session().append([1]).position)
        """
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert done.stdout == "1\n" and done.stderr.startswith("<string>:4: Warning: ") and done.stderr.count(WORDS) == 1, done.stderr
    done = subprocess.run([sys.executable, "-W", "error", "-c", program], capture_output=True, text=True, timeout=60)
    assert done.returncode == 1 and "alpaca._calls.Warning: " in done.stderr and "Exception ignored" not in done.stderr


# ---- What the library may say at any place --------------------------------------------------------------------------------------------------


def say(text: str, level: int = 2) -> None:
    """As the library does, on this thread."""
    raw = text.encode()
    kept = ctypes.create_string_buffer(raw)
    entry = _abi.LogEntry(ctypes.sizeof(_abi.LogEntry), level, 0, ctypes.cast(kept, ctypes.c_void_p), len(raw))
    _calls._listener(ctypes.byref(entry), None)


def test_a_call_that_fails_tells_both() -> None:
    def fails() -> int:
        say("one")
        say("two 山")
        say("an error is raised, not told", level=1)
        return int(_abi.lib.alpaca_session_truncate(None, 0))

    with pytest.warns(alpaca.Warning) as told, pytest.raises(alpaca.InvalidArgumentError):
        _calls.call(fails)
    assert [str(warning.message) for warning in told] == ["one", "two 山"]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(alpaca.InvalidArgumentError) as caught:
            _calls.call(fails)
        assert isinstance(caught.value.__context__, alpaca.Warning)


def test_somebody_else_s_call() -> None:
    with pytest.warns(alpaca.Warning, match="from elsewhere"):
        say("from elsewhere")


@pytest.mark.parametrize("status", [0, 1])
def test_while_a_text_is_written(status: int) -> None:
    """It is written on a thread of its own, and told by the reader."""

    def call(callback: Any, result: Any) -> int:
        say("of the text")
        return status

    def read(stream: Stream) -> None:
        with pytest.warns(alpaca.Warning, match="of the text") as told:
            if status:
                with pytest.raises(alpaca.InvalidArgumentError):
                    stream.read()
            else:
                stream.read()
        assert [warning.filename for warning in told] == [__file__]

    read(Stream(lambda: Writer(call, lambda: None)))

    async def main() -> None:
        stream = Stream(lambda: Writer(call, lambda: None))
        with pytest.warns(alpaca.Warning, match="of the text") as told:
            if status:
                with pytest.raises(alpaca.InvalidArgumentError):
                    [piece async for piece in stream]
            else:
                [piece async for piece in stream]
        assert [warning.filename for warning in told] == [__file__]

    asyncio.run(main())
