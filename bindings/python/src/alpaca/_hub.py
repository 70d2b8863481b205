"""Models by their names on the Hugging Face hub. The library finds what is downloaded; with ``pip install 'alpaca[hub]'`` the rest is fetched."""

from __future__ import annotations

import os
import pathlib
import re
from typing import Any

from . import _checks
from ._errors import Error, ModelIOError, ModelNotFoundError

_PART = r"[A-Za-z0-9_](?:[A-Za-z0-9_.-]{0,94}[A-Za-z0-9_])?"
_NAME = re.compile(rf"({_PART})/({_PART})")
#: Files in folders; no model is named so.
_FILES = (".gguf", ".bin", ".pth", ".pt", ".model", ".json", ".safetensors", ".zip", ".txt", ".ggml", ".ggjt", ".imatrix", ".dat")


def local(name: str, path: Any) -> bytes:
    """The path for the library: as it is, or the folder of a model of the hub, which is downloaded if huggingface_hub is installed.

    :param name: the argument's, for messages.
    """
    raw = _checks.path(name, path)
    text = os.fsdecode(raw)
    # A path that is given as an object is no name.
    if isinstance(path, (str, bytes)) and is_name(text):
        try:
            import huggingface_hub
        except ImportError:
            pass  # the library looks into the cache, and says how to download
        else:
            return os.fsencode(_download(huggingface_hub, text))
    return raw


def is_name(text: str) -> bool:
    """Whether a text is "owner/name", and nothing is there under it as a path."""
    match = _NAME.fullmatch(text)
    return bool(match) and not text.lower().endswith(_FILES) and not os.path.exists(text) and not os.path.exists(text.split("/")[0])


def _download(hub: Any, name: str) -> str:
    """The folder of a model, from the cache or the hub."""
    from huggingface_hub import snapshot_download

    # Copies of the weights for frameworks that nothing here reads.
    ignored = ["*.h5", "*.msgpack", "*.onnx", "*.ot", "*.tflite"]
    try:
        found: str = snapshot_download(name, local_files_only=True, ignore_patterns=ignored)
        # What was cut off is in blobs/ as NAME.incomplete.
        if not any((pathlib.Path(found).parents[1] / "blobs").glob("*.incomplete")):
            return found
    except FileNotFoundError:
        pass
    except Exception as error:
        raise _error(name, error) from error
    try:
        downloaded: str = snapshot_download(name, ignore_patterns=ignored)
    except Exception as error:
        raise _error(name, error) from error
    return downloaded


def _error(name: str, error: Exception) -> Error:
    """The hub's error as one of this package. What the hub does not have, or does not give, is not found; all else could not be read."""
    words = (str(error).strip() or type(error).__name__).splitlines()[0]
    missing = isinstance(error, FileNotFoundError) or type(error).__name__ in _MISSING
    message = f"{name}: there is no such file or folder, and the Hugging Face hub did not give it: {words}"
    return ModelNotFoundError(message) if missing else ModelIOError(message)


#: Classes of huggingface_hub, whose place in it changes from version to version.
_MISSING = {
    "RepositoryNotFoundError",
    "GatedRepoError",
    "DisabledRepoError",
    "RevisionNotFoundError",
    "EntryNotFoundError",
    "RemoteEntryNotFoundError",
    "LocalEntryNotFoundError",
    "OfflineModeIsEnabled",
    "HFValidationError",
}
