#!/usr/bin/env bash
# All tests: Swift (engine, C interface, command), fuzzing for a minute, the C example by three routes and in three languages, kernels for
# AArch64, Python, the command from outside, reports of users, the C interface from outside. One closing line a runner; at the end, what was skipped.
set -euo pipefail
cd "$(dirname "$0")/.."
export SWIFT_BACKTRACE=enable=no
export ALPACA_SHARED=${ALPACA_SHARED:-$(cd .. && pwd)/shared}

# What the runners say, for the summary of what they skipped.
said=$(mktemp)
trap 'rm -f "$said"' EXIT
run() { "$@" 2>&1 | tee -a "$said"; }

echo "== Swift"
# Release: what ships is what is tested. A folder of its own, since tests need internals to be visible; with the index that the test of the
# layers reads.
swift=(-c release --scratch-path .build-test -Xswiftc -enable-testing --enable-index-store)
timeout 1500 swift build --build-tests "${swift[@]}" 2>&1 | grep -E 'error|warning: unre|Build complete' || true
timeout 900 swift test --skip-build "${swift[@]}" > build-test.log 2>&1 \
    || { grep -m 60 -E '✘|error|Fatal|recorded an issue' build-test.log || true; tail -5 build-test.log; exit 1; }
cat build-test.log >> "$said"
grep -E 'Test run with' build-test.log | tail -1

echo "== Fuzzing"
run env JOBS=2 scripts/fuzz.sh -max_total_time=8  # make fuzz: longer. Building it takes longer than this.

echo "== Library"
make --no-print-directory lib cli example > build-test.log 2>&1 || { tail -40 build-test.log; exit 1; }
run scripts/test-c-example.sh
run Tests/faults/run.sh
run env CYCLES=60 TOKENS=3000 Tests/soak/run.sh build/lib/libalpaca.so.1  # make soak: 1000 times, 200,000 tokens.
run env KINDS=adapter,other scripts/test-hostile.sh  # All kinds: make test-hostile; in process: HostileCorpusTests.

echo "== AArch64"
run scripts/test-arm.sh --brief

echo "== Python"
make --no-print-directory wheel extension > build-test.log 2>&1 || { tail -40 build-test.log; exit 1; }
scripts/install-wheels.sh
(cd bindings/python && timeout 300 ../../.venv/bin/python -m mypy --strict --no-error-summary src/alpaca)
run timeout 600 .venv/bin/python -m pytest -q -rs bindings/python/tests bindings/python/extension-sample/tests

echo "== The command from outside"
run env ALPACA=build/bin/alpaca timeout 600 .venv/bin/python -m pytest -q -rs Tests/command

echo "== Reports of users"
run env ALPACA=build/bin/alpaca PY=.venv/bin/python Tests/reports/run-all.sh

echo "== The C interface from outside"
run Tests/abi/run.sh build/lib/libalpaca.so.1 .venv/bin/python
rm -f build-test.log

echo "== Skipped"
scripts/skipped.sh "$said"
