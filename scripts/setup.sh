#!/usr/bin/env bash
# setup.sh [TOOL...]: installs what is missing on Debian or Ubuntu with Swift 6.2 or later: a C compiler, CMake, pkg-config and libffi for the C examples and
# tests, Python with venv and its headers; then a virtual environment in .venv. Does nothing, and says nothing, when all is there.
# TOOL: a command that one target alone needs, of the package of the same name.
set -euo pipefail
cd "$(dirname "$0")/.."

command -v swift > /dev/null || { echo "error: Swift is missing: install Swift 6.2 or later and put it on PATH" >&2; exit 1; }

declare -A packages=([cc]=gcc [g++]=g++ [make]=make [pkg-config]=pkg-config [cmake]=cmake [python3]=python3 [nm]=binutils)
for tool in "$@"; do packages[$tool]=$tool; done
missing=()
for tool in "${!packages[@]}"; do command -v "$tool" > /dev/null || missing+=("${packages[$tool]}"); done
python3 -c 'import ensurepip, venv' 2> /dev/null || missing+=(python3-venv)
python3 -c 'import pathlib, sysconfig; exit(not pathlib.Path(sysconfig.get_paths()["include"], "Python.h").exists())' || missing+=(python3-dev)
echo '#include <ffi.h>' | cc -E - > /dev/null 2>&1 || missing+=(libffi-dev)
if [ ${#missing[@]} -gt 0 ]; then
    echo "installing ${missing[*]}"
    root=; [ "$(id -u)" = 0 ] || root=sudo
    $root apt-get update -qq
    DEBIAN_FRONTEND=noninteractive $root apt-get install -y -qq --no-install-recommends "${missing[@]}" > /dev/null
fi

wanted="numpy pytest mypy hatchling editables auditwheel setuptools>=70.1 sentencepiece gguf huggingface_hub tqdm"
stamp=.venv/alpaca-packages
if [ ! -f "$stamp" ] || [ "$(cat "$stamp")" != "$wanted" ]; then
    echo "installing the Python packages $wanted in .venv"
    python3 -m venv .venv
    # shellcheck disable=SC2086
    timeout 900 .venv/bin/python -m pip install --quiet --disable-pip-version-check $wanted
    echo "$wanted" > "$stamp"
fi
