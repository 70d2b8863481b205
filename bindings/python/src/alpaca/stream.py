"""Text while it is written."""

from __future__ import annotations

import asyncio
import threading
import weakref
from typing import AsyncIterator, Callable, Iterator, Optional

from . import _calls
from ._checks import Unpicklable
from ._errors import BusyError
from ._writer import Writer
from .options import FinishReason
from .results import GenerationResult, Token


class Stream(Unpicklable, Iterator[str]):
    """Text while it is written: iterate over it, by ``for``, ``async for`` or :func:`next`.

    The model begins when the first piece is asked for, and works on a thread of its own, at most a few tokens ahead of the reader. When a
    loop over it is left it pauses: another loop, or ``next``, goes on where it was, unless another call has had the session meanwhile,
    which then ends it. ``close()``, ``with`` and the garbage collector end it for good.
    """

    def __init__(self, begin: Callable[[], Writer], completed: Optional[Callable[["Stream"], None]] = None) -> None:
        """
        :param begin: starts the writing, when the first piece is asked for.
        :param completed: told when the text has come to its own end.
        """
        #: All text that was read so far.
        self.text = ""
        self._begin: Optional[Callable[[], Writer]] = begin
        self._completed = completed
        self._writer: Optional[Writer] = None
        self._result: Optional[GenerationResult] = None
        self._failure: Optional[BaseException] = None
        #: No more comes: read to the end, failed, or closed.
        self._over = False
        self._starting = threading.Lock()

    @property
    def result(self) -> Optional[GenerationResult]:
        """How it ended; None until it has, and if it never began."""
        if self._result is None and self._over and self._writer is not None:
            outcome = self._writer.outcome
            self._result = outcome if isinstance(outcome, GenerationResult) else None
        return self._result

    # ---- Reading

    def tokens(self) -> Iterator[Token]:
        """The same, token by token."""
        return _Tokens(self)

    def __iter__(self) -> Iterator[str]:
        return _Pieces(self)

    def __next__(self) -> str:
        token = self._next()
        while token is not None and not token.text:
            token = self._next()
        if token is None:
            raise StopIteration
        return token.text

    def read(self) -> str:
        """Waits for the whole text."""
        for _ in _Tokens(self):
            pass
        return self.text

    def __aiter__(self) -> "AsyncPieces":
        return AsyncPieces(self)

    def _started(self) -> Optional[Writer]:
        """The writer, which begins here if it has not; None when nothing more comes."""
        if self._over:
            if self._failure is not None:
                raise self._failure
            return None
        if self._writer is None:
            with self._starting:
                begin, self._begin = self._begin, None
                if begin is not None:
                    try:
                        self._writer = begin()
                    except BaseException as error:
                        self._over, self._failure = True, error
                        raise
                    # It does not keep the stream alive: a stream that is dropped ends the writing.
                    weakref.finalize(self, self._writer.stop)
        return self._writer

    def _next(self) -> Optional[Token]:
        """The next token, None at the end."""
        writer = self._started()
        if writer is None:
            return None
        try:
            return self._took(writer, writer.take())
        except BaseException:
            if not self._over:  # Ctrl-C
                self._end()
            raise

    async def _next_async(self) -> Optional[Token]:
        loop = asyncio.get_running_loop()
        while True:
            writer = self._started()
            if writer is None:
                return None
            future: "asyncio.Future[None]" = loop.create_future()
            done, token = writer.take_at_once(_waker(loop, future))
            if done:
                return self._took(writer, token)
            try:
                await future
            except BaseException:
                self._over = True
                writer.stop()
                raise

    def _took(self, writer: Writer, token: Optional[Token]) -> Optional[Token]:
        if writer.said:
            said, writer.said = writer.said, []
            _calls.tell(said)
        if token is not None:
            self.text += token.text
            return token
        if self._over:  # closed by another thread, or read to the end by it
            return None
        self._over = True
        outcome = writer.outcome
        if isinstance(outcome, BaseException):
            self._failure = outcome
            raise outcome
        if writer.gave_way:
            self._failure = BusyError("the text was left unread, and ended when another call had the session")
            raise self._failure
        completed, self._completed = self._completed, None
        if completed is not None and self.result is not None and self.result.finish_reason != FinishReason.CANCELLED:
            completed(self)
        return None

    # ---- Ending

    def close(self) -> None:
        """Stops the writing and waits until it has stopped. From any thread; who is reading finds the end."""
        self._end()

    async def aclose(self) -> None:
        """As :meth:`close`, awaited."""
        self._over = True
        writer = self._writer
        while writer is not None and not writer.ended:
            writer.stop()
            await asyncio.sleep(0.002)

    def _end(self) -> None:
        self._over = True
        self._begin = None
        if self._writer is not None:
            self._writer.end()

    def __enter__(self) -> "Stream":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        result = self.result
        if result is not None:
            state = f"ended by {result.finish_reason}, {result.n_generated} tokens"
        elif self._failure is not None:
            state = f"failed: {self._failure}"
        elif self._over:
            state = "closed"
        else:
            state = "not begun" if self._writer is None else f"{len(self.text)} characters read"
        return f"<alpaca.Stream: {state}>"


def _waker(loop: asyncio.AbstractEventLoop, future: "asyncio.Future[None]") -> Callable[[], None]:
    def wake() -> None:
        try:
            loop.call_soon_threadsafe(_wake, future)
        except RuntimeError:  # the loop was closed
            pass

    return wake


def _wake(future: "asyncio.Future[None]") -> None:
    if not future.done():
        future.set_result(None)


class _Loop:
    """Who reads a stream in a loop. When it goes before the text has ended, the loop was left."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self._writer: Optional[Writer] = None

    def _read(self) -> None:
        """Before each piece: says once that there is a loop."""
        if self._writer is None:
            writer = self._stream._started()
            if writer is not None:
                writer.enter()
                self._writer = writer

    def __del__(self) -> None:
        if self._writer is not None:
            self._writer.leave()


class _Pieces(_Loop, Iterator[str]):
    def __next__(self) -> str:
        self._read()
        return next(self._stream)


class _Tokens(_Loop, Iterator[Token]):
    def __next__(self) -> Token:
        self._read()
        token = self._stream._next()
        if token is None:
            raise StopIteration
        return token


class AsyncPieces(_Loop, AsyncIterator[str]):
    """A stream's text for ``async for``."""

    def __aiter__(self) -> "AsyncPieces":
        return self

    async def __anext__(self) -> str:
        self._read()
        token = await self._stream._next_async()
        while token is not None and not token.text:
            token = await self._stream._next_async()
        if token is None:
            raise StopAsyncIteration
        return token.text

    async def aclose(self) -> None:
        """Stops the writing and waits until it has stopped."""
        await self._stream.aclose()
