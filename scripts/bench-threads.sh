#!/usr/bin/env bash
# bench-threads.sh [SECONDS] [ROUNDS]: sessions that share processors with each other, with too many threads, and with a busy neighbour
# (Benchmarks/threads.c). On a model of 130 million random weights in Q4_0, which is made in build/bench; MODEL names another.
set -euo pipefail
cd "$(dirname "$0")/.."
model=${MODEL:-build/bench/threads-q4_0.gguf}
if [ ! -f "$model" ]; then
    mkdir -p build/bench
    .venv/bin/python Benchmarks/make_model.py --size 130m build/bench/threads > /dev/null
    build/bin/alpaca convert build/bench/threads/base --type q4_0 -o "$model" > /dev/null
    rm -rf build/bench/threads
fi
cc -std=gnu11 -O2 -Wall -Werror -Ibuild/include Benchmarks/threads.c -o build/bench/threads-host -Lbuild/lib -lalpaca -lpthread \
    -Wl,-rpath,"$PWD/build/lib"
build/bench/threads-host "$model" "${1:-2}" "${2:-5}"
