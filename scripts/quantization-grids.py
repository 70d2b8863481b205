#!/usr/bin/env python3
"""Writes Sources/CAlpacaKernels/types/grids_packed.h: the tables of the types whose weights are entries of a table (IQ1, IQ2, IQ3), sixteen
bits an entry, about 9 KB in all.

    quantization-grids.py > Sources/CAlpacaKernels/types/grids_packed.h

The entries are numbers of ggml's format. They come from Tests/Goldens/dequantize/grids.json, where an entry is a row of digits: which of the
table's values each of its four or eight weights is. Here a digit takes three bits (tables of eight values) or two, the first weight lowest.
"""
import json
import os

PATH = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "Tests", "Goldens", "dequantize", "grids.json")
# The values must be those that grids.c counts on: packed are digits only.
VALUES = {"IQ2_XXS": [8, 25, 43], "IQ2_XS": [8, 25, 43], "IQ2_S": [8, 25, 43], "IQ3_XXS": [4, 12, 20, 28, 36, 44, 52, 62],
          "IQ3_S": list(range(1, 16, 2)), "IQ1_S": [-1, 0, 1]}

with open(PATH) as file:
    grids = json.load(file)
print("/* Written by scripts/quantization-grids.py. Digits of entries: three bits each in IQ3's tables, two in the others, the first weight lowest. */")
for name, values in VALUES.items():
    grid = grids[name]
    assert grid["values"] == values, (name, grid["values"])
    bits = 3 if len(values) > 4 else 2
    words = [sum(int(digit) << bits * i for i, digit in enumerate(entry)) for entry in grid["entries"]]
    assert max(words) < 1 << 16
    print(f"static const uint16_t packed_{name.lower()}[{len(words)}] = {{")
    for i in range(0, len(words), 18):
        print("    " + ", ".join(f"0x{word:04x}" for word in words[i:i + 18]) + ",")
    print("};")
