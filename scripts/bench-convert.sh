#!/usr/bin/env bash
# bench-convert.sh SIZE TYPES [OPTIONS]: speed of conversions from a base of real size (1.3b, or 7b as a Meta folder of two shards) with a
# rank-64 adapter; further options are those of Benchmarks/convert.py. The models are made in build/bench and kept: 3 and 15 GB (27
# while 7b is made). Set PEER_PYTHON to a Python that has torch, transformers and peft to compare with them.
set -euo pipefail
cd "$(dirname "$0")/.."
size=$1 types=$2
shift 2
shared=${ALPACA_SHARED:-$(cd .. && pwd)/shared}
folder=build/bench/$size
alpaca=build/bin/alpaca
python=.venv/bin/python
peer=${PEER_PYTHON:-$python}
if [ -z "${PEER_PYTHON:-}" ] && [ -x build/reference-venv/bin/python ]; then peer=build/reference-venv/bin/python; fi

tokenizers=build/bench/tokenizers
if [ -f "$shared/fixtures/tokenizers/llama.model" ] && [ ! -f $tokenizers/chinese_alpaca.model ]; then
    mkdir -p $tokenizers
    cp "$shared/fixtures/tokenizers/llama.model" $tokenizers/
    $alpaca merge-tokenizer "$shared/fixtures/tokenizers/llama.model" "$shared/fixtures/tokenizers/chinese_sp.model" \
        --add-piece '[PAD]' -o $tokenizers/chinese_alpaca.model
fi
if [ ! -f "$folder/lora/adapter_model.safetensors" ]; then
    echo "making a $size model with random weights in $folder"
    $python Benchmarks/make_model.py --size "$size" --tokenizers $tokenizers "$folder"
fi
if [ "$size" = 7b ] && [ ! -d "$folder/meta" ]; then
    $alpaca convert "$folder/base" --format pth --shards 2 -o "$folder/meta"
    rm -r "$folder/base"
fi
exec $python Benchmarks/convert.py --size "$size" --types "$types" --peer-python "$peer" "$@"
