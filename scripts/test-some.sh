#!/usr/bin/env bash
# Some of the Swift tests, in release mode. $1: a part of their names.
set -euo pipefail
cd "$(dirname "$0")/.."
export SWIFT_BACKTRACE=enable=no
export ALPACA_SHARED=${ALPACA_SHARED:-$(cd .. && pwd)/shared}
swift=(-c release --scratch-path .build-test -Xswiftc -enable-testing --enable-index-store)
timeout 1500 swift build --build-tests "${swift[@]}" 2>&1 | grep -E 'error|Build complete' || true
log=$(mktemp)
trap 'rm -f "$log"' EXIT
timeout 3000 swift test --skip-build "${swift[@]}" --filter "$1" > "$log" 2>&1 \
    || { grep -m 60 -E '✘|error|Fatal|recorded an issue' "$log" || true; tail -5 "$log"; exit 1; }
grep -E 'Test run with' "$log" | tail -1
scripts/skipped.sh "$log"
