"""Errors: one class a kind, each also the built-in exception that fits, so that `except FileNotFoundError` works."""

from __future__ import annotations

__all__ = [
    "BadFormatError",
    "BusyError",
    "CancelledError",
    "ContextFullError",
    "Error",
    "InvalidArgumentError",
    "ModelIOError",
    "ModelMemoryError",
    "ModelNotFoundError",
    "UnsupportedError",
    "VerificationError",
]


class Error(Exception):
    """Any error of the library. `status` is the number of `alpaca_status`."""

    status: int = 16


class InvalidArgumentError(Error, ValueError):
    """An argument is out of its range, or text is not UTF-8."""


class ModelNotFoundError(Error, FileNotFoundError):
    """The file or the key does not exist."""


class ModelIOError(Error, OSError):
    """The system could not read or write."""


class BadFormatError(Error, ValueError):
    """The file is damaged, incomplete, or not what it should be."""


class UnsupportedError(Error, NotImplementedError):
    """The file or the request is sound but this version can't do it."""


class ModelMemoryError(Error, MemoryError):
    """Not enough memory."""


class ContextFullError(Error):
    """More tokens than the session's n_ctx can hold."""


class BusyError(Error, RuntimeError):
    """The session is in use by another thread."""


class CancelledError(Error):
    """The call was cancelled."""


class VerificationError(Error, ValueError):
    """A file's hash is not the published one."""


_CLASSES: dict[int, type[Error]] = {
    1: InvalidArgumentError,
    2: ModelNotFoundError,
    3: ModelIOError,
    4: BadFormatError,
    5: UnsupportedError,
    6: BadFormatError,
    7: BadFormatError,
    8: BadFormatError,
    9: BadFormatError,
    10: ModelMemoryError,
    11: ContextFullError,
    13: BusyError,
    14: CancelledError,
    15: VerificationError,
}


def make_error(status: int, message: str) -> Error:
    error = _CLASSES.get(status, Error)(message)
    error.status = status
    return error
