#!/usr/bin/env python3
"""What users did before: PEFT and transformers merge an adapter into a base, in F16 on the CPU, and write a Hugging Face folder.

    peer_merge.py BASE ADAPTER OUTPUT
"""

import json
import pathlib
import struct
import sys

import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM

base, adapter, output = sys.argv[1:]
with open(pathlib.Path(adapter) / "adapter_model.safetensors", "rb") as file:
    header = json.loads(file.read(struct.unpack("<Q", file.read(8))[0]))
model = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float16)
model.resize_token_embeddings(header["base_model.model.lm_head.weight"]["shape"][0], mean_resizing=False)
merged = PeftModel.from_pretrained(model, adapter, autocast_adapter_dtype=False).merge_and_unload()
merged.save_pretrained(output)
