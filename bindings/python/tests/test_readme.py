"""The READMEs' examples are run as they stand there."""

import os
import pathlib
import re
import subprocess

import pytest

from conftest import REPOSITORY


def blocks(name: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", (REPOSITORY / name).read_text(), flags=re.S | re.M)


@pytest.mark.parametrize("name", ["README.md", "README_ZH.md"])
def test_python(name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(REPOSITORY)
    (code,) = blocks(name, "python")
    scope: dict[str, object] = {}
    exec(code, scope)
    assert capsys.readouterr().out.count("。") >= 2
    assert getattr(scope["logits"], "shape") == (3941,)


def test_c(tmp_path: pathlib.Path) -> None:
    (code,) = blocks("README.md", "c")
    (tmp_path / "poem.c").write_text(code)
    library = REPOSITORY / "build" / "lib"
    flags = ["-std=c11", "-Wall", "-Wextra", "-Wpedantic", "-Werror", f"-I{REPOSITORY}/include"]
    subprocess.run(
        ["cc", *flags, "-o", tmp_path / "poem", tmp_path / "poem.c", f"-L{library}", "-lalpaca", f"-Wl,-rpath,{library}"], check=True
    )
    poem = subprocess.run([tmp_path / "poem"], cwd=REPOSITORY, check=True, capture_output=True, text=True, timeout=60).stdout
    assert "。" in poem


def test_swift() -> None:
    """The Swift example is compiled with the tests."""
    (code,) = blocks("README.md", "swift")
    example = (REPOSITORY / "Tests" / "AlpacaEngineTests" / "Generation" / "ReadmeExample.swift").read_text()
    assert code in example


@pytest.mark.parametrize("name", ["README.md", "README_ZH.md"])
def test_commands(name: str) -> None:
    environment = {**os.environ, "PATH": f"{REPOSITORY}/build/bin:{os.environ['PATH']}"}
    lines = [line for block in blocks(name, "sh") for line in block.splitlines() if line.startswith("alpaca ")]
    assert len(lines) == 7
    for line in lines:
        result = subprocess.run(line, shell=True, cwd=REPOSITORY, env=environment, capture_output=True, text=True, timeout=120)
        assert result.returncode == 0, result.stderr
        assert result.stdout.strip()
