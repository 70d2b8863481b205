#!/usr/bin/env bash
# same_ids.sh LIBRARY HARNESS PYTHON: the same seed draws the same ids through every door: a C program, libffi, ctypes, the sample extension,
# and a Swift program that has a Swift runtime of its own.
set -euo pipefail
cd "$(dirname "$0")/../.."
library=$(realpath "$1") harness=$2 python=$3
model=models/mini/chinese-alpaca-mini-f16.gguf
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export SWIFT_BACKTRACE=enable=no

cc -std=c11 -Wall -Wextra -Werror -Iinclude -o "$work/ids" Tests/abi/ids/ids.c "$library" -Wl,-rpath,"$(dirname "$library")"
swiftc -swift-version 6 -Iinclude -o "$work/host" Tests/abi/ids/host.swift
# In a variable: grep -q leaves at the first match, and a writer that has not ended then fails with the whole pipe.
needed=$(ldd "$work/host")
[[ $needed == *libswiftCore.so* ]] || { echo "error: the host has no Swift runtime of its own"; exit 1; }

through_c() { timeout 120 "$work/ids" "$model" "$1"; }
through_libffi() { timeout 120 "$harness" --ids "$library" "$model" "$1"; }
through_swift() { timeout 120 "$work/host" "$library" "$model" "$1"; }
through_ctypes() {
    timeout 120 "$python" - "$model" "$1" << 'END'
import sys, alpaca
options = dict(temperature=1, max_new_tokens=64, ignore_eos=True, seed=int(sys.argv[2]))
for token in alpaca.Model(sys.argv[1]).generate("写一首五言绝句，题目是《秋夜》", **options).tokens():
    print(token.id)
END
}
through_extension() {
    timeout 120 "$python" - "$model" "$1" << 'END'
import sys, alpaca_sample
options = dict(temperature=1, max_new_tokens=64, ignore_eos=True, seed=int(sys.argv[2]))
alpaca_sample.Writer(sys.argv[1]).generate("写一首五言绝句，题目是《秋夜》", lambda id, text: print(id), **options)
END
}

passed=0
previous=
for seed in 1 42 18446744073709551615; do
    through_c $seed > "$work/expected"
    [ "$(wc -l < "$work/expected")" -ge 64 ] || { echo "error: C drew $(wc -l < "$work/expected") ids"; exit 1; }
    [ "$(cat "$work/expected")" != "$previous" ] || { echo "error: another seed draws the same"; exit 1; }
    previous=$(cat "$work/expected")
    for door in libffi ctypes extension swift; do
        if ! through_$door $seed > "$work/found" 2> "$work/error" || ! cmp -s "$work/expected" "$work/found"; then
            echo "error: with seed $seed $door draws other ids than C:" $(head -c 300 "$work/found") $(head -3 "$work/error")
            exit 1
        fi
        passed=$((passed + 1))
    done
done
echo "same ids by C, libffi, ctypes, extension and Swift: $passed passed, 0 failed"
