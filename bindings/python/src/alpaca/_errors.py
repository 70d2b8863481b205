"""Errors: one class a kind, each also the built-in exception that fits, so that `except FileNotFoundError` works."""

from __future__ import annotations

import enum

__all__ = [
    "ArgumentTypeError",
    "BadFormatError",
    "BusyError",
    "CancelledError",
    "ContextFullError",
    "Error",
    "InvalidArgumentError",
    "MissingKeyError",
    "ModelIOError",
    "ModelMemoryError",
    "ModelNotFoundError",
    "Status",
    "UnsupportedError",
    "VerificationError",
]


class Status(enum.IntEnum):
    """The numbers of `alpaca_status`."""

    OK = 0
    INVALID_ARGUMENT = 1
    NOT_FOUND = 2
    IO = 3
    BAD_FORMAT = 4
    UNSUPPORTED = 5
    TRUNCATED = 6
    SHAPE_MISMATCH = 7
    MISSING = 8
    UNSAFE = 9
    OUT_OF_MEMORY = 10
    CONTEXT_FULL = 11
    BUFFER_TOO_SMALL = 12
    BUSY = 13
    CANCELLED = 14
    VERIFICATION_FAILED = 15
    INTERNAL = 16


class Error(Exception):
    """Any error of the library. `status` tells its kind more closely than the class."""

    status: Status = Status.INTERNAL


class InvalidArgumentError(Error, ValueError):
    """An argument is out of its range, text is not UTF-8, or what is used was closed."""

    status = Status.INVALID_ARGUMENT


class ArgumentTypeError(InvalidArgumentError, TypeError):
    """An argument is of another type than expected, or there is none of its name."""


class ModelNotFoundError(Error, FileNotFoundError):
    """The file does not exist."""

    status = Status.NOT_FOUND


class MissingKeyError(Error, KeyError):
    """A file has no metadata key of that name."""

    status = Status.NOT_FOUND

    # KeyError would show the message in quotes.
    __str__ = Exception.__str__


class ModelIOError(Error, OSError):
    """The system could not read or write, or the hub could not be reached."""

    status = Status.IO


class BadFormatError(Error, ValueError):
    """The file is damaged, incomplete, or not what it should be."""

    status = Status.BAD_FORMAT


class UnsupportedError(Error, NotImplementedError):
    """The file or the request is sound but this version can't do it."""

    status = Status.UNSUPPORTED


class ModelMemoryError(Error, MemoryError):
    """Not enough memory."""

    status = Status.OUT_OF_MEMORY


class ContextFullError(Error, ValueError):
    """More tokens than the session's n_ctx can hold."""

    status = Status.CONTEXT_FULL


class BusyError(Error, RuntimeError):
    """The session is in use by another call."""

    status = Status.BUSY


class CancelledError(Error, RuntimeError):
    """The call was cancelled."""

    status = Status.CANCELLED


class VerificationError(Error, ValueError):
    """A file's hash is not the published one."""

    status = Status.VERIFICATION_FAILED


_CLASSES: dict[int, type[Error]] = {
    Status.INVALID_ARGUMENT: InvalidArgumentError,
    Status.NOT_FOUND: ModelNotFoundError,
    Status.IO: ModelIOError,
    Status.BAD_FORMAT: BadFormatError,
    Status.UNSUPPORTED: UnsupportedError,
    Status.TRUNCATED: BadFormatError,
    Status.SHAPE_MISMATCH: BadFormatError,
    Status.MISSING: BadFormatError,
    Status.UNSAFE: BadFormatError,
    Status.OUT_OF_MEMORY: ModelMemoryError,
    Status.CONTEXT_FULL: ContextFullError,
    Status.BUSY: BusyError,
    Status.CANCELLED: CancelledError,
    Status.VERIFICATION_FAILED: VerificationError,
}


def make_error(status: int, message: str) -> Error:
    error = _CLASSES.get(status, Error)(message)
    # A number of a later library has no name here.
    error.status = Status(status) if status in Status._value2member_map_ else Status.INTERNAL
    return error
