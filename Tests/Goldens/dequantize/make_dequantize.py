#!/usr/bin/env python3
"""Writes dequantize.json: rows of every tensor type and the floats that the Python package gguf (0.19.0) makes of them.

    pip install gguf==0.19.0 numpy;  make_dequantize.py > dequantize.json

Every byte of a block is random, except its binary16 scales: those are random finite numbers of either sign, every fourth a subnormal or
zero. In IQ1_M their bits are spread over four words; MXFP4 has an exponent. F16 and BF16 rows are random bits without NaN. Rows and floats
are hexadecimal, floats as their little-endian bits.
"""
import json

import numpy
from gguf import GGML_QUANT_SIZES, GGMLQuantizationType
from gguf.quants import dequantize

# Where in a block the binary16 numbers lie (bytes).
SCALES = {"Q4_0": [0], "Q4_1": [0, 2], "Q5_0": [0], "Q5_1": [0, 2], "Q8_0": [0], "Q2_K": [80, 82], "Q3_K": [108],
          "Q4_K": [0, 2], "Q5_K": [0, 2], "Q6_K": [208], "IQ4_NL": [0],
          "IQ4_XS": [0], "IQ3_S": [0], "IQ3_XXS": [0], "IQ2_S": [0], "IQ2_XS": [0], "IQ2_XXS": [0], "IQ1_S": [0], "TQ1_0": [52], "TQ2_0": [64],
          "IQ1_M": [], "MXFP4": []}
random = numpy.random.default_rng(20240607)


def half(count):
    bits = random.integers(0, 0x7800, count) | random.integers(0, 2, count) << 15  # exponents 0 ... 29
    small = random.integers(0, 0x400, count) * random.integers(0, 2, count)
    return numpy.where(random.integers(0, 4, count) == 0, bits & 0x8000 | small, bits).astype("<u2")


def row(name):
    if name in SCALES:
        weights, size = GGML_QUANT_SIZES[GGMLQuantizationType[name]]
        count = 4 if name.endswith("K") else 2 if weights == 256 else 12
        blocks = random.integers(0, 256, (count, size), dtype=numpy.uint8)
        for at in SCALES[name]:
            blocks[:, at:at + 2] = half(len(blocks)).view(numpy.uint8).reshape(-1, 2)
        if name == "IQ1_M":  # four bits of the scale in the top of each of four words, the lowest in the first
            words, bits = blocks[:, 48:].copy().view("<u2"), half(count)
            for i in range(4):
                words[:, i] = words[:, i] & 0x0FFF | (bits >> 4 * i & 15) << 12
            blocks[:, 48:] = words.view(numpy.uint8)
        if name == "MXFP4":
            blocks[:, 0] = [0, 1, 2, 3, 100, 126, 127, 128, 150, 200, 250, 251]
        return blocks.reshape(-1)
    if name == "F16":
        return half(51).view(numpy.uint8)
    if name == "BF16":
        return random.integers(0, 0x7F80, 51).astype("<u2").view(numpy.uint8)
    return random.standard_normal(51).astype("<f4").view(numpy.uint8)


types = {}
for name in ["F32", "F16", "BF16", *SCALES]:
    bytes_of_row = row(name)
    floats = dequantize(bytes_of_row, GGMLQuantizationType[name]).astype("<f4").reshape(-1)
    assert numpy.isfinite(floats).all()
    types[name] = {"type": int(GGMLQuantizationType[name]), "count": len(floats), "row": bytes_of_row.tobytes().hex(), "floats": floats.tobytes().hex()}
print(json.dumps(types, indent=1))
