#!/usr/bin/env python3
"""Merges by PEFT, small enough to be kept: a base of two layers, adapters of several kinds, and what PEFT makes of them.

make_merge_goldens.py OUTDIR

OUTDIR/base: a Hugging Face folder, F16. OUTDIR/NAME: an adapter as PEFT saves it. OUTDIR/NAME.each.safetensors and NAME.once.safetensors:
the tensors that the merge changes, by PEFT with the adapter in the base's type and in F32. PEFT's version stands in the metadata.
"""

import pathlib
import shutil
import sys

import peft
import torch
from lora import ALL, SHAPES, adapter, base_model, merged, save
from safetensors.torch import save_file

SHAPES["tiny"] = dict(
    hidden_size=36, intermediate_size=41, num_attention_heads=6, num_key_value_heads=3, num_hidden_layers=2, vocab_size=50
)
ADAPTERS = {
    "dora": dict(use_dora=True, strength=0.5),
    "embeddings": dict(target_modules=[*ALL, "embed_tokens", "lm_head"], r=5, lora_alpha=9, strength=0.5),
    "rslora": dict(use_rslora=True, r=3, strength=0.5),
    "patterns": dict(rank_pattern={"q_proj": 3, "layers.1.mlp.up_proj": 20}, alpha_pattern={"v_proj": 40}, rows=53,
                     modules_to_save=["embed_tokens", "lm_head"], strength=0.5),
}  # fmt: skip

out = pathlib.Path(sys.argv[1])
model = base_model("tiny")
before = model.state_dict()
save(model, out / "base")
(out / "base/generation_config.json").unlink(missing_ok=True)
for name, options in ADAPTERS.items():
    shutil.rmtree(out / name, ignore_errors=True)
    adapter(model, out / name, **options)
    (out / name / "README.md").unlink(missing_ok=True)
    for rounding in ("each", "once"):
        after = merged(model, [out / name], rounding)
        changed = {key: value.contiguous() for key, value in after.items() if not torch.equal(value, before.get(key, torch.empty(0)))}
        save_file(changed, out / f"{name}.{rounding}.safetensors", metadata={"peft": peft.__version__})
