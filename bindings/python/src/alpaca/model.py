"""Models."""

from __future__ import annotations

import ctypes
import itertools
import os
import weakref
from collections.abc import Mapping
from ctypes import byref, c_int32, c_size_t, c_void_p
from typing import TYPE_CHECKING, Any, Iterable, Optional, Union

from . import _abi, _calls, _checks, _hub, options as _options
from ._abi import lib
from ._checks import Path
from ._errors import ArgumentTypeError, InvalidArgumentError, MissingKeyError
from ._progress import Callback, ProgressFunction, initialized, report
from ._writer import Writer
from .chat import Chat
from .session import Perplexity, Session, cache_type_number, session_params
from .stream import AsyncPieces, Stream
from .tokenizer import Tokenizer

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from .options import ModelGenerationOptions, SessionOptions


#: What apply_chat_template of transformers does to ids.
_TENSORS = ("padding", "truncation", "max_length", "return_tensors", "return_assistant_tokens_mask", "tokenizer_kwargs")


class Model(_checks.Unpicklable):
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
        params = initialized(_abi.ModelParams(), lib.alpaca_model_params_init)
        params.lock_memory = int(_checks.flag("lock_memory", lock_memory))
        params.prefetch = int(_checks.flag("prefetch", prefetch))
        if isinstance(cache_bytes, int) and cache_bytes < 0:
            raise InvalidArgumentError(f"cache_bytes: found {cache_bytes}, expected 0 or more")
        # No machine has more than 64 bits of memory.
        params.cache_bytes = min(_checks.integer("cache_bytes", cache_bytes, 0, 1 << 200), _checks.UINT64[1])
        if use_mmap is not None:
            params.use_mmap = int(_checks.flag("use_mmap", use_mmap))
        handle = c_void_p()
        callback = Callback(progress, undo=lambda: lib.alpaca_model_free(handle))
        params.progress = callback.pointer
        callback.run(lib.alpaca_model_open, _hub.local("path", path), byref(params), byref(handle))
        #: What the model was opened by.
        self.path: str = os.fsdecode(path)
        self._handle = handle
        self._finalizer = weakref.finalize(self, lib.alpaca_model_free, handle)
        #: Sessions that outlive the model ask for it.
        self._template_name: str = self.info["template_name"]

    def _open(self) -> c_void_p:
        """The handle, for a call that may be made now."""
        if not self._finalizer.alive:
            raise InvalidArgumentError(f"model: found a handle that is freed, since {self.path} was closed; expected an open model")
        return self._handle

    @property
    def tokenizer(self) -> Tokenizer:
        """The model's tokenizer. It can be used as long as the model is open."""
        return Tokenizer._of_model(lib.alpaca_model_tokenizer(self._open()), self)

    @property
    def info(self) -> dict[str, Any]:
        """Sizes: n_vocab, n_ctx_train, n_embd, n_layer, n_head, n_head_kv, n_ff, n_params, size_bytes, ..."""
        info = _abi.ModelInfo(struct_size=ctypes.sizeof(_abi.ModelInfo))
        _abi.check(lib.alpaca_model_get_info(self._open(), byref(info)))
        values = {name: getattr(info, name) for name, *_ in info._fields_ if name not in ("struct_size", "reserved")}
        return {name: value.decode() if isinstance(value, bytes) else value for name, value in values.items()}

    def metadata(self, key: str) -> str:
        """One of the file's metadata keys as text. :raises KeyError: when there is none."""
        raw, handle = _checks.terminated("key", key), self._open()
        try:
            return _calls.read_text(lambda buffer, capacity, needed: lib.alpaca_model_metadata(handle, raw, buffer, capacity, needed))
        except FileNotFoundError as error:
            raise MissingKeyError(str(error)) from None

    def describe(self) -> dict[str, Any]:
        """Everything about the model."""
        return report(lib.alpaca_model_describe, self._open())

    @property
    def chat_template(self) -> Optional[str]:
        """The text, in Jinja2, of the template that conversations get; None when there is none."""
        try:
            return self.template_text()
        except FileNotFoundError:
            return None

    def template_text(self, name: Optional[str] = None) -> str:
        """A chat template's text: the one that conversations get, or by its name one for a special use ("tool_use") or a known one.

        :raises NotFoundError: when there is none.
        """
        raw = None if name is None else _checks.terminated("name", name)
        text = c_void_p()
        _abi.check(lib.alpaca_model_chat_template(self._open(), raw, byref(text)))
        return _abi.take_string(text)

    def apply_chat_template(
        self,
        conversation: Any,
        tools: Optional[Iterable[Mapping[str, Any]]] = None,
        documents: Optional[Iterable[Mapping[str, Any]]] = None,
        chat_template: Optional[str] = None,
        add_generation_prompt: bool = False,
        continue_final_message: bool = False,
        tokenize: bool = True,
        return_dict: bool = False,
        *,
        template_time: Optional[int] = None,
        **kwargs: Any,
    ) -> Any:
        """A conversation as the model's chat template puts it, as in transformers: its token ids or, with ``tokenize=False``, its text.

        Names of special tokens are those where the template writes them; in what the messages say they are text.

        :param conversation: dicts with ``role`` and ``content`` and what else the template knows, or a list of such conversations.
        :param tools: what the model may call: dicts in JSON schema.
        :param documents: texts that the model may quote: dicts.
        :param chat_template: a template in Jinja2 in place of the model's, or the name of one.
        :param add_generation_prompt: end with the beginning of the assistant's answer.
        :param continue_final_message: end where the last message ends, so that it can be continued.
        :param return_dict: a dict with ``input_ids`` and ``attention_mask``.
        :param template_time: seconds since 1970, UTC, for templates that ask for the time; None for the system's.
        :param kwargs: further variables of the template, such as ``enable_thinking=False``.
        :raises InvalidArgumentError: also for what the template says against the conversation.
        """
        for name in _TENSORS:
            if kwargs.pop(name, None):
                raise ArgumentTypeError(f"{name}: lists of token ids are all that there is here; expected no such option")
        params = initialized(_abi.RenderParams(), lib.alpaca_render_params_init)
        for name, value in (("tools", tools), ("documents", documents)):
            if value is not None:
                setattr(params, name, _options.structure(name, value))
        if kwargs:
            params.variables = _options.structure("template_variables", kwargs)
        if chat_template is not None:
            setattr(params, *_options.template_field(chat_template))
        params.add_generation_prompt = int(_checks.flag("add_generation_prompt", add_generation_prompt))
        params.continue_final_message = int(_checks.flag("continue_final_message", continue_final_message))
        if template_time is not None:
            params.time = _checks.integer("template_time", template_time, *_checks.INT64)
        if add_generation_prompt and continue_final_message:
            raise InvalidArgumentError("continue_final_message: found True beside add_generation_prompt, expected one of them")
        tokenize, return_dict = _checks.flag("tokenize", tokenize), _checks.flag("return_dict", return_dict)
        if return_dict and not tokenize:
            raise InvalidArgumentError("return_dict: found True beside tokenize=False, expected token ids to be asked for")
        listed = _checks.several("conversation", getattr(conversation, "messages", conversation), "a list of messages")
        is_batch = bool(listed) and not isinstance(listed[0], Mapping)
        results = [self._render(messages, params, tokenize) for messages in (listed if is_batch else [listed])]
        if not return_dict:
            return results if is_batch else results[0]
        masks = [[1] * len(ids) for ids in results]
        return {"input_ids": results if is_batch else results[0], "attention_mask": masks if is_batch else masks[0]}

    def _render(self, conversation: Any, params: _abi.RenderParams, tokenize: bool) -> Any:
        raw = _options.json_bytes("conversation", getattr(conversation, "messages", conversation))
        handle = self._open()
        text, n = c_void_p(), c_size_t()
        ids: Any = (c_int32 * (len(raw) + 1024 if tokenize else 0))()

        def render() -> int:
            nonlocal ids
            while True:
                status: int = lib.alpaca_model_render_chat(
                    handle, raw, len(raw), byref(params), byref(text), ids, len(ids), byref(n) if tokenize else None
                )
                if status != _abi.BUFFER_TOO_SMALL:
                    return status
                ids = (c_int32 * n.value)()

        # A template is a program: it may take its time.
        _calls.lasting(render, undo=lambda: lib.alpaca_string_free(text))
        if not tokenize:
            return _abi.take_string(text)
        lib.alpaca_string_free(text)
        return ids[: n.value]

    def session(self, **options: Unpack[SessionOptions]) -> Session:
        """A new session. Options as of :class:`Session`."""
        _options.known(options, _options.SESSION_NAMES, "session")
        return Session(self, **options)

    def generate(self, prompt: str, **options: Unpack[ModelGenerationOptions]) -> Stream:
        """Answers ``prompt`` in a session of its own; iterate over the result for text as it is written.

        :param options: those of :class:`Session`, for that session, and: max_new_tokens, temperature (0: greedy), top_k, top_p, min_p,
            repetition_penalty, repeat_last_n, presence_penalty, frequency_penalty, logit_bias ({id: bias}), seed (None or -1: other random
            numbers each time), stop (a text or several), template (None: the model's own; "none"; a name), system, n_probs, context_shift,
            n_keep, ignore_eos, show_special (True shows special tokens by their names); and for the template: chat_template (a text in
            Jinja2), tools, documents, template_variables (a dict), template_time, continue_final_message. Defaults are those of the Chinese-Alpaca project's scripts. The same ``seed`` draws the same tokens in every
            session, also in a loop of :meth:`Session.append` and :meth:`Session.sample`.
        """
        _options.known(options, _options.SESSION_NAMES | _options.GENERATION_NAMES, "generate")
        raw = _checks.text("prompt", prompt)
        params = _options.generation_params({name: value for name, value in options.items() if name in _options.GENERATION_NAMES})
        mine: dict[str, Any] = {name: value for name, value in options.items() if name in _options.SESSION_NAMES}
        wanted = session_params(**mine)
        self._open()

        def begin() -> Writer:
            # Not before somebody reads: a session takes memory.
            return Session._of(self, wanted)._write(lib.alpaca_session_generate, raw, len(raw), byref(params))

        return Stream(begin)

    def agenerate(self, prompt: str, **options: Unpack[ModelGenerationOptions]) -> AsyncPieces:
        """As :meth:`generate`, for ``async for``."""
        return self.generate(prompt, **options).__aiter__()

    def perplexity(
        self,
        text: str,
        *,
        n_ctx: int = 0,
        stride: int = 0,
        n_threads: int = 0,
        cache_type: str = "f16",
        progress: Union[bool, ProgressFunction, None] = None,
    ) -> Perplexity:
        """The perplexity of ``text`` in a session of its own; see :meth:`Session.perplexity`."""
        with Session(self, n_ctx=n_ctx, n_threads=n_threads, cache_type=cache_type) as session:
            return session.perplexity(text, stride=stride, progress=progress)

    def imatrix(
        self,
        text: str,
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
        n_batch: int = 512,
        n_threads: int = 0,
        progress: Union[bool, ProgressFunction, None] = None,
    ) -> dict[str, Any]:
        """Measures how much each column of the model's matrices counts for ``text``, as llama-imatrix does, and writes a file for
        ``alpaca.convert(..., imatrix=output)``.

        :param format: "gguf", or "dat" for llama.cpp's older form; by default by the name's ending.
        :param n_ctx: tokens of a chunk; the text is read in chunks, each by itself.
        :param first_chunk: chunks that are left out at the beginning; ``n_chunks``: chunks that are read at most, 0 for all.
        :param process_output: measure the output matrix, too.
        :param perplexity: measure the text's perplexity along; it costs some time.
        :param parse_special: texts such as ``<|eot_id|>`` are the special tokens that they name.
        :param inputs: importance matrices of the same model, of either form, to which this one is added.
        :param dataset: what the text is called in the file.
        :param save_interval: write the file after each so many chunks, too.
        :param overwrite: an importance matrix of the output's name may be replaced.
        :param progress: True for a bar, or a function of (stage, item, tokens done, tokens in all); returning False cancels.
        :returns: what was measured: ``n_chunks``, ``n_tokens``, ``n_matrices``, ``perplexity``, ``warnings`` and more.
        """
        size = max(4, _checks.integer("n_ctx", n_ctx))
        with Session(self, n_ctx=size, n_batch=n_batch, n_threads=n_threads) as session:
            return session.imatrix(
                text, output, format=format, n_ctx=n_ctx, first_chunk=first_chunk, n_chunks=n_chunks, process_output=process_output,
                perplexity=perplexity, parse_special=parse_special, inputs=inputs, dataset=dataset, save_interval=save_interval,
                overwrite=overwrite, progress=progress,
            )  # fmt: skip

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
        progress: Union[bool, ProgressFunction, None] = None,
    ) -> dict[str, Any]:
        """How fast the model reads prompts and writes on this machine, and how fast the machine reads memory and multiplies.

        :param prompts: lengths of prompts to read (pp).
        :param generations: numbers of tokens to write one after the other (tg), by each number of sequences in ``n_parallel`` together.
        :param depths: positions filled before; ``n_threads``: numbers of threads, 0 for one on each core. All are combined.
        :param roofs: measure the machine's limits too.
        :param progress: a function of (stage, test, runs done, runs in all); returning False cancels.
        :returns: the report of ``alpaca_bench``: ``rows`` with the speeds of each test in tokens a second, ``roofs``, and more.
        """
        reads, texts = _lengths("prompts", prompts), _lengths("generations", generations)
        sequences = _lengths("n_parallel", n_parallel)
        tests = [
            test
            for threads, depth in itertools.product(_lengths("n_threads", n_threads), _lengths("depths", depths))
            for test in [_abi.BenchTest(length, 0, depth, 0, threads) for length in reads]
            + [_abi.BenchTest(0, length, depth, n, threads) for length in texts for n in sequences]
        ]
        if not tests:
            raise InvalidArgumentError("nothing to measure: give a length of a prompt or of a text")
        params = initialized(_abi.BenchParams(), lib.alpaca_bench_params_init)
        array = (_abi.BenchTest * len(tests))(*tests)
        params.tests, params.n_tests = array, len(tests)
        params.n_repetitions = _checks.integer("repetitions", repetitions)
        params.n_batch = _checks.integer("n_batch", n_batch)
        params.roofs = int(_checks.flag("roofs", roofs))
        params.type_k = params.type_v = cache_type_number(cache_type)
        callback = Callback(progress)
        params.progress = callback.pointer
        return callback.report(lib.alpaca_bench, self._open(), byref(params))

    def chat(self, system: Optional[str] = None, **options: Unpack[SessionOptions]) -> Chat:
        """A conversation. Options as of :class:`Session`."""
        _options.known(options, _options.SESSION_NAMES, "chat")
        return Chat(self, system, **options)

    def close(self) -> None:
        """Frees the model; its sessions keep what they need."""
        self._finalizer()

    def __enter__(self) -> "Model":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        if not self._finalizer.alive:
            return f"<alpaca.Model {self.path!r}: closed>"
        info = self.info
        return f"<alpaca.Model {self.path!r}: {info['architecture']}, {info['quantization']}, {info['n_params']:,} parameters>"


def _lengths(name: str, values: Any) -> list[int]:
    return [_checks.integer(f"{name}[{i}]", value) for i, value in enumerate(_checks.several(name, values, "a list of whole numbers"))]


def inspect(path: Path) -> dict[str, Any]:
    """What is in a model, an adapter, a tokenizer, an importance matrix or a file of weights; ``kind`` says which of them it is.

    What can be read but not used is described too: ``problem`` then says why.
    """
    return report(lib.alpaca_inspect, _hub.local("path", path))
