"""The template texts that conversions write, rendered by Jinja: the same text as the library's own prompts."""

import json
import pathlib

import jinja2.sandbox
import pytest

import alpaca

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
MINI = REPOSITORY / "models/mini/chinese-alpaca-mini-f16.gguf"
NAMES = ("alpaca", "alpaca-training", "alpaca-gradio", "alpaca-server", "alpaca-server-chat", "alpaca-2")
CONVERSATIONS = (
    [("user", "你好")],
    [("system", "山"), ("user", "你好")],
    [("user", "a"), ("assistant", "b"), ("user", "c")],
    [("system", "山"), ("user", "a"), ("assistant", "b"), ("user", "c"), ("assistant", "d"), ("user", "e")],
)


def written(name: str, folder: pathlib.Path) -> str:
    """What a conversion writes for a model whose files name the template."""
    base = folder / "base"
    alpaca.convert(MINI, base, output_format="hf")
    mark = json.loads((base / "alpaca.json").read_text())
    mark["template"] = name
    (base / "alpaca.json").write_text(json.dumps(mark))
    config = json.loads((base / "tokenizer_config.json").read_text())
    del config["chat_template"]
    (base / "tokenizer_config.json").write_text(json.dumps(config))
    alpaca.convert(base, folder / "out", output_format="hf")
    assert alpaca.inspect(folder / "out")["template"] == name
    return str(json.loads((folder / "out/tokenizer_config.json").read_text())["chat_template"])


def render(text: str, messages: "list[dict[str, str]]") -> str:
    # As transformers does.
    environment = jinja2.sandbox.ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True)
    return environment.from_string(text).render(messages=messages, add_generation_prompt=True, bos_token="<s>", eos_token="</s>")


@pytest.mark.parametrize("name", NAMES)
def test_the_text_says_what_the_library_does(name: str, tmp_path: pathlib.Path) -> None:
    text = written(name, tmp_path)
    model = alpaca.Model(MINI)
    for turns in CONVERSATIONS:
        messages = [{"role": role, "content": content} for role, content in turns]
        session = model.session(n_ctx=512)
        session.chat(messages, template=name, max_new_tokens=1, temperature=0).read()
        found, expected = decoded(model, session.tokens), render(text, messages)
        # Where a heading ends with a blank, the tokens of an earlier answer begin with one more.
        assert found.replace(":  ", ": ").startswith(expected), (name, found, expected)


def decoded(model: "alpaca.Model", ids: "list[int]") -> str:
    """The tokens as a text with <s> and </s> in their places."""
    bos, eos = model.tokenizer.bos, model.tokenizer.eos
    text, part = "", []
    for id in [*ids, eos]:
        if id in (bos, eos):
            if part:
                text += model.tokenizer.decode(part)
            text += "<s>" if id == bos else "</s>"
            part = []
        else:
            part.append(id)
    return text
