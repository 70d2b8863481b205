"""From a base model and adapters to a file, in one pass."""

from __future__ import annotations

import ctypes
import json
import os
from ctypes import byref, c_void_p
from typing import Any, Mapping, Optional, Sequence, Union

from . import _abi, _hub
from ._abi import lib
from ._hub import Path
from ._progress import Callback, ProgressFunction

FORMATS = ("gguf", "hf", "hf-bin", "pth")
ROUNDINGS = (None, "each", "once")
PRECISIONS = ("base", "f32")


def convert(
    base: Path,
    output: Path,
    *,
    adapters: Sequence[Union[Path, tuple[Path, float]]] = (),
    tokenizer: Optional[Path] = None,
    output_format: str = "gguf",
    quantization: Optional[str] = None,
    overrides: Union[Mapping[str, str], Sequence[tuple[str, str]]] = (),
    imatrix: Optional[Path] = None,
    rounding: Optional[str] = None,
    precision: str = "base",
    n_threads: int = 0,
    name: Optional[str] = None,
    shard_size: int = 0,
    n_shards: int = 0,
    pure: bool = False,
    check: bool = True,
    verify_base: bool = False,
    hash_output: bool = False,
    overwrite: bool = False,
    allow_nonfinite: bool = False,
    progress: Union[bool, ProgressFunction, None] = None,
    plan: bool = False,
) -> dict[str, Any]:
    """Merges LoRAs into a base model, converts and quantizes it, some rows at a time. The output appears whole or not at all.

    >>> alpaca.convert("llama/7B", "alpaca-7b.gguf", adapters=["ziqingyang/chinese-alpaca-lora-7b"], quantization="q4_k_m", progress=True)

    :param base: a Meta or Hugging Face folder, a GGUF or older llama.cpp file, or a name on the Hugging Face hub.
    :param output: the file or, unless it is GGUF, the folder to write.
    :param adapters: PEFT folders, zips of them, or names on the hub, in the order in which they are applied; a pair (path, scale) multiplies
        an adapter's change.
    :param tokenizer: a ``tokenizer.model`` in place of the last adapter's or the base's.
    :param output_format: "gguf", "hf" (safetensors), "hf-bin" (pytorch_model.bin) or "pth" (Meta's).
    :param quantization: a type or mix such as "q4_k_m" or "f16"; by default as the base is.
    :param overrides: types of tensors by patterns of their names: ``{"output.weight": "q8_0"}``.
    :param imatrix: an importance matrix of llama-imatrix (GGUF, or the older .dat).
    :param rounding: "each" (as PEFT) or "once" (as the low-memory script); by default each, once for "pth" and "hf-bin".
    :param precision: "base" or "f32": in what merged matrices are kept.
    :param n_threads: 0: one on each core.
    :param name: the model's name in the output.
    :param shard_size: Hugging Face folders: bytes of a file at most.
    :param n_shards: Meta folders: number of files.
    :param pure: one type for every matrix.
    :param check: the rules of the family are checked: tokenizers, order of adapters.
    :param verify_base: the base's files are hashed and compared with the published list too.
    :param hash_output: the output's files are hashed when they are written.
    :param overwrite: what stands under the output's name may be replaced, if a conversion wrote it; anything else is refused.
    :param allow_nonfinite: numbers that are infinite or NaN are written, with a warning; by default they are an error that names the file and
        the tensor. Quantized types can't hold them: there they stay an error.
    :param progress: True for a bar, or a function of (stage, item, done, total); returning False cancels.
    :param plan: only say what would be read and written, and what it takes.
    :returns: the plan, and what was done: ``seconds``, ``written_bytes``, ``peak_memory``, ``warnings``, ``hashes``.
    """
    params = _abi.ConvertParams()
    _abi.check(lib.alpaca_convert_params_init(byref(params), ctypes.sizeof(params)))
    params.base, params.output = _hub.local(base), os.fsencode(output)
    pairs = [adapter if isinstance(adapter, tuple) else (adapter, 1.0) for adapter in adapters]
    listed = (_abi.Adapter * len(pairs))(*[_abi.Adapter(_hub.local(path), scale) for path, scale in pairs])
    params.adapters, params.n_adapters = listed, len(pairs)
    params.tokenizer = None if tokenizer is None else _hub.local(tokenizer)
    params.format = _index(FORMATS, output_format, "output_format")
    params.quantization = None if quantization is None else quantization.encode()
    types = list(overrides.items() if isinstance(overrides, Mapping) else overrides)
    rules = (_abi.TypeOverride * len(types))(*[_abi.TypeOverride(pattern.encode(), kind.encode()) for pattern, kind in types])
    params.overrides, params.n_overrides = rules, len(types)
    params.imatrix = None if imatrix is None else os.fsencode(imatrix)
    params.rounding = _index(ROUNDINGS, rounding, "rounding")
    params.precision = _index(PRECISIONS, precision, "precision")
    params.n_threads, params.shard_size, params.n_shards = n_threads, shard_size, n_shards
    params.name = None if name is None else name.encode()
    params.pure, params.check, params.overwrite = int(pure), int(check), int(overwrite)
    params.allow_nonfinite = int(allow_nonfinite)
    params.verify_base, params.hash_output = int(verify_base), int(hash_output)
    text = c_void_p()
    if plan:
        _abi.check(lib.alpaca_convert_plan(byref(params), byref(text)))
    else:
        callback = Callback(progress)
        params.progress = callback.pointer
        callback.check(lib.alpaca_convert(byref(params), None, byref(text)))
    result: dict[str, Any] = json.loads(_abi.take_string(text))
    return result


def _index(names: Sequence[Optional[str]], name: Optional[str], what: str) -> int:
    if name not in names:
        raise ValueError(f"{what}: found {name!r}, expected {', '.join(repr(known) for known in names)}")
    return names.index(name)
