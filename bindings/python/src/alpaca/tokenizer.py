"""Text to tokens and back."""

from __future__ import annotations

import ctypes
import os
import weakref
from ctypes import byref, c_int32, c_size_t, c_void_p
from typing import Optional, Sequence

from . import _abi, _hub
from ._abi import check, lib
from ._hub import Path

#: Kinds of pieces, in the order of their numbers.
KINDS = ("normal", "unknown", "control", "user_defined", "unused", "byte")


class Tokenizer:
    """A sentencepiece ``tokenizer.model``, or a model's own tokenizer. Immutable; may be shared by threads.

    :param path: a ``tokenizer.model``, a folder that has one, a model's file, or a name on the Hugging Face hub.
    :raises Error: with the file's name, what was found and what was expected.
    """

    def __init__(self, path: Path) -> None:
        handle = c_void_p()
        check(lib.alpaca_tokenizer_open(_hub.local(path), byref(handle)))
        self._own(handle)

    def _own(self, handle: c_void_p) -> None:
        self._owner: Optional[object] = None
        self._handle = handle
        self._finalizer = weakref.finalize(self, lib.alpaca_tokenizer_free, handle)

    @classmethod
    def _made(cls, handle: c_void_p) -> "Tokenizer":
        self = cls.__new__(cls)
        self._own(handle)
        return self

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
        return memoryview(ids).cast("B").cast("i")[: n.value].tolist()

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

    def merge(self, extra: Path) -> "Tokenizer":
        """This tokenizer with the pieces of another ``tokenizer.model`` that it lacks behind its own, with score 0: so the tokenizers of
        Chinese-LLaMA were made, and so they are made again, to the byte."""
        handle = c_void_p()
        check(lib.alpaca_tokenizer_merge(self._handle, _hub.local(extra), byref(handle)))
        return Tokenizer._made(handle)

    def add_piece(self, piece: str, *, score: float = 0.0, kind: Optional[str] = None) -> "Tokenizer":
        """This tokenizer with one more piece behind its own.

        :param kind: "normal", "unknown", "control", "user_defined", "unused", "byte"; None writes none into the file, which means normal.
        """
        if kind is not None and kind not in KINDS:
            raise ValueError(f"kind: found {kind!r}, expected None, {', '.join(map(repr, KINDS))}")
        raw = piece.encode()
        handle = c_void_p()
        number = 0 if kind is None else 1 + KINDS.index(kind)
        check(lib.alpaca_tokenizer_add_piece(self._handle, raw, len(raw), score, number, byref(handle)))
        return Tokenizer._made(handle)

    def save(self, path: Path, *, overwrite: bool = False) -> None:
        """Writes the tokenizer as a ``tokenizer.model``: what was opened byte for byte, with what was added behind its last piece. The file
        appears whole or not at all. A model's own tokenizer can't be saved."""
        check(lib.alpaca_tokenizer_save(self._handle, os.fsencode(path), int(overwrite)))

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
