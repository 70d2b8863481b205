"""Make and run Chinese LLaMA and Alpaca models on this machine.

>>> import alpaca
>>> model = alpaca.Model("model.gguf")
>>> for piece in model.generate("写一首五言绝句，题目是《山中》"):
...     print(piece, end="", flush=True)
"""

import json
from typing import Any

from ._abi import lib as _lib
from ._errors import (
    BadFormatError,
    BusyError,
    CancelledError,
    ContextFullError,
    Error,
    InvalidArgumentError,
    ModelIOError,
    ModelMemoryError,
    ModelNotFoundError,
    UnsupportedError,
    VerificationError,
)
from .conversion import convert
from .files import verify
from .model import Chat, Model, inspect
from .session import GenerationResult, Perplexity, Session, Stream, Token, step
from .tokenizer import Tokenizer

__version__: str = _lib.alpaca_version().decode()


def build_info() -> dict[str, Any]:
    """What the library is and found on this machine: version, cpu_path, n_cores, types."""
    info: dict[str, Any] = json.loads(_lib.alpaca_build_info())
    return info


__all__ = [
    "BadFormatError",
    "BusyError",
    "CancelledError",
    "Chat",
    "ContextFullError",
    "Error",
    "GenerationResult",
    "InvalidArgumentError",
    "Model",
    "ModelIOError",
    "ModelMemoryError",
    "ModelNotFoundError",
    "Perplexity",
    "Session",
    "Stream",
    "Token",
    "Tokenizer",
    "UnsupportedError",
    "VerificationError",
    "build_info",
    "convert",
    "inspect",
    "step",
    "verify",
]
