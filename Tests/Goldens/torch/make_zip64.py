"""Writes zip64.json: headers, descriptors and directory of an archive of 8 GiB that torch.save wrote.

Usage: make_zip64.py FOLDER_WITH_9_GB_FREE   (about 9 GB of memory too; made with torch 2.15.0)
"""
import json
import os
import struct
import sys
import zipfile

import torch

path = os.path.join(sys.argv[1], "big.pth")
n = 1 << 31
half, single = torch.float16, torch.float32
shapes = {"a": (n + 1000, half), "b": (3, half), "c": (n + 1007, half), "d": (5, single)}
torch.save({name: torch.zeros(count, dtype=dtype) for name, (count, dtype) in shapes.items()}, path)
entries = []
with open(path, "rb") as file:
    archive = zipfile.ZipFile(file)
    for info in archive.infolist():
        file.seek(info.header_offset)
        head = file.read(30)
        head += file.read(sum(struct.unpack("<HH", head[26:30])))
        known = "/data/" not in info.filename
        content = file.read(info.file_size).hex() if known else None
        file.seek(info.header_offset + len(head) + info.file_size)
        wide = max(info.file_size, info.header_offset) >= 0xFFFFFFFF
        entries.append(
            {
                "name": info.filename, "offset": info.header_offset, "size": info.file_size, "crc": info.CRC,
                "header": head.hex(), "content": content, "descriptor": file.read(24 if wide else 16).hex(),
            })
    file.seek(archive.start_dir)
    directory = file.read().hex()
golden = {
    "made_by": f"torch.save of torch {torch.__version__}: dict of F16 [2^31+1000], F16 [3], F16 [2^31+1007], F32 [5], all zero",
    "byte_count": os.path.getsize(path), "entries": entries, "directory_offset": archive.start_dir, "directory": directory,
}
os.remove(path)
with open(os.path.join(os.path.dirname(__file__), "zip64.json"), "w") as file:
    json.dump(golden, file, indent=1)
