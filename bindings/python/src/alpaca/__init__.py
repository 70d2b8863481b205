"""Make and run Chinese LLaMA and Alpaca models on this machine.

>>> import alpaca
>>> model = alpaca.Model("model.gguf")
>>> for piece in model.generate("写一首五言绝句，题目是《山中》"):
...     print(piece, end="", flush=True)
"""

import json
from typing import Any

from ._abi import lib as _lib
from ._calls import Warning as Warning
from ._errors import (
    ArgumentTypeError,
    BadFormatError,
    BusyError,
    CancelledError,
    ContextFullError,
    Error,
    InvalidArgumentError,
    MissingKeyError,
    ModelIOError,
    ModelMemoryError,
    ModelNotFoundError,
    Status,
    UnsupportedError,
    VerificationError,
)
from .chat import Chat
from .conversion import convert
from .files import FileStatus, verify
from .imatrix import combine_imatrix
from .model import Model, inspect
from .options import (
    FinishReason,
    GenerationOptions,
    ModelGenerationOptions,
    SamplingOptions,
    SessionOptions,
)
from .results import GenerationResult, Perplexity, Token
from .session import Session, step
from .stream import Stream
from .tokenizer import Tokenizer

__version__: str = _lib.alpaca_version().decode()


def build_info() -> dict[str, Any]:
    """What the library is and found on this machine: version, cpu_path, n_cores, types."""
    info: dict[str, Any] = json.loads(_lib.alpaca_build_info())
    return info


# alpaca.Warning is left out: `import *` would put it in the place of Python's own.
__all__ = [
    "ArgumentTypeError",
    "BadFormatError",
    "BusyError",
    "CancelledError",
    "Chat",
    "ContextFullError",
    "Error",
    "FileStatus",
    "FinishReason",
    "GenerationOptions",
    "GenerationResult",
    "InvalidArgumentError",
    "MissingKeyError",
    "Model",
    "ModelGenerationOptions",
    "ModelIOError",
    "ModelMemoryError",
    "ModelNotFoundError",
    "Perplexity",
    "SamplingOptions",
    "Session",
    "SessionOptions",
    "Status",
    "Stream",
    "Token",
    "Tokenizer",
    "UnsupportedError",
    "VerificationError",
    "build_info",
    "combine_imatrix",
    "convert",
    "inspect",
    "step",
    "verify",
]
