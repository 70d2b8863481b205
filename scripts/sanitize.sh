#!/usr/bin/env bash
# sanitize.sh address|thread [FILTER]: the Swift tests under AddressSanitizer (with UndefinedBehaviorSanitizer for the C kernels) or
# ThreadSanitizer. Anything that they report fails the run, also in the programs that tests start: the command and exit tests
# are built with the sanitizer too.
set -euo pipefail
cd "$(dirname "$0")/.."
export SWIFT_BACKTRACE=enable=no ALPACA_STACK_FACTOR=16
export ALPACA_SHARED=${ALPACA_SHARED:-$(cd .. && pwd)/shared}
# Optimized, as what ships: Swift that is not takes ten times as long under these.
flags=(-Xswiftc -O)
case ${1:-} in
address)
    flags+=(--sanitize=address -Xcc -fsanitize=undefined -Xcc -fno-sanitize-recover=undefined)
    # A file of kernels with all the checks takes a minute to optimize, 4 s without.
    export ALPACA_KERNEL_OPTIMIZATION=-O0
    ;;
thread)
    flags+=(--sanitize=thread)
    export ALPACA_KERNEL_OPTIMIZATION=-O1
    # Eight threads at once (SharedModelTests), for a minute.
    export ALPACA_THREAD_SECONDS=${ALPACA_THREAD_SECONDS:-60}
    ;;
*) echo "usage: $0 address|thread [FILTER]" >&2 && exit 2 ;;
esac
log=build/sanitize-$1.log
reports=build/sanitize-$1
rm -rf "$reports" && mkdir -p "$reports"
# To files, one a process: tests read what a program of theirs prints. LeakSanitizer reports 368 bytes of XCTest's own.
into="log_path='$PWD/$reports/report'"
export ASAN_OPTIONS=detect_leaks=0:quarantine_size_mb=8:$into UBSAN_OPTIONS=print_stacktrace=1:$into TSAN_OPTIONS=suppressions=$PWD/Tests/sanitizers/thread.supp:$into
filter=()
[ $# -lt 2 ] || filter=(--filter "$2")
timeout 1500 swift build --build-tests --scratch-path ".build-$1" "${flags[@]}" > "$log" 2>&1 || { grep -E 'error' "$log" || tail -5 "$log"; exit 1; }
echo "built in $SECONDS s"
status=0
timeout 5400 swift test --skip-build --scratch-path ".build-$1" "${flags[@]}" "${filter[@]}" > "$log" 2>&1 || status=$?
scripts/skipped.sh "$log"
# sed reads to the end, where head would leave before what writes to it is done, and fail the pipe.
grep -E '✘' "$log" | cut -c1-300 | sed -n 1,20p || true
find "$reports" -type f -exec head -40 {} \; | sed -n 1,200p
grep -E 'Test run with' "$log" | tail -1 || { tail -3 "$log"; status=1; }
found=$(find "$reports" -type f -exec cat {} + | grep -cE 'ERROR: AddressSanitizer|WARNING: ThreadSanitizer|ThreadSanitizer:DEADLYSIGNAL|runtime error:' || true)
echo "$found reports, $SECONDS s"
[ "$found" = 0 ] || status=1
exit $status
