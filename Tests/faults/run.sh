#!/usr/bin/env bash
# Kills, interrupts, full disks and failing system calls while `alpaca convert` writes. FULL=1: every call, 200 kills (a quarter of an hour).
set -euo pipefail
cd "$(dirname "$0")/../.."
mini=${ALPACA_SHARED:-$(cd .. && pwd)/shared}/fixtures/mini
if [ "$(uname)" != Linux ] || [ ! -d "$mini/mini-llama" ]; then
    echo "SKIPPED Tests/faults: they need Linux, and the mini family in ALPACA_SHARED"
    exit 0
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cc -O1 -Wall -Wextra -Werror -shared -fPIC -o "$work/faults.so" Tests/faults/faults.c -ldl
timeout 3600 python3 Tests/faults/convert.py build/bin/alpaca "$work/faults.so" "$mini" ${FULL:+--full}
