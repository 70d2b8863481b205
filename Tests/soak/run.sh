#!/usr/bin/env bash
# run.sh LIBRARY: opens, uses and frees 1000 times and writes 200,000 tokens (CYCLES, TOKENS): nothing may be left. With CANCEL=n also how
# long calls take to return when they are cancelled, at n random moments; LARGE names a larger model for that too.
set -euo pipefail
cd "$(dirname "$0")/../.."
library=$(realpath "$1")
mini=models/mini/chinese-alpaca-mini-q8_0.gguf
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
build() { cc -std=gnu11 -O1 -Wall -Wextra -Werror -Iinclude -o "$work/$1" "Tests/soak/$1.c" "$library" -Wl,-rpath,"$(dirname "$library")" -pthread; }
if [ "${CYCLES:-1000}" != 0 ]; then
    build soak
    timeout 3000 "$work/soak" "$mini" "${CYCLES:-1000}" "${TOKENS:-200000}"
fi
if [ -n "${CANCEL:-}" ]; then
    build cancel
    for model in "$mini" ${LARGE:-}; do
        echo "$model"
        timeout 3000 "$work/cancel" "$model" "$CANCEL"
    done
fi
