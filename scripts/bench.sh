#!/usr/bin/env bash
# bench.sh SIZE TYPES: speed on models of real size with random weights (130m, 1.3b or 7b; types with commas), beside llama.cpp where the
# Python package xllamacpp is installed in .venv. The files are made in build/bench by the generator in the folder that ALPACA_SHARED names.
set -euo pipefail
cd "$(dirname "$0")/.."
size=$1 types=$2
shared=${ALPACA_SHARED:-$(cd .. && pwd)/shared}
maker=$shared/tools/make_synthetic_gguf.py
if [ ! -f "$maker" ]; then
    echo "the generator of large models is not in $shared: measuring the mini model"
    exec build/bin/alpaca bench models/mini/chinese-alpaca-mini-q8_0.gguf -p 128,512 -n 32
fi
mkdir -p build/bench
.venv/bin/python -m pip install --quiet --disable-pip-version-check --force-reinstall --no-deps build/wheel/*.whl
for type in ${types//,/ }; do
    file=build/bench/$size-$type.gguf
    [ -f "$file" ] || .venv/bin/python "$maker" --size "$size" --type "$type" --tokenizers "$shared/fixtures/tokenizers" "$file"
    .venv/bin/python Benchmarks/compare.py "$file" -p 128,512 -n 16 -r 3 2> /dev/null
done
