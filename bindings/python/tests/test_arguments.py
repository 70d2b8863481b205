"""Arguments of a wrong type or size: an error that names them, which is an alpaca.Error and the built-in class that fits. Nothing is cut, taken
for something else, or left out in silence."""

import os
import pathlib
import warnings
from typing import Any, Callable

import numpy
import pytest

import alpaca

from conftest import GOLDENS, REPOSITORY

MINI = REPOSITORY / "models/mini/chinese-alpaca-mini-f16.gguf"
TOKENIZER = GOLDENS / "tokenizers/mini_llama.model"
USER = [{"role": "user", "content": "a"}]

Call = Callable[[Any], Any]


def write(**options: Any) -> Call:
    """A call that gives an option to each function that takes it, the one after the other."""
    (name, value), = options.items()  # fmt: skip

    def call(model: alpaca.Model) -> None:
        with model.session(n_ctx=64) as session:
            session.append([1])
            for function in (model.generate, session.generate, model.agenerate):
                with pytest.raises(alpaca.Error):
                    function("a", **{name: value})
            for function in (lambda **o: session.chat(USER, **o), lambda **o: model.chat().stream("a", **o)):
                with pytest.raises(alpaca.Error):
                    function(**{name: value})
            if name in ("temperature", "top_k", "seed", "logit_bias"):
                with pytest.raises(alpaca.Error):
                    session.sample(**{name: value})
        model.generate("a", **{name: value})

    return call


def session(**options: Any) -> Call:
    def call(model: alpaca.Model) -> None:
        for function in (lambda: alpaca.Session(model, **options), lambda: model.generate("a", **options), lambda: model.chat(**options)):
            with pytest.raises(alpaca.Error):
                function()
        model.session(**options)

    return call


def convert(**options: Any) -> Call:
    return lambda _: alpaca.convert(MINI, "/nonexistent/out.gguf", plan=True, **options)


BIG = 2**32 + 5
TYPES: dict[str, Call] = {
    "top_k as a text": write(top_k="40"),
    "top_k with a half": write(top_k=2.5),
    "top_k as a bool": write(top_k=True),
    "max_new_tokens of None": write(max_new_tokens=None),
    "temperature as a text": write(temperature="0.5"),
    "temperature as a bool": write(temperature=False),
    "temperature as a list": write(temperature=[0.5]),
    "seed as a text": write(seed="7"),
    "seed as a float": write(seed=7.0),
    "seed as a bool": write(seed=True),
    "ignore_eos as a text": write(ignore_eos="no"),
    "context_shift of 2": write(context_shift=2),
    "stop as bytes": write(stop=b"."),
    "stop of numbers": write(stop=[1]),
    "stop as a dict": write(stop={"a": 1}),
    "stop as a number": write(stop=5),
    "template as a number": write(template=1),
    "system as bytes": write(system=b"x"),
    "logit_bias as a list": write(logit_bias=[(5, 1.0)]),
    "logit_bias of texts": write(logit_bias={"5": 1.0}),
    "logit_bias of bools": write(logit_bias={5: False}),
    "an option that is none": write(temprature=1),
    "n_ctx as a text": session(n_ctx="512"),
    "n_threads with a half": session(n_threads=1.5),
    "grow_on_demand as a text": session(grow_on_demand="yes"),
    "cache_type as a number": session(cache_type=16),
    "rope_theta as a text": session(rope_theta="1e4"),
    "prompt as bytes": lambda m: m.generate(b"a"),
    "prompt of None": lambda m: m.session().generate(None),
    "prompt as a list": lambda m: m.generate(["a"]),
    "message as bytes": lambda m: m.chat().send(b"a"),
    "system of a chat as a number": lambda m: m.chat(5),
    "messages as a text": lambda m: m.session().chat("hello"),
    "messages as a dict": lambda m: m.session().chat(USER[0]),
    "messages of texts": lambda m: m.session().chat(["hello"]),
    "content of None": lambda m: m.session().chat([{"role": "user", "content": None}]),
    "content in parts": lambda m: m.session().chat([{"role": "user", "content": [{"type": "text", "text": "a"}]}]),
    "role of a number": lambda m: m.session().chat([{"role": 1, "content": "a"}]),
    "a session of no model": lambda m: alpaca.Session("model.gguf"),  # type: ignore[arg-type]
    "ids as a text": lambda m: m.session().append("123"),
    "ids as bytes": lambda m: m.session().append(b"\0\0\0\0"),
    "ids as a number": lambda m: m.session().append(5),
    "ids of floats": lambda m: m.session().append([1.0]),
    "ids of an array of floats": lambda m: m.session().append(numpy.ones(3)),
    "ids in two dimensions": lambda m: m.session().append(numpy.ones((2, 2), int)),
    "ids to decode as a text": lambda m: m.tokenizer.decode("5"),
    "id of a piece as a text": lambda m: m.tokenizer.piece("5"),
    "text to encode as bytes": lambda m: m.tokenizer.encode(b"a"),
    "text to encode as a list": lambda m: m.tokenizer.encode(["a"]),
    "add_bos as a text": lambda m: m.tokenizer.encode("a", add_bos="yes"),
    "n_tokens as a float": lambda m: m.session().truncate(1.0),
    "text of a perplexity as a path": lambda m: m.perplexity(MINI),
    "stride as a text": lambda m: m.perplexity("a", stride="5"),
    "step of sessions": lambda m: alpaca.step([m.session()]),
    "step of ids": lambda m: alpaca.step([(5, [5])]),  # type: ignore[list-item]
    "step of a session": lambda m: alpaca.step(m.session()),
    "key as a number": lambda m: m.metadata(5),
    "prompts as a number": lambda m: m.bench(prompts=512),
    "prompts as a text": lambda m: m.bench(prompts="512"),
    "n_threads of a bench as a text": lambda m: m.bench(n_threads=["2"]),
    "repetitions as a text": lambda m: m.bench(repetitions="5"),
    "roofs as a text": lambda m: m.bench(roofs="no"),
    "progress as a text": lambda m: m.bench(progress="bar"),
    "path of None": lambda _: alpaca.Model(None),  # type: ignore[arg-type]
    "path as a number": lambda _: alpaca.Model(3),  # type: ignore[arg-type]
    "path as a list": lambda _: alpaca.inspect([MINI]),  # type: ignore[arg-type]
    "use_mmap as a text": lambda _: alpaca.Model(MINI, use_mmap="no"),  # type: ignore[arg-type]
    "cache_bytes as a text": lambda _: alpaca.Model(MINI, cache_bytes="1G"),  # type: ignore[arg-type]
    "cache_bytes with a half": lambda _: alpaca.Model(MINI, cache_bytes=1.5),  # type: ignore[arg-type]
    "paths to verify as a list": lambda _: alpaca.verify([MINI]),  # type: ignore[arg-type]
    "verify's progress as a number": lambda _: alpaca.verify(MINI, progress=5),  # type: ignore[arg-type]
    "base of None": lambda _: alpaca.convert(None, "out"),  # type: ignore[arg-type]
    "overrides as a text": convert(overrides="output.weight=q8_0"),
    "overrides of texts": convert(overrides=["ab"]),
    "overrides of a number": convert(overrides={"output.weight": 8}),
    "adapters as a dict": convert(adapters={"lora": 0.5}),
    "adapters of numbers": convert(adapters=[5]),
    "an adapter's share as a text": convert(adapters=[("lora", "0.5")]),
    "quantization as a number": convert(quantization=4),
    "shard_size as a text": convert(shard_size="10GB"),
    "overwrite as a text": convert(overwrite="false"),
    "check as a text": convert(check="no"),
    "name as a path": convert(name=pathlib.Path("a")),
    "score as a text": lambda _: alpaca.Tokenizer(TOKENIZER).add_piece("x", score="1"),  # type: ignore[arg-type]
    "kind as a number": lambda _: alpaca.Tokenizer(TOKENIZER).add_piece("x", kind=3),  # type: ignore[arg-type]
    "overwrite of a tokenizer as a text": lambda _: alpaca.Tokenizer(TOKENIZER).save("/nonexistent/x", overwrite="no"),  # type: ignore[arg-type]
}

VALUES: dict[str, Call] = {
    "top_k": write(top_k=BIG),
    "max_new_tokens": write(max_new_tokens=BIG),
    "n_probs": write(n_probs=BIG),
    "repeat_last_n": write(repeat_last_n=-BIG),
    "n_keep": write(n_keep=1 << 70),
    "seed": write(seed=1 << 64),
    "negative seed": write(seed=-2),
    "temperature": write(temperature=1e300),
    "temperature beyond floats": write(temperature=10**400),
    "logit_bias: id": write(logit_bias={BIG: 1.0}),
    "logit_bias": write(logit_bias={5: 1e300}),
    "stop with a zero byte": write(stop=["a\0b"]),
    "template with a zero byte": write(template="none\0x"),
    "system with a zero byte": write(system="be\0nice"),
    "two system texts": lambda m: m.session().chat([{"role": "system", "content": "a"}, *USER], system="x"),
    "half a character": lambda m: m.generate("a\ud800"),
    "half a character in a message": lambda m: m.chat().send("\udc80"),
    "n_ctx": session(n_ctx=2**32 + 64),
    "n_batch": session(n_batch=2**32 + 64),
    "n_threads": session(n_threads=2**32 + 1),
    "cache_type": session(cache_type="q4_0"),
    "ids": lambda m: m.session().append([1, BIG]),
    "one id": lambda m: m.session().append([BIG]),
    "one negative id": lambda m: m.session().append([-BIG]),
    "ids of an array": lambda m: m.session().append(numpy.array([1, BIG])),
    "ids of an iterator": lambda m: m.session().append(iter([BIG])),
    "ids of a step": lambda m: alpaca.step([(m.session(), [BIG])]),
    "ids to decode": lambda m: m.tokenizer.decode([2**32 + 300]),
    "id of a piece": lambda m: m.tokenizer.piece(2**32 + 300),
    "n_tokens": lambda m: m.session().truncate(2**64 + 1),
    "negative n_tokens": lambda m: m.session().truncate(-1),
    "n_ctx of a perplexity": lambda m: m.session().perplexity("a", n_ctx=BIG),
    "stride": lambda m: m.session().perplexity("a", stride=BIG),
    "prompts": lambda m: m.bench(prompts=[2**32 + 8]),
    "n_parallel": lambda m: m.bench(n_parallel=[2**32 + 1]),
    "repetitions": lambda m: m.bench(repetitions=2**32 + 1),
    "n_threads of verify": lambda _: alpaca.verify(MINI, n_threads=2**32),
    "n_threads of convert": convert(n_threads=2**32),
    "n_shards": convert(n_shards=2**32),
    "shard_size": convert(shard_size=2**64 + 1),
    "negative shard_size": convert(shard_size=-1),
    "quantization with a zero byte": convert(quantization="q8_0\0x"),
    "name with a zero byte": convert(name="a\0b"),
    "pattern with a zero byte": convert(overrides={"output\0.weight": "q8_0"}),
    "type with a zero byte": convert(overrides={"output.weight": "q8_0\0"}),
    "tokenizer with a zero byte": convert(tokenizer="a\0b"),
    "imatrix with a zero byte": convert(imatrix="a\0b"),
    "adapter with a zero byte": convert(adapters=["a\0b"]),
    "base with a zero byte": lambda _: alpaca.convert(f"{MINI}\0x", "out", plan=True),
    "output with a zero byte": lambda _: alpaca.convert(MINI, "/nonexistent/a\0b", plan=True),
    "path with a zero byte": lambda _: alpaca.Model(f"{MINI}\0.bak"),
    "path of bytes with a zero byte": lambda _: alpaca.Model(os.fsencode(MINI) + b"\0"),
    "path to inspect with a zero byte": lambda _: alpaca.inspect(f"{MINI}\0"),
    "path to verify with a zero byte": lambda _: alpaca.verify(f"{MINI}\0"),
    "tokenizer's path with a zero byte": lambda _: alpaca.Tokenizer(f"{TOKENIZER}\0"),
    "path to merge with a zero byte": lambda _: alpaca.Tokenizer(TOKENIZER).merge(f"{TOKENIZER}\0"),
    "path to save with a zero byte": lambda _: alpaca.Tokenizer(TOKENIZER).save("/nonexistent/a\0b"),
    "key with a zero byte": lambda m: m.metadata("general.name\0x"),
    "score": lambda _: alpaca.Tokenizer(TOKENIZER).add_piece("x", score=1e300),
    "kind": lambda _: alpaca.Tokenizer(TOKENIZER).add_piece("x", kind="text"),
    "role": lambda m: m.session().chat([{"role": "tool", "content": "a"}]),
    "no role": lambda m: m.session().chat([{"content": "a"}]),
    "no content": lambda m: m.session().chat([{"role": "user"}]),
    "rounding": convert(rounding="twice"),
    "precision": convert(precision="f64"),
    "output_format": convert(output_format="ggml"),
}


@pytest.mark.parametrize("name", TYPES)
def test_types(name: str, model: alpaca.Model) -> None:
    with pytest.raises(TypeError) as caught:
        TYPES[name](model)
    assert isinstance(caught.value, alpaca.ArgumentTypeError) and isinstance(caught.value, alpaca.Error)
    assert caught.value.status is alpaca.Status.INVALID_ARGUMENT and ("expected" in str(caught.value) or "unknown option" in str(caught.value))


@pytest.mark.parametrize("name", VALUES)
def test_values(name: str, model: alpaca.Model) -> None:
    with pytest.raises(ValueError) as caught:
        VALUES[name](model)
    assert isinstance(caught.value, alpaca.InvalidArgumentError) and not isinstance(caught.value, TypeError)
    assert "found" in str(caught.value) and "expected" in str(caught.value) or "more than 32 bits" in str(caught.value)


def test_what_numpy_has_is_taken(model: alpaca.Model) -> None:
    with model.session(n_ctx=numpy.int64(64), n_threads=numpy.uint8(1), grow_on_demand=numpy.bool_(True)) as session:
        for ids in (numpy.array([1, 300]), numpy.array([1, 300], numpy.uint16), (1, 300), range(1, 3), iter([1, 300]), [numpy.int32(1), 300]):
            session.append(ids)  # type: ignore[arg-type]
        assert session.append([]).position == 12
        assert session.tokens[:2] == [1, 300] == model.tokenizer.encode(model.tokenizer.decode([1, 300]), add_bos=True)[:2]
        greedy = session.sample(temperature=numpy.float32(0), top_k=numpy.int64(5), repetition_penalty=1)
        assert greedy == int(session.logits.argmax())
        session.truncate(numpy.int64(3))
        assert session.position == 3 and session.truncate(2**64 - 1) is None


def test_paths_of_all_kinds(tmp_path: pathlib.Path) -> None:
    name = tmp_path / "模型.gguf"
    name.symlink_to(MINI)
    for path in (name, str(name), os.fsencode(name)):
        with alpaca.Model(path) as model:
            assert model.path == str(name)
        assert alpaca.inspect(path)["kind"] == "model" and len(alpaca.Tokenizer(path)) == 3941
        assert alpaca.verify(path)["files"][0]["path"] == str(name)
        assert alpaca.convert(path, os.fsencode(tmp_path / "out"), plan=True)["output"] == str(tmp_path / "out")


def test_one_where_several_are_meant(tmp_path: pathlib.Path, model: alpaca.Model) -> None:
    for one in ("/none/lora", pathlib.Path("/none/lora"), b"/none/lora", ("/none/lora", 0.5), ["/none/lora"], [("/none/lora", 1)]):
        with pytest.raises(alpaca.ModelNotFoundError, match="^/none/lora"):
            alpaca.convert(MINI, tmp_path / "out", adapters=one, plan=True)  # type: ignore[arg-type]
    texts = {model.generate("写一首诗", temperature=0, stop=stop).read() for stop in ("。", ["。"], ("。",), iter(["。"]))}
    assert len(texts) == 1


def test_seeds(model: alpaca.Model) -> None:
    options: dict[str, Any] = {"temperature": 2.0, "top_k": 0, "top_p": 1.0, "max_new_tokens": 20}
    for seed in (None, -1, numpy.int64(-1)):
        assert len({model.generate("a", seed=seed, **options).read() for _ in range(4)}) > 1
        with model.session() as session:
            session.append([1])
            assert len({session.sample(seed=seed, temperature=5.0, top_k=0, top_p=1.0) for _ in range(8)}) > 1
    for seed in (0, 2**63, 2**64 - 1):
        assert len({model.generate("a", seed=seed, **options).read() for _ in range(2)}) == 1


def test_what_has_no_effect_is_said(model: alpaca.Model) -> None:
    with model.session() as session:
        session.append([1])
        with pytest.warns(alpaca.Warning, match="max_new_tokens has no effect on a single token") as told:
            session.sample(temperature=0, max_new_tokens=5)
        assert [pathlib.Path(warning.filename).name for warning in told] == ["test_arguments.py"]
        with pytest.warns(alpaca.Warning, match="n_keep has no effect without context_shift"):
            session.generate("a", n_keep=5)
        with pytest.warns(alpaca.Warning, match=r"messages\[0\]: name has no effect"):
            session.chat([{"role": "user", "content": "a", "name": "b"}])
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            session.generate("a", n_keep=5, context_shift=True)
            session.sample(temperature=0, seed=1, logit_bias={5: 1})


def test_errors_have_two_classes() -> None:
    assert len(alpaca.Status) == 17
    fitting = {
        alpaca.ArgumentTypeError: TypeError, alpaca.BadFormatError: ValueError, alpaca.BusyError: RuntimeError,
        alpaca.CancelledError: RuntimeError, alpaca.ContextFullError: ValueError, alpaca.InvalidArgumentError: ValueError,
        alpaca.MissingKeyError: KeyError, alpaca.ModelIOError: OSError, alpaca.ModelMemoryError: MemoryError,
        alpaca.ModelNotFoundError: FileNotFoundError, alpaca.UnsupportedError: NotImplementedError, alpaca.VerificationError: ValueError,
    }  # fmt: skip
    of_the_package = {value for value in vars(alpaca).values() if isinstance(value, type) and issubclass(value, alpaca.Error)}
    assert of_the_package - {alpaca.Error} == set(fitting)
    for error, built_in in fitting.items():
        assert issubclass(error, built_in) and issubclass(error, alpaca.Error)
        assert isinstance(error("x").status, alpaca.Status) and str(error("x")) == "x"


def test_enums_are_texts_and_numbers(model: alpaca.Model) -> None:
    import json

    stream = model.generate("a", max_new_tokens=1)
    stream.read()
    assert stream.result is not None
    reason = stream.result.finish_reason
    assert reason is alpaca.FinishReason.LENGTH and reason == "length" and {"length": 1}[reason] == 1
    assert f"{reason}|{reason:>8}|{reason!s}" == "length|  length|length" and json.dumps(reason) == '"length"'
    report = alpaca.verify(TOKENIZER)
    assert report["files"][0]["status"] is alpaca.FileStatus.UNKNOWN and json.loads(json.dumps(report)) == report
    with pytest.raises(alpaca.Error) as caught:
        alpaca.inspect("/nonexistent")
    assert caught.value.status == 2 and caught.value.status.name == "NOT_FOUND"
    with pytest.raises(KeyError, match="^there is no|no metadata key") as missing:
        model.metadata("no.such.key")
    assert isinstance(missing.value, alpaca.MissingKeyError) and "no.such.key" in str(missing.value)


def test_representations(model: alpaca.Model) -> None:
    assert repr(model) == f"<alpaca.Model '{model.path}': llama, F16, 5,427,968 parameters>"
    assert repr(model.tokenizer) == f"<alpaca.Tokenizer '{model.path}': 3,941 pieces>"
    with model.session(n_ctx=64) as session:
        assert repr(session.append([1, 2])) == f"<alpaca.Session of '{model.path}': 2 of 64 positions>"
    assert repr(alpaca.Chat(model, "x")).startswith("<alpaca.Chat of 1 messages in <alpaca.Session of ")
    stream = model.generate("a", max_new_tokens=2)
    next(stream.tokens())
    assert "characters read" in repr(stream)
    stream.read()
    assert repr(stream) == "<alpaca.Stream: ended by length, 2 tokens>"


def test_options_without_effect(tmp_path: pathlib.Path) -> None:
    model = alpaca.Model(MINI)
    for options, word in (({"top_k": 5}, "top_k"), ({"top_p": 0.5}, "top_p"), ({"min_p": 0.1}, "min_p"), ({"n_keep": 4}, "n_keep")):
        with pytest.warns(alpaca.Warning, match=f"{word} has no effect"):
            model.generate("a", temperature=0, max_new_tokens=1, **options).read()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model.generate("a", temperature=0, top_k=0, top_p=1.0, min_p=0, max_new_tokens=1).read()
    for stop in ("", ["a", ""]):
        with pytest.raises(alpaca.InvalidArgumentError, match="empty text"):
            model.generate("a", stop=stop)
    # As llama.cpp has it: until the model ends, or the context is full.
    result = model.generate("a", max_new_tokens=-1, n_ctx=64, ignore_eos=True, template="none")
    result.read()
    assert result.result is not None and result.result.finish_reason == "context_full"
