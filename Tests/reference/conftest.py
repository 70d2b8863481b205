"""What the converter writes, read by the libraries that own the formats. `make test-reference` installs them and runs this.

The package and the library of the working tree are used (ALPACA_LIBRARY, or build/lib). ALPACA_SHARED names the folder whose
fixtures/mini has the base and the adapters; tests that need them are skipped without it, which the summary says.
"""

import json
import os
import pathlib
import sys
import warnings

import pytest

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
GOLDENS = REPOSITORY / "Tests" / "Goldens"
sys.path[:0] = [str(REPOSITORY / "bindings/python/src"), str(pathlib.Path(__file__).parent)]
os.environ.setdefault("ALPACA_LIBRARY", str(REPOSITORY / "build/lib/libalpaca.so.1"))
os.environ.update(HF_HUB_OFFLINE="1", TOKENIZERS_PARALLELISM="false", TRANSFORMERS_VERBOSITY="warning")

import torch  # noqa: E402  (the variables above come first)
import transformers  # noqa: E402

import alpaca  # noqa: E402

torch.set_num_threads(1)  # tiny matrices; and no waiting for another core
ADAPTERS = ("mini-chinese-llama-lora", "mini-chinese-alpaca-lora")


@pytest.fixture(scope="session")
def shared() -> pathlib.Path:
    """The folder of shared fixtures."""
    folder = pathlib.Path(os.environ.get("ALPACA_SHARED", REPOSITORY.parent / "shared")) / "fixtures"
    if not (folder / "mini/mini-llama/model.safetensors").exists():
        pytest.skip(f"no fixtures at {folder}: set ALPACA_SHARED")
    return folder


@pytest.fixture(scope="session")
def mini(shared):
    return shared / "mini"


@pytest.fixture(scope="session")
def made(mini, tmp_path_factory):
    """made("hf", "q8_0", shard_size=...): the mini base with both adapters, converted once for all tests that want the same."""
    results = {}

    def make(output_format, quantization=None, base="mini-llama", **options):
        key = (output_format, quantization, base, *sorted(options.items()))
        if key not in results:
            output = tmp_path_factory.mktemp(output_format) / ("out.gguf" if output_format == "gguf" else "out")
            result = alpaca.convert(
                mini / base, output, adapters=[mini / name for name in ADAPTERS], output_format=output_format,
                quantization=quantization, **{"rounding": "each", **options},
            )  # fmt: skip
            assert not result["warnings"]
            results[key] = output
        return results[key]

    return make


@pytest.fixture(scope="session")
def generation():
    return json.loads((GOLDENS / "mini/generation.json").read_text())


@pytest.fixture
def silent(caplog):
    """Fails the test when a library has warned, by `warnings` or by its logger."""
    transformers.logging.enable_propagation()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield
    transformers.logging.disable_propagation()
    # What libraries say of themselves is not about our files.
    theirs = (DeprecationWarning, PendingDeprecationWarning, FutureWarning)
    said = [str(w.message) for w in caught if not issubclass(w.category, theirs)]
    said += [r.getMessage() for r in caplog.get_records("call") if r.levelname in ("WARNING", "ERROR", "CRITICAL")]
    assert said == []


def pytest_terminal_summary(terminalreporter):
    """The figures by which PEFT was met, also when all is well."""
    import comparison

    for line in comparison.report():
        terminalreporter.write_line(line)
