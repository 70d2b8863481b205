"""Conversations."""

from __future__ import annotations

from ctypes import byref
from typing import TYPE_CHECKING, AsyncIterator, Optional

from . import _checks, options as _options
from ._errors import CancelledError
from ._messages import conversation, message_array
from ._writer import Writer
from .options import FinishReason
from .session import Session
from .stream import Stream

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from .model import Model
    from .options import GenerationOptions, SessionOptions


class Chat(_checks.Unpicklable):
    """A conversation, turn by turn. ``messages`` is its record; what was read of it is not read again.

    A turn becomes part of the record when its answer has come to its end. One that fails, is cancelled, or whose reader leaves leaves the
    conversation as it was.
    """

    def __init__(self, model: "Model", system: Optional[str] = None, **options: Unpack[SessionOptions]) -> None:
        _options.known(options, _options.SESSION_NAMES, "chat")
        if system is not None:
            _checks.text("system", system)
        self.session = Session(model, **options)
        self.messages: list[dict[str, str]] = [] if system is None else [{"role": "system", "content": system}]

    def send(self, message: str, **options: Unpack[GenerationOptions]) -> str:
        """The whole answer to a message.

        :raises CancelledError: after :meth:`Session.cancel`.
        """
        stream = self.stream(message, **options)
        try:
            text = stream.read()
        finally:
            stream.close()
        return _whole(stream, text)

    def stream(self, message: str, **options: Unpack[GenerationOptions]) -> Stream:
        """The answer while it is written."""
        turn = {"role": "user", "content": message}
        message_array([turn], {})
        _options.known(options, _options.GENERATION_NAMES, "chat")
        params = _options.generation_params(options)

        def begin() -> Writer:
            return self.session._write(*conversation([*self.messages, turn], options, self.session.model), byref(params))

        def completed(stream: Stream) -> None:
            self.messages += [turn, {"role": "assistant", "content": stream.text}]

        return Stream(begin, completed)

    def astream(self, message: str, **options: Unpack[GenerationOptions]) -> AsyncIterator[str]:
        """As :meth:`stream`, for ``async for``."""
        return self.stream(message, **options).__aiter__()

    async def asend(self, message: str, **options: Unpack[GenerationOptions]) -> str:
        """As :meth:`send`, awaited."""
        stream = self.stream(message, **options)
        try:
            text = "".join([piece async for piece in stream])
        finally:
            await stream.aclose()
        return _whole(stream, text)

    def close(self) -> None:
        """Frees the session."""
        self.session.close()

    def __enter__(self) -> "Chat":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<alpaca.Chat of {len(self.messages)} messages in {self.session!r}>"


def _whole(stream: Stream, text: str) -> str:
    """The text, if nobody has cut it off."""
    if stream.result is None or stream.result.finish_reason == FinishReason.CANCELLED:
        raise CancelledError("the answer was cancelled; the conversation is as it was before")
    return text
