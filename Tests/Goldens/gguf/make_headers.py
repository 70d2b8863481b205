#!/usr/bin/env python3
"""Writes headers.json: what the Python package gguf (0.19.0) reads from the headers of the mini models.

    pip install gguf==0.19.0;  make_headers.py FOLDER_OF_GGUF_FILES > headers.json

Arrays are stored as their length and the CRC-32 of their bytes as they lie in the file (strings each behind a length of 8 bytes),
tensors with name, type, shape (outermost dimension first), byte in the file, bytes, and the CRC-32 of the first and last 64 bytes.
"""
import json
import pathlib
import struct
import sys
import zlib

import gguf

FORMATS = {"UINT8": "B", "INT8": "b", "UINT16": "H", "INT16": "h", "UINT32": "I", "INT32": "i", "FLOAT32": "f",
           "BOOL": "?", "UINT64": "Q", "INT64": "q", "FLOAT64": "d"}


def field(f):
    types, value = [t.name for t in f.types], f.contents()
    if types[0] != "ARRAY":
        return {"type": types[0].lower(), "value": value}
    raw = b""
    for v in value:
        if types[1] == "STRING":
            b = v.encode()
            raw += struct.pack("<Q", len(b)) + b
        else:
            raw += struct.pack("<" + FORMATS[types[1]], v)
    return {"type": "array", "of": types[1].lower(), "count": len(value), "crc32": zlib.crc32(raw)}


def header(path):
    reader = gguf.GGUFReader(path)
    fields = {k: f for k, f in reader.fields.items() if not k.startswith("GGUF.")}
    data = path.read_bytes()
    tensors = []
    for t in reader.tensors:
        at, n = int(t.data_offset), int(t.n_bytes)
        ends = data[at:at + 64] + data[at + n - 64:at + n]
        tensors.append([t.name, t.tensor_type.name, [int(d) for d in reversed(t.shape)], at, n, zlib.crc32(ends)])
    return {"version": int(reader.fields["GGUF.version"].contents()), "alignment": reader.alignment,
            "keys": [dict(key=k, **field(f)) for k, f in fields.items()], "tensors": tensors}


def line(x):
    return json.dumps(x, ensure_ascii=False)


files = []
for p in sorted(pathlib.Path(sys.argv[1]).glob("*.gguf")):
    h = header(p)
    lists = ["  %s: [\n   %s\n  ]" % (line(k), ",\n   ".join(map(line, h[k]))) for k in ("keys", "tensors")]
    files.append(" %s: {\n  \"version\": %d, \"alignment\": %d,\n%s\n }" % (
        line(p.name), h["version"], h["alignment"], ",\n".join(lists)))
print("{\n" + ",\n".join(files) + "\n}")
