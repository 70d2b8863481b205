"""What files are: published ones by their hash."""

from __future__ import annotations

import ctypes
import json
from ctypes import byref, c_char_p, c_void_p
from typing import Any, Union

from . import _abi, _hub
from ._abi import check, lib
from ._hub import Path
from ._progress import Callback, ProgressFunction


def verify(*paths: Path, n_threads: int = 0, progress: Union[bool, ProgressFunction, None] = None) -> dict[str, Any]:
    """Hashes files (SHA-256) and says which published file each of them is, which is damaged, and which is unknown.

    :param paths: files, folders, or names of downloaded models of the Hugging Face hub.
    :param n_threads: files hashed at the same time; 0: one on each core.
    :param progress: True for a bar, or a function of (stage, item, done, total); returning False cancels.
    :returns: ``ok``, False when a file's name says that it is a published one and its hash is another's; ``files``: path, size, sha256,
        status ("known", "differs", "unknown"), identity, expected and verdict of each.
    """
    names = (c_char_p * len(paths))(*[_hub.local(path) for path in paths])
    params = _abi.VerifyParams()
    check(lib.alpaca_verify_params_init(byref(params), ctypes.sizeof(params)))
    params.n_threads = n_threads
    callback = Callback(progress)
    params.progress = callback.pointer
    text = c_void_p()
    callback.check(lib.alpaca_verify(names, len(paths), byref(params), byref(text)))
    result: dict[str, Any] = json.loads(_abi.take_string(text))
    return result
