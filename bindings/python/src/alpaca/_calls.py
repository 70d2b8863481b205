"""How the library is called: so that Ctrl-C is heard while a call lasts, and that its warnings come out as Python's.

The interpreter runs signal handlers on the main thread, between steps of Python code. A call of the library that lasts would keep them
waiting. So on the main thread such a call is made by a thread of its own, while the main thread waits for it, which signals interrupt. When
a handler raises (KeyboardInterrupt), the call is cancelled; when none does, it goes on. What a caller's progress function does is done on
the caller's thread all the same. Calls from other threads are made as they are: no signal is meant for them.
"""

from __future__ import annotations

import asyncio
import atexit
import ctypes
import os
import queue
import sys
import threading
import time
import warnings
import weakref
from typing import Any, Callable, Optional

from . import _abi
from ._abi import lib
from ._errors import make_error

#: A call of which it is known that it takes less than this, in seconds, is made on the main thread as it is.
SHORT = 0.02
#: How long a call that was told to end is waited for, in seconds; the library answers within milliseconds. Then it is left alone.
PATIENCE = 0.08
#: The same where it matters that it has ended: a file is being written, a session is in use.
LONG_PATIENCE = 2.0
_get_ident = threading.get_ident
_FOLDER = os.path.dirname(os.path.abspath(__file__)) + os.sep


class Warning(UserWarning):
    """What the library wants people to know about a call that went well. See :mod:`warnings` for how to silence it."""


# ---- Warnings -----------------------------------------------------------------------------------------------------------------------------


class _Thread(threading.local):
    """What is known of each thread: how many calls of ours it is in, what the library said meanwhile, whether it is telling a warning."""

    depth = 0
    telling = False

    def __init__(self) -> None:
        self.said: list[str] = []


_thread = _Thread()


def tell(texts: list[str]) -> None:
    """Gives warnings to Python, as of the first caller outside of this package. What is said while one is told is not told: a hook of the
    program's that calls the library would go round in circles."""
    if not texts or _thread.telling:
        return
    _thread.telling = True
    failure: Optional[BaseException] = None
    try:
        for text in texts:
            try:
                warnings.warn(text, Warning, stacklevel=_level())
            except BaseException as error:  # filters can make errors of warnings; the others are told all the same
                failure = failure or error
    finally:
        _thread.telling = False
    if failure is not None:
        raise failure


def warn(text: str) -> None:
    """A warning of the package's own."""
    tell([text])


def _level() -> int:
    """The stacklevel, as of :func:`tell`, of the first frame outside of this package."""
    frame = sys._getframe(1)
    level = 1
    while frame.f_back is not None and frame.f_code.co_filename.startswith(_FOLDER):
        frame = frame.f_back
        level += 1
    return level


def _listen(entry: Any, _: Any) -> None:
    """The library's log, on the thread of the call. Warnings of our calls are told when these have returned: what a filter raises in here
    could not pass through the library."""
    if entry.contents.level != 2:
        return  # errors are raised
    text = ctypes.string_at(entry.contents.text, entry.contents.text_length).decode("utf-8", "replace")
    if _thread.depth:
        _thread.said.append(text)
    else:
        tell([text])  # a call of somebody else's who has the same library


_listener = _abi.LogCallback(_listen)
lib.alpaca_set_log_callback(_listener, None)
# Other threads may call the library until the end; then there is no Python that could be told.
atexit.register(lib.alpaca_set_log_callback, _abi.LogCallback(), None)


# ---- Calls --------------------------------------------------------------------------------------------------------------------------------


class Outcome:
    """How a call ended, as the thread knows that made it."""

    __slots__ = ("status", "message", "said")

    def __init__(self, status: int, message: str, said: list[str]) -> None:
        self.status, self.message, self.said = status, message, said

    def conclude(self) -> None:
        """Tells what the library warned of, and raises what went wrong."""
        if self.status == _abi.OK:
            tell(self.said)
            return
        try:
            tell(self.said)
        finally:
            raise make_error(self.status, self.message)


def perform(function: Callable[..., int], *arguments: Any) -> Outcome:
    """Makes a call on this thread."""
    _thread.depth += 1
    try:
        status = function(*arguments)
        message = "" if status == _abi.OK else lib.alpaca_last_error().decode("utf-8", "replace")
    finally:
        _thread.depth -= 1
    said: list[str] = []
    if _thread.said and not _thread.depth:
        said, _thread.said = _thread.said, said
    return Outcome(status, message, said)


def call(function: Callable[..., int], *arguments: Any) -> None:
    """Makes a call that is short."""
    perform(function, *arguments).conclude()


#: The main thread's number; the one that forks is its child's.
_main = threading.main_thread().ident


def _forked() -> None:
    global _main
    _main = threading.main_thread().ident


os.register_at_fork(after_in_child=_forked)


def on_main_thread() -> bool:
    return _get_ident() == _main


class Task:
    """The task of asyncio that waits, if one does. Since Python 3.11 asyncio's handler of Ctrl-C does not raise but cancels its main task,
    which would hear of it at its next ``await``: it is looked for here."""

    #: Seconds between two looks; None for none.
    patience: Optional[float] = None

    def __init__(self) -> None:
        try:
            task = asyncio.current_task()
        except RuntimeError:  # no loop runs on this thread
            return
        if task is not None and hasattr(task, "cancelling"):
            self._task, self._before = task, task.cancelling()
            self.patience = 0.05

    def check(self) -> None:
        # `_must_cancel`: it was cancelled before the call began, while this step of it ran, and has not heard of it yet.
        if self.patience is not None and (self._task.cancelling() > self._before or getattr(self._task, "_must_cancel", False)):
            raise asyncio.CancelledError


class Lasting:
    """A call that may last.

    :param ask: told of steps that the call's own thread hands over; what it returns is the answer. Runs on the caller's thread.
    :param cancel: stops the call from another thread; asked again until it has. None when :meth:`step` alone, or nothing, stops it.
    :param undo: gives back what the call made, if it was made in vain.
    :param patience: how long the call is waited for when it was told to end, in seconds.
    """

    def __init__(
        self,
        *,
        ask: Optional[Callable[..., bool]] = None,
        cancel: Optional[Callable[[], None]] = None,
        undo: Optional[Callable[[], None]] = None,
        patience: float = PATIENCE,
    ) -> None:
        self._ask, self._cancel, self._undo, self._patience = ask, cancel, undo, patience
        self._stopped = False
        self._abandoned = False
        self._lock = threading.Lock()
        #: Steps and, at last, the outcome; None while the caller makes the call itself.
        self._inbox: Optional["queue.SimpleQueue[Any]"] = None
        self._answers: "queue.SimpleQueue[bool]" = queue.SimpleQueue()

    def step(self, *what: Any) -> bool:
        """From a callback of the call: whether it is to go on."""
        if self._stopped:
            return False
        if self._ask is None:
            return True
        if self._inbox is None:
            return self._ask(*what)
        self._inbox.put(what)
        return self._answers.get()

    def run(self, function: Callable[..., int], *arguments: Any) -> None:
        """Makes the call, and raises what went wrong."""
        if on_main_thread():
            self._inbox = queue.SimpleQueue()
            worker = threading.Thread(target=self._work, args=(function, arguments), name="alpaca-call", daemon=True)
            try:
                worker.start()
            except RuntimeError:  # no thread is to be had: too many of them, or the interpreter is about to end
                self._inbox = None
            else:
                self._finish(self._wait())
                return
        self._finish(perform(function, *arguments))

    def _finish(self, outcome: Outcome) -> None:
        try:
            outcome.conclude()
        except BaseException:
            self._give_back(outcome)
            raise

    def _give_back(self, outcome: Outcome) -> None:
        if outcome.status == _abi.OK and self._undo is not None:
            self._undo()

    def _work(self, function: Callable[..., int], arguments: tuple[Any, ...]) -> None:
        _at_work.add(threading.current_thread())
        outcome = perform(function, *arguments)
        with self._lock:
            abandoned = self._abandoned
            if not abandoned and self._inbox is not None:
                self._inbox.put(outcome)
        if abandoned:
            self._give_back(outcome)

    def _wait(self) -> Outcome:
        """The outcome. Signal handlers run in here, and may raise."""
        assert self._inbox is not None
        task = Task()
        try:
            while True:
                try:
                    item = self._inbox.get(timeout=task.patience)
                except queue.Empty:
                    task.check()
                    continue
                if isinstance(item, Outcome):
                    return item
                task.check()  # steps may come so often that the time above never passes
                assert self._ask is not None
                self._answers.put(self._ask(*item))
        except BaseException:
            self._stop()
            raise

    def _stop(self) -> None:
        """Ends the call, as far as it can be ended, else leaves it alone."""
        assert self._inbox is not None
        self._stopped = True
        self._answers.put(False)
        try:
            end = time.monotonic() + (self._patience if self._cancel is not None or self._ask is not None else 0)
            while time.monotonic() < end:
                if self._cancel is not None:
                    self._cancel()
                try:
                    item = self._inbox.get(timeout=0.005)
                except queue.Empty:
                    continue
                if isinstance(item, Outcome):
                    self._give_back(item)
                    return
                self._answers.put(False)
        except KeyboardInterrupt:
            pass  # asked twice: not waited for any longer
        with self._lock:
            self._abandoned = True
            late = None
            while not self._inbox.empty():
                late = self._inbox.get()
        if isinstance(late, Outcome):
            self._give_back(late)


def lasting(
    function: Callable[..., int],
    *arguments: Any,
    cancel: Optional[Callable[[], None]] = None,
    undo: Optional[Callable[[], None]] = None,
) -> None:
    """Makes a call that may last and has no callback."""
    Lasting(cancel=cancel, undo=undo, patience=LONG_PATIENCE).run(function, *arguments)


#: The threads that make calls.
_at_work: "weakref.WeakSet[threading.Thread]" = weakref.WeakSet()


def _wait_for_all() -> None:
    """A call that was left alone may still ask Python how to go on: it gets some time to hear that it is not to."""
    end = time.monotonic() + 5
    for thread in list(_at_work):
        thread.join(max(0.0, end - time.monotonic()))


atexit.register(_wait_for_all)


def read_text(call: Callable[[Any, int, Any], int], may_last: bool = False) -> str:
    """Calls `call(buffer, capacity, needed)` with a buffer that is large enough."""
    needed = ctypes.c_size_t()
    buffer = ctypes.create_string_buffer(256)

    def twice() -> int:
        nonlocal buffer
        status = call(buffer, len(buffer), ctypes.byref(needed))
        if status == _abi.BUFFER_TOO_SMALL:
            buffer = ctypes.create_string_buffer(needed.value)
            status = call(buffer, len(buffer), ctypes.byref(needed))
        return status

    if may_last:
        lasting(twice)
    else:
        _abi.check(twice())
    return buffer.raw[: needed.value - 1].decode("utf-8", "replace")
