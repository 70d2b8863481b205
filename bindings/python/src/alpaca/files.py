"""What files are: published ones by their hash."""

from __future__ import annotations

import enum
from ctypes import byref, c_char_p
from typing import Any, Union

from . import _abi, _checks, _hub
from ._abi import lib
from ._checks import Path
from ._progress import Callback, ProgressFunction, initialized


class FileStatus(str, enum.Enum):
    """What a file turned out to be; equal to its name as a text."""

    KNOWN = "known"
    DIFFERS = "differs"
    UNKNOWN = "unknown"

    __str__ = str.__str__

    def __format__(self, format_spec: str) -> str:
        return format(self.value, format_spec)


def verify(*paths: Path, n_threads: int = 0, progress: Union[bool, ProgressFunction, None] = None) -> dict[str, Any]:
    """Hashes files (SHA-256) and says which published file each of them is, which is damaged, and which is unknown.

    :param paths: files, folders, or names of downloaded models of the Hugging Face hub.
    :param n_threads: files hashed at the same time; 0: one on each core.
    :param progress: True for a bar, or a function of (stage, item, done, total); returning False cancels.
    :returns: ``ok``, False when a file's name says that it is a published one and its hash is another's; ``files``: path, size, sha256,
        status (a :class:`FileStatus`), identity, expected and verdict of each; of a file of a model of the family also
        model and needs, the models that an adapter needs.
    """
    for i, path in enumerate(paths):
        if isinstance(path, (list, tuple, set, frozenset)):
            raise _checks.wrong_type(f"paths[{i}]", path, "a path; give those of a list one by one: verify(*paths)")
    names = (c_char_p * len(paths))(*[_hub.local(f"paths[{i}]", path) for i, path in enumerate(paths)])
    params = initialized(_abi.VerifyParams(), lib.alpaca_verify_params_init)
    params.n_threads = _checks.integer("n_threads", n_threads)
    callback = Callback(progress)
    params.progress = callback.pointer
    result = callback.report(lib.alpaca_verify, names, len(paths), byref(params))
    known = {status.value: status for status in FileStatus}
    for file in result["files"]:
        file["status"] = known.get(file["status"], file["status"])
    return result
