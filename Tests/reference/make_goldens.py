#!/usr/bin/env python3
"""Goldens that transformers writes: logits of the mini model with scaled rotary angles, and what its logits processors leave to draw from.

    make_goldens.py HF_FOLDER OUTDIR   (HF_FOLDER: the merged mini model with config.json and model.safetensors)

OUTDIR/rope.json: for each kind of scaling the divisors of the rotary frequencies and the logits of the prompt's last position.
OUTDIR/sampling.json: random logits, parameters, and the probabilities after the processors, ids that are left out not listed.
Versions of both libraries stand in the files.
"""

import json
import pathlib
import sys

import torch
import transformers
from transformers import generation

folder, out = sys.argv[1], pathlib.Path(sys.argv[2])
versions = {"torch": torch.__version__, "transformers": transformers.__version__}
torch.set_num_threads(1)

ids = json.loads((out / "generation.json").read_text())["prompts"][0]["prompt_ids"]
cases = []
for scaling in (
    {"rope_type": "linear", "factor": 4.0},
    {
        "rope_type": "llama3",
        "factor": 8.0,
        "low_freq_factor": 1.0,
        "high_freq_factor": 4.0,
        "original_max_position_embeddings": 128,
    },
):
    config = transformers.AutoConfig.from_pretrained(folder)
    config.rope_parameters = {"rope_theta": 10000.0, **scaling}
    config._attn_implementation = "eager"
    model = transformers.AutoModelForCausalLM.from_pretrained(folder, config=config, dtype=torch.float32).eval()
    scaled = model.model.rotary_emb.inv_freq.double()
    base = 10000.0 ** (-torch.arange(0, 64, 2, dtype=torch.float64) / 64)
    with torch.no_grad():
        logits = model(torch.tensor([ids])).logits[0, -1].float()
    cases.append(
        {
            "scaling": scaling,
            "factors": [round(f, 6) for f in (base / scaled).tolist()],
            "logits": [round(x, 5) for x in logits.tolist()],
        }
    )
(out / "rope.json").write_text(json.dumps({"versions": versions, "prompt": "template-1", "cases": cases}) + "\n")

torch.manual_seed(1)
cases = []
for parameters in (
    {"temperature": 0.2, "top_k": 40, "top_p": 0.9, "min_p": 0.0, "repetition_penalty": 1.1},
    {"temperature": 1.0, "top_k": 0, "top_p": 1.0, "min_p": 0.0, "repetition_penalty": 1.0},
    {"temperature": 0.7, "top_k": 0, "top_p": 0.5, "min_p": 0.0, "repetition_penalty": 1.0},
    {"temperature": 1.5, "top_k": 5, "top_p": 1.0, "min_p": 0.0, "repetition_penalty": 1.3},
    {"temperature": 1.0, "top_k": 0, "top_p": 1.0, "min_p": 0.2, "repetition_penalty": 1.0},
    {"temperature": 2.0, "top_k": 20, "top_p": 0.8, "min_p": 0.1, "repetition_penalty": 0.8},
):
    logits = (torch.randn(1, 400) * 3).round(decimals=4)
    recent = torch.randint(0, 400, (1, 24))
    processors = generation.LogitsProcessorList()
    if parameters["repetition_penalty"] != 1:
        processors.append(generation.RepetitionPenaltyLogitsProcessor(parameters["repetition_penalty"]))
    processors.append(generation.TemperatureLogitsWarper(parameters["temperature"]))
    if parameters["top_k"]:
        processors.append(generation.TopKLogitsWarper(parameters["top_k"]))
    if parameters["top_p"] < 1:
        processors.append(generation.TopPLogitsWarper(parameters["top_p"]))
    if parameters["min_p"]:
        processors.append(generation.MinPLogitsWarper(parameters["min_p"]))
    probabilities = torch.softmax(processors(recent, logits.clone())[0].double(), -1)
    cases.append(
        {
            "parameters": parameters,
            "logits": logits[0].tolist(),
            "recent": recent[0].tolist(),
            "probabilities": {str(i): p for i, p in enumerate(probabilities.tolist()) if p > 0},
        }
    )
(out / "sampling.json").write_text(json.dumps({"versions": versions, "cases": cases}) + "\n")
