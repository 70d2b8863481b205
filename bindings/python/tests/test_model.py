"""Models, sessions and chats: results against transformers', manners as Python's."""

import asyncio
import math
import os
import pathlib
import subprocess
import sys
import threading
from typing import Any

import numpy
import pytest

import alpaca

from conftest import REPOSITORY

GREEDY: dict[str, Any] = {"temperature": 0, "repetition_penalty": 1, "max_new_tokens": 64}


def test_info(model: alpaca.Model) -> None:
    info = model.info
    assert (info["n_vocab"], info["n_embd"], info["n_layer"], info["n_head"], info["n_head_kv"]) == (3941, 256, 4, 4, 4)
    assert info["quantization"] == "F16" and info["template_name"] == "alpaca" and info["n_params"] == 5427968
    assert model.metadata("general.architecture") == "llama"
    with pytest.raises(KeyError):
        model.metadata("no.such.key")
    description = model.describe()
    assert description["template"] == "alpaca" and description["hyperparameters"]["n_ff"] == 768
    inspected = alpaca.inspect(model.path)
    assert inspected == description and inspected["kind"] == "model"
    tokenizer = alpaca.inspect(REPOSITORY / "Tests/Goldens/tokenizers/mini_llama.model")
    assert (tokenizer["kind"], tokenizer["n_vocab"], tokenizer["problem"]) == ("tokenizer", 1000, None)
    assert alpaca.build_info()["version"] == alpaca.__version__ == "1.1.0"


def test_greedy_is_transformers(model: alpaca.Model, prompts: dict[str, Any]) -> None:
    for prompt in prompts.values():
        session = model.session(cache_type="f32")
        text = prompt["instruction"] if prompt["template"] else prompt["prompt"]
        stream = session.generate(text, template=None if prompt["template"] else "none", **GREEDY)
        ids = [token.id for token in stream.tokens()]
        golden = prompt["greedy"]
        assert ids == [id for id in golden["ids"] if id != 2], prompt["name"]
        assert stream.result is not None
        assert stream.result.finish_reason == ("end_of_sequence" if golden["ended_by_eos"] else "length")
        assert stream.result.n_prompt == len(prompt["prompt_ids"])
        if prompt["template"]:
            assert stream.text == golden["text"]


def test_whole_characters(model: alpaca.Model) -> None:
    # Byte tokens: each piece must be text on its own.
    pieces = list(model.generate("🙂 鬱鬱", template="none", temperature=1.5, top_k=0, top_p=1, seed=7, max_new_tokens=200))
    assert "".join(pieces).encode().decode()
    assert pieces and all(pieces)


def test_logits(model: alpaca.Model, prompts: dict[str, Any]) -> None:
    ids = prompts["template-1"]["prompt_ids"]
    with model.session(cache_type="f32") as session:
        session.append(ids[:-1])
        logits = session.logits
        assert isinstance(logits, numpy.ndarray) and logits.shape == (3941,)
        nll = -(logits[ids[-1]] - logits.max() - math.log(numpy.exp(logits - logits.max()).sum()))
        assert nll == pytest.approx(prompts["template-1"]["token_nll"][-1], abs=1e-3)
        assert session.position == len(ids) - 1 and session.tokens == ids[:-1]
        assert session.sample(temperature=0, repetition_penalty=1) == int(logits.argmax())
        session.truncate(4)
        assert session.position == 4
        with pytest.raises(ValueError, match="no logits"):
            session.logits


def test_step(model: alpaca.Model, prompts: dict[str, Any]) -> None:
    """Prompts that come one after the other and are answered together: transformers' ids."""
    ids: dict[str, list[int]] = {}
    waiting = list(prompts)
    inputs: dict[str, tuple[alpaca.Session, list[int]]] = {}
    while waiting or inputs:
        if waiting:
            name = waiting.pop(0)
            ids[name] = []
            inputs[name] = (model.session(cache_type="f32"), prompts[name]["prompt_ids"])
        alpaca.step(inputs.values())
        for name, (session, _) in list(inputs.items()):
            id = session.sample(temperature=0, repetition_penalty=1)
            ids[name].append(id)
            inputs[name] = (session, [id])
            if id == 2 or len(ids[name]) == 64:
                del inputs[name]
    assert ids == {name: prompt["greedy"]["ids"] for name, prompt in prompts.items()}


def test_step_refuses(model: alpaca.Model) -> None:
    with model.session(n_ctx=4) as one, model.session() as other:
        with pytest.raises(alpaca.InvalidArgumentError, match=r"inputs\[1\].session: found that of inputs\[0\]"):
            alpaca.step([(one, [5]), (one, [5])])
        with pytest.raises(alpaca.ContextFullError, match=r"inputs\[1\].ids: 5 tokens do not fit"):
            alpaca.step([(other, [5]), (one, [5] * 5)])
        with pytest.raises(alpaca.InvalidArgumentError, match=r"inputs\[0\].ids: found none"):
            alpaca.step([(one, [])])
        with pytest.raises(alpaca.InvalidArgumentError, match="inputs: found 0 of them"):
            alpaca.step([])
        assert (one.position, other.position) == (0, 0)
    with pytest.raises(alpaca.InvalidArgumentError, match=r"inputs\[0\].session: found a handle that is freed"):
        alpaca.step([(one, [5])])


@pytest.mark.parametrize("path", ["generic", "avx2", "avxvnni", "avx512", "avx512vbmi"])
def test_step_on_each_cpu_path(path: str) -> None:
    """Logits of sessions that read together are those of sessions that read alone, on every path that this machine has."""
    program = """
import sys, alpaca
print(alpaca.build_info()["cpu_path"])
for file in sys.argv[1:]:
    model = alpaca.Model(file)
    parts = [[1, 300, 301, 302, 303], [1, 304], [305], [1] + list(range(300, 340))]
    for rest in ([306], [307, 308]):
        together = [model.session(n_batch=24, n_threads=2) for _ in parts]
        alone = [model.session(n_threads=1).append(ids).append(rest) for ids in parts]
        alpaca.step(zip(together, parts))
        alpaca.step([(session, rest) for session in together])
        for one, other in zip(together, alone):
            assert bytes(memoryview(one.logits).cast("B")) == bytes(memoryview(other.logits).cast("B"))
"""
    files = [str(REPOSITORY / f"models/mini/chinese-alpaca-mini-{kind}.gguf") for kind in ("f16", "q8_0")]
    found = subprocess.run(
        [sys.executable, "-c", program, *files], env={**os.environ, "ALPACA_CPU": path}, capture_output=True, text=True, timeout=120
    )
    assert found.returncode == 0, found.stderr
    if found.stdout.strip() != path:
        pytest.skip(f"this machine has no {path}")


def test_same_seed_same_text(model: alpaca.Model) -> None:
    options: dict[str, Any] = {"temperature": 1.0, "max_new_tokens": 40}
    texts = {model.generate("写一首诗", seed=seed, n_threads=n, **options).read() for seed in (5,) for n in (1, 2, 3)}
    assert len(texts) == 1
    assert model.generate("写一首诗", seed=6, **options).read() not in texts


@pytest.mark.parametrize("seed", [0, 42, 2**64 - 1])
@pytest.mark.parametrize("changes", [{}, {"top_k": 0, "top_p": 1.0}, {"top_k": 0, "min_p": 0.02, "temperature": 1.5}])
def test_a_loop_draws_what_generate_draws(model: alpaca.Model, seed: int, changes: dict[str, Any]) -> None:
    sampling: dict[str, Any] = {"temperature": 1.0, "seed": seed, **changes}
    prompt = "白日依山尽"
    stream = model.generate(prompt, template="none", max_new_tokens=32, ignore_eos=True, **sampling)
    written = {token.index: token.id for token in stream.tokens()}
    with model.session() as session:
        session.append(model.tokenizer.encode(prompt, add_bos=True))
        drawn = []
        for _ in range(32):
            session.sample(temperature=1.0)  # draws without the seed change nothing
            drawn.append(session.sample(**sampling))
            session.append(drawn[-1:])
    assert drawn == [written[i] for i in range(32)]


def test_a_used_session_answers_as_a_fresh_one(model: alpaca.Model) -> None:
    """Three turns, each again in a session of its own; some answer's text is other tokens than those it was written with."""
    rewritten = 0
    for seed in range(4):
        with model.session() as used:
            messages = [{"role": "user", "content": "写一首五言绝句，题目是《山中》"}]
            for turn in range(3):
                options: dict[str, Any] = {"temperature": 1.3, "top_k": 0, "top_p": 1.0, "max_new_tokens": 40, "seed": seed + turn}
                found = []
                for session in (used, model.session()):
                    stream = session.chat(messages, **options)
                    tokens = list(stream.tokens())
                    assert stream.result is not None
                    text = "".join(token.text for token in tokens)
                    found.append((list({token.index: token.id for token in tokens}.values()), text, stream.result.n_prompt))
                assert found[0] == found[1]
                ids, text, _ = found[0]
                rewritten += model.tokenizer.encode(text) != ids
                messages += [{"role": "assistant", "content": text}, {"role": "user", "content": "再写一首"}]
    assert rewritten > 0


def test_stop_and_bias(model: alpaca.Model, prompts: dict[str, Any]) -> None:
    whole = prompts["template-1"]["greedy"]["text"]
    stop = whole[6:9]
    stream = model.generate(prompts["template-1"]["instruction"], stop=stop, **GREEDY)
    assert stream.read() == whole[: whole.index(stop)]
    assert stream.result is not None and stream.result.finish_reason == "stop_string"
    first = prompts["template-1"]["greedy"]["ids"][0]
    stream = model.generate(prompts["template-1"]["instruction"], logit_bias={first: -math.inf}, **GREEDY)
    assert next(stream.tokens()).id != first


def test_candidates(model: alpaca.Model) -> None:
    stream = model.generate("写一首诗", n_probs=5, **GREEDY)
    for token in stream.tokens():
        if math.isnan(token.logprob):
            continue  # text that was held back
        assert len(token.candidates) == 5 and token.candidates[0] == (token.id, pytest.approx(token.logprob))
        probabilities = [math.exp(logprob) for _, logprob in token.candidates]
        assert probabilities == sorted(probabilities, reverse=True) and sum(probabilities) <= 1.0001


def test_chat_reads_only_what_is_new(model: alpaca.Model) -> None:
    with model.chat() as chat:
        first = chat.send("写一首五言绝句，题目是《山中》", **GREEDY)
        assert "。" in first and chat.messages[-1] == {"role": "assistant", "content": first}
        read = chat.session.position
        chat.messages.append({"role": "user", "content": "再写一首"})
        stream = chat.session.chat(chat.messages, **GREEDY)
        stream.read()
        assert stream.result is not None
        # All that was read before is used again; the answer's last token was never read.
        assert stream.result.n_cached == read
        assert stream.result.n_prompt - stream.result.n_cached < 60


def test_leaving_the_loop_stops_the_writing(model: alpaca.Model) -> None:
    session = model.session()
    stream = session.generate("and the LORD", template="none", max_new_tokens=0, ignore_eos=True, temperature=0)
    for _ in stream:
        break
    stream.close()
    assert session.append([5]).position > 0


def test_exceptions_in_the_loop(model: alpaca.Model) -> None:
    with pytest.raises(ZeroDivisionError):
        for _ in model.generate("写一首诗", max_new_tokens=0, ignore_eos=True):
            1 / 0


def test_busy_and_cancel(model: alpaca.Model) -> None:
    session = model.session()
    stream = session.generate("and the LORD", template="none", max_new_tokens=0, ignore_eos=True, context_shift=True)
    tokens = stream.tokens()
    next(tokens)
    # The writing waits for its reader and holds the session.
    with pytest.raises(alpaca.BusyError, match="in use by another call"):
        session.append([1])
    assert session.position > 0
    session.cancel()
    for _ in tokens:
        pass
    assert stream.result is not None and stream.result.finish_reason == "cancelled"
    session.append([1])


def test_async(model: alpaca.Model) -> None:
    async def main() -> tuple[str, str]:
        text = "".join([piece async for piece in model.agenerate("写一首五言绝句，题目是《山中》", **GREEDY)])
        with model.chat() as chat:
            return text, await chat.asend("写一首五言绝句，题目是《山中》", **GREEDY)

    text, answer = asyncio.run(main())
    assert text == answer == model.generate("写一首五言绝句，题目是《山中》", **GREEDY).read()


def test_threads_side_by_side(model: alpaca.Model) -> None:
    results: dict[int, str] = {}

    def work(number: int) -> None:
        results[number] = model.generate("写一首五言绝句，题目是《山中》", n_threads=1, **GREEDY).read()

    threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 4 and len(set(results.values())) == 1


def test_context_full(model: alpaca.Model) -> None:
    session = model.session(n_ctx=32)
    with pytest.raises(alpaca.ContextFullError, match="tokens do not fit: 0 of 32 positions"):
        session.append([1] * 33)
    stream = session.generate("a", template="none", max_new_tokens=0, ignore_eos=True, temperature=0)
    stream.read()
    assert stream.result is not None and stream.result.finish_reason == "context_full" and session.position == 32
    stream = session.generate("a", template="none", max_new_tokens=100, ignore_eos=True, temperature=0, context_shift=True)
    stream.read()
    assert stream.result is not None and stream.result.n_generated == 100


@pytest.mark.parametrize(
    "content,error,words",
    [
        (b"", alpaca.BadFormatError, "empty"),
        (b"hello world, this is a text\n" * 20, alpaca.BadFormatError, "text"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n", alpaca.Error, "git lfs pull"),
        (b"<!DOCTYPE html><html><body>404</body></html>", alpaca.BadFormatError, "HTML"),
        (b"GGUF\x03\x00\x00\x00", alpaca.BadFormatError, "byte 8"),
    ],
)
def test_bad_files(tmp_path: pathlib.Path, content: bytes, error: type[Exception], words: str) -> None:
    path = tmp_path / "坏.gguf"
    path.write_bytes(content)
    with pytest.raises(error, match=words) as caught:
        alpaca.Model(path)
    assert str(path) in str(caught.value)


IDS = [(i * 7919 + 13) % 3900 for i in range(300)]


def page_bytes(model: alpaca.Model) -> int:
    """What the keys and values of 64 positions take, as docs/embedding.md has it."""
    info = model.info
    return int(info["n_layer"] * 64 * info["n_head_kv"] * (info["n_embd"] // info["n_head"]) * 4)


def test_cache_bytes(model: alpaca.Model) -> None:
    page = page_bytes(model)
    with alpaca.Model(model.path, cache_bytes=2 * page) as limited:
        with pytest.raises(alpaca.ModelMemoryError, match=rf"of the {2 * page} that the model's sessions share \(cache_bytes\)"):
            limited.session(n_ctx=129)
        with limited.session(n_ctx=64) as promised, limited.session(n_ctx=4096, grow_on_demand=True) as growing:
            growing.append(IDS[:64])
            with pytest.raises(MemoryError, match="cache_bytes"):
                growing.append([1])
            assert growing.position == 64
            assert promised.append(IDS[:64]).position == 64
        # What was freed can be had again.
        with limited.session(n_ctx=128) as session:
            assert session.append(IDS[:128]).position == 128
    for limit in (0, page * 1000, (1 << 63) - 1, 1 << 63, (1 << 64) - 1, 1 << 70):
        with alpaca.Model(model.path, cache_bytes=limit) as unlimited, unlimited.session(n_ctx=512) as session:
            assert session.append(IDS).position == len(IDS)
    with pytest.raises(ValueError, match="cache_bytes: found -1, expected 0 or more"):
        alpaca.Model(model.path, cache_bytes=-1)


def test_memory_ends_while_writing(model: alpaca.Model) -> None:
    with alpaca.Model(model.path, cache_bytes=page_bytes(model)) as limited:
        stream = limited.generate(
            "山", n_ctx=512, grow_on_demand=True, template="none", temperature=0, max_new_tokens=0, ignore_eos=True
        )
        with pytest.raises(alpaca.ModelMemoryError, match="key and value cache of 65 positions"):
            stream.read()
        assert stream.text


def test_common_beginnings(model: alpaca.Model) -> None:
    """What one session holds another need not read; logits are the same to the last bit."""
    text = "白日依山尽，黄河入海流。欲穷千里目，更上一层楼。" * 10
    options: dict[str, Any] = {"template": "none", "temperature": 0, "max_new_tokens": 8}
    with alpaca.Model(model.path) as own, own.session(n_ctx=1024) as first, own.session(n_ctx=1024) as second:
        streams = []
        for session in (first, second):
            streams.append(session.generate(text, **options))
            streams[-1].read()
        one, two = streams[0].result, streams[1].result
        assert one is not None and two is not None and one.n_prompt > 128
        assert (one.n_cached, two.n_cached) == (0, (one.n_prompt - 1) // 64 * 64)
        assert streams[0].text == streams[1].text and first.tokens == second.tokens
        assert numpy.array_equal(first.logits, second.logits)


def test_threads_share_a_model(model: alpaca.Model) -> None:
    """What each of four threads writes is what it writes alone, whoever else writes."""

    def write(number: int) -> str:
        with model.session(n_ctx=512, n_threads=1 + number % 2, n_batch=7 + 100 * number) as session:
            return session.generate("写一首五言绝句", seed=number, temperature=0.8, max_new_tokens=60, ignore_eos=True).read()

    alone = [write(number) for number in range(4)]
    together: dict[int, str] = {}

    def work(number: int) -> None:
        together[number] = write(number)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [together[number] for number in range(4)] == alone


def test_bad_arguments(model: alpaca.Model, tmp_path: pathlib.Path) -> None:
    with pytest.raises(FileNotFoundError):
        alpaca.Model(tmp_path / "nothing")
    with pytest.raises(alpaca.BadFormatError, match="found nothing, expected a model"):
        alpaca.Model(tmp_path)
    with pytest.raises(TypeError, match="unknown option 'temprature'"):
        model.generate("a", temprature=1)
    with pytest.raises(ValueError, match="temperature: found -1.0, expected 0 or more"):
        model.generate("a", temperature=-1).read()
    with pytest.raises(ValueError, match="n_batch: found 0"):
        model.session(n_batch=0)
    with pytest.raises(MemoryError):
        model.session(n_ctx=1 << 22, cache_type="f32")
    with pytest.raises(ValueError, match="token id at index 0"):
        model.session().append([-1])


def test_read_instead_of_map(prompts: dict[str, Any]) -> None:
    steps: list[tuple[int, int]] = []

    def progress(stage: str, item: str, done: int, total: int) -> None:
        steps.append((done, total))

    path = REPOSITORY / "models/mini/chinese-alpaca-mini-q8_0.gguf"
    model = alpaca.Model(path, use_mmap=False, progress=progress)
    # Of the weights, without the header.
    assert steps and path.stat().st_size * 0.9 < steps[-1][0] == steps[-1][1] < path.stat().st_size
    mapped = alpaca.Model(path)
    prompt = prompts["template-1"]["instruction"]
    assert model.generate(prompt, **GREEDY).read() == mapped.generate(prompt, **GREEDY).read()
    with pytest.raises(alpaca.CancelledError):
        alpaca.Model(path, use_mmap=False, progress=lambda *_: False)


def test_perplexity(model: alpaca.Model) -> None:
    text = (REPOSITORY / "Tests/Goldens/mini/heldout_poems.txt").read_text()
    found = model.perplexity(text, n_ctx=256, cache_type="f32")
    # transformers' figure (Tests/Goldens/mini/perplexity.json).
    assert found.perplexity == pytest.approx(107.1948, rel=2e-5)
    assert (found.n_tokens, found.n_windows, found.n_scored) == (4554, 17, 2159)
    with pytest.raises(ValueError, match="expected more than the 512 of a window"):
        model.perplexity("短")


def test_bench(model: alpaca.Model) -> None:
    steps: list[tuple[str, str, int, int]] = []
    report = model.bench(
        prompts=[16], generations=[2], depths=[0, 8], n_threads=[1], n_parallel=[1, 2], repetitions=2, roofs=False,
        progress=lambda *step: steps.append(step),
    )
    assert [row["test"] for row in report["rows"]] == ["pp16", "tg2", "tg2 x 2", "pp16 @ 8", "tg2 @ 8", "tg2 x 2 @ 8"]
    assert all(len(row["tokens_per_second"]) == 2 and min(row["tokens_per_second"]) > 0 for row in report["rows"])
    assert (report["quantization"], report["n_params"], report["roofs"]) == ("F16", 5427968, [])
    assert report["cpu_path"] == alpaca.build_info()["cpu_path"]
    assert steps[0][2:] == (0, 18) and steps[-1][2:] == (18, 18)
    with pytest.raises(alpaca.CancelledError):
        model.bench(roofs=False, progress=lambda *_: False)
    with pytest.raises(ValueError, match="nothing to measure"):
        model.bench(prompts=[], generations=[])
    with pytest.raises(ValueError, match=r"tests\[0\]: depth: found -1"):
        model.bench(depths=[-1])
    with pytest.raises(ValueError, match="cache_type: found 'q9'"):
        model.bench(cache_type="q9")
