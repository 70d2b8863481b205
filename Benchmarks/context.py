#!/usr/bin/env python3
"""Perplexity over the length of the text, with the positions as they are, interpolated (linear), stretched by NTK and by YaRN.

    context.py MODEL TEXT [--original 512] [--json FILE]

What Chinese-LLaMA-Alpaca's authors measured with Chinese-LLaMA-Plus-7B (2,048 positions): without scaling the perplexity explodes beyond the
original context, interpolation costs some at every length, NTK with its automatic alpha hardly any at first. Windows stand side by side, each is
read as one call, and its second half is scored, as llama-perplexity does it. NTK is --rope-scaling ntk without an alpha; YaRN and linear take
the factor length / original.
"""

import argparse
import json
import pathlib
import sys
import warnings

root = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(root / "bindings/python/src"))
import alpaca  # noqa: E402

arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
arguments.add_argument("model", type=pathlib.Path)
arguments.add_argument("text", type=pathlib.Path)
arguments.add_argument("--original", type=int, default=512, help="positions that the model was trained for")
arguments.add_argument("--json", type=pathlib.Path)
options = arguments.parse_args()
KINDS = {
    "none": lambda scale: {"rope_scaling": "none"},
    "linear": lambda scale: {"rope_scaling": "linear", "rope_scale": scale},
    "ntk": lambda scale: {"rope_scaling": "ntk", "rope_original_ctx": options.original},
    "yarn": lambda scale: {"rope_scaling": "yarn", "rope_scale": scale, "rope_original_ctx": options.original},
}
text = options.text.read_text("utf-8")
# That a context is longer than the model's is what this is about.
warnings.filterwarnings("ignore", message="n_ctx: ")
rows: list[dict] = []
print("  length" + "".join(f"{kind:>12}" for kind in KINDS))
with alpaca.Model(options.model) as model:
    tokens = len(model.tokenizer.encode(text)) + 1
    for share in (0.5, 1, 1.5, 2, 2.5, 3):
        length = int(options.original * share)
        if length > tokens:
            sys.exit(f"error: {options.text}: found {tokens} tokens, expected at least {length}")
        row: dict = {"length": length}
        for kind, settings in KINDS.items():
            # Up to the original context there is nothing to scale.
            chosen = settings(share) if share > 1 else {}
            with model.session(n_ctx=length, cache_type="f32", **chosen) as session:
                found = session.perplexity(text)
            row[kind] = round(found.perplexity, 2)
        rows.append(row)
        print(f"{length:>8}" + "".join(f"{row[kind]:>12}" for kind in KINDS), flush=True)
result = {"model": options.model.name, "text": options.text.name, "original": options.original, "rows": rows}
if options.json:
    options.json.write_text(json.dumps(result, indent=1) + "\n")
