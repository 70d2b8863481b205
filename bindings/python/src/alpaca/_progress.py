"""Progress of long calls: to a function of the caller, or as a bar (tqdm's where it is installed)."""

from __future__ import annotations

import sys
import time
from typing import Any, Callable, Optional, Union

from . import _abi

#: Told of progress: (stage, item, bytes done, bytes in all); returning False cancels.
ProgressFunction = Callable[[str, str, int, int], Optional[bool]]


class Callback:
    """The C callback of one call. What the function raises stops the call, and is raised again by :meth:`check`."""

    def __init__(self, progress: Union[bool, ProgressFunction, None]) -> None:
        self._failure: Optional[BaseException] = None
        self._bar: Optional[Bar] = Bar() if progress is True else None
        function = self._bar if self._bar is not None else progress
        self.pointer = _abi.ProgressCallback()
        if callable(function):
            self.pointer = _abi.ProgressCallback(lambda progress, _: self._call(function, progress))

    def _call(self, function: ProgressFunction, pointer: Any) -> int:
        try:
            p = pointer.contents
            return 1 if function(p.stage.decode(), p.item.decode("utf-8", "replace"), p.done, p.total) is False else 0
        except BaseException as error:
            self._failure = error
            return 1

    def check(self, status: int) -> None:
        """Ends the bar and raises what went wrong."""
        if self._bar is not None:
            self._bar.close()
        if self._failure is not None:
            raise self._failure
        _abi.check(status)


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
