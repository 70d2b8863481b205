#!/usr/bin/env python3
"""The kind of this machine's CPU, as docs/benchmarks names its folders: `zen4`, `emerald-rapids`, `neoverse-v2`.

    machine.py      prints it

CPU_KIND in the environment overrides it. A processor that TABLE lacks is called by its numbers, `intel-6-207`.
"""

from __future__ import annotations

import os
import pathlib
import re

#: (vendor, family, models, kind) for x86; (implementer, None, parts, kind) for Arm. The first that fits counts.
TABLE: list[tuple[str, int | None, range | set[int], str]] = [
    ("AuthenticAMD", 0x17, range(0x00, 0x30), "zen1"),
    ("AuthenticAMD", 0x17, range(0x30, 0x100), "zen2"),
    ("AuthenticAMD", 0x19, range(0x10, 0x20), "zen4"),
    ("AuthenticAMD", 0x19, range(0x60, 0x80), "zen4"),
    ("AuthenticAMD", 0x19, range(0xA0, 0xB0), "zen4"),
    ("AuthenticAMD", 0x19, range(0x00, 0x60), "zen3"),
    ("AuthenticAMD", 0x1A, range(0x00, 0x50), "zen5"),
    ("AuthenticAMD", 0x1A, range(0x60, 0x80), "zen5"),
    ("GenuineIntel", 6, {0x3C, 0x3F, 0x45, 0x46}, "haswell"),
    ("GenuineIntel", 6, {0x3D, 0x47, 0x4F, 0x56}, "broadwell"),
    ("GenuineIntel", 6, {0x4E, 0x5E, 0x8E, 0x9E, 0xA5, 0xA6}, "skylake"),
    ("GenuineIntel", 6, {0x55}, "skylake-x"),  # Cascade Lake and Cooper Lake too: they differ in the stepping.
    ("GenuineIntel", 6, {0x6A, 0x6C, 0x7D, 0x7E}, "ice-lake"),
    ("GenuineIntel", 6, {0x8C, 0x8D}, "tiger-lake"),
    ("GenuineIntel", 6, {0xA7}, "rocket-lake"),
    ("GenuineIntel", 6, {0x8F}, "sapphire-rapids"),
    ("GenuineIntel", 6, {0xCF}, "emerald-rapids"),
    ("GenuineIntel", 6, {0xAD, 0xAE}, "granite-rapids"),
    ("GenuineIntel", 6, {0x97, 0x9A}, "alder-lake"),
    ("GenuineIntel", 6, {0xB7, 0xBA, 0xBF}, "raptor-lake"),
    ("GenuineIntel", 6, {0xAA, 0xAC}, "meteor-lake"),
    ("GenuineIntel", 6, {0xBD}, "lunar-lake"),
    ("GenuineIntel", 6, {0xC5, 0xC6}, "arrow-lake"),
    ("0x41", None, {0xD0C}, "neoverse-n1"),
    ("0x41", None, {0xD40}, "neoverse-v1"),
    ("0x41", None, {0xD49}, "neoverse-n2"),
    ("0x41", None, {0xD4F}, "neoverse-v2"),
    ("0x41", None, {0xD8E}, "neoverse-n3"),
    ("0x41", None, {0xD84}, "neoverse-v3"),
]
#: What the documents call a kind; others by their name in capitals.
TITLES = {"zen4": "AMD Zen 4", "zen5": "AMD Zen 5", "emerald-rapids": "Intel Emerald Rapids"}


def kind_of(cpuinfo: str) -> str:
    """The kind of the first processor in the text of /proc/cpuinfo."""
    fields: dict[str, str] = {}
    for name, value in re.findall(r"^([^\t:\n]+?)\s*:[ \t]*(.*)$", cpuinfo, re.M):
        fields.setdefault(name, value.strip())
    vendor = fields.get("vendor_id") or fields.get("CPU implementer") or "unknown"
    family = number(fields.get("cpu family"))
    model = number(fields.get("model") or fields.get("CPU part"))
    for known_vendor, known_family, models, kind in TABLE:
        if vendor == known_vendor and (known_family is None or family == known_family) and model in models:
            return kind
    short = {"AuthenticAMD": "amd", "GenuineIntel": "intel"}.get(vendor, vendor)
    words = [short, *(str(n) for n in (family, model) if n is not None)]
    return re.sub(r"[^a-z0-9]+", "-", "-".join(words).lower()).strip("-")


def number(text: str | None) -> int | None:
    try:
        return int(text or "", 0)
    except ValueError:
        return None


def kind() -> str:
    """CPU_KIND, or what /proc/cpuinfo says."""
    named = os.environ.get("CPU_KIND", "")
    if named:
        if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", named):
            raise SystemExit(f"error: CPU_KIND: found {named!r}, expected small letters, digits and hyphens: it names a folder")
        return named
    try:
        return kind_of(pathlib.Path("/proc/cpuinfo").read_text())
    except OSError:
        return "unknown"


def title(kind: str) -> str:
    return TITLES.get(kind) or " ".join(word.capitalize() for word in kind.split("-"))


def last_cache_bytes(folder: pathlib.Path = pathlib.Path("/sys/devices/system/cpu")) -> int:
    """Bytes of all last-level caches together; 32 MB where the system does not tell."""
    caches: dict[str, int] = {}
    for cpu in folder.glob("cpu[0-9]*"):
        levels = sorted(cpu.glob("cache/index[0-9]"))
        if not levels or not (levels[-1] / "size").is_file():
            continue
        shared = levels[-1] / "shared_cpu_list"
        size = (levels[-1] / "size").read_text().strip()
        if re.fullmatch(r"\d+K", size):
            caches[shared.read_text().strip() if shared.is_file() else cpu.name] = int(size[:-1]) << 10
    return sum(caches.values()) or 32 << 20


if __name__ == "__main__":
    print(kind())
