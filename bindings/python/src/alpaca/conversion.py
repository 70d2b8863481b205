"""From a base model and adapters to a file, in one pass."""

from __future__ import annotations

import numbers
from collections.abc import Mapping
from ctypes import byref
from typing import Any, Optional, Sequence, Union

from . import _abi, _checks, _hub
from ._abi import lib
from ._calls import LONG_PATIENCE
from ._checks import Path
from ._progress import Callback, ProgressFunction, initialized, report

FORMATS = ("gguf", "hf", "hf-bin", "pth")
ROUNDINGS = (None, "each", "once")
PRECISIONS = ("base", "f32")
#: An adapter's path, or that and its share.
Adapter = Union[Path, tuple[Path, float]]


def convert(
    base: Path,
    output: Path,
    *,
    adapters: Union[Sequence[Adapter], Adapter] = (),
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
        an adapter's change. One may stand without a list.
    :param tokenizer: a ``tokenizer.model`` in place of the last adapter's or the base's.
    :param output_format: "gguf", "hf" (safetensors), "hf-bin" (pytorch_model.bin) or "pth" (Meta's).
    :param quantization: a type or mix such as "q4_k_m" or "f16"; by default as the base is.
    :param overrides: types of tensors by patterns of their names: ``{"output.weight": "q8_0"}``.
    :param imatrix: an importance matrix of :meth:`Model.imatrix` or llama-imatrix (GGUF, or the older .dat).
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
    :param allow_nonfinite: weights that are infinite or NaN are written, with a warning; by default they are an error that names the file and
        the tensor. Quantized types can't hold them: there they stay an error, and so do scores of a tokenizer's pieces.
    :param progress: True for a bar, or a function of (stage, item, done, total); returning False cancels.
    :param plan: only say what would be read and written, and what it takes.
    :returns: the plan, and what was done: ``seconds``, ``written_bytes``, ``peak_memory``, ``warnings``, ``hashes``.
    """
    params = initialized(_abi.ConvertParams(), lib.alpaca_convert_params_init)
    params.base, params.output = _hub.local("base", base), _checks.path("output", output)
    listed = _adapters(adapters)
    params.adapters, params.n_adapters = listed, len(listed)
    params.tokenizer = None if tokenizer is None else _hub.local("tokenizer", tokenizer)
    params.format = FORMATS.index(_checks.choice("output_format", output_format, FORMATS))
    params.quantization = None if quantization is None else _checks.terminated("quantization", quantization)
    rules = _overrides(overrides)
    params.overrides, params.n_overrides = rules, len(rules)
    params.imatrix = None if imatrix is None else _checks.path("imatrix", imatrix)
    params.rounding = ROUNDINGS.index(_checks.choice("rounding", rounding, ROUNDINGS))
    params.precision = PRECISIONS.index(_checks.choice("precision", precision, PRECISIONS))
    params.n_threads = _checks.integer("n_threads", n_threads)
    params.shard_size = _checks.integer("shard_size", shard_size, *_checks.UINT64)
    params.n_shards = _checks.integer("n_shards", n_shards)
    params.name = None if name is None else _checks.terminated("name", name)
    for field, value in (
        ("pure", pure), ("check", check), ("overwrite", overwrite), ("verify_base", verify_base), ("hash_output", hash_output),
        ("allow_nonfinite", allow_nonfinite),
    ):  # fmt: skip
        setattr(params, field, int(_checks.flag(field, value)))
    if _checks.flag("plan", plan):
        return report(lib.alpaca_convert_plan, byref(params))
    callback = Callback(progress, patience=LONG_PATIENCE)  # what it has begun to write goes
    params.progress = callback.pointer
    return callback.report(lib.alpaca_convert, byref(params), None)


def _adapters(adapters: Any) -> Any:
    """The adapters for the library; one without a list is a list of one."""
    if isinstance(adapters, (str, bytes)) or hasattr(adapters, "__fspath__") or _is_pair(adapters):
        adapters = [adapters]
    found = _checks.several("adapters", adapters, "paths, or pairs of a path and a number")
    array = (_abi.Adapter * len(found))()
    for i, adapter in enumerate(found):
        path, scale = adapter if _is_pair(adapter) else (adapter, 1.0)
        array[i] = _abi.Adapter(_hub.local(f"adapters[{i}]", path), _checks.number(f"adapters[{i}]: scale", scale))
    return array


def _is_pair(value: Any) -> bool:
    return isinstance(value, (tuple, list)) and len(value) == 2 and isinstance(value[1], numbers.Real)


def _overrides(overrides: Any) -> Any:
    """The types of tensors by patterns, for the library."""
    expected = 'a dict like {"output.weight": "q8_0"}, or pairs of such texts'
    pairs = list(overrides.items()) if isinstance(overrides, Mapping) else _checks.several("overrides", overrides, expected)
    array = (_abi.TypeOverride * len(pairs))()
    for i, pair in enumerate(pairs):
        if not isinstance(pair, (tuple, list)) or len(pair) != 2:
            raise _checks.wrong_type(f"overrides[{i}]", pair, expected)
        name = f"overrides[{i}]"
        array[i] = _abi.TypeOverride(_checks.terminated(f"{name}: pattern", pair[0]), _checks.terminated(f"{name}: type", pair[1]))
    return array
