"""Text to tokens and back."""

from __future__ import annotations

import os
import weakref
from ctypes import byref, c_int32, c_size_t, c_void_p
from typing import TYPE_CHECKING, Any, Callable, Optional, Sequence

from . import _abi, _calls, _checks, _hub
from ._abi import check, lib
from ._checks import Path
from ._errors import InvalidArgumentError

if TYPE_CHECKING:
    from .model import Model

#: Kinds of pieces, in the order of their numbers.
KINDS = ("normal", "unknown", "control", "user_defined", "unused", "byte")
#: Texts of more bytes, and lists of more ids, may take long.
_LONG = 1 << 16


class Tokenizer(_checks.Unpicklable):
    """A sentencepiece ``tokenizer.model``, or a model's own tokenizer. Immutable; may be shared by threads.

    :param path: a ``tokenizer.model``, a folder that has one, a model's file, or a name on the Hugging Face hub.
    :raises Error: with the file's name, what was found and what was expected.
    """

    def __init__(self, path: Path) -> None:
        self._made(os.fsdecode(_checks.path("path", path)), lib.alpaca_tokenizer_open, _hub.local("path", path))

    def _made(self, source: str, function: Callable[..., int], *arguments: Any) -> None:
        """Takes the handle that a function's last argument receives."""
        handle = c_void_p()
        _calls.lasting(function, *arguments, byref(handle), undo=lambda: lib.alpaca_tokenizer_free(handle))
        #: What it was opened by.
        self.path = source
        self._model: Optional["Model"] = None
        self._handle = handle
        self._finalizer: "weakref.finalize[..., Any]" = weakref.finalize(self, lib.alpaca_tokenizer_free, handle)

    @classmethod
    def _of_model(cls, handle: int, model: "Model") -> "Tokenizer":
        self = cls.__new__(cls)
        self.path = model.path
        self._model = model
        self._handle = c_void_p(handle)
        self._finalizer = model._finalizer
        return self

    def _open(self) -> c_void_p:
        """The handle, for a call that may be made now."""
        if not self._finalizer.alive:
            what = "it" if self._model is None else "its model"
            raise InvalidArgumentError(f"tokenizer: found a handle that is freed, since {what} ({self.path}) was closed; expected an open one")
        return self._handle

    def __len__(self) -> int:
        return int(lib.alpaca_tokenizer_size(self._open()))

    def encode(self, text: str, *, add_bos: bool = False, add_eos: bool = False, parse_special: bool = False) -> list[int]:
        """The ids of ``text``, as sentencepiece gives them.

        :param parse_special: names of control tokens in the text are those tokens; never for what a user typed.
        """
        if not isinstance(text, str):
            raise _checks.wrong_type("text", text, "a text (str)")
        # Half a character is U+FFFD, as bytes are that are not UTF-8.
        raw = text.encode("utf-8", "surrogatepass")
        flags = _abi.ADD_BOS * _checks.flag("add_bos", add_bos)
        flags |= _abi.ADD_EOS * _checks.flag("add_eos", add_eos)
        flags |= _abi.PARSE_SPECIAL * _checks.flag("parse_special", parse_special)
        handle, n = self._open(), c_size_t()
        # A token takes at least a byte; two more for the ends, one for the blank in front. Bytes that are not UTF-8 can become more.
        ids: Any = (c_int32 * (len(raw) + 4))()

        def tokenize() -> int:
            nonlocal ids
            status = lib.alpaca_tokenize(handle, raw, len(raw), flags, ids, len(ids), byref(n))
            if status == _abi.BUFFER_TOO_SMALL:
                ids = (c_int32 * n.value)()
                status = lib.alpaca_tokenize(handle, raw, len(raw), flags, ids, len(ids), byref(n))
            return int(status)

        if len(raw) > _LONG:
            _calls.lasting(tokenize)
        else:
            check(tokenize())
        return memoryview(ids).cast("B").cast("i")[: n.value].tolist()

    def decode(self, ids: Sequence[int]) -> str:
        """The text of ``ids``, without control tokens and the blank in front."""
        array, handle = _checks.token_ids("ids", ids), self._open()
        n = len(array)
        return _calls.read_text(
            lambda buffer, capacity, needed: lib.alpaca_detokenize(handle, array, n, buffer, capacity, needed), may_last=n > _LONG
        )

    def piece(self, id: int) -> str:
        """A token's piece as the vocabulary has it, with U+2581 for blanks."""
        number, handle = _checks.integer("id", id), self._open()
        return _calls.read_text(lambda buffer, capacity, needed: lib.alpaca_token_piece(handle, number, buffer, capacity, needed))

    def merge(self, extra: Path) -> "Tokenizer":
        """This tokenizer with the pieces of another ``tokenizer.model`` that it lacks behind its own, with score 0: so the tokenizers of
        Chinese-LLaMA were made, and so they are made again, to the byte."""
        made = Tokenizer.__new__(Tokenizer)
        made._made(self.path, lib.alpaca_tokenizer_merge, self._open(), _hub.local("extra", extra))
        return made

    def add_piece(self, piece: str, *, score: float = 0.0, kind: Optional[str] = None) -> "Tokenizer":
        """This tokenizer with one more piece behind its own.

        :param kind: "normal", "unknown", "control", "user_defined", "unused", "byte"; None writes none into the file, which means normal.
        """
        number = 0 if _checks.choice("kind", kind, (None, *KINDS)) is None else 1 + KINDS.index(str(kind))
        raw, value = _checks.text("piece", piece), _checks.number("score", score, single=True)
        made = Tokenizer.__new__(Tokenizer)
        made._made(self.path, lib.alpaca_tokenizer_add_piece, self._open(), raw, len(raw), value, number)
        return made

    def save(self, path: Path, *, overwrite: bool = False) -> None:
        """Writes the tokenizer as a ``tokenizer.model``: what was opened byte for byte, with what was added behind its last piece. The file
        appears whole or not at all. A model's own tokenizer can't be saved.

        :param overwrite: a ``tokenizer.model`` of that name is replaced; not another kind of file, nor one that this tokenizer was made from.
        """
        _calls.call(lib.alpaca_tokenizer_save, self._open(), _checks.path("path", path), int(_checks.flag("overwrite", overwrite)))

    def _special(self, which: int) -> Optional[int]:
        id = c_int32()
        status = lib.alpaca_token_special(self._open(), which, byref(id))
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
        if self._model is None:
            self._finalizer()

    def __enter__(self) -> "Tokenizer":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        state = f"{len(self):,} pieces" if self._finalizer.alive else "closed"
        return f"<alpaca.Tokenizer {self.path!r}: {state}>"
