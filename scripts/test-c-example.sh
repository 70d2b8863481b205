#!/usr/bin/env bash
# The header in every language and dialect that the promise names, the C example by its Makefile, pkg-config and CMake, and what it writes.
set -euo pipefail
cd "$(dirname "$0")/.."
model=models/mini/chinese-alpaca-mini-q8_0.gguf
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
passed=0
check() { # NAME COMMAND...: counts, or shows what went wrong
    local name=$1
    shift
    if "$@" > "$work/log" 2>&1; then
        passed=$((passed + 1))
    else
        echo "FAILED: $name"
        cat "$work/log"
        exit 1
    fi
}

strict="-Wall -Wextra -Wpedantic -Werror -Iinclude -fsyntax-only"
for compiler in gcc clang; do
    command -v $compiler > /dev/null || { echo "SKIPPED: $compiler is not installed"; continue; }
    for standard in c99 c11; do check "$compiler $standard header" $compiler -std=$standard $strict -x c include/alpaca.h; done
    check "$compiler c++17 header" $compiler -std=c++17 $strict -x c++ include/alpaca.h
    for example in chat merge; do
        check "$compiler c11 $example" $compiler -std=c11 $strict bindings/c-example/$example.c
        check "$compiler c++20 $example" $compiler -std=c++20 $strict -x c++ bindings/c-example/$example.c
    done
done

make --no-print-directory install DESTDIR="$work/root" PREFIX=/usr > "$work/install" 2>&1 || { cat "$work/install"; exit 1; }
prefix=$work/root/usr
export PKG_CONFIG_PATH=$prefix/lib/pkgconfig PKG_CONFIG_SYSROOT_DIR=$work/root LD_LIBRARY_PATH=$prefix/lib
check "pkg-config" make --no-print-directory -C bindings/c-example OUT="$work/pkg"
check "cmake" cmake -S bindings/c-example -B "$work/cmake" -DCMAKE_PREFIX_PATH="$prefix"
check "cmake build" cmake --build "$work/cmake"

prompt="写一首五言绝句，题目是《秋夜》"
# What transformers writes for this prompt with repetition penalty 1.1 (Tests/Goldens/mini/generation.json, template-1).
expected=$(printf '故国无尘土，山林下水流。\n不知何处去，不忍见花枝。')
for program in "$work/pkg/chat" "$work/cmake/chat"; do
    said=$(timeout 60 "$program" -t 0 -p "$prompt" models/mini/chinese-alpaca-mini-f16.gguf)
    check "what $program writes" diff <(printf '%s\n' "$expected") <(sed -n 1,2p <<< "$said")
done
said=$(printf '%s\n%s\n' "$prompt" "再写一首" | timeout 60 "$work/pkg/chat" -t 0 "$model")
check "two turns" test "$(printf '%s' "$said" | wc -l)" -ge 3
for program in "$work/pkg/merge" "$work/cmake/merge"; do
    check "$program" timeout 60 "$program" models/mini/chinese-alpaca-mini-f16.gguf "$work/q4_k_m.gguf" q4_k_m
    said=$(timeout 60 "$work/pkg/chat" -t 0 -p "$prompt" "$work/q4_k_m.gguf")
    check "what the quantized model writes" test "$(printf '%s' "$said" | wc -m)" -ge 20
    rm "$work/q4_k_m.gguf"
done
check "no base" bash -c "! timeout 60 '$work/pkg/merge' /nonexistent '$work/x.gguf' f16 2> '$work/err' && grep -q 'No such file' '$work/err'"
said=$(timeout 60 "$prefix/bin/alpaca" generate "$model" --temperature 0 -n 8 "$prompt")
check "installed command" test -n "$said"
check "no file" bash -c "! timeout 60 '$work/pkg/chat' -p x /nonexistent 2> '$work/err' && grep -q 'No such file' '$work/err'"

# Ctrl-C stops the answer and not the program.
check "interrupt" timeout 120 python3 Tests/abi/interrupt_chat.py "$work/pkg/chat" "$model"
echo "C example: $passed passed, 0 failed"
