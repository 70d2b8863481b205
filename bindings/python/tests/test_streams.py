"""Streams as people use them: next, early break, never begun, dropped, read twice, closed from elsewhere."""

import asyncio
import contextlib
import gc
import itertools
import subprocess
import sys
import threading
import time
from typing import Any, Callable, Iterator

import pytest

import alpaca

from conftest import REPOSITORY

PROMPT = "写一首五言绝句，题目是《山中》"
SEEDED: dict[str, Any] = {"seed": 3, "temperature": 1.0, "max_new_tokens": 120, "ignore_eos": True}
ENDLESS: dict[str, Any] = {"temperature": 0, "max_new_tokens": 0, "ignore_eos": True, "context_shift": True}


@pytest.fixture(scope="module")
def whole(model: alpaca.Model) -> str:
    return model.generate(PROMPT, **SEEDED).read()


@pytest.fixture
def session(model: alpaca.Model) -> Iterator[alpaca.Session]:
    with model.session(n_ctx=512) as session:
        yield session


def is_free(session: alpaca.Session) -> bool:
    """Whether another call gets the session, and no thread writes."""
    session.append([5])
    return not any(thread.name == "alpaca-writer" for thread in threading.enumerate())


def pauses(stream: alpaca.Stream) -> None:
    """Waits until the writing has come to its pause."""
    for _ in range(1000):
        writer = stream._writer
        if writer is not None and writer._waits:
            return
        time.sleep(0.01)
    raise AssertionError("it goes on writing")


def test_next(model: alpaca.Model, whole: str) -> None:
    stream = model.generate(PROMPT, **SEEDED)
    assert next(stream) + next(stream) + "".join(stream) == whole == stream.text
    stream = model.generate(PROMPT, **SEEDED)
    assert "".join(iter(lambda: next(stream, ""), "")) == whole
    assert next(stream, None) is None and list(stream) == [] and stream.read() == whole
    assert stream.result is not None and stream.result.finish_reason is alpaca.FinishReason.LENGTH


def test_the_ways_of_reading_can_be_mixed(model: alpaca.Model, whole: str) -> None:
    stream = model.generate(PROMPT, **SEEDED)
    text = next(stream.tokens()).text
    text += "".join(itertools.islice(stream, 3))
    text += "".join(piece for piece, _ in zip(stream, range(4)))
    seen = len(stream.text)  # zip takes one piece more than it gives
    for token in stream.tokens():
        text += token.text
        break
    assert len(text) <= seen + 1 and stream.read() == whole
    assert stream.result is not None and stream.result.n_generated == 120


def test_a_loop_that_is_left_goes_on_later(session: alpaca.Session, whole: str) -> None:
    stream = session.generate(PROMPT, **SEEDED)
    text = ""
    for piece in stream:
        text += piece
        if len(text) > 3:
            break
    pauses(stream)
    position = session.position
    time.sleep(0.1)
    assert session.position == position, "nothing is written that nobody reads"
    for piece in stream:
        text += piece
    assert text == whole


def test_a_loop_that_is_left_gives_way(session: alpaca.Session) -> None:
    stream = session.generate(PROMPT, **ENDLESS)
    for _ in stream:
        break
    assert is_free(session)
    # What is read on does not seem whole.
    with pytest.raises(alpaca.BusyError, match="left unread"):
        "".join(stream)
    assert stream.result is not None and stream.result.finish_reason == "cancelled"
    # So do all other calls: none has to wait for somebody who has gone.
    calls: list[Callable[[], Any]] = [
        lambda: session.sample(temperature=0),
        lambda: session.logits,
        lambda: session.tokens,
        lambda: session.truncate(3),
        lambda: session.perplexity("in the beginning " * 50, n_ctx=64),
        lambda: session.generate("a", max_new_tokens=2).read(),
        lambda: session.chat([{"role": "user", "content": "a"}], max_new_tokens=2).read(),
        lambda: alpaca.step([(session, [5])]),
    ]
    for call in calls:
        stream = session.generate(PROMPT, **ENDLESS)
        for _ in stream:
            break
        pauses(stream)
        call()
    for call in calls[2:]:  # a step that is cut off leaves no logits
        stream = session.generate(PROMPT, **ENDLESS)
        next(stream)
        call()


def test_a_loop_that_goes_on_keeps_the_session(session: alpaca.Session) -> None:
    for i, _ in enumerate(session.generate(PROMPT, **ENDLESS)):
        with pytest.raises(alpaca.BusyError):
            session.append([5])
        if i == 3:
            break
    assert is_free(session)


def test_never_begun(model: alpaca.Model, session: alpaca.Session, whole: str) -> None:
    streams = [session.generate(PROMPT, **SEEDED) for _ in range(100)]
    assert is_free(session) and repr(streams[0]) == "<alpaca.Stream: not begun>"
    assert streams[7].read() == whole == streams[3].read()
    streams[5].close()
    assert streams[5].read() == "" and streams[5].result is None
    # Nor do they hold memory, of which there is enough for one here.
    with alpaca.Model(model.path, cache_bytes=1 << 20) as small:
        streams = [small.generate(PROMPT, n_ctx=256, max_new_tokens=3) for _ in range(20)]
        assert all(stream.read() for stream in streams)


def test_dropped(session: alpaca.Session) -> None:
    stream = session.generate(PROMPT, **ENDLESS)
    next(stream)
    del stream
    assert is_free(session)
    for _ in session.generate(PROMPT, **ENDLESS):
        break
    assert is_free(session)

    def pieces() -> Iterator[str]:
        for piece in session.generate(PROMPT, **ENDLESS):
            yield piece

    generator = pieces()
    next(generator)
    del generator
    assert is_free(session)

    class Cycle:
        pass

    cycle: Any = Cycle()
    cycle.itself, cycle.stream = cycle, session.generate(PROMPT, **ENDLESS)
    next(cycle.stream)
    del cycle
    gc.collect()
    assert is_free(session)


def test_closed(session: alpaca.Session) -> None:
    with session.generate(PROMPT, **ENDLESS) as stream:
        next(stream)
    assert is_free(session) and list(stream) == []
    assert stream.result is not None and stream.result.finish_reason == alpaca.FinishReason.CANCELLED
    stream.close()
    with contextlib.closing(session.generate(PROMPT, **ENDLESS)) as stream:
        next(stream)
    assert is_free(session)


def test_closed_from_another_thread(session: alpaca.Session) -> None:
    stream = session.generate(PROMPT, **ENDLESS)
    assert next(stream)
    threading.Timer(0.1, stream.close).start()
    for _ in stream:
        pass
    assert is_free(session)
    # While the prompt is read, when there is no token to end with.
    long = session.model.generate("the rain. " * 20000, n_ctx=1 << 20)
    began = time.monotonic()
    threading.Timer(0.1, long.close).start()
    assert long.read() == "" and time.monotonic() - began < 2


def test_a_session_that_is_closed_ends_its_text(model: alpaca.Model) -> None:
    session = model.session()
    stream = session.generate(PROMPT, **ENDLESS)
    assert next(stream)
    threading.Timer(0.1, session.close).start()
    stream.read()
    assert stream.result is not None and stream.result.finish_reason == "cancelled"
    late = session.generate(PROMPT)
    with pytest.raises(alpaca.InvalidArgumentError, match="closed"):
        late.read()


def test_read_by_several_threads(session: alpaca.Session, whole: str) -> None:
    stream = session.generate(PROMPT, **SEEDED)
    parts: list[list[alpaca.Token]] = [[], []]
    threads = [threading.Thread(target=lambda part=part: part.extend(stream.tokens())) for part in parts]  # type: ignore[misc]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    tokens = sorted(parts[0] + parts[1], key=lambda token: token.index)
    assert "".join(token.text for token in tokens) == whole


def test_an_error_comes_each_time(session: alpaca.Session) -> None:
    stream = session.generate("好" * 5000)
    for _ in range(2):
        with pytest.raises(alpaca.ContextFullError):
            stream.read()
        with pytest.raises(alpaca.ContextFullError):
            next(stream)
    assert stream.result is None and "failed" in repr(stream) and is_free(session)


def test_asynchronous(model: alpaca.Model, session: alpaca.Session, whole: str) -> None:
    async def main() -> None:
        stream = session.generate(PROMPT, **SEEDED)
        text = ""
        async for piece in stream:
            text += piece
            break
        async for piece in stream:
            text += piece
        assert text == whole
        async for _ in session.generate(PROMPT, **ENDLESS):
            break
        assert is_free(session)
        pieces = model.agenerate(PROMPT, **ENDLESS)
        assert await pieces.__anext__()
        await pieces.aclose()
        assert [piece async for piece in pieces] == []
        # A task that is cancelled ends the writing; one that is asked for a text that is not begun holds nothing.
        other = model.session(n_ctx=1 << 16)
        long = other.generate("the rain. " * 6000, **ENDLESS)
        task = asyncio.ensure_future(anext_of(long))
        await asyncio.sleep(0.02)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert is_free(other)

    asyncio.run(main())


async def anext_of(stream: alpaca.Stream) -> None:
    async for _ in stream:
        await asyncio.sleep(0)


def test_many_at_once_asynchronously(model: alpaca.Model) -> None:
    """More than asyncio's executor has threads; a loop that is not kept waiting."""

    async def one(number: int) -> str:
        return "".join([piece async for piece in model.agenerate(PROMPT, seed=number, max_new_tokens=12, n_threads=1, n_ctx=256)])

    async def main() -> list[str]:
        return await asyncio.gather(*[one(number) for number in range(40)])

    texts = asyncio.run(main())
    assert texts[0] == model.generate(PROMPT, seed=0, max_new_tokens=12).read() and len(set(texts)) > 10


@pytest.mark.parametrize("end", ["", "del model", "session.close()", "sys.exit(3)", "raise SystemExit(3)"])
def test_the_program_ends_while_a_text_is_written(end: str) -> None:
    program = f"""
import sys, alpaca
model = alpaca.Model({str(REPOSITORY / "models/mini/chinese-alpaca-mini-q8_0.gguf")!r})
session = model.session()
stream, other = session.generate("a", **{ENDLESS!r}), model.generate("a", **{ENDLESS!r})
print(len(next(stream) + next(other)) > 0, flush=True)
{end}
"""
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", program], capture_output=True, text=True, timeout=60)
    assert (done.stdout, done.stderr, done.returncode) == ("True\n", "", 3 if "3" in end else 0)


def test_a_fork_while_a_text_is_written() -> None:
    """The child has no thread that writes, and must not wait for it."""
    program = f"""
import os, sys, alpaca
model = alpaca.Model({str(REPOSITORY / "models/mini/chinese-alpaca-mini-q8_0.gguf")!r})
stream = model.generate("a", **{ENDLESS!r})
next(stream)
if os.fork() == 0:
    sys.exit(5)
print(os.waitstatus_to_exitcode(os.wait()[1]))
"""
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", program], capture_output=True, text=True, timeout=60)
    assert (done.stdout, done.stderr, done.returncode) == ("5\n", "", 0)
