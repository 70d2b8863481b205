#!/usr/bin/env bash
# bench-threads.sh [SECONDS] [ROUNDS]: calls of several threads at the same time (Benchmarks/threads): writers beside one common step, one
# caller alone, a writer beside a long prompt, cancelled calls, processors shared with others. From the environment:
#   MODEL        a model; else one of 130 million random weights in Q4_0, which is made in build/bench
#   OLD_LIBRARY  an older libalpaca.so.1, which one caller alone is compared with
#   SUBJECTS     some of "callers alone prompt cancel sharing"; else all
set -euo pipefail
cd "$(dirname "$0")/.."
model=${MODEL:-build/bench/threads-q4_0.gguf}
mkdir -p build/bench
if [ ! -f "$model" ]; then
    [ -z "${MODEL:-}" ] || { echo "bench-threads: there is no $model" >&2; exit 1; }
    .venv/bin/python Benchmarks/make_model.py --size 130m build/bench/threads > /dev/null
    build/bin/alpaca convert build/bench/threads/base --type q4_0 -o "$model" > /dev/null
    rm -rf build/bench/threads
fi
cc -std=gnu11 -O2 -Wall -Wextra -Werror -Ibuild/include Benchmarks/threads/*.c -o build/bench/threads-host -Lbuild/lib -lalpaca -lpthread -ldl \
    -Wl,-rpath,"$PWD/build/lib"
build/bench/threads-host "$model" "${1:-2}" "${2:-5}" "${SUBJECTS:-}"
