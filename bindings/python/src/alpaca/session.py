"""Sessions: one conversation with a model, and the text that it writes."""

from __future__ import annotations

import asyncio
import ctypes
import queue
import threading
import weakref
from ctypes import byref, c_float, c_int32, c_size_t, c_void_p
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, AsyncIterator, Callable, Iterable, Iterator, Mapping, Optional, Sequence

from . import _abi
from ._abi import check, lib

if TYPE_CHECKING:
    from .model import Model

FINISH_REASONS = ("end_of_sequence", "stop_string", "length", "context_full", "callback", "cancelled")
_ROLES = {"system": 0, "user": 1, "assistant": 2}
_CACHE_TYPES = {"f32": 0, "f16": 1, "q8_0": 8}


def cache_type_number(name: str) -> int:
    """The C constant of a cache's type."""
    if name not in _CACHE_TYPES:
        raise ValueError(f"cache_type: found {name!r}, expected 'f16', 'f32' or 'q8_0'")
    return _CACHE_TYPES[name]


@dataclass(frozen=True)
class GenerationResult:
    """How a text ended: counts of tokens and times in seconds.

    ``n_cached`` are the prompt's tokens that needed not be read: the session had read them before, or they were held for another
    session of the model.
    """

    finish_reason: str
    n_prompt: int
    n_cached: int
    n_generated: int
    prompt_seconds: float
    generation_seconds: float


@dataclass(frozen=True)
class Perplexity:
    """How well a model foresees a text: ``perplexity`` = exp(``mean_nll``) over ``n_scored`` tokens."""

    perplexity: float
    standard_error: float
    mean_nll: float
    n_tokens: int
    n_windows: int
    n_scored: int


@dataclass(frozen=True)
class Token:
    """A token that was written; ``text`` is what became whole with it. ``logprob`` is NaN unless ``n_probs`` is above 0."""

    id: int
    index: int
    text: str
    logprob: float
    candidates: list[tuple[int, float]]


def generation_params(**options: Any) -> _abi.GenerationParams:
    """The C struct for keyword options; what is not named keeps its default. The struct keeps what it points to alive."""
    params = _abi.GenerationParams()
    check(lib.alpaca_generation_params_init(byref(params), ctypes.sizeof(params)))
    keep: list[Any] = []
    for name, value in options.items():
        if name == "seed":
            if value is not None:
                params.use_seed, params.seed = 1, value
        elif name == "stop":
            texts = [value] if isinstance(value, str) else list(value or ())
            array = (ctypes.c_char_p * len(texts))(*[text.encode() for text in texts])
            keep.append(array)
            params.stop, params.n_stop = ctypes.cast(array, ctypes.POINTER(ctypes.c_char_p)), len(texts)
        elif name == "logit_bias":
            pairs: Mapping[int, float] = value or {}
            biases = (_abi.LogitBias * len(pairs))(*[_abi.LogitBias(id, bias) for id, bias in pairs.items()])
            keep.append(biases)
            params.logit_bias, params.n_logit_bias = biases, len(pairs)
        elif name == "template":
            params.template_name = None if value is None else value.encode()
        elif name == "system":
            params.system = None if value is None else value.encode()
        elif name in ("context_shift", "ignore_eos"):
            setattr(params, name, int(value))
        elif name in _OPTIONS:
            setattr(params, name, value)
        else:
            raise TypeError(f"unknown option {name!r}; known are {', '.join(sorted(_OPTIONS | _SPECIAL))}")
    params._keep = keep
    return params


_SPECIAL = {"seed", "stop", "logit_bias", "template", "system", "context_shift", "ignore_eos"}
_OPTIONS = {
    "max_new_tokens",
    "top_k",
    "temperature",
    "top_p",
    "min_p",
    "repetition_penalty",
    "repeat_last_n",
    "presence_penalty",
    "frequency_penalty",
    "n_probs",
    "n_keep",
}

#: Runs one call of the library with a token callback: (callback, result) -> status.
_Call = Callable[[Any, Any], int]


class Stream(Iterator[str]):
    """Text while it is written: iterate over it. Leaving the loop, or an exception in it, stops the writing.

    The model works on a thread of its own, at most a few tokens ahead of the reader.
    """

    def __init__(self, session: "Session", call: _Call) -> None:
        #: How it ended; None until it has.
        self.result: Optional[GenerationResult] = None
        #: All text so far.
        self.text = ""
        self._session = session
        self._tokens: "queue.Queue[Any]" = queue.Queue(maxsize=64)
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=_write, args=(call, self._put, self._tokens), daemon=True)
        self._thread.start()

    def _put(self, token: Token) -> bool:
        while not self._stopped.is_set():
            try:
                self._tokens.put(token, timeout=0.1)
                return True
            except queue.Full:
                continue
        return False

    def tokens(self) -> Iterator[Token]:
        """The same, token by token."""
        try:
            while self.result is None:
                item = self._tokens.get()
                if isinstance(item, Token):
                    self.text += item.text
                    yield item
                elif isinstance(item, BaseException):
                    self._thread.join()
                    self._stopped.set()
                    raise item
                else:
                    self._thread.join()
                    self.result = item
        finally:
            self.close()

    def __iter__(self) -> Iterator[str]:
        for token in self.tokens():
            if token.text:
                yield token.text

    def __next__(self) -> str:
        for text in iter(self):
            return text
        raise StopIteration

    def close(self) -> None:
        """Stops the writing and waits until it has stopped."""
        self._stopped.set()
        while self._thread.is_alive():
            self._session.cancel()
            while True:
                try:
                    item = self._tokens.get_nowait()
                except queue.Empty:
                    break
                if isinstance(item, GenerationResult):
                    self.result = item
            self._thread.join(0.01)

    def read(self) -> str:
        """Waits for the whole text."""
        for _ in self.tokens():
            pass
        return self.text

    async def _aiter(self) -> AsyncIterator[str]:
        loop = asyncio.get_running_loop()
        iterator = iter(self)
        end = object()
        try:
            while True:
                text = await loop.run_in_executor(None, next, iterator, end)
                if text is end:
                    return
                yield str(text)
        finally:
            await loop.run_in_executor(None, self.close)

    def __aiter__(self) -> AsyncIterator[str]:
        return self._aiter()


def _write(call: _Call, put: Callable[[Token], bool], end: "queue.Queue[Any]") -> None:
    """The thread's work: the call, then what it ended with."""
    failure: list[BaseException] = []

    def on_token(pointer: Any, _: Any) -> int:
        try:
            event = pointer.contents
            candidates = [(c.id, c.logprob) for c in event.candidates[: event.n_candidates]] if event.n_candidates else []
            text = ctypes.string_at(event.text, event.text_length).decode()
            return 0 if put(Token(event.id, event.index, text, event.logprob, candidates)) else 1
        except BaseException as error:  # an exception can't pass through the library
            failure.append(error)
            return 1

    result = _abi.GenerationResult(struct_size=ctypes.sizeof(_abi.GenerationResult))
    outcome: Any
    try:
        check(call(_abi.TokenCallback(on_token), byref(result)))
        if failure:
            raise failure[0]
        outcome = GenerationResult(
            FINISH_REASONS[result.finish_reason],
            result.n_prompt,
            result.n_cached,
            result.n_generated,
            result.prompt_ns / 1e9,
            result.generation_ns / 1e9,
        )
    except BaseException as error:
        outcome = error
    end.put(outcome)


class Session:
    """One conversation with a model: what it has read and what it will say next. One thread at a time; :meth:`cancel` from any.

    :param n_ctx: positions that the session can hold; 0 for what the model was trained for.
    :param n_batch: tokens of a prompt that are computed together at most; the result does not depend on it.
    :param n_threads: 0 for one on each physical core; the model's sessions share them. The result does not depend on it.
    :param cache_type: "f16", "f32" or "q8_0", type of the key and value caches.
    :param rope_theta: 0 for the model's.
    :param rope_scale: 0 for the model's.
    :param grow_on_demand: False promises the memory for the keys and values of ``n_ctx`` positions here, and no later call fails for
        want of it. True takes it as positions are filled: a call that reads tokens can then raise :class:`ModelMemoryError`.
    :raises ModelMemoryError: when the machine, or the model's ``cache_bytes``, does not have what is promised.
    """

    def __init__(
        self,
        model: "Model",
        *,
        n_ctx: int = 0,
        n_batch: int = 512,
        n_threads: int = 0,
        cache_type: str = "f16",
        rope_theta: float = 0,
        rope_scale: float = 0,
        grow_on_demand: bool = False,
    ) -> None:
        kind = cache_type_number(cache_type)
        params = _abi.SessionParams()
        check(lib.alpaca_session_params_init(byref(params), ctypes.sizeof(params)))
        params.n_ctx, params.n_batch, params.n_threads = n_ctx, n_batch, n_threads
        params.type_k, params.type_v = kind, kind
        params.rope_theta, params.rope_scale = rope_theta, rope_scale
        params.grow_on_demand = int(grow_on_demand)
        handle = c_void_p()
        check(lib.alpaca_session_create(model._handle, byref(params), byref(handle)))
        self.model = model
        self._handle = handle
        self._finalizer = weakref.finalize(self, lib.alpaca_session_free, handle)

    def generate(self, prompt: str, **options: Any) -> Stream:
        """Answers ``prompt`` (with a template) or continues it (``template="none"``). See :func:`Model.generate` for the options."""
        raw = prompt.encode()
        params = generation_params(**options)
        return Stream(
            self,
            lambda callback, result: int(
                lib.alpaca_session_generate(self._handle, raw, len(raw), byref(params), callback, None, result)
            ),
        )

    def chat(self, messages: Sequence[Mapping[str, str]], **options: Any) -> Stream:
        """Writes the assistant's answer to a conversation: dicts with ``role`` ("system", "user", "assistant") and ``content``.

        The prompt depends on the messages alone: with ``seed`` a fresh session gives the same answer.
        """
        contents = [message["content"].encode() for message in messages]
        roles = [message["role"] for message in messages]
        for role in roles:
            if role not in _ROLES:
                raise ValueError(f"role: found {role!r}, expected one of {', '.join(_ROLES)}")
        array = (_abi.Message * len(messages))(
            *[_abi.Message(_ROLES[role], 0, content, len(content)) for role, content in zip(roles, contents)]
        )
        params = generation_params(**options)
        return Stream(
            self,
            lambda callback, result: int(
                lib.alpaca_session_chat(self._handle, array, len(array), byref(params), callback, None, result)
            ),
        )

    def append(self, ids: Sequence[int]) -> "Session":
        """Reads token ids after what the session holds."""
        check(lib.alpaca_session_append(self._handle, (c_int32 * len(ids))(*ids), len(ids)))
        return self

    @property
    def logits(self) -> Any:
        """The logits for the next token: a NumPy array, or a memoryview without NumPy. It is a view, valid until the next call."""
        pointer = ctypes.POINTER(c_float)()
        n = c_size_t()
        check(lib.alpaca_session_logits(self._handle, byref(pointer), byref(n)))
        array = (c_float * n.value).from_address(ctypes.addressof(pointer.contents))
        setattr(array, "_session", self)  # the view keeps its memory alive
        try:
            import numpy
        except ImportError:
            return memoryview(array).cast("B").cast("f")
        return numpy.ctypeslib.as_array(array)

    def sample(self, **options: Any) -> int:
        """Draws the next token from the logits; it is not appended.

        With ``seed`` it is the token that :meth:`generate` draws at this position, each time it is called.
        """
        id = c_int32()
        check(lib.alpaca_session_sample(self._handle, byref(generation_params(**options)), byref(id)))
        return id.value

    def perplexity(self, text: str, *, n_ctx: int = 0, stride: int = 0) -> Perplexity:
        """The perplexity of ``text``; what the session held before is forgotten.

        :param n_ctx: tokens of a window; 0 for the session's.
        :param stride: 0 as llama-perplexity: windows side by side, the second half of each is scored. Else windows begin that many
            tokens apart and each token is scored once.
        """
        raw = text.encode()
        params = _abi.PerplexityParams(struct_size=ctypes.sizeof(_abi.PerplexityParams), n_ctx=n_ctx, stride=stride)
        found = _abi.PerplexityResult(struct_size=ctypes.sizeof(_abi.PerplexityResult))
        check(lib.alpaca_perplexity(self._handle, raw, len(raw), byref(params), byref(found)))
        return Perplexity(
            found.perplexity, found.standard_error, found.mean_nll, found.n_tokens, found.n_windows, found.n_scored
        )

    def truncate(self, n_tokens: int) -> None:
        """Forgets all positions from ``n_tokens`` on; their memory goes back to the system, in whole pages of 64."""
        if n_tokens < 0:
            raise ValueError(f"n_tokens: found {n_tokens}, expected 0 or more")
        check(lib.alpaca_session_truncate(self._handle, n_tokens))

    def cancel(self) -> None:
        """Asks the call that is under way to stop; from any thread."""
        if self._finalizer.alive:
            lib.alpaca_session_cancel(self._handle)

    @property
    def position(self) -> int:
        """Positions that are filled."""
        return int(lib.alpaca_session_position(self._handle))

    @property
    def n_ctx(self) -> int:
        """Positions that the session can hold."""
        return int(lib.alpaca_session_context_length(self._handle))

    @property
    def n_threads(self) -> int:
        """Threads that compute."""
        return int(lib.alpaca_session_thread_count(self._handle))

    @property
    def tokens(self) -> list[int]:
        """The tokens at the positions that are filled."""
        capacity = self.n_ctx
        ids = (c_int32 * capacity)()
        n = c_size_t()
        check(lib.alpaca_session_tokens(self._handle, ids, capacity, byref(n)))
        return list(ids[: n.value])

    def close(self) -> None:
        """Frees the session."""
        self._finalizer()

    def __enter__(self) -> "Session":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def step(inputs: Iterable[tuple[Session, Sequence[int]]]) -> None:
    """Reads token ids in several sessions of one model together: weights are read from memory once for all of them.

    Afterwards :attr:`Session.logits` and :meth:`Session.sample` of each session tell what follows its last id; they are the same as after
    :meth:`Session.append`, to the last bit. The first session's ``n_threads`` and ``n_batch`` hold for the call.

    Threads that each use a session of their own need not call this: what they do at the same time is combined too.

    :param inputs: pairs of a session and one id or more; each session once.
    :raises BusyError: when a session is in use. No session has changed after this and after the errors of arguments.
    :raises ContextFullError: when the ids of a session do not fit.
    :raises CancelledError: after :meth:`Session.cancel` of any of them; each holds what it held before.
    """
    pairs = [(session._handle, (c_int32 * len(ids))(*ids)) for session, ids in inputs]
    array = (_abi.StepInput * len(pairs))(*[_abi.StepInput(handle, ids, len(ids), 0) for handle, ids in pairs])
    check(lib.alpaca_sessions_step(array, len(array)))
