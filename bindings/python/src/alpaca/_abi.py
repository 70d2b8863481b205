"""The C interface as ctypes sees it: the structs and functions of alpaca.h, one to one. tests/test_abi.py compares them with the header."""

from __future__ import annotations

import ctypes
import os
import pathlib
from ctypes import (
    CFUNCTYPE,
    POINTER,
    Structure,
    c_char,
    c_char_p,
    c_double,
    c_float,
    c_int32,
    c_int64,
    c_size_t,
    c_uint32,
    c_uint64,
    c_void_p,
)
from typing import Any

from ._errors import make_error

NUL_TERMINATED = c_size_t(-1).value
OK, BUFFER_TOO_SMALL = 0, 12
ADD_BOS, ADD_EOS, PARSE_SPECIAL = 1, 2, 4


class LogEntry(Structure):
    _fields_ = [
        ("struct_size", c_size_t),
        ("level", c_int32),
        ("reserved", c_int32),
        ("text", c_void_p),
        ("text_length", c_size_t),
    ]


LogCallback = CFUNCTYPE(None, POINTER(LogEntry), c_void_p)


class Progress(Structure):
    _fields_ = [
        ("struct_size", c_size_t),
        ("stage", c_char_p),
        ("item", c_char_p),
        ("done", c_uint64),
        ("total", c_uint64),
    ]


ProgressCallback = CFUNCTYPE(c_int32, POINTER(Progress), c_void_p)


class ModelParams(Structure):
    _fields_ = [
        ("struct_size", c_size_t),
        ("use_mmap", c_int32),
        ("lock_memory", c_int32),
        ("prefetch", c_int32),
        ("reserved", c_int32),
        ("progress", ProgressCallback),
        ("user_data", c_void_p),
        ("cache_bytes", c_uint64),
    ]


class ModelInfo(Structure):
    _fields_ = [
        ("struct_size", c_size_t),
        ("n_vocab", c_int32),
        ("n_ctx_train", c_int32),
        ("n_embd", c_int32),
        ("n_layer", c_int32),
        ("n_head", c_int32),
        ("n_head_kv", c_int32),
        ("n_ff", c_int32),
        ("reserved", c_int32),
        ("n_params", c_uint64),
        ("size_bytes", c_uint64),
        ("rope_theta", c_double),
        ("architecture", c_char * 32),
        ("quantization", c_char * 32),
        ("template_name", c_char * 32),
        ("n_expert", c_int32),
        ("n_expert_used", c_int32),
        ("n_params_active", c_uint64),
    ]


class SessionParams(Structure):
    _fields_ = [
        ("struct_size", c_size_t),
        ("n_ctx", c_int32),
        ("n_batch", c_int32),
        ("n_threads", c_int32),
        ("type_k", c_int32),
        ("type_v", c_int32),
        ("reserved", c_int32),
        ("rope_theta", c_double),
        ("rope_scale", c_double),
        ("grow_on_demand", c_int32),
        ("reserved2", c_int32),
        ("rope_scaling", c_int32),
        ("rope_original_ctx", c_int32),
        ("rope_alpha", c_double),
        ("yarn_attn_factor", c_double),
        ("yarn_beta_fast", c_double),
        ("yarn_beta_slow", c_double),
    ]


class LogitBias(Structure):
    _fields_ = [("id", c_int32), ("bias", c_float)]


class GenerationParams(Structure):
    _fields_ = [
        ("struct_size", c_size_t),
        ("max_new_tokens", c_int32),
        ("top_k", c_int32),
        ("temperature", c_float),
        ("top_p", c_float),
        ("min_p", c_float),
        ("repetition_penalty", c_float),
        ("repeat_last_n", c_int32),
        ("presence_penalty", c_float),
        ("frequency_penalty", c_float),
        ("use_seed", c_int32),
        ("seed", c_uint64),
        ("stop", POINTER(c_char_p)),
        ("n_stop", c_size_t),
        ("logit_bias", POINTER(LogitBias)),
        ("n_logit_bias", c_size_t),
        ("template_name", c_char_p),
        ("system", c_char_p),
        ("n_probs", c_int32),
        ("context_shift", c_int32),
        ("n_keep", c_int32),
        ("ignore_eos", c_int32),
        ("template_text", c_char_p),
        ("tools", c_char_p),
        ("documents", c_char_p),
        ("variables", c_char_p),
        ("template_time", c_int64),
        ("continue_final_message", c_int32),
        ("show_special", c_int32),
    ]


class RenderParams(Structure):
    _fields_ = [
        ("struct_size", c_size_t),
        ("template_name", c_char_p),
        ("template_text", c_char_p),
        ("system", c_char_p),
        ("tools", c_char_p),
        ("documents", c_char_p),
        ("variables", c_char_p),
        ("time", c_int64),
        ("add_generation_prompt", c_int32),
        ("continue_final_message", c_int32),
        ("add_bos", c_int32),
        ("reserved", c_int32),
    ]


class GenerationResult(Structure):
    _fields_ = [
        ("struct_size", c_size_t),
        ("finish_reason", c_int32),
        ("reserved", c_int32),
        ("n_prompt", c_uint64),
        ("n_cached", c_uint64),
        ("n_generated", c_uint64),
        ("prompt_ns", c_uint64),
        ("generation_ns", c_uint64),
        ("n_left_out", c_uint64),
    ]


class Candidate(Structure):
    _fields_ = [("id", c_int32), ("logprob", c_float)]


class TokenEvent(Structure):
    _fields_ = [
        ("struct_size", c_size_t),
        ("id", c_int32),
        ("index", c_int32),
        ("text", c_void_p),
        ("text_length", c_size_t),
        ("logprob", c_float),
        ("reserved", c_int32),
        ("candidates", POINTER(Candidate)),
        ("n_candidates", c_size_t),
    ]


TokenCallback = CFUNCTYPE(c_int32, POINTER(TokenEvent), c_void_p)


class Message(Structure):
    _fields_ = [
        ("role", c_int32),
        ("reserved", c_int32),
        ("content", c_char_p),
        ("length", c_size_t),
    ]


class StepInput(Structure):
    _fields_ = [
        ("session", c_void_p),
        ("ids", POINTER(c_int32)),
        ("n_ids", c_size_t),
        ("reserved", c_uint64),
    ]


class PerplexityParams(Structure):
    _fields_ = [
        ("struct_size", c_size_t),
        ("n_ctx", c_int32),
        ("stride", c_int32),
        ("progress", ProgressCallback),
        ("user_data", c_void_p),
    ]


class PerplexityResult(Structure):
    _fields_ = [
        ("struct_size", c_size_t),
        ("n_tokens", c_uint64),
        ("n_windows", c_uint64),
        ("n_scored", c_uint64),
        ("mean_nll", c_double),
        ("perplexity", c_double),
        ("standard_error", c_double),
    ]


class ImatrixParams(Structure):
    _fields_ = [
        ("struct_size", c_size_t),
        ("output", c_char_p),
        ("format", c_int32),
        ("n_ctx", c_int32),
        ("first_chunk", c_int32),
        ("n_chunks", c_int32),
        ("process_output", c_int32),
        ("perplexity", c_int32),
        ("parse_special", c_int32),
        ("overwrite", c_int32),
        ("dataset", c_char_p),
        ("inputs", POINTER(c_char_p)),
        ("n_inputs", c_size_t),
        ("save_interval", c_int32),
        ("reserved", c_int32),
        ("progress", ProgressCallback),
        ("user_data", c_void_p),
    ]


class BenchTest(Structure):
    _fields_ = [
        ("n_prompt", c_int32),
        ("n_gen", c_int32),
        ("depth", c_int32),
        ("n_parallel", c_int32),
        ("n_threads", c_int32),
        ("reserved", c_int32),
    ]


class BenchParams(Structure):
    _fields_ = [
        ("struct_size", c_size_t),
        ("tests", POINTER(BenchTest)),
        ("n_tests", c_size_t),
        ("n_repetitions", c_int32),
        ("n_batch", c_int32),
        ("type_k", c_int32),
        ("type_v", c_int32),
        ("roofs", c_int32),
        ("reserved", c_int32),
        ("progress", ProgressCallback),
        ("user_data", c_void_p),
    ]


class VerifyParams(Structure):
    _fields_ = [
        ("struct_size", c_size_t),
        ("n_threads", c_int32),
        ("fail_on_difference", c_int32),
        ("progress", ProgressCallback),
        ("user_data", c_void_p),
    ]


class Adapter(Structure):
    _fields_ = [("path", c_char_p), ("scale", c_double)]


class TypeOverride(Structure):
    _fields_ = [("pattern", c_char_p), ("type", c_char_p)]


class ConvertParams(Structure):
    _fields_ = [
        ("struct_size", c_size_t),
        ("base", c_char_p),
        ("adapters", POINTER(Adapter)),
        ("n_adapters", c_size_t),
        ("tokenizer", c_char_p),
        ("output", c_char_p),
        ("format", c_int32),
        ("rounding", c_int32),
        ("precision", c_int32),
        ("n_threads", c_int32),
        ("quantization", c_char_p),
        ("overrides", POINTER(TypeOverride)),
        ("n_overrides", c_size_t),
        ("imatrix", c_char_p),
        ("name", c_char_p),
        ("shard_size", c_uint64),
        ("n_shards", c_int32),
        ("pure", c_int32),
        ("overwrite", c_int32),
        ("check", c_int32),
        ("verify_base", c_int32),
        ("hash_output", c_int32),
        ("progress", ProgressCallback),
        ("user_data", c_void_p),
        ("allow_nonfinite", c_int32),
    ]


class ConvertResult(Structure):
    _fields_ = [
        ("struct_size", c_size_t),
        ("size_bytes", c_uint64),
        ("n_merged", c_uint64),
        ("peak_memory", c_uint64),
        ("seconds", c_double),
    ]


#: Each struct of the header.
STRUCTS: dict[str, type[Structure]] = {
    "alpaca_log_entry": LogEntry,
    "alpaca_progress": Progress,
    "alpaca_model_params": ModelParams,
    "alpaca_model_info": ModelInfo,
    "alpaca_session_params": SessionParams,
    "alpaca_logit_bias": LogitBias,
    "alpaca_generation_params": GenerationParams,
    "alpaca_render_params": RenderParams,
    "alpaca_generation_result": GenerationResult,
    "alpaca_candidate": Candidate,
    "alpaca_token_event": TokenEvent,
    "alpaca_message": Message,
    "alpaca_step_input": StepInput,
    "alpaca_perplexity_params": PerplexityParams,
    "alpaca_perplexity_result": PerplexityResult,
    "alpaca_imatrix_params": ImatrixParams,
    "alpaca_bench_test": BenchTest,
    "alpaca_bench_params": BenchParams,
    "alpaca_verify_params": VerifyParams,
    "alpaca_adapter_source": Adapter,
    "alpaca_type_override": TypeOverride,
    "alpaca_convert_params": ConvertParams,
    "alpaca_convert_result": ConvertResult,
}

_handle = c_void_p
_size_out = POINTER(c_size_t)

#: Each function of the header: result and arguments.
FUNCTIONS: dict[str, tuple[Any, list[Any]]] = {
    "alpaca_status_name": (c_char_p, [c_int32]),
    "alpaca_last_error": (c_char_p, []),
    "alpaca_version": (c_char_p, []),
    "alpaca_abi_version": (c_int32, []),
    "alpaca_build_info": (c_char_p, []),
    "alpaca_string_data": (c_void_p, [_handle]),
    "alpaca_string_size": (c_size_t, [_handle]),
    "alpaca_string_free": (None, [_handle]),
    "alpaca_set_log_callback": (None, [LogCallback, c_void_p]),
    "alpaca_model_params_init": (c_int32, [POINTER(ModelParams), c_size_t]),
    "alpaca_model_open": (c_int32, [c_char_p, POINTER(ModelParams), POINTER(_handle)]),
    "alpaca_model_retain": (_handle, [_handle]),
    "alpaca_model_free": (None, [_handle]),
    "alpaca_model_get_info": (c_int32, [_handle, POINTER(ModelInfo)]),
    "alpaca_model_metadata": (c_int32, [_handle, c_char_p, c_void_p, c_size_t, _size_out]),
    "alpaca_model_describe": (c_int32, [_handle, POINTER(_handle)]),
    "alpaca_inspect": (c_int32, [c_char_p, POINTER(_handle)]),
    "alpaca_model_tokenizer": (_handle, [_handle]),
    "alpaca_model_chat_template": (c_int32, [_handle, c_char_p, POINTER(_handle)]),
    "alpaca_render_params_init": (c_int32, [POINTER(RenderParams), c_size_t]),
    "alpaca_model_render_chat": (
        c_int32,
        [_handle, c_char_p, c_size_t, POINTER(RenderParams), POINTER(_handle), POINTER(c_int32), c_size_t, _size_out],
    ),
    "alpaca_tokenizer_open": (c_int32, [c_char_p, POINTER(_handle)]),
    "alpaca_tokenizer_free": (None, [_handle]),
    "alpaca_tokenizer_size": (c_size_t, [_handle]),
    "alpaca_tokenize": (c_int32, [_handle, c_char_p, c_size_t, c_uint32, POINTER(c_int32), c_size_t, _size_out]),
    "alpaca_detokenize": (c_int32, [_handle, POINTER(c_int32), c_size_t, c_void_p, c_size_t, _size_out]),
    "alpaca_token_piece": (c_int32, [_handle, c_int32, c_void_p, c_size_t, _size_out]),
    "alpaca_token_special": (c_int32, [_handle, c_int32, POINTER(c_int32)]),
    "alpaca_tokenizer_merge": (c_int32, [_handle, c_char_p, POINTER(_handle)]),
    "alpaca_tokenizer_add_piece": (c_int32, [_handle, c_char_p, c_size_t, c_float, c_int32, POINTER(_handle)]),
    "alpaca_tokenizer_save": (c_int32, [_handle, c_char_p, c_int32]),
    "alpaca_session_params_init": (c_int32, [POINTER(SessionParams), c_size_t]),
    "alpaca_session_create": (c_int32, [_handle, POINTER(SessionParams), POINTER(_handle)]),
    "alpaca_session_free": (None, [_handle]),
    "alpaca_generation_params_init": (c_int32, [POINTER(GenerationParams), c_size_t]),
    "alpaca_session_generate": (
        c_int32,
        [
            _handle,
            c_char_p,
            c_size_t,
            POINTER(GenerationParams),
            TokenCallback,
            c_void_p,
            POINTER(GenerationResult),
        ],
    ),
    "alpaca_session_chat": (
        c_int32,
        [
            _handle,
            POINTER(Message),
            c_size_t,
            POINTER(GenerationParams),
            TokenCallback,
            c_void_p,
            POINTER(GenerationResult),
        ],
    ),
    "alpaca_session_chat_json": (
        c_int32,
        [
            _handle,
            c_char_p,
            c_size_t,
            POINTER(GenerationParams),
            TokenCallback,
            c_void_p,
            POINTER(GenerationResult),
        ],
    ),
    "alpaca_session_append": (c_int32, [_handle, POINTER(c_int32), c_size_t]),
    "alpaca_sessions_step": (c_int32, [POINTER(StepInput), c_size_t]),
    "alpaca_session_logits": (c_int32, [_handle, POINTER(POINTER(c_float)), _size_out]),
    "alpaca_session_sample": (c_int32, [_handle, POINTER(GenerationParams), POINTER(c_int32)]),
    "alpaca_session_truncate": (c_int32, [_handle, c_size_t]),
    "alpaca_session_position": (c_size_t, [_handle]),
    "alpaca_session_tokens": (c_int32, [_handle, POINTER(c_int32), c_size_t, _size_out]),
    "alpaca_session_context_length": (c_size_t, [_handle]),
    "alpaca_session_thread_count": (c_size_t, [_handle]),
    "alpaca_session_cancel": (None, [_handle]),
    "alpaca_perplexity_params_init": (c_int32, [POINTER(PerplexityParams), c_size_t]),
    "alpaca_perplexity": (
        c_int32,
        [_handle, c_char_p, c_size_t, POINTER(PerplexityParams), POINTER(PerplexityResult)],
    ),
    "alpaca_imatrix_params_init": (c_int32, [POINTER(ImatrixParams), c_size_t]),
    "alpaca_imatrix": (c_int32, [_handle, c_char_p, c_size_t, POINTER(ImatrixParams), POINTER(_handle)]),
    "alpaca_imatrix_combine": (c_int32, [POINTER(ImatrixParams), POINTER(_handle)]),
    "alpaca_bench_params_init": (c_int32, [POINTER(BenchParams), c_size_t]),
    "alpaca_bench": (c_int32, [_handle, POINTER(BenchParams), POINTER(_handle)]),
    "alpaca_verify_params_init": (c_int32, [POINTER(VerifyParams), c_size_t]),
    "alpaca_verify": (c_int32, [POINTER(c_char_p), c_size_t, POINTER(VerifyParams), POINTER(_handle)]),
    "alpaca_convert_params_init": (c_int32, [POINTER(ConvertParams), c_size_t]),
    "alpaca_convert_plan": (c_int32, [POINTER(ConvertParams), POINTER(_handle)]),
    "alpaca_convert": (c_int32, [POINTER(ConvertParams), POINTER(ConvertResult), POINTER(_handle)]),
}


def _load() -> ctypes.CDLL:
    named = os.environ.get("ALPACA_LIBRARY")
    path = pathlib.Path(named) if named else pathlib.Path(__file__).with_name("libalpaca.so.1")
    if not path.exists():
        hint = "ALPACA_LIBRARY names it" if named else "install the package by pip, or name the library by ALPACA_LIBRARY"
        raise ImportError(f"{path}: there is no libalpaca; {hint}", name="alpaca", path=str(path))
    try:
        loaded = ctypes.CDLL(str(path.absolute()))
        for name, (result, arguments) in FUNCTIONS.items():
            function = getattr(loaded, name)
            function.restype = result
            function.argtypes = arguments
    except OSError as error:  # another machine's, or a C library that is too old for it
        raise ImportError(f"libalpaca can't be loaded: {error}", name="alpaca", path=str(path)) from None
    except AttributeError as error:
        raise ImportError(f"{path}: the library is older than this package: {error}", name="alpaca", path=str(path)) from None
    return loaded


lib = _load()


def check(status: int) -> None:
    """Raises what the library says about a call that failed."""
    if status != OK:
        message: bytes = lib.alpaca_last_error()
        raise make_error(status, message.decode("utf-8", "replace"))


def take_string(handle: c_void_p) -> str:
    """The text of an alpaca_string, which is freed. Names of files may hold bytes that are not UTF-8: as :func:`os.fsdecode` has them."""
    try:
        return ctypes.string_at(lib.alpaca_string_data(handle), lib.alpaca_string_size(handle)).decode("utf-8", "surrogateescape")
    finally:
        lib.alpaca_string_free(handle)
