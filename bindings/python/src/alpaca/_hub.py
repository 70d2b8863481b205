"""Models by their names on the Hugging Face hub. The library finds what is downloaded; with ``pip install 'alpaca[hub]'`` the rest is fetched."""

from __future__ import annotations

import os
import pathlib
import re
from typing import Union

Path = Union[str, "os.PathLike[str]"]

_PART = r"[A-Za-z0-9_](?:[A-Za-z0-9_.-]{0,94}[A-Za-z0-9_])?"
_NAME = re.compile(rf"({_PART})/({_PART})")
#: Files in folders; no model is named so.
_FILES = (".gguf", ".bin", ".pth", ".pt", ".model", ".json", ".safetensors", ".zip", ".txt", ".ggml", ".ggjt", ".imatrix", ".dat")


def local(path: Path) -> bytes:
    """The path for the library: as it is, or the folder of a model of the hub, which is downloaded if huggingface_hub is installed."""
    text = os.fspath(path)
    if isinstance(text, str) and is_name(text):
        try:
            import huggingface_hub
        except ImportError:
            pass  # the library looks into the cache, and says how to download
        else:
            return os.fsencode(_download(huggingface_hub, text))
    return os.fsencode(text)


def is_name(text: str) -> bool:
    """Whether a text is "owner/name", and nothing is there under it as a path."""
    match = _NAME.fullmatch(text)
    return bool(match) and not text.lower().endswith(_FILES) and not os.path.exists(text) and not os.path.exists(text.split("/")[0])


def _download(hub: object, name: str) -> str:
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
    downloaded: str = snapshot_download(name, ignore_patterns=ignored)
    return downloaded
