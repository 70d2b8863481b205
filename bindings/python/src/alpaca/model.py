"""Models and conversations."""

from __future__ import annotations

import ctypes
import itertools
import json
import os
import weakref
from ctypes import byref, c_void_p
from typing import Any, AsyncIterator, Iterable, Iterator, Optional, Union

from . import _abi, _hub
from ._abi import check, lib
from ._hub import Path
from ._progress import Callback, ProgressFunction
from .session import Perplexity, Session, Stream, cache_type_number
from .tokenizer import Tokenizer


class Model:
    """A model, open for use. Immutable; may be shared by threads and sessions.

    Sessions that write at the same time, each on a thread of its own, share the model's computing threads: the weights are read from
    memory once for all of them.

    :param path: a model's file, or a name on the Hugging Face hub.
    :param use_mmap: True uses the weights where they lie in the file, False reads the whole file into memory; None does the first, except
        on network and FUSE file systems.
    :param lock_memory: keep the weights from being swapped out.
    :param prefetch: ask the system to load the whole file ahead of its use.
    :param progress: called while the file is read with ``use_mmap=False``; True for a bar.
    :param cache_bytes: bytes of memory that the keys and values of all sessions of the model may take together; 0 for no limit but the
        machine's. Who asks for more gets a :class:`ModelMemoryError`.
    :raises Error: with the file's name, what was found and what was expected.
    """

    def __init__(
        self,
        path: Path,
        *,
        use_mmap: Optional[bool] = None,
        lock_memory: bool = False,
        prefetch: bool = False,
        progress: Union[bool, ProgressFunction, None] = None,
        cache_bytes: int = 0,
    ) -> None:
        if cache_bytes < 0:
            raise ValueError(f"cache_bytes: found {cache_bytes}, expected 0 or more")
        params = _abi.ModelParams()
        check(lib.alpaca_model_params_init(byref(params), ctypes.sizeof(params)))
        params.lock_memory, params.prefetch = int(lock_memory), int(prefetch)
        params.cache_bytes = min(cache_bytes, (1 << 64) - 1)
        if use_mmap is not None:
            params.use_mmap = int(use_mmap)
        callback = Callback(progress)
        params.progress = callback.pointer
        handle = c_void_p()
        callback.check(lib.alpaca_model_open(_hub.local(path), byref(params), byref(handle)))
        self.path = os.fspath(path)
        self._handle = handle
        self._finalizer = weakref.finalize(self, lib.alpaca_model_free, handle)

    @property
    def tokenizer(self) -> Tokenizer:
        """The model's tokenizer."""
        return Tokenizer._of_model(lib.alpaca_model_tokenizer(self._handle), self)

    @property
    def info(self) -> dict[str, Any]:
        """Sizes: n_vocab, n_ctx_train, n_embd, n_layer, n_head, n_head_kv, n_ff, n_params, size_bytes, ..."""
        info = _abi.ModelInfo(struct_size=ctypes.sizeof(_abi.ModelInfo))
        check(lib.alpaca_model_get_info(self._handle, byref(info)))
        values = {name: getattr(info, name) for name, *_ in info._fields_ if name not in ("struct_size", "reserved")}
        return {name: value.decode() if isinstance(value, bytes) else value for name, value in values.items()}

    def metadata(self, key: str) -> str:
        """One of the file's metadata keys as text. :raises KeyError: when there is none."""
        raw = key.encode()
        try:
            return _abi.read_text(
                lambda buffer, capacity, needed: lib.alpaca_model_metadata(self._handle, raw, buffer, capacity, needed)
            )
        except FileNotFoundError as error:
            raise KeyError(key) from error

    def describe(self) -> dict[str, Any]:
        """Everything about the model."""
        text = c_void_p()
        check(lib.alpaca_model_describe(self._handle, byref(text)))
        result: dict[str, Any] = json.loads(_abi.take_string(text))
        return result

    def session(self, **options: Any) -> Session:
        """A new session. Options as of :class:`Session`."""
        return Session(self, **options)

    def generate(
        self, prompt: str, *, n_ctx: int = 0, n_threads: int = 0, grow_on_demand: bool = False, **options: Any
    ) -> Stream:
        """Answers ``prompt`` in a session of its own; iterate over the result for text as it is written.

        :param n_ctx, n_threads, grow_on_demand: of that session; see :class:`Session`.
        :param options: max_new_tokens, temperature (0: greedy), top_k, top_p, min_p, repetition_penalty, repeat_last_n, presence_penalty,
            frequency_penalty, logit_bias ({id: bias}), seed, stop (a text or several), template (None: the model's own; "none"; a name),
            system, n_probs, context_shift, n_keep, ignore_eos. Defaults are those of the Chinese-Alpaca project's scripts. The same
            ``seed`` draws the same tokens in every session, also in a loop of :meth:`Session.append` and :meth:`Session.sample`.
        """
        session = Session(self, n_ctx=n_ctx, n_threads=n_threads, grow_on_demand=grow_on_demand)
        return session.generate(prompt, **options)

    async def agenerate(self, prompt: str, **options: Any) -> AsyncIterator[str]:
        """As :meth:`generate`, for ``async for``."""
        async for text in self.generate(prompt, **options):
            yield text

    def perplexity(self, text: str, *, n_ctx: int = 0, stride: int = 0, n_threads: int = 0, cache_type: str = "f16") -> Perplexity:
        """The perplexity of ``text`` in a session of its own; see :meth:`Session.perplexity`."""
        with Session(self, n_ctx=n_ctx, n_threads=n_threads, cache_type=cache_type) as session:
            return session.perplexity(text, stride=stride)

    def bench(
        self,
        *,
        prompts: Iterable[int] = (512,),
        generations: Iterable[int] = (32,),
        depths: Iterable[int] = (0,),
        n_threads: Iterable[int] = (0,),
        n_parallel: Iterable[int] = (1,),
        n_batch: int = 512,
        repetitions: int = 5,
        cache_type: str = "f16",
        roofs: bool = True,
        progress: Optional[ProgressFunction] = None,
    ) -> dict[str, Any]:
        """How fast the model reads prompts and writes on this machine, and how fast the machine reads memory and multiplies.

        :param prompts: lengths of prompts to read (pp).
        :param generations: numbers of tokens to write one after the other (tg), by each number of sequences in ``n_parallel`` together.
        :param depths: positions filled before; ``n_threads``: numbers of threads, 0 for one on each core. All are combined.
        :param roofs: measure the machine's limits too.
        :param progress: a function of (stage, test, runs done, runs in all); returning False cancels.
        :returns: the report of ``alpaca_bench``: ``rows`` with the speeds of each test in tokens a second, ``roofs``, and more.
        """
        sequences, texts, reads = list(n_parallel), list(generations), list(prompts)
        tests = [
            test
            for threads, depth in itertools.product(n_threads, list(depths))
            for test in [_abi.BenchTest(length, 0, depth, 0, threads) for length in reads]
            + [_abi.BenchTest(0, length, depth, n, threads) for length in texts for n in sequences]
        ]
        if not tests:
            raise ValueError("nothing to measure: give a length of a prompt or of a text")
        params = _abi.BenchParams()
        check(lib.alpaca_bench_params_init(byref(params), ctypes.sizeof(params)))
        array = (_abi.BenchTest * len(tests))(*tests)
        params.tests, params.n_tests = array, len(tests)
        params.n_repetitions, params.n_batch, params.roofs = repetitions, n_batch, int(roofs)
        params.type_k = params.type_v = cache_type_number(cache_type)
        callback = Callback(progress)
        params.progress = callback.pointer
        text = c_void_p()
        callback.check(lib.alpaca_bench(self._handle, byref(params), byref(text)))
        result: dict[str, Any] = json.loads(_abi.take_string(text))
        return result

    def chat(self, system: Optional[str] = None, **options: Any) -> "Chat":
        """A conversation. Options as of :class:`Session`."""
        return Chat(self, system, **options)

    def close(self) -> None:
        """Frees the model; its sessions keep what they need."""
        self._finalizer()

    def __enter__(self) -> "Model":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Chat:
    """A conversation, turn by turn. ``messages`` is its record; what was read of it is not read again."""

    def __init__(self, model: Model, system: Optional[str] = None, **options: Any) -> None:
        self.session = Session(model, **options)
        self.messages: list[dict[str, str]] = [] if system is None else [{"role": "system", "content": system}]

    def send(self, message: str, **options: Any) -> str:
        """The whole answer to a message."""
        return "".join(self.stream(message, **options))

    def stream(self, message: str, **options: Any) -> Iterator[str]:
        """The answer while it is written. What was read of it counts as said, also when the loop is left early."""
        self.messages.append({"role": "user", "content": message})
        stream = self.session.chat(self.messages, **options)
        try:
            yield from stream
        finally:
            stream.close()
            self.messages.append({"role": "assistant", "content": stream.text})

    async def astream(self, message: str, **options: Any) -> AsyncIterator[str]:
        """As :meth:`stream`, for ``async for``."""
        self.messages.append({"role": "user", "content": message})
        stream = self.session.chat(self.messages, **options)
        try:
            async for text in stream:
                yield text
        finally:
            self.messages.append({"role": "assistant", "content": stream.text})

    async def asend(self, message: str, **options: Any) -> str:
        """As :meth:`send`, awaited."""
        return "".join([text async for text in self.astream(message, **options)])

    def close(self) -> None:
        """Frees the session."""
        self.session.close()

    def __enter__(self) -> "Chat":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def inspect(path: Path) -> dict[str, Any]:
    """What is in a model, an adapter, a tokenizer, an importance matrix or a file of weights; ``kind`` says which of them it is.

    What can be read but not used is described too: ``problem`` then says why.
    """
    text = c_void_p()
    check(lib.alpaca_inspect(_hub.local(path), byref(text)))
    result: dict[str, Any] = json.loads(_abi.take_string(text))
    return result
