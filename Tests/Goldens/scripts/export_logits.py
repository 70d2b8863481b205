#!/usr/bin/env python3
"""Writes logits.npz of the mini family (transformers, F32 arithmetic on the F16 weights) as plain little-endian floats.

    export_logits.py logits.npz OUTDIR    -> OUTDIR/logits.bin, OUTDIR/logits.json ([{name, positions, vocabulary}] in the file's order)
"""
import json
import pathlib
import sys

import numpy as np

source, out = sys.argv[1], pathlib.Path(sys.argv[2])
index = []
with np.load(source) as arrays, open(out / "logits.bin", "wb") as data:
    for name in arrays:
        a = arrays[name].astype("<f4")
        data.write(a.tobytes())
        index.append({"name": name, "positions": a.shape[0], "vocabulary": a.shape[1]})
(out / "logits.json").write_text(json.dumps(index, indent=1) + "\n")
