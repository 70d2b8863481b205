"""No order of closing, dropping and using what was handed out reads memory that was freed. Programs of their own: a crash is seen."""

import copy
import pickle
import subprocess
import sys
import textwrap

import pytest

import alpaca

from conftest import REPOSITORY

MODEL = REPOSITORY / "models/mini/chinese-alpaca-mini-f16.gguf"

#: What is done between taking a view of the logits and reading it.
ORDERS = {
    "close": "session.close()",
    "close twice": "session.close(); session.close()",
    "with": "session.__exit__(None, None, None)",
    "del": "del session",
    "del all": "del session, model; gc.collect()",
    "model first": "model.close(); session.close()",
    "model last": "session.close(); model.close(); del session, model",
    "from another thread": "run(session.close)",
    "others take its place": "session.close(); [model.session(n_ctx=4096).append([1]) for _ in range(20)]",
    "a cycle": "session.me = session; del session; gc.collect()",
    "after truncate": "session.truncate(0); session.close()",
    "after a text": "session.generate('a', max_new_tokens=3).read(); expected = None; session.close()",
    "in a child": "child(lambda: (session.close(), check()))",
}


@pytest.mark.parametrize("kind", ["numpy", "memoryview"])
@pytest.mark.parametrize("order", ORDERS)
def test_views_of_logits(order: str, kind: str) -> None:
    program = f"""
    import gc, os, sys, threading
    if {kind!r} == "memoryview":
        sys.modules["numpy"] = None
    import alpaca

    def run(function):
        thread = threading.Thread(target=function)
        thread.start()
        thread.join()

    def child(function):
        if os.fork() == 0:
            function()
            os._exit(0)
        assert os.wait()[1] == 0

    model = alpaca.Model({str(MODEL)!r})
    session = model.session(n_ctx=4096).append([1, 270])
    views = [session.logits, session.logits[5:], session.logits]
    expected = [float(value) for value in views[0]]

    def check():
        found = [float(value) for value in views[0]]
        assert expected is None or found == expected
        assert len(views[1]) == len(found) - 5

    {ORDERS[order]}
    junk = [bytearray(1 << 20) for _ in range(64)]
    check()
    del junk
    while views:
        views.pop()
        gc.collect()
        if views:
            float(views[-1][0])
    print("read")
    """
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", textwrap.dedent(program)], capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stdout, done.stderr) == (0, "read\n", "")


def test_a_view_at_the_end_of_the_program() -> None:
    program = f"""
    import atexit, alpaca
    atexit.register(lambda: print(float(view[0]) == first))
    class Late:
        def __del__(self):
            float(view[0])
    late = Late()
    view = alpaca.Model({str(MODEL)!r}).session().append([1]).logits
    first = float(view[0])
    """
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", textwrap.dedent(program)], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (0, "True\n", "")


def test_memory_goes_with_the_last_view(model: alpaca.Model) -> None:
    page = 64 * 4 * 256 * 4
    with alpaca.Model(model.path, cache_bytes=2 * page) as small:
        session = small.session(n_ctx=128).append([1] * 100)
        view = session.logits
        session.close()
        with pytest.raises(alpaca.ModelMemoryError):
            small.session(n_ctx=128)
        del view
        small.session(n_ctx=128).close()


def test_what_is_closed_says_so(model: alpaca.Model) -> None:
    own = alpaca.Model(model.path)
    session, tokenizer, chat = own.session(), own.tokenizer, own.chat()
    stream = own.generate("a")
    own.close()
    own.close()
    for call in (
        lambda: own.tokenizer, lambda: own.info, lambda: own.metadata("general.name"), own.describe, own.session, lambda: own.generate("a"),
        lambda: own.perplexity("a"), lambda: own.bench(), stream.read, lambda: tokenizer.encode("a"), lambda: tokenizer.decode([5]),
        lambda: len(tokenizer), lambda: tokenizer.bos, lambda: tokenizer.piece(5),
    ):  # fmt: skip
        with pytest.raises(alpaca.InvalidArgumentError, match="closed"):
            call()
    assert "closed" in repr(own) and "closed" in repr(tokenizer)
    # Sessions keep what they need.
    assert session.append([1]).position == 1 and chat.send("a", max_new_tokens=2)
    session.close()
    for call in (
        lambda: session.append([1]), lambda: session.logits, session.sample, lambda: session.truncate(0), lambda: session.position,
        lambda: session.n_ctx, lambda: session.n_threads, lambda: session.tokens, lambda: session.perplexity("a"),
        lambda: session.generate("a").read(), lambda: alpaca.step([(session, [1])]),
    ):  # fmt: skip
        with pytest.raises(alpaca.InvalidArgumentError, match="closed"):
            call()
    session.cancel()
    assert "closed" in repr(session)
    alone = alpaca.Tokenizer(REPOSITORY / "Tests/Goldens/tokenizers/mini_llama.model")
    alone.close()
    alone.close()
    with pytest.raises(alpaca.InvalidArgumentError, match="closed"):
        len(alone)


def test_copies_are_refused(model: alpaca.Model) -> None:
    with model.session() as session:
        for thing in (model, session, model.tokenizer, session.generate("a"), alpaca.Chat(model)):
            for copied in (copy.copy, copy.deepcopy, pickle.dumps):
                with pytest.raises(TypeError, match="can't copy or pickle an alpaca") as caught:
                    copied(thing)
                assert isinstance(caught.value, alpaca.Error)


def test_errors_and_results_can_be_pickled(model: alpaca.Model) -> None:
    stream = model.generate("a", max_new_tokens=2)
    stream.read()
    assert pickle.loads(pickle.dumps(stream.result)) == stream.result
    with pytest.raises(alpaca.Error) as caught:
        alpaca.Model("/nonexistent")
    again = pickle.loads(pickle.dumps(caught.value))
    assert type(again) is type(caught.value) and str(again) == str(caught.value) and again.status is alpaca.Status.NOT_FOUND
