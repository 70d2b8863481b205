"""Text to tokens and back."""

from __future__ import annotations

import ctypes
import os
import weakref
from ctypes import byref, c_int32, c_size_t, c_void_p
from typing import Optional, Sequence, Union

from . import _abi
from ._abi import check, lib


class Tokenizer:
    """A sentencepiece ``tokenizer.model``, or a model's own tokenizer. Immutable; may be shared by threads.

    :param path: a ``tokenizer.model`` or a model's file.
    :raises Error: with the file's name, what was found and what was expected.
    """

    def __init__(self, path: Union[str, "os.PathLike[str]"]) -> None:
        handle = c_void_p()
        check(lib.alpaca_tokenizer_open(os.fsencode(path), byref(handle)))
        self._owner: Optional[object] = None
        self._handle = handle
        self._finalizer = weakref.finalize(self, lib.alpaca_tokenizer_free, handle)

    @classmethod
    def _of_model(cls, handle: int, owner: object) -> "Tokenizer":
        self = cls.__new__(cls)
        self._owner = owner
        self._handle = c_void_p(handle)
        return self

    def __len__(self) -> int:
        return int(lib.alpaca_tokenizer_size(self._handle))

    def encode(self, text: str, *, add_bos: bool = False, add_eos: bool = False, parse_special: bool = False) -> list[int]:
        """The ids of ``text``, as sentencepiece gives them.

        :param parse_special: names of control tokens in the text are those tokens; never for what a user typed.
        """
        raw = text.encode("utf-8", "surrogatepass")
        flags = _abi.ADD_BOS * add_bos | _abi.ADD_EOS * add_eos | _abi.PARSE_SPECIAL * parse_special
        n = c_size_t()
        # A token takes at least a byte; two more for the ends, one for the blank in front.
        capacity = len(raw) + 4
        ids = (c_int32 * capacity)()
        status = lib.alpaca_tokenize(self._handle, raw, len(raw), flags, ids, capacity, byref(n))
        if status == _abi.BUFFER_TOO_SMALL:
            ids = (c_int32 * n.value)()
            status = lib.alpaca_tokenize(self._handle, raw, len(raw), flags, ids, n.value, byref(n))
        check(status)
        return list(ids[: n.value])

    def decode(self, ids: Sequence[int]) -> str:
        """The text of ``ids``, without control tokens and the blank in front."""
        array = (c_int32 * len(ids))(*ids)
        return _abi.read_text(
            lambda buffer, capacity, needed: lib.alpaca_detokenize(self._handle, array, len(ids), buffer, capacity, needed)
        )

    def piece(self, id: int) -> str:
        """A token's piece as the vocabulary has it, with U+2581 for blanks."""
        return _abi.read_text(
            lambda buffer, capacity, needed: lib.alpaca_token_piece(self._handle, id, buffer, capacity, needed)
        )

    def _special(self, which: int) -> Optional[int]:
        id = c_int32()
        status = lib.alpaca_token_special(self._handle, which, byref(id))
        if status == 2:
            return None
        check(status)
        return id.value

    @property
    def bos(self) -> Optional[int]:
        """The token that begins a text; None if there is none."""
        return self._special(0)

    @property
    def eos(self) -> Optional[int]:
        """The token that ends a text."""
        return self._special(1)

    @property
    def unk(self) -> Optional[int]:
        """The token for what is unknown."""
        return self._special(2)

    @property
    def pad(self) -> Optional[int]:
        """The token that fills up."""
        return self._special(3)

    @property
    def eot(self) -> Optional[int]:
        """The token that ends a turn."""
        return self._special(4)

    def close(self) -> None:
        """Frees the tokenizer, if it is not a model's."""
        if self._owner is None:
            self._finalizer()

    def __enter__(self) -> "Tokenizer":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
