#!/usr/bin/env bash
# run.sh LIBRARY: the C interface from outside, by libffi; and against the interface of 1.0.
set -euo pipefail
cd "$(dirname "$0")/../.."
library=$(realpath "$1")
model=models/mini/chinese-alpaca-mini-f16.gguf
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

python3 Tests/abi/describe.py --check Tests/abi/1.0/abi.json

# What is exported is what is declared.
python3 Tests/abi/describe.py --c > "$work/signatures.h"
declared=$(sed -n 's/^ *{"\(alpaca_[a-z0-9_]*\)".*/\1/p' "$work/signatures.h" | sort)
exported=$(nm -D --defined-only "$library" | sed -n 's/.* T \(alpaca_[a-z0-9_]*\).*/\1/p' | sort)
diff <(echo "$declared") <(echo "$exported") || { echo "error: the header and the library differ"; exit 1; }

# A program made for 1.0 runs with the library of today.
cc -std=c11 -ITests/abi/1.0 -o "$work/old" bindings/c-example/chat.c "$library" -Wl,-rpath,"$(dirname "$library")" -pthread
said=$(LD_LIBRARY_PATH=$(dirname "$library") timeout 60 "$work/old" -t 0 -p "写一首五言绝句，题目是《秋夜》" "$model")
[ "${said%%。*}" = "故国无尘土，山林下水流" ] || { echo "error: a program of 1.0 wrote: $said"; exit 1; }

if echo '#include <ffi.h>' | cc -E - > /dev/null 2>&1; then
    cc -std=gnu2x -O1 -g -Wall -Wextra -I"$work" -o "$work/harness" Tests/abi/harness.c -lffi -ldl -pthread
    cp "$library" "$work/copy.so"
    timeout 300 "$work/harness" "$library" "$model" "$work/copy.so"
    if [ "${VALGRIND:-}" = 1 ]; then
        # "Possibly lost" are six blocks, 192 bytes, that the Swift runtime makes once and knows by pointers into their middle.
        timeout 900 valgrind --quiet --leak-check=full --show-leak-kinds=definite --errors-for-leak-kinds=definite --error-exitcode=9 \
            "$work/harness" "$library" "$model" "$work/copy.so"
    fi
else
    echo "SKIPPED: the libffi harness needs libffi-dev"
fi
