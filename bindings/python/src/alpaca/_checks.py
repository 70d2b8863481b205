"""Arguments: each is looked at before it goes to the library, which would see only what ctypes makes of it: numbers cut to 32 bits, texts
cut at a zero byte. All functions take the argument's name first, for the message."""

from __future__ import annotations

import array
import ctypes
import math
import operator
import os
from collections.abc import Iterable, Mapping, Set
from typing import Any, Union

from ._errors import ArgumentTypeError, InvalidArgumentError

#: What names a file: os.fspath takes it.
Path = Union[str, bytes, "os.PathLike[str]", "os.PathLike[bytes]"]

INT32 = -(1 << 31), (1 << 31) - 1
INT64 = -(1 << 63), (1 << 63) - 1
UINT64 = 0, (1 << 64) - 1
#: The largest number that 32 bits hold, and half a step more, which still rounds to it.
_MOST_FLOAT = float.fromhex("0x1.ffffffp+127")


def shown(value: object) -> str:
    """A value in a message: what it is, in a few words."""
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "..."


def wrong_type(name: str, value: object, expected: str) -> ArgumentTypeError:
    return ArgumentTypeError(f"{name}: found {shown(value)} ({type(value).__name__}), expected {expected}")


def integer(name: str, value: Any, low: int = INT32[0], high: int = INT32[1]) -> int:
    """A whole number; also NumPy's. Not a bool, which is a mistake where a number is expected."""
    if isinstance(value, bool):
        raise wrong_type(name, value, "a whole number")
    try:
        found = operator.index(value)
    except TypeError:
        raise wrong_type(name, value, "a whole number") from None
    if not low <= found <= high:
        raise InvalidArgumentError(f"{name}: found {shown(found)}, expected {low} to {high}")
    return found


def number(name: str, value: Any, single: bool = False) -> float:
    """A number; also NumPy's. `single`: the library keeps it in 32 bits, and one that these can't hold is refused."""
    if isinstance(value, (bool, str, bytes, bytearray)) or not (hasattr(value, "__float__") or hasattr(value, "__index__")):
        raise wrong_type(name, value, "a number")
    try:
        found = float(value)
    except OverflowError:
        raise InvalidArgumentError(f"{name}: found {shown(value)}, expected a number that a float can hold") from None
    except (TypeError, ValueError):
        raise wrong_type(name, value, "a number") from None
    if single and math.isfinite(found) and abs(found) >= _MOST_FLOAT:
        raise InvalidArgumentError(f"{name}: found {found!r}, expected a number that 32 bits can hold")
    return found


def flag(name: str, value: Any) -> bool:
    """True or False; 0 and 1 and NumPy's are taken too, texts like "no" are not."""
    if isinstance(value, bool):
        return value
    if not isinstance(value, (str, bytes, float)):
        try:
            found = operator.index(value)
        except TypeError:
            # numpy.bool has no __index__.
            if type(value).__name__ in ("bool", "bool_"):
                return bool(value)
        else:
            if found in (0, 1):
                return bool(found)
    raise wrong_type(name, value, "True or False")


def text(name: str, value: Any) -> bytes:
    """A text as UTF-8; it may hold zero bytes, since its length goes with it."""
    if not isinstance(value, str):
        raise wrong_type(name, value, "a text (str)")
    try:
        return value.encode()
    except UnicodeEncodeError as error:
        raise InvalidArgumentError(
            f"{name}: found half a character (surrogate U+{ord(value[error.start]):04X}) at index {error.start}, expected text"
        ) from None


def terminated(name: str, value: Any) -> bytes:
    """A text that the library reads up to a zero byte, so that none may be in it."""
    raw = text(name, value)
    if b"\0" in raw:
        raise InvalidArgumentError(f"{name}: found a zero byte in {shown(value)}, expected text without one")
    return raw


def path(name: str, value: Any) -> bytes:
    """A path in the bytes of the system; str, bytes and os.PathLike."""
    try:
        raw = os.fsencode(value)
    except TypeError:
        raise wrong_type(name, value, "a path (str, bytes or os.PathLike)") from None
    except UnicodeEncodeError:
        raise InvalidArgumentError(f"{name}: found {shown(value)}, which the system's encoding of file names can't express") from None
    if b"\0" in raw:
        raise InvalidArgumentError(f"{name}: found a zero byte in {shown(value)}, expected a path without one")
    return raw


def several(name: str, value: Any, expected: str) -> list[Any]:
    """The elements of a list. A text is none, though Python would give its letters; neither is a dict or a set, which has no order."""
    if isinstance(value, (str, bytes, bytearray, Mapping, Set)) or not isinstance(value, Iterable):
        raise wrong_type(name, value, expected)
    return list(value)


def choice(name: str, value: Any, known: Iterable[Any]) -> Any:
    """One of a few values."""
    found = list(known)
    # `in` would compare an array element by element.
    if not isinstance(value, (str, type(None))):
        raise wrong_type(name, value, f"one of {', '.join(map(repr, found))}")
    if value not in found:
        raise InvalidArgumentError(f"{name}: found {shown(value)}, expected {', '.join(map(repr, found))}")
    return value


def token_ids(name: str, ids: Any) -> Any:
    """An array of ids for the library. array takes whole numbers alone, and refuses what 32 bits can't hold."""
    if isinstance(ids, (str, bytes, bytearray, Mapping, Set)):
        raise wrong_type(name, ids, "a list of token ids")
    if not isinstance(ids, (list, tuple)):
        try:
            ids = ids.tolist() if hasattr(ids, "tolist") else list(ids)  # NumPy's arrays have plain numbers to give
        except TypeError:
            raise wrong_type(name, ids, "a list of token ids") from None
    try:
        numbers = array.array("i", ids)
    except OverflowError:
        bad = next((i, id) for i, id in enumerate(ids) if not INT32[0] <= int(id) <= INT32[1])
        raise InvalidArgumentError(f"{name}: token id at index {bad[0]}: found {shown(bad[1])}, more than 32 bits") from None
    except (TypeError, ValueError):
        raise wrong_type(name, ids, "a list of token ids (whole numbers)") from None
    if not numbers:
        return (ctypes.c_int32 * 0)()
    return (ctypes.c_int32 * len(numbers)).from_buffer(numbers)


class Unpicklable:
    """What stands for an object of the library: a copy of it, or what another process makes of it, would stand for nothing."""

    def __reduce_ex__(self, _: Any) -> Any:
        raise ArgumentTypeError(f"can't copy or pickle an alpaca.{type(self).__name__}: it stands for memory of this process")
