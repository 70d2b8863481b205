"""How far merged tensors are from PEFT's, in units in the last place."""

import torch

#: Bits behind the point, and the exponent of the smallest normal number.
FORMATS = {torch.float16: (10, -14), torch.bfloat16: (7, -126), torch.float32: (23, -126)}
#: What the groups of test_family.py begin with, which has bounds of its own for each.
FAMILY = "family: "
#: By group: values, equal values, worst distance in units of the result, worst in units of the largest part of the sum.
totals: dict[str, list[float]] = {}


def unit(values: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    """The unit in the last place of each value, in F64."""
    bits, smallest = FORMATS[dtype]
    exponent = torch.frexp(values.double().abs()).exponent - 1
    exponent = torch.where(values == 0, torch.full_like(exponent, smallest), exponent.clamp(min=smallest))
    return torch.ldexp(torch.ones_like(values, dtype=torch.float64), exponent - bits)


def compare(group: str, name: str, ours: torch.Tensor, theirs: torch.Tensor, base: "torch.Tensor | None" = None) -> None:
    """Counts a tensor into its group. With `base` (before the merge) a unit is that of the largest of base, change and result: of a sum
    whose parts cancel out, no more is left than that."""
    assert ours.dtype == theirs.dtype and ours.shape == theirs.shape, (name, ours.dtype, theirs.dtype, ours.shape, theirs.shape)
    assert torch.isfinite(theirs).all(), f"{name}: the test's own numbers overflow"
    ours, theirs = ours.contiguous(), theirs.contiguous()
    distance = (ours.double() - theirs.double()).abs()
    strict = (distance / unit(theirs, theirs.dtype)).max().item()
    scale = theirs
    if base is not None and base.shape == theirs.shape:
        change = theirs.double() - base.double()
        scale = torch.stack([theirs.double().abs(), base.double().abs(), change.abs()]).amax(0)
    parts = (distance / unit(scale, theirs.dtype)).max().item()
    row = totals.setdefault(group, [0, 0, 0, 0])
    row[0] += theirs.numel()
    row[1] += int((distance == 0).sum())
    row[2], row[3] = max(row[2], strict), max(row[3], parts)


def report() -> list[str]:
    lines = [f"  {'against PEFT':44} {'values':>11} {'identical':>12} {'worst, units of the result':>27} {'of the largest part':>20}"]
    for group, (values, equal, strict, parts) in sorted(totals.items()):
        lines.append(f"  {group:44} {values:11,.0f} {100 * equal / values:11.6f}% {strict:27.0f} {parts:20.0f}")
    return lines if totals else []
