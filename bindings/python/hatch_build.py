"""Puts libalpaca.so into the wheel: the one that ALPACA_LIBRARY names, or build/lib's, which `make lib` is run for when it is missing."""

import os
import pathlib
import subprocess
import sysconfig
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class LibraryHook(BuildHookInterface[Any]):
    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        repository = pathlib.Path(self.root).parent.parent
        library = pathlib.Path(os.environ.get("ALPACA_LIBRARY") or repository / "build" / "lib" / "libalpaca.so.1")
        if not library.exists():
            subprocess.run(["make", "lib"], cwd=repository, check=True)
        build_data["force_include"][str(library.resolve())] = "alpaca/libalpaca.so.1"
        platform = sysconfig.get_platform().replace("-", "_").replace(".", "_")
        build_data["tag"] = f"py3-none-{platform}"
        build_data["pure_python"] = False
