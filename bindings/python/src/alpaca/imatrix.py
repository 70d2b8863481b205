"""Importance matrices: how much the error of each column of a model's matrices counts when it is quantized."""

from __future__ import annotations

from ctypes import byref, c_char_p
from typing import Any, Iterable, Optional, Union

from . import _abi, _checks
from ._abi import lib
from ._checks import Path
from ._progress import initialized, report

FORMATS = ("gguf", "dat")


def imatrix_params(
    output: Path,
    *,
    format: Optional[str] = None,
    n_ctx: int = 512,
    first_chunk: int = 0,
    n_chunks: int = 0,
    process_output: bool = False,
    perplexity: bool = True,
    parse_special: bool = False,
    inputs: Union[Iterable[Path], Path] = (),
    dataset: Optional[str] = None,
    save_interval: int = 0,
    overwrite: bool = False,
) -> Any:
    """The struct for the library."""
    params = initialized(_abi.ImatrixParams(), lib.alpaca_imatrix_params_init)
    path = _checks.path("output", output)
    params.output = path
    if format is None:
        format = "dat" if path.endswith(b".dat") else "gguf"
    params.format = FORMATS.index(_checks.choice("format", format, FORMATS))
    params.n_ctx = _checks.integer("n_ctx", n_ctx)
    params.first_chunk = _checks.integer("first_chunk", first_chunk)
    params.n_chunks = _checks.integer("n_chunks", n_chunks)
    params.save_interval = _checks.integer("save_interval", save_interval)
    for field, value in (
        ("process_output", process_output), ("perplexity", perplexity), ("parse_special", parse_special), ("overwrite", overwrite),
    ):  # fmt: skip
        setattr(params, field, int(_checks.flag(field, value)))
    params.dataset = None if dataset is None else _checks.terminated("dataset", dataset)
    if isinstance(inputs, (str, bytes)) or hasattr(inputs, "__fspath__"):
        inputs = [inputs]  # type: ignore[list-item]
    paths = [_checks.path(f"inputs[{i}]", value) for i, value in enumerate(_checks.several("inputs", inputs, "paths"))]
    array = (c_char_p * len(paths))(*paths)
    params.inputs, params.n_inputs = array, len(paths)
    return params


def combine_imatrix(
    inputs: Iterable[Path], output: Path, *, format: Optional[str] = None, n_ctx: int = 512, overwrite: bool = False
) -> dict[str, Any]:
    """Adds up importance matrices of one model, of either form: what they would be, had their texts been measured together.

    :param format: "gguf", or "dat" for llama.cpp's older form; by default by the name's ending.
    :param n_ctx: tokens of a chunk of files in the older form, which don't tell.
    :param overwrite: an importance matrix of the output's name may be replaced.
    :returns: the report of :meth:`Model.imatrix`.
    """
    return report(lib.alpaca_imatrix_combine, byref(imatrix_params(output, format=format, n_ctx=n_ctx, inputs=inputs, overwrite=overwrite)))
