#!/usr/bin/env bash
# run.sh LIBRARY [PYTHON]: the C interface from outside and over time. With PYTHON, which has the package and the sample extension, also that all
# doors give the same. FULL=1: also every file of the hostile corpus on a small stack. VALGRIND=1: the examples and the harness in valgrind too.
set -euo pipefail
cd "$(dirname "$0")/../.."
library=$(realpath "$1")
python=${2:-}
model=models/mini/chinese-alpaca-mini-f16.gguf
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# ---- Over time

python3 Tests/abi/compatible.py "$library"

# Programs made for 1.0 run with the library of today.
for source in Tests/abi/1.0/client.c bindings/c-example/chat.c; do
    cc -std=c11 -Wall -Wextra -Werror -ITests/abi/1.0 -o "$work/$(basename "$source" .c)" "$source" "$library" -Wl,-rpath,"$(dirname "$library")" \
        -lm -pthread
done
timeout 60 "$work/client" "$model"
said=$(timeout 60 "$work/chat" -t 0 -p "写一首五言绝句，题目是《秋夜》" "$model")
[ "${said%%。*}" = "故国无尘土，山林下水流" ] || { echo "error: a program of 1.0 wrote: $said"; exit 1; }

# ---- The Swift runtime in it, kept from the host's signals and from locks that do not survive a fork

Tests/abi/wrapped.sh "$library"

# ---- From outside

cc -std=gnu11 -O1 -Wall -Wextra -Werror -Iinclude -o "$work/children" Tests/abi/children.c -ldl -pthread
timeout 300 "$work/children" "$library" "$model" 200

if ! echo '#include <ffi.h>' | cc -E - > /dev/null 2>&1; then
    echo "SKIPPED: the libffi harness needs libffi-dev"
    exit 0
fi
python3 Tests/abi/describe.py --c > "$work/signatures.h"
cc -std=gnu2x -O1 -g -Wall -Wextra -Werror -I"$work" -o "$work/harness" Tests/abi/harness/*.c -lffi -ldl -pthread
cp "$library" "$work/libalpaca-copy.so"
corpus=()
if [ "${FULL:-}" = 1 ]; then
    python3 Tests/hostile/make_hostile.py "$work/corpus" > /dev/null
    corpus=("$work/corpus")
fi
timeout 500 "$work/harness" "$library" "$model" "$work/libalpaca-copy.so" "${corpus[@]}"
if [ "${VALGRIND:-}" = 1 ]; then Tests/abi/valgrind.sh "$library" "$work"; fi
if [ -n "$python" ]; then Tests/abi/same_ids.sh "$library" "$work/harness" "$python"; fi
