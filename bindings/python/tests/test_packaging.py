"""What pip installs: the wheel, an editable install, a source distribution."""

import json
import os
import pathlib
import shutil
import subprocess
import sys
import tarfile
import venv
import zipfile
from typing import Optional

import pytest

from conftest import REPOSITORY

PACKAGE = REPOSITORY / "bindings" / "python"
LIBRARY = REPOSITORY / "build" / "lib" / "libalpaca.so.1"
IMPORTS = "import alpaca; print(alpaca.__version__)"


def pip(python: str, *arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    command = [python, "-m", "pip", *arguments, "--disable-pip-version-check"]
    cleaned = {key: value for key, value in os.environ.items() if key not in ("PYTHONPATH", "ALPACA_LIBRARY")}
    return subprocess.run(command, env={**cleaned, **environment}, capture_output=True, text=True, timeout=600)


def run(python: str, code: str) -> "subprocess.CompletedProcess[str]":
    cleaned = {key: value for key, value in os.environ.items() if key not in ("PYTHONPATH", "ALPACA_LIBRARY")}
    return subprocess.run([python, "-c", code], env=cleaned, capture_output=True, text=True, timeout=60, cwd="/")


@pytest.fixture
def tree(tmp_path: pathlib.Path) -> pathlib.Path:
    """The package's folder in a repository of its own, without what was built."""
    folder = tmp_path / "tree" / "bindings" / "python"
    shutil.copytree(PACKAGE, folder, ignore=shutil.ignore_patterns("*.so*", "build", "dist", "__pycache__", "*.egg-info"))
    return folder


@pytest.fixture
def fresh(tmp_path: pathlib.Path) -> str:
    """A Python without the package, that sees hatchling of this one."""
    venv.create(tmp_path / "venv", with_pip=True)
    (site,) = (tmp_path / "venv" / "lib").glob("python*/site-packages")
    # hatchling and what it needs, but not this package.
    for module in ("hatchling", "pathspec", "pluggy", "packaging", "trove_classifiers", "tomli", "editables"):
        found = subprocess.run(
            [sys.executable, "-c", f"import {module}; print({module}.__file__)"], capture_output=True, text=True
        ).stdout.strip()
        if found:
            (site / module).symlink_to(pathlib.Path(found).parent)
    (metadata,) = pathlib.Path(subprocess.run(
        [sys.executable, "-c", "import hatchling; print(hatchling.__file__)"], capture_output=True, text=True
    ).stdout.strip()).parent.parent.glob("hatchling-*.dist-info")  # fmt: skip
    (site / metadata.name).symlink_to(metadata)
    return str(tmp_path / "venv" / "bin" / "python")


def test_the_wheel_s_tag_is_what_auditwheel_finds(tmp_path: pathlib.Path) -> None:
    auditwheel = shutil.which("auditwheel", path=f"{pathlib.Path(sys.executable).parent}:{os.environ['PATH']}")
    if auditwheel is None:
        pytest.skip("auditwheel is not installed")
    done = pip(sys.executable, "wheel", "--no-deps", "--no-build-isolation", "-w", str(tmp_path), str(PACKAGE), ALPACA_LIBRARY=str(LIBRARY))
    assert done.returncode == 0, done.stderr
    (wheel,) = tmp_path.glob("*.whl")
    tag = wheel.stem.split("-")[-1]
    assert tag.startswith("manylinux_2_")
    told = subprocess.run([auditwheel, "show", str(wheel)], capture_output=True, text=True, timeout=120)
    assert f'platform tag: "{tag}"' in " ".join(told.stdout.split()), told.stdout + told.stderr
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        assert f"Tag: py3-none-{tag}\n" in archive.read("alpaca-1.1.0.dist-info/WHEEL").decode()
    assert "alpaca/libalpaca.so.1" in names and "alpaca/py.typed" in names and len(names) == len(set(names))


def test_an_editable_install(tree: pathlib.Path, fresh: str) -> None:
    pytest.importorskip("editables", reason="hatchling needs it for editable installs")
    done = pip(fresh, "install", "--no-deps", "--no-build-isolation", "-e", str(tree), ALPACA_LIBRARY=str(LIBRARY))
    assert done.returncode == 0, done.stderr
    assert run(fresh, IMPORTS).stdout == "1.1.0\n"
    # A wheel that is made afterwards carries the library, not the link.
    done = pip(fresh, "wheel", "--no-deps", "--no-build-isolation", "-w", str(tree), str(tree), ALPACA_LIBRARY=str(LIBRARY))
    assert done.returncode == 0, done.stderr
    (wheel,) = tree.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        assert archive.getinfo("alpaca/libalpaca.so.1").file_size == LIBRARY.stat().st_size
    # Without the library the import says what to do.
    (tree / "src/alpaca/libalpaca.so.1").unlink()
    told = run(fresh, IMPORTS)
    assert told.returncode != 0 and "ImportError: " in told.stderr and "there is no libalpaca; install the package by pip" in told.stderr


def test_a_source_distribution(fresh: str, tmp_path: pathlib.Path) -> None:
    code = f"import os; os.chdir({str(PACKAGE)!r}); from hatchling.build import build_sdist; build_sdist({str(tmp_path)!r})"
    done = run(fresh, code)
    assert done.returncode == 0, done.stderr
    archive = tmp_path / "alpaca-1.1.0.tar.gz"
    with tarfile.open(archive) as opened:
        names = {name.removeprefix("alpaca-1.1.0/") for name in opened.getnames()}
    assert {"engine/Makefile", "engine/Package.swift", "engine/include/alpaca.h", "engine/LICENSE", "src/alpaca/session.py"} <= names
    assert not any(name.startswith(("tests/", "extension-sample/", "engine/Sources/AlpacaCLI")) or ".so" in name for name in names)
    # Every source of the library is in it.
    listed = subprocess.run(["git", "ls-files", "Sources", "include"], cwd=REPOSITORY, capture_output=True, text=True).stdout.splitlines()
    if listed:
        assert {name for name in listed if not name.startswith(("Sources/AlpacaCLI/", "Sources/CAlpacaCommand/"))} <= {name.removeprefix("engine/") for name in names}
    # With the library at hand it installs by itself.
    done = pip(fresh, "install", "--no-deps", "--no-build-isolation", str(archive), ALPACA_LIBRARY=str(LIBRARY))
    assert done.returncode == 0, done.stderr
    assert run(fresh, IMPORTS).stdout == "1.1.0\n"
    # Without it and without Swift it says what is missing.
    tools = tmp_path / "tools"
    tools.mkdir()
    for name in ("sh", "make"):
        (tools / name).symlink_to(shutil.which(name) or "/bin/sh")
    done = pip(fresh, "install", "--no-deps", "--no-build-isolation", "--force-reinstall", str(archive), PATH=str(tools))
    assert done.returncode != 0 and "swift is missing: install Swift 6.2 or later" in done.stdout + done.stderr


def test_the_library_alone_is_built_without_network() -> None:
    """What the source distribution builds needs no other package, no tests and no command."""
    environment = {**os.environ, "ALPACA_LIBRARY_ONLY": "1"}
    describe = ["swift", "package", "--manifest-cache", "none", "describe", "--type", "json"]
    told = subprocess.run(describe, cwd=REPOSITORY, env=environment, capture_output=True, text=True, timeout=300)
    assert told.returncode == 0, told.stderr
    package = json.loads(told.stdout)
    targets = {target["name"] for target in package["targets"]}
    assert package["dependencies"] == [] and "CAlpacaABI" in targets
    assert not any(name.endswith("Tests") or name == "AlpacaCLI" for name in targets)


@pytest.mark.parametrize(
    "content,words", [(b"", "can't be loaded"), (b"\x7fELF nothing", "can't be loaded"), (None, "there is no libalpaca; ALPACA_LIBRARY names it")]
)
def test_a_library_that_is_none(content: Optional[bytes], words: str, tmp_path: pathlib.Path) -> None:
    path = tmp_path / "libalpaca.so.1"
    if content is not None:
        path.write_bytes(content)
    environment = {**os.environ, "ALPACA_LIBRARY": str(path)}
    told = subprocess.run([sys.executable, "-c", "import alpaca"], env=environment, capture_output=True, text=True, timeout=60)
    assert told.returncode == 1 and "ImportError: " in told.stderr and words in told.stderr
