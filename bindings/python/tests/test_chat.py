"""Conversations: what a turn leaves behind that comes to its end, and one that does not."""

import asyncio
import threading
from typing import Any, Callable

import pytest

import alpaca

FIRST = "写一首五言绝句，题目是《山中》"
GREEDY: dict[str, Any] = {"temperature": 0, "repetition_penalty": 1, "max_new_tokens": 24}
ENDLESS: dict[str, Any] = {"temperature": 0, "max_new_tokens": 0, "ignore_eos": True, "context_shift": True}


async def gather(chat: alpaca.Chat, message: Any, **options: Any) -> str:
    return "".join([piece async for piece in chat.astream(message, **options)])


#: The ways to say something.
WAYS: dict[str, Callable[..., str]] = {
    "send": lambda chat, *a, **o: str(chat.send(*a, **o)),
    "stream": lambda chat, *a, **o: "".join(chat.stream(*a, **o)),
    "tokens": lambda chat, *a, **o: "".join(token.text for token in chat.stream(*a, **o).tokens()),
    "read": lambda chat, *a, **o: str(chat.stream(*a, **o).read()),
    "asend": lambda chat, *a, **o: asyncio.run(chat.asend(*a, **o)),
    "astream": lambda chat, *a, **o: asyncio.run(gather(chat, *a, **o)),
}


@pytest.mark.parametrize("way", WAYS)
def test_a_turn_that_ends(way: str, model: alpaca.Model) -> None:
    with model.chat("你是诗人。", n_ctx=512) as chat:
        text = WAYS[way](chat, FIRST, **GREEDY)
        assert text and chat.messages == [
            {"role": "system", "content": "你是诗人。"}, {"role": "user", "content": FIRST}, {"role": "assistant", "content": text},
        ]  # fmt: skip
        second = WAYS[way](chat, "再写一首", **GREEDY)
        assert [message["role"] for message in chat.messages[3:]] == ["user", "assistant"] and chat.messages[-1]["content"] == second


FAILURES: dict[str, tuple[type[Exception], Any, dict[str, Any]]] = {
    "too long": (alpaca.ContextFullError, "好" * 2000, {}),
    "an unknown option": (TypeError, FIRST, {"temprature": 1}),
    "an option out of range": (ValueError, FIRST, {"temperature": -1}),
    "an option of a wrong type": (TypeError, FIRST, {"top_k": "5"}),
    "an unknown template": (ValueError, FIRST, {"template": "none of these"}),
    "too many stops": (ValueError, FIRST, {"stop": ["a"] * 100}),
    "no text": (TypeError, None, {}),
    "half a character": (ValueError, "a\udc80", {}),
}


@pytest.mark.parametrize("failure", FAILURES)
@pytest.mark.parametrize("way", WAYS)
def test_a_turn_that_fails(way: str, failure: str, model: alpaca.Model) -> None:
    error, message, options = FAILURES[failure]
    with model.chat(n_ctx=256) as chat, model.chat(n_ctx=256) as other:
        assert chat.send(FIRST, **GREEDY) == other.send(FIRST, **GREEDY)
        before = list(chat.messages)
        with pytest.raises(error) as caught:
            WAYS[way](chat, message, **{**GREEDY, **options})
        assert isinstance(caught.value, alpaca.Error) and chat.messages == before
        # It goes on as if nothing had been.
        assert chat.send("好", **GREEDY) == other.send("好", **GREEDY) and chat.messages == other.messages


def test_a_turn_that_is_left(model: alpaca.Model) -> None:
    with model.chat(n_ctx=512) as chat:
        for _ in chat.stream(FIRST, **ENDLESS):
            break
        assert chat.messages == []
        stream = chat.stream(FIRST, **ENDLESS)
        next(stream)
        stream.close()
        with chat.stream(FIRST, **ENDLESS) as stream:
            next(stream)
        chat.stream(FIRST)

        async def leave() -> None:
            async for _ in chat.astream(FIRST, **ENDLESS):
                break

        asyncio.run(leave())
        with pytest.raises(ZeroDivisionError):
            for _ in chat.stream(FIRST, **ENDLESS):
                1 / 0
        assert chat.messages == []
        # One that is left and taken up again is whole.
        stream = chat.stream(FIRST, **GREEDY)
        for piece in stream:
            break
        rest = "".join(stream)
        assert chat.messages == [{"role": "user", "content": FIRST}, {"role": "assistant", "content": piece + rest}]
        assert chat.send("再写一首", **GREEDY)


def test_a_turn_that_is_cancelled(model: alpaca.Model) -> None:
    with model.chat(n_ctx=512) as chat:
        for call in (lambda: chat.send(FIRST, **ENDLESS), lambda: asyncio.run(chat.asend(FIRST, **ENDLESS))):
            stop = threading.Event()

            def cancel() -> None:
                while not stop.wait(0.05):
                    chat.session.cancel()

            thread = threading.Thread(target=cancel)
            thread.start()
            with pytest.raises(alpaca.CancelledError):
                call()
            stop.set()
            thread.join()
            assert chat.messages == []

        async def timeout() -> None:
            with pytest.raises(asyncio.TimeoutError):
                await asyncio.wait_for(chat.asend(FIRST, **ENDLESS), 0.2)

        asyncio.run(timeout())
        assert chat.messages == [] and chat.send(FIRST, **GREEDY)


def test_a_turn_while_the_session_is_busy(model: alpaca.Model) -> None:
    with model.chat(n_ctx=512) as chat:
        for _ in chat.session.generate(FIRST, **ENDLESS):
            with pytest.raises(alpaca.BusyError):
                chat.send("好", **GREEDY)
            break
        assert chat.messages == [] and chat.send(FIRST, **GREEDY)


def test_orders_of_roles(model: alpaca.Model) -> None:
    """Each order gives an answer or says what is wrong."""

    def answer(*roles: str) -> str:
        with model.session(n_ctx=512) as session:
            return session.chat([{"role": role, "content": "好"} for role in roles], **GREEDY).read()

    for roles in (["user"], ["system", "user"], ["user", "assistant", "user"], ["user", "user"], ["assistant", "user"],
                  ["user", "assistant", "assistant", "user"], ["system", "assistant", "user"]):  # fmt: skip
        assert answer(*roles)
    for roles in ([], ["assistant"], ["user", "assistant"], ["system"], ["user", "system"], ["system", "system", "user"]):
        with pytest.raises(alpaca.InvalidArgumentError, match="messages"):
            answer(*roles)
    with model.session() as session:
        with pytest.raises(alpaca.InvalidArgumentError, match="expected 'system', 'user', 'assistant'"):
            session.chat([{"role": "User", "content": "好"}])


def test_a_system_text_as_an_option(model: alpaca.Model) -> None:
    with model.session() as session, model.session() as other:
        session.chat([{"role": "user", "content": FIRST}], system="你是诗人。", **GREEDY).read()
        other.chat([{"role": "system", "content": "你是诗人。"}, {"role": "user", "content": FIRST}], **GREEDY).read()
        assert session.tokens == other.tokens and "你是诗人" in model.tokenizer.decode(session.tokens)
    with model.chat("你是诗人。") as chat:
        with pytest.raises(alpaca.InvalidArgumentError, match="beside the system message"):
            chat.send(FIRST, system="x", **GREEDY)
        assert len(chat.messages) == 1


def test_a_conversation_that_outgrows_its_context(model: alpaca.Model) -> None:
    """It ends with an error and whole, or goes on without its oldest turns when that is asked for; `messages` keeps them."""
    with model.chat("你是诗人。", n_ctx=256) as chat:
        with pytest.raises(alpaca.ContextFullError):
            for _ in range(40):
                chat.send(FIRST, **GREEDY)
        said = list(chat.messages)
        assert said[-1]["role"] == "assistant" and len(said) % 2 == 1
        for _ in range(4):
            stream = chat.stream(FIRST, context_shift=True, **GREEDY)
            stream.read()
            assert stream.result is not None and stream.result.n_left_out > 0
        assert chat.messages[: len(said)] == said and len(chat.messages) == len(said) + 8
        assert "你是诗人" in model.tokenizer.decode(chat.session.tokens)
