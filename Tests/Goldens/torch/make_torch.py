"""Writes the PyTorch files of this folder and what torch reads from them. Usage: make_torch.py FIXTURES (torch 2.x, CPU).

views.pt          tensors that are views: transposed, sliced, shared, repeated; element types that are no weights' types
views-old.pt      the same without "repeated", as torch wrote it before version 1.6
views-packed.pt   views.pt with its members deflated
tensors.json      for each file the names in order, dtype, shape and SHA-256 of the contiguous bytes; the same for FIXTURES' mini family
"""
import collections, hashlib, json, pathlib, sys, zipfile
import torch

here = pathlib.Path(__file__).parent
torch.manual_seed(4)
base = torch.randn(24, 20)
half = torch.randn(6, 5, 4).half()
state = collections.OrderedDict([
    ("plain", base),
    ("transposed", base.t()),
    ("columns", base[:, 3:11]),
    ("rows", base[5:9]),
    ("every-third-column", base[1::2, ::3]),
    ("half", half),
    ("half-permuted", half.permute(2, 0, 1)),
    ("brain", torch.randn(7, 3).bfloat16()),
    ("scalar", torch.tensor(1.5)),
    ("vector", base[:, 2]),
    ("empty", torch.zeros(0, 4)),
    ("parameter", torch.nn.Parameter(torch.ones(3))),
    ("steps", torch.arange(5)),
    ("mask", torch.tensor([True, False])),
    ("double", torch.ones(2, 2, dtype=torch.float64)),
    ("epoch", 3), ("loss", 0.25), ("note", "字"), ("nothing", None), ("kind", torch.float16),
])
old = {"state_dict": collections.OrderedDict(state), "epoch": 7}
state["repeated"] = base[3].expand(4, 20)
torch.save(state, here / "views.pt")
torch.save(old, here / "views-old.pt", _use_new_zipfile_serialization=False)
with zipfile.ZipFile(here / "views.pt") as source, zipfile.ZipFile(here / "views-packed.pt", "w", zipfile.ZIP_DEFLATED) as target:
    for member in source.infolist():
        target.writestr(zipfile.ZipInfo(member.filename, (2023, 4, 1, 0, 0, 0)), source.read(member), zipfile.ZIP_DEFLATED)


def sha(tensor):
    tensor = tensor.detach().contiguous().reshape(-1)
    return hashlib.sha256(tensor.view(torch.uint8).numpy().tobytes()).hexdigest()


def listing(path):
    loaded = torch.load(path, weights_only=True)
    loaded = loaded.get("state_dict", loaded)
    return [{"name": k, "dtype": str(v.dtype)[6:], "shape": list(v.shape), "sha256": sha(v)}
            for k, v in loaded.items() if isinstance(v, torch.Tensor)]


mini = pathlib.Path(sys.argv[1]) / "mini"
files = {p: listing(mini / p) for p in [
    "mini-llama-meta/consolidated.00.pth", "mini-llama-meta/consolidated.01.pth",
    "official/base-hf-bin/pytorch_model-00001-of-00002.bin", "official/base-hf-bin/pytorch_model-00002-of-00002.bin",
    "official/merged-meta-1/consolidated.00.pth", "mini-chinese-alpaca-lora/adapter_model.bin"]}
for name in ["views.pt", "views-old.pt", "views-packed.pt"]:
    files[name] = listing(here / name)
rows = [json.dumps(path) + ": [\n" + ",\n".join(json.dumps(t) for t in tensors) + "]" for path, tensors in files.items()]
(here / "tensors.json").write_text("{" + ",\n".join(rows) + "}\n")
