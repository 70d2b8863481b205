#!/usr/bin/env bash
# valgrind.sh LIBRARY FOLDER: the C examples, and the libffi harness with a copy of the library (both in FOLDER, from run.sh), in valgrind: no
# error, nothing lost. To programs in it the processor has AVX2 and nothing newer; the library takes that path by itself.
set -euo pipefail
cd "$(dirname "$0")/../.."
library=$1
work=$2
model=models/mini/chinese-alpaca-mini-f16.gguf
small=models/mini/chinese-alpaca-mini-q8_0.gguf
prompt="写一首五言绝句，题目是《秋夜》"

make --no-print-directory -s -C bindings/c-example OUT="$work/examples" CFLAGS=-g ALPACA_INCLUDE="$PWD/include" ALPACA_LIB="$(dirname "$library")"
exec 9>&2
memcheck() { # NAME COMMAND...: what it finds, or how long it took, to descriptor 9
    local name=$1 begin=$SECONDS
    shift
    timeout 7200 valgrind --quiet --log-fd=9 --leak-check=full --show-leak-kinds=definite,possible --errors-for-leak-kinds=definite,possible \
        --suppressions=Tests/sanitizers/valgrind.supp --error-exitcode=9 "$@" || { echo "error: valgrind: $name: status $?" >&9; return 1; }
    echo "valgrind: $name: no error, nothing lost, $((SECONDS - begin)) s" >&9
}

said=$(memcheck "an answer" "$work/examples/chat" -t 0 -p "$prompt" "$model")
[ "${said%%。*}" = "故国无尘土，山林下水流" ] || { echo "error: in valgrind chat wrote: $said"; exit 1; }
printf '%s\n%s\n' "$prompt" "再写一首" | memcheck "two turns" "$work/examples/chat" -t 0 "$small" > /dev/null
memcheck "a conversion" "$work/examples/merge" "$model" "$work/merged.gguf" q4_k_m > /dev/null 2> "$work/progress" || { cat "$work/progress"; exit 1; }
# Fused multiply-adds of floats are slow there, dot products of bytes are not: six times.
HARNESS_VALGRIND=1 memcheck "the harness" "$work/harness" "$library" "$small" "$work/libalpaca-copy.so"
