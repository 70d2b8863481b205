"""The thread on which a text is written, and what it hands to its reader."""

from __future__ import annotations

import atexit
import ctypes
import os
import threading
import time
import weakref
from collections import deque
from ctypes import byref
from typing import Any, Callable, Optional, Union

from . import _abi, _calls
from ._errors import Error, make_error
from .options import FinishReason
from .results import GenerationResult, Token

#: How long, in seconds, a token that is being computed is waited for when a text is to end.
_A_TOKEN = 0.03
#: Tokens that the model may be ahead of the reader.
AHEAD = 32

#: Makes one call of the library: (callback, result) -> status.
Call = Callable[[Any, Any], int]
_REASONS = list(FinishReason)


class Writer:
    """One call of the library that writes text, on a thread of its own.

    It knows its reader only as who takes tokens: a reader that is dropped is not kept alive by what is written for it.
    """

    def __init__(self, call: Call, cancel: Callable[[], None]) -> None:
        self._call, self._cancel = call, cancel
        self._change = threading.Condition()
        self._tokens: "deque[Token]" = deque()
        self._wakers: list[Callable[[], None]] = []
        #: Nobody wants more.
        self._stopped = False
        #: The loop over the text was left: nothing is written until somebody reads on.
        self._left = False
        #: How many loops and calls of ``next`` read the text just now; while one does, no other call gets the session.
        self._readers = 0
        #: It waits for its reader, between two tokens.
        self._waits = False
        #: Ended since another call wanted the session.
        self.gave_way = False
        #: What the library warned of.
        self.said: list[str] = []
        #: How it ended; None while it goes on.
        self.outcome: Union[GenerationResult, BaseException, None] = None
        _running.add(self)
        threading.Thread(target=self._work, name="alpaca-writer", daemon=True).start()

    # ---- On its own thread

    def _work(self) -> None:
        failure: list[BaseException] = []

        def on_token(pointer: Any, _: Any) -> int:
            try:
                event = pointer.contents
                candidates = [(c.id, c.logprob) for c in event.candidates[: event.n_candidates]] if event.n_candidates else []
                text = ctypes.string_at(event.text, event.text_length).decode()
                return 0 if self._put(Token(event.id, event.index, text, event.logprob, candidates)) else 1
            except BaseException as error:  # an exception can't pass through the library
                failure.append(error)
                return 1

        outcome: Union[GenerationResult, BaseException]
        said: list[str] = []
        try:
            result = _abi.GenerationResult(struct_size=ctypes.sizeof(_abi.GenerationResult))
            if self._stopped:
                outcome = GenerationResult(FinishReason.CANCELLED, 0, 0, 0, 0.0, 0.0)
            else:
                end = _calls.perform(self._call, _abi.TokenCallback(on_token), byref(result))
                said = end.said
                if failure:
                    outcome = failure[0]
                elif end.status != _abi.OK:
                    outcome = make_error(end.status, end.message)
                else:
                    outcome = self._made(result)
        except BaseException as error:
            outcome = error
        with self._change:
            self.said += said
            # What the call needed may go before anybody who waits for its end looks.
            del self._call, self._cancel
            self.outcome = outcome
            self._changed()
        _running.discard(self)

    def _made(self, result: _abi.GenerationResult) -> GenerationResult:
        reason = _REASONS[result.finish_reason]
        return GenerationResult(
            # The callback says no when the writing is stopped, and only then.
            FinishReason.CANCELLED if reason == FinishReason.CALLBACK else reason,
            result.n_prompt,
            result.n_cached,
            result.n_generated,
            result.prompt_ns / 1e9,
            result.generation_ns / 1e9,
            result.n_left_out,
        )

    def _put(self, token: Token) -> bool:
        """Hands a token over and waits while the reader is too far behind. False when nobody wants more."""
        with self._change:
            self._tokens.append(token)
            self._changed()
            self._waits = True
            while not self._stopped and (self._left or len(self._tokens) >= AHEAD):
                self._change.wait()
            self._waits = False
            return not self._stopped

    def _changed(self) -> None:
        self._change.notify_all()
        wakers, self._wakers = self._wakers, []
        for wake in wakers:
            wake()

    # ---- For the reader

    def take(self) -> Optional[Token]:
        """The next token, which is waited for; None when there is none any more."""
        task: Optional[_calls.Task] = None
        with self._change:
            self._readers += 1
            try:
                while True:
                    token = self._next()
                    if token is not None or self.outcome is not None:
                        return token
                    task = task or _calls.Task()
                    if not self._change.wait(task.patience):
                        task.check()
            finally:
                self._readers -= 1

    def take_at_once(self, wake: Callable[[], None]) -> "tuple[bool, Optional[Token]]":
        """Whether there is an answer, and what :meth:`take` would give; `wake` is called once when there may be one."""
        with self._change:
            token = self._next()
            if token is not None or self.outcome is not None:
                return True, token
            self._wakers.append(wake)
            return False, None

    def _next(self) -> Optional[Token]:
        if self._left:
            self._left = False
            self._change.notify_all()
        if not self._tokens:
            return None
        if len(self._tokens) == AHEAD:
            self._change.notify_all()
        return self._tokens.popleft()

    # ---- For everybody

    @property
    def ended(self) -> bool:
        return self.outcome is not None

    def enter(self) -> None:
        """A loop over the text begins."""
        with self._change:
            self._readers += 1

    def leave(self) -> None:
        """A loop over the text was left. The writing pauses until it is read on."""
        with self._change:
            self._readers -= 1
            self._left = self._readers == 0

    def give_way(self) -> bool:
        """Ends a writing that nobody reads, since another call wants its session. False when somebody does."""
        with self._change:
            if self._readers and not self._stopped:
                return False
            self.gave_way = not self._stopped
        self.end()
        return True

    def stop(self) -> None:
        """Ends the writing, without waiting for its end. A finalizer may do it."""
        self._stopped = True
        with self._change:
            self._change.notify_all()
            # Not when it has ended: the session may be in use by another call then. One that waits for its reader ends by itself, and
            # leaves the session with the logits of its last token.
            if self.outcome is None and not self._waits:
                self._cancel()

    def end(self, timeout: float = float("inf")) -> None:
        """Ends the writing and waits until it has ended: first for the token that is being computed, so that the session has the logits that
        follow what it holds; then it is cut off. A cancel before the call has begun does nothing: so it is done again and again."""
        self._stopped = True
        began = time.monotonic()
        while self.outcome is None and time.monotonic() - began < timeout:
            if time.monotonic() - began > _A_TOKEN:
                self.stop()
            with self._change:
                self._change.notify_all()
                if self.outcome is None:
                    self._change.wait(0.01)

    def forget(self) -> None:
        """In the child of a fork: the thread does not exist there."""
        self._change = threading.Condition()
        self._stopped = True
        self.outcome = Error("the text was being written when the process was forked")


_running: "weakref.WeakSet[Writer]" = weakref.WeakSet()


def _end_all() -> None:
    """No thread may be in the library, on its way to Python, when there is no Python any more."""
    for writer in list(_running):
        writer.end(timeout=5)


def _forked() -> None:
    for writer in list(_running):
        writer.forget()
    _running.clear()


atexit.register(_end_all)
os.register_at_fork(after_in_child=_forked)
