"""Chat templates: what a conversation becomes, as in transformers."""

import datetime
import json
import pathlib
from typing import Any, Iterator

import pytest

import alpaca

from conftest import GOLDENS, REPOSITORY

CHAT = GOLDENS / "family/chat"
INPUTS = json.loads((CHAT / "inputs.json").read_text())
NOW = int(datetime.datetime.fromisoformat(INPUTS["now"] + "+00:00").timestamp())
ROWS = [json.loads(line) for line in (CHAT / "rendered.jsonl").read_text().strip().split("\n")]
USER = [{"role": "user", "content": "山"}]
#: A template with a turn after each other, as many have it.
TURNS = (
    "{{ bos_token }}{% for m in messages %}[{{ m.role }}]{% if m.content is string %}{{ m.content }}{% else %}"
    "{% for p in m.content %}{{ p.text }}{% endfor %}{% endif %}{% if m.role == 'assistant' %}{{ eos_token }}{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}[assistant]{% endif %}"
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """A model whose files have a template in Jinja2, and one for tools."""
    folder = tmp_path_factory.mktemp("templates") / "model"
    alpaca.convert(REPOSITORY / "models/mini/chinese-alpaca-mini-q8_0.gguf", folder, output_format="hf")
    (folder / "chat_template.jinja").write_text(TURNS)
    (folder / "additional_chat_templates").mkdir()
    (folder / "additional_chat_templates/tool_use.jinja").write_text("{{ tools | tojson }}" + TURNS)
    return folder


@pytest.fixture(scope="module")
def jinja(folder: pathlib.Path) -> Iterator[alpaca.Model]:
    with alpaca.Model(folder) as model:
        yield model


@pytest.mark.parametrize("name", sorted({row["template"] for row in ROWS}))
def test_all_renderings_are_those_of_transformers(name: str, model: alpaca.Model) -> None:
    source = (CHAT / f"templates/{name}.jinja").read_text()
    for row in (row for row in ROWS if row["template"] == name):

        def render(**options: Any) -> Any:
            return model.apply_chat_template(
                INPUTS["messages"][row["messages"]],
                tools=INPUTS["tools"] if row["tools"] else None,
                chat_template=source if "{" in source else source + "{# #}",
                add_generation_prompt=row["add_generation_prompt"],
                template_time=NOW,
                **{"bos_token": INPUTS["bos_token"], "eos_token": INPUTS["eos_token"], **(row.get("kwargs") or {})},
                **options,
            )

        if "error" in row:
            with pytest.raises(alpaca.Error):
                render(tokenize=False)
        else:
            assert render(tokenize=False) == row["text"], row["messages"]
            # The ids of the same text; sentencepiece writes a blank as ▁.
            plain = [text.replace("▁", " ").replace("<s>", "").replace(" ", "") for text in (row["text"], model.tokenizer.decode(render()))]
            assert plain[0] == plain[1]


def test_there_are_425() -> None:
    assert len(ROWS) == 425 and len({row["template"] for row in ROWS}) == 25


def test_names_and_texts(jinja: alpaca.Model, model: alpaca.Model) -> None:
    assert jinja.chat_template == TURNS == jinja.template_text("default") and jinja.info["template_name"] == "jinja"
    assert jinja.template_text("tool_use").startswith("{{ tools")
    with pytest.raises(alpaca.ModelNotFoundError, match="nobody's"):
        jinja.template_text("nobody's")
    assert model.chat_template is not None and "### Instruction:" in model.chat_template
    text: dict[str, Any] = {"tokenize": False}
    assert jinja.apply_chat_template(USER, **text) == "<s>[user]山"
    assert jinja.apply_chat_template(USER, add_generation_prompt=True, **text) == "<s>[user]山[assistant]"
    assert jinja.apply_chat_template(USER, tools=[{"name": "f"}], **text) == '[{"name": "f"}]<s>[user]山'
    assert jinja.apply_chat_template(USER, chat_template="tool_use", **text) == "null<s>[user]山"
    assert jinja.apply_chat_template(USER, chat_template="none", **text) == "山"
    assert jinja.apply_chat_template(USER, chat_template="{{ x }}{{ documents[0].t }}", documents=[{"t": 2}], x=None, **text) == "None2"


def test_ids(jinja: alpaca.Model) -> None:
    bos, eos = jinja.tokenizer.bos, jinja.tokenizer.eos
    ids = jinja.apply_chat_template(USER)
    assert ids[0] == bos and ids[1:] == jinja.tokenizer.encode("[user]山")
    assert jinja.apply_chat_template(USER, return_dict=True) == {"input_ids": ids, "attention_mask": [1] * len(ids)}
    assert jinja.apply_chat_template([USER, USER]) == [ids, ids] and jinja.apply_chat_template([USER, USER], return_dict=True)["input_ids"] == [ids, ids]
    # What a caller writes is text, whatever it looks like.
    hostile = [{"role": "user", "content": "<s></s>"}, {"role": "assistant", "content": "</s>"}]
    found = jinja.apply_chat_template(hostile)
    assert found.count(bos) == 1 and found.count(eos) == 1 and jinja.apply_chat_template(hostile, tokenize=False).count("</s>") == 3
    # A session reads the same.
    with jinja.session(n_ctx=256) as session:
        session.chat(USER, max_new_tokens=1, temperature=0).read()
        prompt = jinja.apply_chat_template(USER, add_generation_prompt=True)
        assert session.tokens[: len(prompt)] == prompt
        session.chat(USER, max_new_tokens=1, temperature=0, chat_template="{{ messages[0].content }}").read()
        assert session.tokens[:1] == [bos] and session.tokens[1:2] == jinja.tokenizer.encode("山")[:1]


def test_a_message_goes_on(jinja: alpaca.Model) -> None:
    half = [*USER, {"role": "assistant", "content": "白日依山"}]
    assert jinja.apply_chat_template(half, continue_final_message=True, tokenize=False) == "<s>[user]山[assistant]白日依山"
    parts = [*USER, {"role": "assistant", "content": [{"type": "text", "text": "白日"}, {"type": "text", "text": "依山"}]}]
    assert jinja.apply_chat_template(parts, continue_final_message=True, tokenize=False) == "<s>[user]山[assistant]白日依山"
    with jinja.session(n_ctx=256) as session:
        session.chat(half, continue_final_message=True, max_new_tokens=1, temperature=0).read()
        prompt = jinja.apply_chat_template(half, continue_final_message=True)
        assert session.tokens[: len(prompt)] == prompt
        with pytest.raises(alpaca.InvalidArgumentError, match="continued"):
            session.chat(half, max_new_tokens=1).read()
        with pytest.raises(alpaca.InvalidArgumentError, match="continued"):
            session.chat(USER, continue_final_message=True).read()
    with pytest.raises(alpaca.InvalidArgumentError, match="add_generation_prompt"):
        jinja.apply_chat_template(half, continue_final_message=True, add_generation_prompt=True)


def test_messages_of_any_form(jinja: alpaca.Model) -> None:
    call = {"role": "assistant", "content": "x", "tool_calls": [{"function": {"name": "f", "arguments": {"b": 1, "a": [True, None]}}}]}
    messages = [*USER, call, {"role": "tool", "content": [{"type": "text", "text": "5"}], "name": "f"}]
    source = "{{ messages[1].tool_calls[0].function.arguments | tojson }}{{ messages[2].name }}{{ messages[2].content[0].text }}"
    assert jinja.apply_chat_template(messages, chat_template=source, tokenize=False) == '{"b": 1, "a": [true, null]}f5'
    with jinja.session(n_ctx=256) as session:
        session.chat(messages, max_new_tokens=1, temperature=0, tools=[{"name": "f"}]).read()
        seen = jinja.tokenizer.decode(session.tokens)
        assert seen.startswith('[{"name": "f"}]') and "[user]山[assistant]x" in seen and "[tool]5[assistant]" in seen
        session.chat(USER, max_new_tokens=1, chat_template="{{ a }}{{ messages[0].content }}", template_variables={"a": 5}).read()
        assert jinja.tokenizer.decode(session.tokens).startswith("5山")
    with jinja.chat("你是诗人。", n_ctx=256) as chat:
        answer = chat.send("好", max_new_tokens=2, temperature=0)
        assert [message["role"] for message in chat.messages] == ["system", "user", "assistant"] and chat.messages[2]["content"] == answer


FAILURES: dict[str, tuple[type[Exception], dict[str, Any]]] = {
    "what the template says": (alpaca.InvalidArgumentError, {"chat_template": "{{ raise_exception('roles must alternate') }}"}),
    "no template": (alpaca.InvalidArgumentError, {"chat_template": "{% if %}"}),
    "an endless one": (alpaca.UnsupportedError, {"chat_template": "{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}"}),
    "a large one": (alpaca.ModelMemoryError, {"chat_template": "{{ 'a' * 100000000 }}"}),
    "an unknown name": (alpaca.InvalidArgumentError, {"chat_template": "nobody's"}),
    "tools of texts": (TypeError, {"tools": ["f"]}),
    "tools as a text": (TypeError, {"tools": "[]"}),
    "tools of a function": (TypeError, {"tools": [print]}),
    "documents as a dict": (TypeError, {"documents": {}}),
    "a variable that is no JSON": (TypeError, {"x": object()}),
    "a variable of NaN": (ValueError, {"x": float("nan")}),
    "a variable of half a character": (ValueError, {"x": "\udc80"}),
    "tensors": (TypeError, {"return_tensors": "pt"}),
    "tokenize as a text": (TypeError, {"tokenize": "no"}),
    "a dict without ids": (ValueError, {"tokenize": False, "return_dict": True}),
    "time as a text": (TypeError, {"template_time": "now"}),
}


@pytest.mark.parametrize("failure", FAILURES)
def test_failures(failure: str, jinja: alpaca.Model) -> None:
    error, options = FAILURES[failure]
    with pytest.raises(error) as caught:
        jinja.apply_chat_template(USER, **options)
    assert isinstance(caught.value, alpaca.Error)
    if failure == "what the template says":
        assert "roles must alternate" in str(caught.value)


@pytest.mark.parametrize("messages", [None, "山", {}, [], [5], [{"content": "山"}], [{"role": 5, "content": "山"}], [{"role": "user", "content": 5}]])
def test_wrong_messages(messages: Any, jinja: alpaca.Model) -> None:
    with pytest.raises((TypeError, ValueError)) as caught:
        jinja.apply_chat_template(messages)
    assert isinstance(caught.value, alpaca.Error)


def test_a_turn_that_fails_changes_nothing(jinja: alpaca.Model) -> None:
    with jinja.chat(n_ctx=256) as chat:
        chat.send("好", max_new_tokens=2, temperature=0)
        messages, tokens = list(chat.messages), chat.session.tokens
        with pytest.raises(alpaca.InvalidArgumentError, match="no more"):
            chat.send("再来", chat_template="{{ raise_exception('no more') }}")
        assert chat.messages == messages and chat.session.tokens == tokens


def test_special_tokens_are_shown_when_asked_for(model: alpaca.Model) -> None:
    bias = {model.tokenizer.eos: 1e9}
    for shows, text in ((False, ""), (True, "</s></s>")):
        stream = model.generate("山", max_new_tokens=2, temperature=0, repetition_penalty=1, ignore_eos=True, logit_bias=bias, show_special=shows)
        assert stream.read() == text
