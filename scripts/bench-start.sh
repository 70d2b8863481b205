#!/usr/bin/env bash
# bench-start.sh PYTHON MODEL [ROUNDS]: the time to the first token with a file that is not in memory, and with one that is (Benchmarks/start.py).
set -euo pipefail
cd "$(dirname "$0")/.."
[ -f "${2:-}" ] || { echo "bench-start: MODEL=path of a GGUF file, best of some gigabytes" >&2; exit 1; }
mkdir -p build/bench
cc -std=gnu11 -O2 -Wall -Wextra -Werror -Ibuild/include Benchmarks/start.c -o build/bench/start -Lbuild/lib -lalpaca -Wl,-rpath,"$PWD/build/lib"
exec "$1" Benchmarks/start.py build/bench/start "$2" "${3:-3}"
