#!/usr/bin/env bash
# coverage.sh: which lines the Swift tests reach, by file, from the least covered on, and for the readers of files and the C interface
# together. What only child processes, the C example, Python and the harness of Tests/abi reach is not counted.
set -euo pipefail
cd "$(dirname "$0")/.."
export SWIFT_BACKTRACE=enable=no
export ALPACA_SHARED=${ALPACA_SHARED:-$(cd .. && pwd)/shared}
scratch=.build-coverage
flags=(--scratch-path "$scratch" --enable-code-coverage -Xcc -fprofile-instr-generate -Xcc -fcoverage-mapping)
log=build/coverage.log
mkdir -p build
timeout 1500 swift build --build-tests "${flags[@]}" > "$log" 2>&1 || { grep -E 'error' "$log" || tail -5 "$log"; exit 1; }
timeout 1800 swift test --skip-build "${flags[@]}" > "$log" 2>&1 || { grep -m 20 -E '✘' "$log" || tail -5 "$log"; exit 1; }
grep -E 'Test run with' "$log" | tail -1
# The toolchain's own: others don't know its format.
cov=$(dirname "$(readlink -f "$(command -v swift)")")/llvm-cov
profile=$scratch/debug/codecov/default.profdata
program=$(echo "$scratch"/debug/*.xctest)

# $1: title, then folders. Lines, reached lines and the share, all files, the least covered first.
report() {
    local title=$1
    shift
    "$cov" report "$program" -instr-profile="$profile" "$@" |
        awk -v title="$title" '
            $1 ~ /\.(swift|c|h)$/ && $8 > 0 { printf "%7s  %4d of %4d  %s\n", $10, $9, $8, $1 }
            $1 == "TOTAL" { printf "%7s  %d of %d lines are not reached: %s\n", $10, $9, $8, title > "/dev/stderr" }' | sort -n
}

report "formats" Sources/AlpacaEngine/Formats > build/coverage-formats.txt
report "C interface" Sources/CAlpacaABI > build/coverage-abi.txt
report "all" Sources > build/coverage-all.txt
echo "by file: build/coverage-*.txt"
