"""Sessions: one conversation with a model."""

from __future__ import annotations

import ctypes
import math
import time
import weakref
from collections.abc import Mapping
from ctypes import byref, c_float, c_int32, c_size_t, c_void_p
from typing import TYPE_CHECKING, Any, Callable, Iterable, Optional, Sequence, Union

from . import _abi, _calls, _checks, options as _options
from ._abi import check, lib
from ._checks import Path
from ._errors import InvalidArgumentError
from ._messages import conversation
from ._progress import Callback, ProgressFunction, initialized
from ._writer import Writer
from .imatrix import imatrix_params
from .options import FinishReason
from .results import GenerationResult as GenerationResult
from .results import Perplexity as Perplexity
from .results import Token as Token
from .stream import Stream

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from .model import Model
    from .options import GenerationOptions, SamplingOptions

_One = c_int32 * 1
_MOST_ID = _checks.INT32[1]
_now = time.perf_counter

FINISH_REASONS = tuple(FinishReason)
_CACHE_TYPES = {"f32": 0, "f16": 1, "q8_0": 8}
_ROPE_SCALINGS = {"model": 0, "none": 1, "linear": 2, "yarn": 3, "ntk": 4, "dynamic": 5}


def cache_type_number(name: Any) -> int:
    """The C constant of a cache's type."""
    return _CACHE_TYPES[_checks.choice("cache_type", name, _CACHE_TYPES)]


def session_params(
    *,
    n_ctx: int = 0,
    n_batch: int = 512,
    n_threads: int = 0,
    cache_type: str = "f16",
    rope_theta: float = 0,
    rope_scale: float = 0,
    rope_scaling: str = "model",
    rope_alpha: Union[float, str] = "auto",
    rope_original_ctx: int = 0,
    yarn_attn_factor: float = 0,
    yarn_beta_fast: float = 0,
    yarn_beta_slow: float = 0,
    grow_on_demand: bool = False,
) -> _abi.SessionParams:
    """The C struct for a session's options."""
    params: _abi.SessionParams = initialized(_abi.SessionParams(), lib.alpaca_session_params_init)
    params.n_ctx = _checks.integer("n_ctx", n_ctx)
    params.n_batch = _checks.integer("n_batch", n_batch)
    params.n_threads = _checks.integer("n_threads", n_threads)
    params.type_k = params.type_v = cache_type_number(cache_type)
    params.rope_theta = _checks.number("rope_theta", rope_theta)
    params.rope_scale = _checks.number("rope_scale", rope_scale)
    params.rope_scaling = _ROPE_SCALINGS[_checks.choice("rope_scaling", rope_scaling, _ROPE_SCALINGS)]
    params.rope_alpha = 0 if rope_alpha == "auto" else _checks.number("rope_alpha", rope_alpha)
    params.rope_original_ctx = _checks.integer("rope_original_ctx", rope_original_ctx)
    params.yarn_attn_factor = _checks.number("yarn_attn_factor", yarn_attn_factor)
    params.yarn_beta_fast = _checks.number("yarn_beta_fast", yarn_beta_fast)
    params.yarn_beta_slow = _checks.number("yarn_beta_slow", yarn_beta_slow)
    params.grow_on_demand = int(_checks.flag("grow_on_demand", grow_on_demand))
    return params


class _Owner:
    """Holds a session of the library, which goes when nobody holds this any more: neither a :class:`Session` that is open, nor a view of
    its logits, nor a call."""

    __slots__ = ("handle", "__weakref__")

    def __init__(self, handle: c_void_p) -> None:
        self.handle = handle
        # Not when the program ends: views may be read until the very end.
        weakref.finalize(self, lib.alpaca_session_free, handle).atexit = False


class Session(_checks.Unpicklable):
    """One conversation with a model: what it has read and what it will say next. One thread at a time; :meth:`cancel` from any.

    :param n_ctx: positions that the session can hold; 0 for what the model was trained for.
    :param n_batch: tokens of a prompt that are computed together at most; the result does not depend on it.
    :param n_threads: 0 for one on each physical core; the model's sessions share them. The result does not depend on it.
    :param cache_type: "f16", "f32" or "q8_0", type of the key and value caches.
    :param rope_theta: 0 for the model's.
    :param rope_scale: the factor of ``rope_scaling``; 0 for the model's, or where that has none of the kind, ``n_ctx`` over the original
        context. With "model" positions are divided by it.
    :param rope_scaling: "model" (as its files say), "none", "linear", "yarn", "ntk" (the base grows by ``rope_alpha``) or "dynamic"
        (transformers' dynamic NTK). With "dynamic", and "ntk" without an alpha, the base follows the length of the text at the end of each
        call; see ``alpaca_rope_scaling`` in alpaca.h.
    :param rope_alpha: for "ntk"; "auto": by the length of the text, as Chinese-LLaMA-Alpaca's scripts have it.
    :param rope_original_ctx: positions that the model was trained for before any scaling; 0 for what its files say.
    :param yarn_attn_factor: what YaRN multiplies cosine and sine with; 0 for what follows from the factor.
    :param yarn_beta_fast: turns from which on YaRN keeps a frequency; 0 for the model's, or 32.
    :param yarn_beta_slow: turns below which YaRN divides a frequency; 0 for the model's, or 1.
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
        rope_scaling: str = "model",
        rope_alpha: Union[float, str] = "auto",
        rope_original_ctx: int = 0,
        yarn_attn_factor: float = 0,
        yarn_beta_fast: float = 0,
        yarn_beta_slow: float = 0,
        grow_on_demand: bool = False,
    ) -> None:
        params = session_params(
            n_ctx=n_ctx,
            n_batch=n_batch,
            n_threads=n_threads,
            cache_type=cache_type,
            rope_theta=rope_theta,
            rope_scale=rope_scale,
            rope_scaling=rope_scaling,
            rope_alpha=rope_alpha,
            rope_original_ctx=rope_original_ctx,
            yarn_attn_factor=yarn_attn_factor,
            yarn_beta_fast=yarn_beta_fast,
            yarn_beta_slow=yarn_beta_slow,
            grow_on_demand=grow_on_demand,
        )
        self._owner: Optional[_Owner] = None
        self._create(model, params)

    @classmethod
    def _of(cls, model: "Model", params: _abi.SessionParams) -> "Session":
        self = cls.__new__(cls)
        self._owner = None
        self._create(model, params)
        return self

    def _create(self, model: "Model", params: _abi.SessionParams) -> None:
        from .model import Model

        if not isinstance(model, Model):
            raise _checks.wrong_type("model", model, "an alpaca.Model")
        #: Texts that are being written.
        self._writers: list[Writer] = []
        #: Seconds that a token took when one was read, when several were, and in :func:`step`; endless until it is known.
        self._pace_of_one = self._pace_of_many = self._pace_of_step = math.inf
        self._view: Any = None
        self.model = model
        handle = c_void_p()
        outcome = _calls.perform(lib.alpaca_session_create, model._open(), byref(params), byref(handle))
        if outcome.status == _abi.OK:
            self._owner = _Owner(handle)
        outcome.conclude()

    def _open(self) -> c_void_p:
        """The handle, for a call that may be made now."""
        owner = self._owner
        if owner is None:
            raise InvalidArgumentError("session: found a handle that is freed, since it was closed; expected an open session")
        return owner.handle

    def _mine(self) -> c_void_p:
        """The handle, for a call that needs the session for itself: a text that nobody reads any more ends."""
        if self._writers:
            self._writers = [writer for writer in self._writers if not writer.ended and not writer.give_way()]
        return self._open()

    # ---- Text

    def generate(self, prompt: str, **options: Unpack[GenerationOptions]) -> Stream:
        """Answers ``prompt`` (with a template) or continues it (``template="none"``). See :func:`Model.generate` for the options."""
        _options.known(options, _options.GENERATION_NAMES, "generate")
        raw, params = _checks.text("prompt", prompt), _options.generation_params(options)
        return Stream(lambda: self._write(lib.alpaca_session_generate, raw, len(raw), byref(params)))

    def chat(self, messages: Sequence[Mapping[str, Any]], **options: Unpack[GenerationOptions]) -> Stream:
        """Writes the assistant's answer to a conversation: dicts with ``role`` ("system", "user", "assistant", "tool") and ``content``. A
        template in Jinja2 gets what else they have: ``tool_calls``, a content of parts, and so on.

        The prompt depends on the messages alone: with ``seed`` a fresh session gives the same answer. With ``context_shift`` the oldest turns
        of a conversation that does not fit are left out of the prompt.
        """
        _options.known(options, _options.GENERATION_NAMES, "chat")
        call, params = conversation(messages, options, self.model), _options.generation_params(options)
        return Stream(lambda: self._write(*call, byref(params)))

    def _write(self, function: Callable[..., int], *arguments: Any) -> Writer:
        """Begins to write."""
        self._mine()
        owner = self._owner
        assert owner is not None
        writer = Writer(
            lambda callback, result: function(owner.handle, *arguments, callback, None, result),
            lambda: lib.alpaca_session_cancel(owner.handle),
        )
        self._writers.append(writer)
        return writer

    # ---- Tokens

    def append(self, ids: Sequence[int]) -> "Session":
        """Reads token ids after what the session holds."""
        # One token after the other is what most calls are about: nothing else happens to them here.
        if type(ids) is list and len(ids) == 1 and type(ids[0]) is int and 0 <= ids[0] <= _MOST_ID:
            array, n, pace = _One(ids[0]), 1, self._pace_of_one
        else:
            array = _checks.token_ids("ids", ids)
            n = len(array)
            pace = self._pace_of_one if n == 1 else self._pace_of_many * n
        handle = self._mine()
        began = _now()
        if pace > _calls.SHORT and _calls.on_main_thread():
            _calls.lasting(lib.alpaca_session_append, handle, array, n, cancel=self.cancel)
        else:
            status = lib.alpaca_session_append(handle, array, n)
            if status:
                check(status)
        if n == 1:
            self._pace_of_one = _now() - began
        elif n:
            self._pace_of_many = (_now() - began) / n
        return self

    @property
    def logits(self) -> Any:
        """The logits for the next token: a NumPy array, or a memoryview without NumPy.

        It is a view: the session's next call writes the next logits into it. Copy what you keep (``logits.copy()``, ``list(logits)``). A
        view stays readable when the session is closed, and keeps its memory.
        """
        pointer = ctypes.POINTER(c_float)()
        n = c_size_t()
        check(lib.alpaca_session_logits(self._mine(), byref(pointer), byref(n)))
        if self._view is None:
            array = (c_float * n.value).from_address(ctypes.addressof(pointer.contents))
            setattr(array, "_owner", self._owner)  # whoever has a view has the memory
            try:
                import numpy
            except ImportError:
                self._view = memoryview(array).cast("B").cast("f")
            else:
                self._view = numpy.ctypeslib.as_array(array)
        return self._view[:]

    def sample(self, **options: Unpack[SamplingOptions]) -> int:
        """Draws the next token from the logits; it is not appended.

        With ``seed`` it is the token that :meth:`generate` draws at this position, each time it is called.
        """
        id = c_int32()
        params = _options.sampling_params(options)
        check(lib.alpaca_session_sample(self._mine(), byref(params), byref(id)))
        return id.value

    def truncate(self, n_tokens: int) -> None:
        """Forgets all positions from ``n_tokens`` on; their memory goes back to the system, in whole pages of 64."""
        count = _checks.integer("n_tokens", n_tokens, *_checks.UINT64)
        check(lib.alpaca_session_truncate(self._mine(), count))

    def perplexity(
        self, text: str, *, n_ctx: int = 0, stride: int = 0, progress: Union[bool, ProgressFunction, None] = None
    ) -> Perplexity:
        """The perplexity of ``text``; what the session held before is forgotten.

        :param n_ctx: tokens of a window; 0 for the session's.
        :param stride: 0 as llama-perplexity: windows side by side, the second half of each is scored. Else windows begin that many
            tokens apart and each token is scored once.
        :param progress: True for a bar, or a function of (stage, item, tokens done, tokens in all), called after each window; returning
            False cancels.
        """
        raw = _checks.text("text", text)
        params = initialized(_abi.PerplexityParams(), lib.alpaca_perplexity_params_init)
        params.n_ctx, params.stride = _checks.integer("n_ctx", n_ctx), _checks.integer("stride", stride)
        callback = Callback(progress, cancel=self.cancel, patience=_calls.LONG_PATIENCE)
        params.progress = callback.pointer
        found = _abi.PerplexityResult(struct_size=ctypes.sizeof(_abi.PerplexityResult))
        callback.run(lib.alpaca_perplexity, self._mine(), raw, len(raw), byref(params), byref(found))
        return Perplexity(
            found.perplexity, found.standard_error, found.mean_nll, found.n_tokens, found.n_windows, found.n_scored
        )

    def imatrix(
        self, text: str, output: Path, *, progress: Union[bool, ProgressFunction, None] = None, **options: Any
    ) -> dict[str, Any]:
        """Measures an importance matrix; what the session held before is forgotten. Options as of :meth:`Model.imatrix`."""
        raw = _checks.text("text", text)
        params = imatrix_params(output, **options)
        callback = Callback(progress, cancel=self.cancel, patience=_calls.LONG_PATIENCE)
        params.progress = callback.pointer
        return callback.report(lib.alpaca_imatrix, self._mine(), raw, len(raw), byref(params))

    def cancel(self) -> None:
        """Asks the call that is under way to stop; from any thread."""
        owner = self._owner
        if owner is not None:
            lib.alpaca_session_cancel(owner.handle)

    # ---- What it is

    @property
    def position(self) -> int:
        """Positions that are filled."""
        return int(lib.alpaca_session_position(self._open()))

    @property
    def n_ctx(self) -> int:
        """Positions that the session can hold."""
        return int(lib.alpaca_session_context_length(self._open()))

    @property
    def n_threads(self) -> int:
        """Threads that compute."""
        return int(lib.alpaca_session_thread_count(self._open()))

    @property
    def tokens(self) -> list[int]:
        """The tokens at the positions that are filled."""
        handle = self._mine()
        capacity = self.position
        while True:
            ids = (c_int32 * capacity)()
            n = c_size_t()
            status = lib.alpaca_session_tokens(handle, ids, capacity, byref(n))
            if status != _abi.BUFFER_TOO_SMALL:
                check(status)
                return list(ids[: n.value])
            capacity = n.value

    def close(self) -> None:
        """Frees the session. Calls and texts that are under way end. Views of its logits stay readable, and keep the logits' memory."""
        owner, self._owner, self._view = self._owner, None, None
        if owner is None:
            return
        for writer in self._writers:
            writer.end()
        lib.alpaca_session_cancel(owner.handle)
        # What its positions take goes at once, though a view may keep the session.
        lib.alpaca_session_truncate(owner.handle, 0)

    def __enter__(self) -> "Session":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        state = "closed" if self._owner is None else f"{self.position} of {self.n_ctx} positions"
        return f"<alpaca.Session of {self.model.path!r}: {state}>"


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
    if not isinstance(inputs, Iterable) or isinstance(inputs, (str, bytes)):
        raise _checks.wrong_type("inputs", inputs, "pairs of a session and token ids")
    pairs = []
    for i, pair in enumerate(inputs):
        if not isinstance(pair, (tuple, list)) or len(pair) != 2 or not isinstance(pair[0], Session):
            raise _checks.wrong_type(f"inputs[{i}]", pair, "a pair of a session and token ids")
        if pair[0]._owner is None:
            raise InvalidArgumentError(f"inputs[{i}].session: found a handle that is freed, since it was closed; expected an open session")
        pairs.append((pair[0], _checks.token_ids(f"inputs[{i}].ids", pair[1])))
    array = (_abi.StepInput * len(pairs))(*[_abi.StepInput(session._mine(), ids, len(ids), 0) for session, ids in pairs])
    n = sum(len(ids) for _, ids in pairs)
    if n == 0 or not _calls.on_main_thread():
        check(lib.alpaca_sessions_step(array, len(array)))
        return
    first, began = pairs[0][0], _now()
    if first._pace_of_step * n > _calls.SHORT:
        _calls.lasting(lib.alpaca_sessions_step, array, len(array), cancel=first.cancel)
    else:
        check(lib.alpaca_sessions_step(array, len(array)))
    first._pace_of_step = (_now() - began) / n
