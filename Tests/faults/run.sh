#!/usr/bin/env bash
# Machines that fail. run.sh [write | read | oom]: all of one kind, which takes minutes; without one a little of each.
#   write  kills, interrupts, full disks and failing system calls while `alpaca convert` writes
#   read   failing, short and interrupted reads while the command opens, converts, describes, verifies
#   oom    a C host under a limit of address space that is raised step by step
set -euo pipefail
cd "$(dirname "$0")/../.."
mini=$(Tests/mini/family.sh)
kind=${1:-}
full=${kind:+--full}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cc -O1 -Wall -Wextra -Werror -shared -fPIC -o "$work/faults.so" Tests/faults/faults.c -ldl
cc -std=gnu11 -O1 -Wall -Wextra -Werror -Iinclude -o "$work/host" Tests/faults/host.c -ldl

if [ "${kind:-write}" = write ]; then
    timeout 3600 python3 Tests/faults/convert.py build/bin/alpaca "$work/faults.so" "$mini" $full
fi
if [ "${kind:-read}" = read ]; then
    corpus=
    if [ -n "$kind" ]; then
        python3 Tests/hostile/make_hostile.py "$work/corpus" > /dev/null
        corpus="--corpus $work/corpus"
    fi
    timeout 3600 python3 Tests/faults/read.py build/bin/alpaca "$work/faults.so" "$mini" models/mini $corpus $full
fi
if [ "${kind:-oom}" = oom ]; then
    for task in open generate tokenize inspect convert; do
        # In KB: finely, or in steps of which each falls elsewhere.
        timeout 1800 "$work/host" build/lib/libalpaca.so.1 "$([ -n "$kind" ] && echo 64 || echo 1100)" $task \
            models/mini/chinese-alpaca-mini-q8_0.gguf "$mini/mini-llama" "$mini/mini-chinese-llama-lora" "$work/out.gguf"
    done
fi
