"""Names of the Hugging Face hub: in its cache, and downloaded from a server on this machine that speaks the few words that it takes."""

import hashlib
import http.server
import json
import os
import pathlib
import subprocess
import sys
import threading
from typing import Iterator

import pytest

import alpaca
from alpaca import _hub

from conftest import GOLDENS, REPOSITORY

NAME = "owner/mini-chinese"
REVISION = "0123456789abcdef0123456789abcdef01234567"
FILES = {
    "tokenizer.model": (GOLDENS / "tokenizers" / "mini_chinese_alpaca.model").read_bytes(),
    "README.md": "说明".encode(),
    "tf_model.h5": b"not wanted",
}


class Hub(http.server.BaseHTTPRequestHandler):
    """One model at one revision."""

    asked: list[str] = []

    def _answer(self, body: bytes, headers: dict[str, str], status: int = 200) -> None:
        self.send_response(status)
        for key, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(key, value)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    def do_GET(self) -> None:
        Hub.asked.append(f"{self.command} {self.path}")
        _, *parts = self.path.split("?")[0].split("/")
        if parts[:2] == ["api", "models"] and "/".join(parts[2:4]) == NAME and parts[4:5] == ["tree"]:
            tree = [{"type": "file", "path": n, "size": len(b), "oid": hashlib.sha1(b).hexdigest()} for n, b in FILES.items()]
            self._answer(json.dumps(tree).encode(), {"Content-Type": "application/json"})
        elif parts[:2] == ["api", "models"] and "/".join(parts[2:4]) == NAME:
            info = {"_id": "1", "id": NAME, "sha": REVISION, "private": False, "tags": [], "siblings": [{"rfilename": n} for n in FILES]}
            self._answer(json.dumps(info).encode(), {"Content-Type": "application/json"})
        elif "/".join(parts[:2]) == NAME and parts[2:4] == ["resolve", REVISION] and parts[4] in FILES:
            body = FILES[parts[4]]
            self._answer(body, {"ETag": f'"{hashlib.sha1(body).hexdigest()}"', "X-Repo-Commit": REVISION, "Accept-Ranges": "bytes"})
        else:
            self._answer(b'{"error":"Repository not found"}', {"X-Error-Code": "RepoNotFound"}, 404)

    do_HEAD = do_GET

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def hub(tmp_path: pathlib.Path) -> Iterator[dict[str, str]]:
    """The environment of a program that finds the server."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    Hub.asked.clear()
    environment = {key: value for key, value in os.environ.items() if not key.startswith("HF_") and "proxy" not in key.lower()}
    environment |= {"HF_ENDPOINT": f"http://127.0.0.1:{server.server_port}", "HF_HOME": str(tmp_path / "hf"), "HF_HUB_DISABLE_TELEMETRY": "1"}
    try:
        yield environment
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def run(code: str, environment: dict[str, str], folder: pathlib.Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code], env=environment, cwd=folder, capture_output=True, text=True, timeout=120)


def test_a_name_is_downloaded_once(hub: dict[str, str], tmp_path: pathlib.Path) -> None:
    code = f"import alpaca; t = alpaca.Tokenizer('{NAME}'); print(len(t))"
    first = run(code, hub, tmp_path)
    assert first.stdout == "3941\n", first.stderr
    assert any("tokenizer.model" in line for line in Hub.asked) and not any(".h5" in line for line in Hub.asked)
    # Its progress bar.
    assert "%" in first.stderr
    # The second time nobody is asked.
    Hub.asked.clear()
    again = run(code, hub, tmp_path)
    assert again.stdout == "3941\n" and Hub.asked == []
    # The command finds it in the cache, and without huggingface_hub Python does.
    snapshot = f"{hub['HF_HOME']}/hub/models--owner--mini-chinese/snapshots/{REVISION}"
    command = [str(REPOSITORY / "build/bin/alpaca"), "verify", NAME]
    told = subprocess.run(command, env=hub, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert f"{snapshot}/tokenizer.model: " in told.stdout, told.stderr
    code = f"import sys; sys.modules['huggingface_hub'] = None\nimport alpaca; print(alpaca.verify('{NAME}')['files'][-1]['path'])"
    assert run(code, hub, tmp_path).stdout == f"{snapshot}/tokenizer.model\n"


def test_what_was_cut_off_is_completed(hub: dict[str, str], tmp_path: pathlib.Path) -> None:
    code = f"import alpaca; print(len(alpaca.Tokenizer('{NAME}')))"
    assert run(code, hub, tmp_path).stdout == "3941\n"
    model = pathlib.Path(hub["HF_HOME"]) / "hub" / "models--owner--mini-chinese"
    link = model / "snapshots" / REVISION / "tokenizer.model"
    blob = link.resolve()
    link.unlink()
    blob.rename(blob.with_name(blob.name + ".incomplete"))
    Hub.asked.clear()
    assert run(code, hub, tmp_path).stdout == "3941\n"
    assert any("tokenizer.model" in line for line in Hub.asked)


def test_a_name_that_nobody_knows(hub: dict[str, str], tmp_path: pathlib.Path) -> None:
    told = run("import alpaca; alpaca.Model('owner/unknown')", hub, tmp_path)
    assert told.returncode != 0 and "RepositoryNotFoundError" in told.stderr, "what the hub said"
    assert "alpaca._errors.ModelNotFoundError: owner/unknown: " in told.stderr
    told = run("import sys; sys.modules['huggingface_hub'] = None\nimport alpaca; alpaca.Model('owner/unknown')", hub, tmp_path)
    assert "ModelNotFoundError" in told.stderr and "hf download owner/unknown" in told.stderr and "alpaca[hub]" in told.stderr


@pytest.mark.parametrize(
    "path", ["model", "/a/b", "./a/b", "a/b/c", "a/model.gguf", "a/", "/b", "owner/na me", "owner/-x", "owner/x.", "bindings/python", ""]
)
def test_what_is_no_name(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(REPOSITORY)
    assert not _hub.is_name(path)


def test_names() -> None:
    assert all(_hub.is_name(name) for name in ("ziqingyang/chinese-alpaca-lora-7b", "meta-llama/Llama-3.1", "a/b"))


def test_errors_of_the_hub(hub: dict[str, str], tmp_path: pathlib.Path) -> None:
    """Whatever goes wrong there is an error of this package, and the built-in class that fits."""
    code = """
import alpaca
for call in (alpaca.Model, alpaca.Tokenizer, alpaca.inspect, alpaca.verify, lambda name: alpaca.convert(name, "out"),
             lambda name: alpaca.convert("owner/mini-chinese", "out", tokenizer=name, plan=True),
             lambda name: alpaca.convert("owner/mini-chinese", "out", adapters=[name], plan=True),
             lambda name: alpaca.Tokenizer("owner/mini-chinese").merge(name)):
    try:
        call("models/mine")
    except alpaca.Error as error:
        print(type(error).__name__, isinstance(error, FileNotFoundError), isinstance(error, OSError), str(error).startswith("models/mine: "))
"""
    for environment, expected in (
        (hub, "ModelNotFoundError True True True"),
        ({**hub, "HF_HUB_OFFLINE": "1"}, "ModelNotFoundError True True True"),
        ({**hub, "HF_ENDPOINT": "http://127.0.0.1:9"}, ""),
    ):
        if expected:
            warm = run("import alpaca; alpaca.Tokenizer('owner/mini-chinese')", hub, tmp_path)
            assert warm.returncode == 0, warm.stderr
        told = run(code, environment, tmp_path)
        assert told.returncode == 0, told.stderr
        assert len(told.stdout.splitlines()) == 8
        for line in told.stdout.splitlines():
            assert line == expected or not expected and line in ("ModelNotFoundError True True True", "ModelIOError False True True")
