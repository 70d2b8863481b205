#!/usr/bin/env bash
# Some of the Swift tests, in release mode. $1: a part of their names.
set -euo pipefail
cd "$(dirname "$0")/.."
export SWIFT_BACKTRACE=enable=no
export ALPACA_SHARED=${ALPACA_SHARED:-$(cd .. && pwd)/shared}
timeout 1500 swift build -c release --build-tests --scratch-path .build-test -Xswiftc -enable-testing 2>&1 | grep -E 'error|Build complete' || true
log=$(mktemp)
trap 'rm -f "$log"' EXIT
timeout 3000 swift test -c release --skip-build --scratch-path .build-test -Xswiftc -enable-testing --filter "$1" > "$log" 2>&1 \
    || { grep -m 60 -E '✘|error|Fatal|recorded an issue' "$log" || true; tail -5 "$log"; exit 1; }
grep -E '^SKIPPED' "$log" | sort -u || true
grep -E 'Test run with' "$log" | tail -1
