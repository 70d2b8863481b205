"""What files are, tokenizers that are made, and what a conversion is asked for."""

import hashlib
import json
import os
import pathlib
import sys
from typing import Any

import pytest
import sentencepiece

import alpaca

from conftest import GOLDENS, REPOSITORY

MINI = GOLDENS / "tokenizers"
SHARED = pathlib.Path(os.environ.get("ALPACA_SHARED", REPOSITORY.parent / "shared")) / "fixtures"


def test_verify(tmp_path: pathlib.Path) -> None:
    path = MINI / "mini_llama.model"
    steps: list[tuple[str, str, int, int]] = []
    report = alpaca.verify(path, progress=lambda *step: steps.append(step))
    assert report == {
        "ok": True,
        "files": [
            {
                "path": str(path),
                "size": path.stat().st_size,
                "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
                "status": "unknown",
                "identity": None,
                "expected": None,
                "verdict": f"{path}: unknown, not in the published list",
            }
        ],
    }
    assert steps[-1] == ("hash", "", path.stat().st_size, path.stat().st_size)
    adapter = tmp_path / "chinese-alpaca-lora-13b" / "adapter_model.bin"
    adapter.parent.mkdir()
    adapter.write_bytes(b"damaged")
    report = alpaca.verify(path, tmp_path, n_threads=2)
    assert not report["ok"] and [file["status"] for file in report["files"]] == ["unknown", "differs"]
    assert report["files"][1]["expected"] == "Chinese-Alpaca-13B adapter, adapter_model.bin"


def test_verify_errors() -> None:
    with pytest.raises(ValueError, match="at least one path"):
        alpaca.verify()
    with pytest.raises(FileNotFoundError):
        alpaca.verify("/nonexistent")
    with pytest.raises(alpaca.CancelledError):
        alpaca.verify(MINI / "mini_llama.model", progress=lambda *_: False)

    def fails(*_: Any) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        alpaca.verify(MINI / "mini_llama.model", progress=fails)


def test_bars(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    model = REPOSITORY / "models/mini/chinese-alpaca-mini-f16.gguf"
    alpaca.verify(model, progress=True)
    assert "hash: 100%" in capfd.readouterr().err
    for name in ("tqdm", "tqdm.auto"):
        monkeypatch.setitem(sys.modules, name, None)
    alpaca.verify(model, progress=True)
    assert "hash 100%" in capfd.readouterr().err


def test_mini_tokenizers(tmp_path: pathlib.Path) -> None:
    merged = alpaca.Tokenizer(MINI / "mini_llama.model").merge(MINI / "mini_chinese_sp.model")
    merged.save(tmp_path / "merged")
    assert (tmp_path / "merged").read_bytes() == (MINI / "mini_chinese_llama.model").read_bytes()
    padded = merged.add_piece("[PAD]")
    with pytest.raises(alpaca.Error, match="merged: "):
        padded.save(tmp_path / "merged")
    padded.save(tmp_path / "merged", overwrite=True)
    assert (tmp_path / "merged").read_bytes() == (MINI / "mini_chinese_alpaca.model").read_bytes()
    turn = padded.add_piece("<turn>", score=-3.5, kind="control")
    turn.save(tmp_path / "turn")
    peer = sentencepiece.SentencePieceProcessor(model_file=str(tmp_path / "turn"))
    assert peer.get_piece_size() == len(turn) == 3942
    assert (peer.id_to_piece(3941), peer.get_score(3941), peer.is_control(3941)) == ("<turn>", -3.5, True)
    assert turn.encode("<turn>", parse_special=True) == [3941]


def test_published_tokenizers(tmp_path: pathlib.Path) -> None:
    if not (SHARED / "tokenizers" / "chinese_sp.model").exists():
        pytest.skip("the published tokenizers are not in ALPACA_SHARED")
    merged = alpaca.Tokenizer(SHARED / "tokenizers" / "llama.model").merge(SHARED / "tokenizers" / "chinese_sp.model")
    merged.save(tmp_path / "a")
    merged.add_piece("[PAD]").save(tmp_path / "b")
    assert [hashlib.sha256((tmp_path / name).read_bytes()).hexdigest() for name in "ab"] == [
        "e2676d4ca29ca1750f6ff203328d73b189321dc5776ceede037cbd36541d70c0",
        "2d967e855b1213a439df6c8ce2791f869c84b4f3b6cfacf22b86440b8192a2f8",
    ]


def test_tokenizer_errors(model: alpaca.Model, tmp_path: pathlib.Path) -> None:
    with pytest.raises(NotImplementedError, match="a model's"):
        model.tokenizer.save(tmp_path / "x")
    tokenizer = alpaca.Tokenizer(MINI / "mini_llama.model")
    with pytest.raises(ValueError, match="in the vocabulary already, as token 2"):
        tokenizer.add_piece("</s>")
    with pytest.raises(ValueError, match="kind: found 'x', expected None, 'normal'"):
        tokenizer.add_piece("abc", kind="x")
    assert not (tmp_path / "x").exists()


def test_convert_arguments(tmp_path: pathlib.Path) -> None:
    out = tmp_path / "out.gguf"
    with pytest.raises(ValueError, match="output_format: found 'x', expected 'gguf', 'hf', 'hf-bin', 'pth'"):
        alpaca.convert("/none", out, output_format="x")
    with pytest.raises(ValueError, match="rounding: found 'twice', expected None, 'each', 'once'"):
        alpaca.convert("/none", out, rounding="twice")
    with pytest.raises(ValueError, match="n_threads: found -1, expected 0 to 256"):
        alpaca.convert("/none", out, n_threads=-1)
    for plan in (False, True):
        with pytest.raises(alpaca.Error, match="/none"):
            alpaca.convert("/none", out, adapters=["/a", ("/b", 0.5)], overrides={"output.weight": "q8_0"}, plan=plan)
    assert list(tmp_path.iterdir()) == []


def test_convert(tmp_path: pathlib.Path) -> None:
    base = REPOSITORY / "models/mini/chinese-alpaca-mini-f16.gguf"
    out = tmp_path / "out.gguf"
    plan = alpaca.convert(base, out, quantization="q8_0", plan=True)
    assert (plan["format"], plan["quantization"], plan["n_params"], plan["n_merged"]) == ("gguf", "Q8_0", 5427968, 0)
    assert not out.exists()
    steps: list[str] = []
    report = alpaca.convert(base, out, quantization="q8_0", hash_output=True, progress=lambda stage, *_: steps.append(stage))
    assert "convert" in steps
    assert report["written_bytes"] == out.stat().st_size == plan["size_bytes"]
    assert report["hashes"][0]["sha256"] == hashlib.sha256(out.read_bytes()).hexdigest()
    before = out.read_bytes()
    with pytest.raises(alpaca.Error, match="out.gguf"):
        alpaca.convert(base, out)
    with pytest.raises(alpaca.CancelledError):
        alpaca.convert(base, out, overwrite=True, progress=lambda *_: False)
    assert out.read_bytes() == before and list(tmp_path.iterdir()) == [out]


def test_overwrite_leaves_other_files_alone(tmp_path: pathlib.Path) -> None:
    base = REPOSITORY / "models/mini/chinese-alpaca-mini-f16.gguf"
    out = tmp_path / "out"
    for _ in range(2):
        alpaca.convert(base, out, output_format="hf", overwrite=True)
    (out / "thesis.txt").write_text("years of work")
    with pytest.raises(alpaca.Error, match='"thesis.txt"'):
        alpaca.convert(base, out, output_format="pth", overwrite=True)
    assert (out / "thesis.txt").read_text() == "years of work" and (out / "model.safetensors").exists()
    with pytest.raises(alpaca.Error, match="not replaced"):
        alpaca.convert(base, out / "thesis.txt", overwrite=True)
    with pytest.raises(alpaca.Error, match="not replaced"):
        alpaca.Tokenizer(out / "tokenizer.model").save(out / "thesis.txt", overwrite=True)
    assert (out / "thesis.txt").read_text() == "years of work"


def test_templates_are_carried(tmp_path: pathlib.Path) -> None:
    base = REPOSITORY / "models/mini/chinese-alpaca-mini-f16.gguf"
    folder = tmp_path / "hf"
    alpaca.convert(base, folder, output_format="hf")
    seen = alpaca.inspect(folder)
    assert seen["template"] == "alpaca" and seen["template_source"] == "tokenizer_config.json"
    # Somebody's own: it stays, and is no other.
    text = "{% for m in messages %}[INST] {{ m['content'] }} 山\t[/INST]{% endfor %}\n"
    config = json.loads((folder / "tokenizer_config.json").read_text())
    (folder / "tokenizer_config.json").write_text(json.dumps({**config, "chat_template": text}))
    alpaca.convert(folder, tmp_path / "out.gguf", name="alpaca-2")
    seen = alpaca.inspect(tmp_path / "out.gguf")
    assert seen["template"] == "jinja" and seen["template_reason"].startswith("its text is in tokenizer.chat_template")
    assert seen["metadata"]["tokenizer.chat_template"] == text and seen["warnings"] == []
    with alpaca.Model(tmp_path / "out.gguf") as model:
        assert model.info["template_name"] == "jinja" and model.metadata("tokenizer.chat_template") == text == model.chat_template
        session = model.session()
        session.generate("水", max_new_tokens=1).read()
        # transformers drops the line end at the end of a template.
        prompt = model.tokenizer.encode("[INST] 水 山\t[/INST]", add_bos=True)
        assert session.tokens[: len(prompt)] == prompt == [model.tokenizer.bos, *model.apply_chat_template([{"role": "user", "content": "水"}])]
    alpaca.convert(tmp_path / "out.gguf", tmp_path / "again", output_format="hf")
    assert json.loads((tmp_path / "again/tokenizer_config.json").read_text())["chat_template"] == text


def test_what_has_no_effect_is_told(tmp_path: pathlib.Path) -> None:
    base = REPOSITORY / "models/mini/chinese-alpaca-mini-q8_0.gguf"
    with pytest.raises(alpaca.Error, match='"outptu.weight": no tensor has such a name'):
        alpaca.convert(base, tmp_path / "out.gguf", overrides={"outptu.weight": "q8_0"}, plan=True)
    plan = alpaca.convert(base, tmp_path / "out.gguf", quantization="q4_0", n_shards=2, plan=True)
    assert [w.split(":")[0] for w in plan["warnings"]] == [
        "the number of shards has no effect", plan["warnings"][1].split(":")[0]
    ]
    assert "quantized already (Q8_0)" in plan["warnings"][1]


def test_adapters(tmp_path: pathlib.Path, prompts: dict[str, Any], capfd: pytest.CaptureFixture[str]) -> None:
    mini = SHARED / "mini"
    if not (mini / "mini-llama").exists():
        pytest.skip("the real mini family is not in ALPACA_SHARED")
    adapters = [mini / "mini-chinese-llama-lora", (mini / "mini-chinese-alpaca-lora", 1.0)]
    report = alpaca.convert(mini / "mini-llama", tmp_path / "out.gguf", adapters=adapters, quantization="f16", progress=True)
    assert report["n_merged"] > 28 and report["tokenizer"]["n_vocab"] == 3941
    assert "convert: 100%" in capfd.readouterr().err
    golden = prompts["template-1"]
    stream = alpaca.Model(tmp_path / "out.gguf").generate(
        golden["instruction"], temperature=0, repetition_penalty=1, max_new_tokens=64
    )
    assert stream.read() == golden["greedy"]["text"]
