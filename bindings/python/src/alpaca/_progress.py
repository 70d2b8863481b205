"""Progress of long calls: to a function of the caller, or as a bar (tqdm's where it is installed)."""

from __future__ import annotations

import ctypes
import json
import sys
import time
from ctypes import byref, c_void_p
from typing import Any, Callable, Optional, Union

from . import _abi
from ._abi import lib
from ._calls import PATIENCE, Lasting
from ._checks import wrong_type

#: Told of progress: (stage, item, bytes done, bytes in all); returning False cancels.
ProgressFunction = Callable[[str, str, int, int], Optional[bool]]


class Callback:
    """The C callback of one call, which is always there: through it Ctrl-C ends the call. What the caller's function raises ends it too, and
    is raised by :meth:`run`."""

    def __init__(
        self,
        progress: Union[bool, ProgressFunction, None],
        *,
        cancel: Optional[Callable[[], None]] = None,
        undo: Optional[Callable[[], None]] = None,
        patience: float = PATIENCE,
    ) -> None:
        if not (progress is None or isinstance(progress, bool) or callable(progress)):
            raise wrong_type("progress", progress, "True, False, None or a function of (stage, item, done, total)")
        self._bar: Optional[Bar] = Bar() if progress is True else None
        self._function: Optional[ProgressFunction] = self._bar or (progress if callable(progress) else None)
        self._failure: Optional[BaseException] = None
        self._undo = undo
        self._call = Lasting(ask=self._ask, cancel=cancel, undo=self._give_back, patience=patience)
        self.pointer = _abi.ProgressCallback(self._told)

    def _ask(self, stage: str, item: str, done: int, total: int) -> bool:
        return self._function is None or self._function(stage, item, done, total) is not False

    def _told(self, pointer: Any, _: Any) -> int:
        # An exception can't pass through the library.
        try:
            p = pointer.contents
            return 0 if self._call.step(p.stage.decode(), p.item.decode("utf-8", "replace"), p.done, p.total) else 1
        except BaseException as error:
            self._failure = error
            return 1

    def _give_back(self) -> None:
        if self._undo is not None:
            self._undo()

    def run(self, function: Callable[..., int], *arguments: Any) -> None:
        """Makes the call, ends the bar and raises what went wrong."""
        try:
            self._call.run(function, *arguments)
            if self._failure is not None:  # too late to end the call
                self._give_back()
        finally:
            if self._bar is not None:
                self._bar.close()
            if self._failure is not None:
                raise self._failure

    def report(self, function: Callable[..., int], *arguments: Any) -> dict[str, Any]:
        """Makes a call whose last argument receives a report as JSON."""
        text = c_void_p()
        self._undo = lambda: lib.alpaca_string_free(text)
        self.run(function, *arguments, byref(text))
        result: dict[str, Any] = json.loads(_abi.take_string(text))
        return result


def report(function: Callable[..., int], *arguments: Any) -> dict[str, Any]:
    """The same without progress: a call that can't be stopped, and is left alone when Ctrl-C comes."""
    text = c_void_p()
    Lasting(undo=lambda: lib.alpaca_string_free(text)).run(function, *arguments, byref(text))
    result: dict[str, Any] = json.loads(_abi.take_string(text))
    return result


def initialized(params: Any, function: Callable[..., int]) -> Any:
    """A struct with the library's defaults."""
    _abi.check(function(byref(params), ctypes.sizeof(params)))
    return params


class Bar:
    """A bar on standard error: tqdm's, or a plain line where tqdm is not installed."""

    def __init__(self) -> None:
        try:
            from tqdm.auto import tqdm

            self._tqdm: Any = tqdm
        except ImportError:
            self._tqdm = None
        self._stage = ""
        self._bar: Any = None
        self._last = 0.0

    def __call__(self, stage: str, item: str, done: int, total: int) -> None:
        if self._tqdm is None:
            now = time.monotonic()
            if stage != self._stage or done == total or now - self._last > 0.2:
                self._stage, self._last = stage, now
                share = f"{100 * done // total}%" if total else f"{done >> 20} MB"
                sys.stderr.write(f"\r\x1b[K{stage} {share}  {item}")
                sys.stderr.flush()
            return
        if stage != self._stage:
            self._end()
            self._stage = stage
            self._bar = self._tqdm(total=total or None, desc=stage, unit="B", unit_scale=True)
        self._bar.set_postfix_str(item, refresh=False)
        self._bar.update(done - self._bar.n)

    def _end(self) -> None:
        if self._bar is not None:
            self._bar.close()
            self._bar = None

    def close(self) -> None:
        self._end()
        if self._tqdm is None and self._stage:
            sys.stderr.write("\r\x1b[K")
