#!/usr/bin/env bash
# sanitize.sh address|thread [FILTER]: the Swift tests under AddressSanitizer (with UndefinedBehaviorSanitizer for the C kernels) or
# ThreadSanitizer, in debug mode. Anything that they report fails the run. The suite forks programs of its own; those run without.
set -euo pipefail
cd "$(dirname "$0")/.."
export SWIFT_BACKTRACE=enable=no ALPACA_STACK_FACTOR=16
export ALPACA_SHARED=${ALPACA_SHARED:-$(cd .. && pwd)/shared}
# LeakSanitizer reports 368 bytes of XCTest's own.
export ASAN_OPTIONS=detect_leaks=0 UBSAN_OPTIONS=print_stacktrace=1 TSAN_OPTIONS=halt_on_error=0
case $1 in
address)
    flags=(--sanitize=address -Xcc -fsanitize=undefined -Xcc -fno-sanitize-recover=undefined)
    # A file of kernels with all the checks takes a minute to optimize, 4 s without.
    export ALPACA_KERNEL_OPTIMIZATION=-O0
    ;;
thread)
    flags=(--sanitize=thread)
    export ALPACA_KERNEL_OPTIMIZATION=-O1
    # Eight threads at once (SharedModelTests), for a minute.
    export ALPACA_THREAD_SECONDS=${ALPACA_THREAD_SECONDS:-60}
    ;;
*) echo "usage: $0 address|thread [FILTER]" >&2 && exit 2 ;;
esac
filter=()
[ $# -lt 2 ] || filter=(--filter "$2")
log=build/sanitize-$1.log
mkdir -p build
timeout 1500 swift build --build-tests --scratch-path ".build-$1" "${flags[@]}" > "$log" 2>&1 || { grep -E 'error' "$log" || tail -5 "$log"; exit 1; }
echo "built in $SECONDS s"
status=0
timeout 3000 swift test --skip-build --scratch-path ".build-$1" "${flags[@]}" "${filter[@]}" > "$log" 2>&1 || status=$?
grep -E '✘|ERROR: |WARNING: ThreadSanitizer|runtime error' "$log" | cut -c1-300 | sort | uniq -c | head -20 || true
grep -E 'Test run with' "$log" | tail -1
reports=$(grep -cE 'ERROR: AddressSanitizer|WARNING: ThreadSanitizer|runtime error:' "$log" || true)
echo "$reports reports, $SECONDS s"
[ "$reports" = 0 ] || status=1
exit $status
