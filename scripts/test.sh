#!/usr/bin/env bash
# All tests: Swift (engine, C interface, command), fuzzing for a minute, the C example by three routes and in three languages, kernels for
# AArch64, Python, the C interface from outside. One closing line a runner.
set -euo pipefail
cd "$(dirname "$0")/.."
export SWIFT_BACKTRACE=enable=no
export ALPACA_SHARED=${ALPACA_SHARED:-$(cd .. && pwd)/shared}

echo "== Swift"
# Release: what ships is what is tested. A folder of its own, since tests need internals to be visible.
timeout 1500 swift build -c release --build-tests --scratch-path .build-test -Xswiftc -enable-testing 2>&1 | grep -E 'error|warning: unre|Build complete' || true
timeout 900 swift test -c release --skip-build --scratch-path .build-test -Xswiftc -enable-testing > build-test.log 2>&1 \
    || { grep -m 60 -E '✘|error|Fatal|recorded an issue' build-test.log || true; tail -5 build-test.log; exit 1; }
grep -E '^SKIPPED' build-test.log | sort -u || true
grep -E 'Test run with' build-test.log | tail -1

echo "== Fuzzing"
JOBS=2 scripts/fuzz.sh -max_total_time=8  # make fuzz: longer. Building it takes longer than this.

echo "== Library"
make --no-print-directory lib cli example > build-test.log 2>&1 || { tail -40 build-test.log; exit 1; }
scripts/test-c-example.sh
Tests/faults/run.sh
CYCLES=60 TOKENS=3000 Tests/soak/run.sh build/lib/libalpaca.so.1  # make soak: 1000 times, 200,000 tokens.
KINDS=adapter,other scripts/test-hostile.sh  # All kinds: make test-hostile; in process: HostileCorpusTests.

echo "== AArch64"
scripts/test-arm.sh --brief

echo "== Python"
make --no-print-directory wheel extension > build-test.log 2>&1 || { tail -40 build-test.log; exit 1; }
scripts/install-wheels.sh
(cd bindings/python && timeout 300 ../../.venv/bin/python -m mypy --strict --no-error-summary src/alpaca)
timeout 600 .venv/bin/python -m pytest -q -rs bindings/python/tests bindings/python/extension-sample/tests

echo "== The C interface from outside"
Tests/abi/run.sh build/lib/libalpaca.so.1 .venv/bin/python
rm -f build-test.log
