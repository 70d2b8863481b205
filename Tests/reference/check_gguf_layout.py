#!/usr/bin/env python3
"""Checks with the Python package gguf (0.19.0) a file that GGUFLayout laid out: every type of metadata, four tensors.

    pip install gguf==0.19.0;  check_gguf_layout.py

Runs `swift test --filter GGUFLayoutTests/aFileForTheReference` in the repository to get the file. Exit status 0 if all is right.
"""
import os
import pathlib
import struct
import subprocess
import tempfile

import gguf
import numpy as np

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
inf = float("inf")


def f32(x):
    return struct.unpack("<f", struct.pack("<f", x))[0]


# What GGUFLayoutTests.metadata() writes, in its order.
VALUES = [
    ("UINT8", 200), ("INT8", -100), ("UINT16", 60000), ("INT16", -30000), ("UINT32", 4000000000), ("INT32", -2000000000),
    ("FLOAT32", f32(0.1)), ("BOOL", True), ("BOOL", False), ("STRING", "你好，\n🦙"), ("STRING", ""), ("UINT64", 2**64 - 1),
    ("INT64", -2**63), ("FLOAT64", -1e300), ("UINT8", [0, 255]), ("INT8", [-128, 127]), ("UINT16", [65535]), ("INT16", [-32768]),
    ("UINT32", [2**32 - 1, 0]), ("INT32", [-2**31, 7]), ("FLOAT32", [f32(0.1), -0.0, inf]), ("BOOL", [True, False, True]),
    ("STRING", ["山", "", "a b"]), ("UINT64", [2**64 - 1]), ("INT64", [-2**63, -1]), ("FLOAT64", [0.1, 1e-320]),
]
TENSORS = [("a.weight", "F32", [3], 12), ("b.weight", "Q4_0", [2, 64], 72), ("c.weight", "F16", [2, 3, 5], 60),
           ("d.weight", "Q6_K", [1, 256], 210)]


def main():
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "x.gguf")
        subprocess.run(["swift", "test", "--filter", "GGUFLayoutTests/aFileForTheReference"], cwd=REPOSITORY, check=True,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=dict(os.environ, ALPACA_GGUF_OUT=path))
        reader = gguf.GGUFReader(path)
        fields = {k: f for k, f in reader.fields.items() if not k.startswith("GGUF.")}
        assert list(fields) == ["general.architecture"] + ["test.value_%d" % i for i in range(len(VALUES))], list(fields)
        assert reader.fields["GGUF.version"].contents() == 3
        assert fields["general.architecture"].contents() == "llama"
        for i, (kind, value) in enumerate(VALUES):
            field = fields["test.value_%d" % i]
            assert field.types[-1].name == kind, (i, field.types)
            assert (field.types[0].name == "ARRAY") == isinstance(value, list), (i, field.types)
            assert field.contents() == value, (i, field.contents(), value)
        assert len(reader.tensors) == len(TENSORS)
        for tensor, (name, kind, shape, size) in zip(reader.tensors, TENSORS):
            assert (tensor.name, tensor.tensor_type.name, [int(d) for d in reversed(tensor.shape)]) == (name, kind, shape)
            assert tensor.n_bytes == size and tensor.data_offset % 32 == 0
            data = np.frombuffer(tensor.data.tobytes(), np.uint8)
            assert (data == (np.arange(size) * 7 + len(shape)) % 256).all(), name
    print("check_gguf_layout: %d values and %d tensors read as written" % (len(VALUES) + 1, len(TENSORS)))


if __name__ == "__main__":
    main()
