"""Packages libalpaca.

A wheel carries the library that ALPACA_LIBRARY names, or build/lib's of the repository, which `make lib` is run for when it is missing. An
editable install links to it from the package's source folder. A source distribution carries the engine's sources in engine/: who installs it
builds the library with Swift.
"""

import os
import pathlib
import shutil
import struct
import subprocess
from typing import Any, Iterator

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

#: What `make lib` needs of the repository.
ENGINE = (
    "LICENSE", "Makefile", "Package.swift", "exports.map", "include", "scripts/check-library.sh",
    "Sources/AlpacaEngine", "Sources/CAlpacaABI", "Sources/CAlpacaHost", "Sources/CAlpacaKernels", "Sources/CAlpacaSystem",
)  # fmt: skip
LINK = pathlib.Path("src/alpaca/libalpaca.so.1")


class LibraryHook(BuildHookInterface[Any]):
    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        root = pathlib.Path(self.root)
        outside = root.parent.parent
        if self.target_name == "sdist":
            # In an unpacked one engine/ is there, and is packed as everything else is.
            if not (root / "engine").exists():
                for name in ENGINE:
                    build_data["force_include"][str(outside / name)] = f"engine/{name}"
            return
        library = built(outside if (outside / "Package.swift").exists() else root / "engine")
        if version == "editable":
            # Linked, not copied: what is built anew is used at once. ALPACA_LIBRARY may name a link that the package is asked to follow.
            link = root / LINK
            link.unlink(missing_ok=True)
            link.symlink_to(library.absolute())
        else:
            build_data["force_include"][str(library.resolve())] = "alpaca/libalpaca.so.1"
        build_data["tag"] = f"py3-none-{platform_tag(library.read_bytes(), str(library))}"
        build_data["pure_python"] = False


def built(engine: pathlib.Path) -> pathlib.Path:
    """The library; made if it has to be."""
    named = os.environ.get("ALPACA_LIBRARY")
    library = pathlib.Path(named) if named else engine / "build" / "lib" / "libalpaca.so.1"
    if library.exists():
        return library
    if named:
        raise RuntimeError(f"ALPACA_LIBRARY: there is no {named}")
    missing = [tool for tool in ("swift", "make") if shutil.which(tool) is None]
    if missing or not (engine / "Package.swift").exists():
        lacks = " and ".join(missing) or f"the engine's sources ({engine})"
        raise RuntimeError(
            f"libalpaca is not built, and to build it {lacks} is missing: install Swift 6.2 or later and make, or set ALPACA_LIBRARY to the "
            "path of a libalpaca.so.1, or install the wheel"
        )
    subprocess.run(["make", "lib"], cwd=engine, check=True, env={**os.environ, "ALPACA_LIBRARY_ONLY": "1"})
    return library


# ---- What the library needs of the system that it runs on: a tag that pip compares with it ---------------------------------------------------

#: The first manylinux whose systems all have this version or a later one, beside glibc's, which is its own (PEP 600).
LATEST = {
    "GLIBCXX": (((3, 4, 19), (2, 17)), ((3, 4, 22), (2, 24)), ((3, 4, 24), (2, 27)), ((3, 4, 28), (2, 31)), ((3, 4, 29), (2, 34)),
                ((3, 4, 30), (2, 35)), ((3, 4, 33), (2, 39))),
    "CXXABI": (((1, 3, 7), (2, 17)), ((1, 3, 10), (2, 24)), ((1, 3, 11), (2, 27)), ((1, 3, 12), (2, 31)), ((1, 3, 13), (2, 34)),
               ((1, 3, 15), (2, 39))),
    "GCC": (((4, 7), (2, 17)), ((7, 0), (2, 27)), ((12, 0), (2, 35)), ((14, 0), (2, 39))),
}  # fmt: skip
MACHINES = {62: "x86_64", 183: "aarch64"}


def platform_tag(elf: bytes, name: str) -> str:
    """manylinux_X_Y_MACHINE with the versions of glibc and of the C++ runtime that the library asks for."""
    if elf[:6] != b"\x7fELF\x02\x01":
        raise RuntimeError(f"{name}: found no ELF file of 64 bits, expected libalpaca")
    machine = MACHINES.get(struct.unpack_from("<H", elf, 18)[0])
    least = (2, 17)
    for version in needed_versions(elf):
        family, _, digits = version.partition("_")
        if not digits[:1].isdigit():
            raise RuntimeError(f"{name}: found a need for {version}, expected versions of glibc and of the C++ runtime")
        number = tuple(int(part) for part in digits.split("."))
        if family == "GLIBC":
            least = max(least, number[:2])
            continue
        system = next((system for latest, system in LATEST.get(family, ()) if number <= latest), None)
        if system is None:
            raise RuntimeError(f"{name}: found a need for {version}, expected one that a manylinux is known to have")
        least = max(least, system)
    if machine is None:
        raise RuntimeError(f"{name}: found a library for another machine than {', '.join(MACHINES.values())}")
    return f"manylinux_{least[0]}_{least[1]}_{machine}"


def needed_versions(elf: bytes) -> Iterator[str]:
    """The versions of symbols that an ELF file takes from others: its section of the type SHT_GNU_verneed."""
    (table,) = struct.unpack_from("<Q", elf, 40)
    size, count = struct.unpack_from("<HH", elf, 58)
    sections = [struct.unpack_from("<IIQQQQII", elf, table + i * size) for i in range(count)]
    for _, kind, _, _, offset, _, link, entries in sections:
        if kind != 0x6FFFFFFE:
            continue
        strings = sections[link][4]
        for _ in range(entries):
            _, versions, _, first, following = struct.unpack_from("<HHIII", elf, offset)
            at = offset + first
            for _ in range(versions):
                _, _, _, text, step = struct.unpack_from("<IHHII", elf, at)
                yield elf[strings + text : elf.index(b"\0", strings + text)].decode()
                at += step
            offset += following
