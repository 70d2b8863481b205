import json
import pathlib
from typing import Any

import pytest

import alpaca

REPOSITORY = pathlib.Path(__file__).resolve().parents[3]
GOLDENS = REPOSITORY / "Tests" / "Goldens"


@pytest.fixture(scope="session")
def model() -> alpaca.Model:
    return alpaca.Model(REPOSITORY / "models/mini/chinese-alpaca-mini-f16.gguf")


@pytest.fixture(scope="session")
def prompts() -> dict[str, Any]:
    golden = json.loads((GOLDENS / "mini/generation.json").read_text())
    return {prompt["name"]: prompt for prompt in golden["prompts"]}
