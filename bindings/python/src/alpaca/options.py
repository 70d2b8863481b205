"""What text is written with: the options' names and types, for people, type checkers and the library."""

from __future__ import annotations

import ctypes
import enum
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Callable, Iterable, Optional, TypedDict, Union

from . import _abi, _checks
from ._abi import lib
from ._calls import warn
from ._errors import ArgumentTypeError, InvalidArgumentError
from ._progress import initialized

if TYPE_CHECKING:
    from typing_extensions import Unpack as Unpack


class FinishReason(str, enum.Enum):
    """Why a text ended; equal to its name as a text."""

    END_OF_SEQUENCE = "end_of_sequence"
    STOP_STRING = "stop_string"
    LENGTH = "length"
    CONTEXT_FULL = "context_full"
    CALLBACK = "callback"
    CANCELLED = "cancelled"

    # As the text that it is, in every version of Python.
    __str__ = str.__str__

    def __format__(self, format_spec: str) -> str:
        return format(self.value, format_spec)


class SessionOptions(TypedDict, total=False):
    """What a session is made with; see :class:`Session`."""

    n_ctx: int
    n_batch: int
    n_threads: int
    cache_type: str
    rope_theta: float
    rope_scale: float
    rope_scaling: str
    rope_alpha: Union[float, str]
    rope_original_ctx: int
    yarn_attn_factor: float
    yarn_beta_fast: float
    yarn_beta_slow: float
    grow_on_demand: bool


class SamplingOptions(TypedDict, total=False):
    """How a token is drawn; see :meth:`Model.generate`."""

    temperature: float
    top_k: int
    top_p: float
    min_p: float
    repetition_penalty: float
    repeat_last_n: int
    presence_penalty: float
    frequency_penalty: float
    logit_bias: Optional[Mapping[int, float]]
    seed: Optional[int]


class GenerationOptions(SamplingOptions, total=False):
    """How text is written; see :meth:`Model.generate`."""

    max_new_tokens: int
    stop: Union[str, Iterable[str], None]
    template: Optional[str]
    system: Optional[str]
    n_probs: int
    context_shift: bool
    n_keep: int
    ignore_eos: bool
    chat_template: Optional[str]
    tools: Optional[Iterable[Mapping[str, Any]]]
    documents: Optional[Iterable[Mapping[str, Any]]]
    template_variables: Optional[Mapping[str, Any]]
    template_time: Optional[int]
    continue_final_message: bool
    show_special: bool


class ModelGenerationOptions(SessionOptions, GenerationOptions, total=False):
    """Those of a session and of what is written in it."""


#: By name: what turns the value into the field's.
_Reader = Callable[[str, Any], Any]


def _single(name: str, value: Any) -> float:
    return _checks.number(name, value, single=True)


def _flag(name: str, value: Any) -> int:
    return int(_checks.flag(name, value))


_SAMPLING: dict[str, _Reader] = {
    "temperature": _single,
    "top_k": _checks.integer,
    "top_p": _single,
    "min_p": _single,
    "repetition_penalty": _single,
    "repeat_last_n": _checks.integer,
    "presence_penalty": _single,
    "frequency_penalty": _single,
}
_WRITING: dict[str, _Reader] = {
    "max_new_tokens": _checks.integer,
    "n_probs": _checks.integer,
    "n_keep": _checks.integer,
    "context_shift": _flag,
    "ignore_eos": _flag,
    "continue_final_message": _flag,
    "show_special": _flag,
}
_FIELDS = {**_SAMPLING, **_WRITING}
#: What narrows the choice among tokens, with the value that doesn't.
_CUTS = {"top_k": 0, "top_p": 1, "min_p": 0}

_DEFAULTS: _abi.GenerationParams = initialized(_abi.GenerationParams(), lib.alpaca_generation_params_init)

SAMPLING_NAMES = frozenset(_SAMPLING) | {"logit_bias", "seed"}
#: What is handed over as JSON: the field, and what it has to be.
_JSON = {"tools": "tools", "documents": "documents", "template_variables": "variables"}
GENERATION_NAMES = (
    SAMPLING_NAMES | frozenset(_WRITING) | frozenset(_JSON) | {"stop", "template", "system", "chat_template", "template_time"}
)
SESSION_NAMES = frozenset(SessionOptions.__annotations__)


def known(options: Mapping[str, Any], names: "frozenset[str]", what: str) -> None:
    """Sees that each option is one."""
    for name in options:
        if name not in names:
            raise ArgumentTypeError(f"{what}: unknown option {name!r}; known are {', '.join(sorted(names))}")


def generation_params(options: Mapping[str, Any]) -> _abi.GenerationParams:
    """The C struct for options whose names are known; what is not named keeps its default. The struct keeps what it points to alive."""
    params = _abi.GenerationParams.from_buffer_copy(_DEFAULTS)
    for name, value in options.items():
        if name in _FIELDS:
            setattr(params, name, _FIELDS[name](name, value))
        elif name == "seed":
            _seed(params, value)
        elif name == "stop":
            _stop(params, value)
        elif name == "logit_bias":
            _bias(params, value)
        elif value is None:
            continue
        elif name in _JSON:
            setattr(params, _JSON[name], structure(name, value))
        elif name == "chat_template":
            setattr(params, *template_field(value))
        elif name == "template_time":
            params.template_time = _checks.integer(name, value, *_checks.INT64)
        else:
            setattr(params, {"template": "template_name"}.get(name, name), _checks.terminated(name, value))
    if options.get("chat_template") is not None and options.get("template") is not None:
        raise InvalidArgumentError("template: found a name beside chat_template, expected one of them")
    if options.get("n_keep") is not None and not params.context_shift:
        warn("n_keep has no effect without context_shift=True")
    if params.temperature == 0:
        for name, off in _CUTS.items():
            if options.get(name) is not None and getattr(params, name) != off:
                warn(f"{name} has no effect with temperature=0, which always takes the likeliest token")
    return params


def template_field(value: Any) -> "tuple[str, bytes]":
    """Where a template goes: a text in Jinja2, or the name of one."""
    raw = _checks.terminated("chat_template", value)
    is_text = any(mark in raw for mark in (b"{{", b"{%", b"{#"))
    return ("template_text" if is_text else "template_name"), raw


def structure(name: str, value: Any) -> bytes:
    """A value as JSON: tools and documents are lists of dicts, variables a dict."""
    if name == "template_variables":
        if not isinstance(value, Mapping):
            raise _checks.wrong_type(name, value, "a dict of names and values")
    else:
        value = _checks.several(name, value, "a list of dicts")
        for i, item in enumerate(value):
            if not isinstance(item, Mapping):
                raise _checks.wrong_type(f"{name}[{i}]", item, "a dict")
    return json_bytes(name, value)


def json_bytes(name: str, value: Any) -> bytes:
    try:
        return json.dumps(value, ensure_ascii=False, allow_nan=False, default=_plain).encode()
    except TypeError as error:
        raise ArgumentTypeError(f"{name}: {error}") from None
    except (ValueError, RecursionError) as error:  # NaN, a cycle, half a character
        raise InvalidArgumentError(f"{name}: {error}") from None


def _plain(value: Any) -> Any:
    """What JSON has no word for, but a dict or a list of Python's is like."""
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, (set, frozenset)) or not isinstance(value, Iterable):
        raise TypeError(f"found {value!r:.80}, which JSON has no word for")
    return list(value)


def sampling_params(options: Mapping[str, Any]) -> _abi.GenerationParams:
    """The same where a single token is drawn."""
    if not options.keys() <= SAMPLING_NAMES:
        known(options, GENERATION_NAMES, "sample")
        for name in sorted(options.keys() - SAMPLING_NAMES):
            warn(f"{name} has no effect on a single token that is drawn")
        options = {name: value for name, value in options.items() if name in SAMPLING_NAMES}
    return generation_params(options)


def _seed(params: _abi.GenerationParams, value: Any) -> None:
    """None and -1: other random numbers each time."""
    if value is None:
        return
    seed = _checks.integer("seed", value, -1, _checks.UINT64[1])
    if seed >= 0:
        params.use_seed, params.seed = 1, seed


def _stop(params: _abi.GenerationParams, value: Any) -> None:
    if value is None:
        return
    texts = [value] if isinstance(value, str) else _checks.several("stop", value, "a text or a list of texts")
    raw = [_checks.terminated(f"stop[{i}]", text) for i, text in enumerate(texts)]
    if b"" in raw:
        raise InvalidArgumentError(f"stop[{raw.index(b'')}]: found an empty text, which every answer has; expected one that ends it")
    array = (ctypes.c_char_p * len(raw))(*raw)
    params.stop, params.n_stop = ctypes.cast(array, ctypes.POINTER(ctypes.c_char_p)), len(raw)
    params._stop_texts = array


def _bias(params: _abi.GenerationParams, value: Any) -> None:
    if value is None:
        return
    if not isinstance(value, Mapping):
        raise _checks.wrong_type("logit_bias", value, "a dict of token ids and numbers")
    pairs = [
        _abi.LogitBias(_checks.integer("logit_bias: token id", id), _checks.number(f"logit_bias[{id!r}]", bias, single=True))
        for id, bias in value.items()
    ]
    array = (_abi.LogitBias * len(pairs))(*pairs)
    params.logit_bias, params.n_logit_bias = array, len(pairs)
