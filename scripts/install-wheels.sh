#!/usr/bin/env bash
# Puts the wheels of the package and of the sample extension into .venv.
set -euo pipefail
cd "$(dirname "$0")/.."
timeout 300 .venv/bin/python -m pip install --quiet --disable-pip-version-check --force-reinstall --no-deps build/wheel/*.whl build/extension/*.whl
