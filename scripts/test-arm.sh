#!/usr/bin/env bash
# test-arm.sh [--brief]: compiles the kernels for AArch64 with Swift's clang and Debian's cross libraries, and compares every path with
# plain C (Tests/kernels) under qemu, as three CPUs: with products of matrices of bytes, with their dot product alone, with neither. What
# plain C gives must also be what it gives on this machine. --brief: fewer cases, and SKIPPED where what it takes can't be fetched in two minutes.
set -euo pipefail
cd "$(dirname "$0")/.."
brief=()
[ "${1:-}" != --brief ] || brief=(--brief)
if [ "$(uname -sm)" != "Linux x86_64" ]; then
    echo "SKIPPED scripts/test-arm.sh: it compiles for another machine on Linux, x86-64; the Swift tests compare this machine's paths"
    exit 0
fi
clang=$(command -v clang || echo "$(dirname "$(readlink -f "$(command -v swift)")")/clang")

# The cross libraries of the compiler (libgcc) have its version in their name.
if ! command -v qemu-aarch64 > /dev/null || [ ! -e /usr/aarch64-linux-gnu/lib/libc.a ] || \
    ! ls /usr/lib/gcc-cross/aarch64-linux-gnu/*/libgcc.a > /dev/null 2>&1; then
    root=; [ "$(id -u)" = 0 ] || root=sudo
    limit=1800; [ ${#brief[@]} = 0 ] || limit=120
    export DEBIAN_FRONTEND=noninteractive
    fetch() {
        $root timeout "$limit" apt-get update -qq || return 1
        packages=(qemu-user libc6-dev-arm64-cross
            "$(apt-cache pkgnames libgcc- | grep -E '^libgcc-[0-9]+-dev-arm64-cross$' | sort -t- -k2 -n | tail -1)")
        echo "installing ${packages[*]}"
        $root timeout "$limit" apt-get install -y -qq --no-install-recommends --download-only "${packages[@]}" > /dev/null
    }
    if ! fetch; then
        [ ${#brief[@]} = 0 ] && { echo "error: qemu-user and the cross libraries could not be fetched" >&2; exit 1; }
        echo "SKIPPED scripts/test-arm.sh: qemu-user and the cross libraries took over $limit seconds to fetch; make test-arm waits longer"
        exit 0
    fi
    $root apt-get install -y -qq --no-install-recommends "${packages[@]}" > /dev/null
fi

work=build/test-arm
mkdir -p "$work"
# The flags of Package.swift.
flags=(-O3 -ffp-contract=off -fno-math-errno -std=gnu17 -Wall -Wextra -Werror -I Sources/CAlpacaKernels/include)
compile() { # compile NAME FLAG...: build/test-arm/NAME
    local name=$1
    shift
    rm -rf "$work/$name.o" && mkdir -p "$work/$name.o"
    # shellcheck disable=SC2016
    find Sources/CAlpacaKernels Tests/kernels -name '*.c' | xargs -P 2 -I{} \
        sh -c 'source=$1; shift; exec "$@" -c -o "$0/$(echo "$source" | tr / _).o" "$source"' "$work/$name.o" {} "$clang" "$@" "${flags[@]}"
    "$clang" "$@" -fuse-ld=lld -o "$work/$name" "$work/$name.o"/*.o -lm -lpthread
}
compile native
compile aarch64 --target=aarch64-linux-gnu -static

as() { local cpu=$1; shift; timeout 900 qemu-aarch64 -cpu "$cpu" "$work/aarch64" "$@"; }
check() { # check CPU PATH...
    local cpu=$1
    shift
    # The best is chosen; ALPACA_CPU forces any that there is, and no other.
    for forced in none generic neon i8mm; do
        local expected=${!#} chosen
        [[ " $* " != *" $forced "* ]] || expected=$forced
        chosen=$(ALPACA_CPU=$forced as "$cpu" --best)
        [[ $chosen == "$expected, "* ]] || { echo "error: $cpu with ALPACA_CPU=$forced chose $chosen, not $expected"; exit 1; }
    done
    as "$cpu" "${brief[@]}" "$@" > "$work/$cpu.txt" || { cat "$work/$cpu.txt"; exit 1; }
    diff <(grep ^digest "$work/native.txt") <(grep ^digest "$work/$cpu.txt") \
        || { echo "error: plain C gives other bits on $cpu than on this machine"; exit 1; }
    echo "$cpu: $(tail -1 "$work/$cpu.txt")"
}
"$work/native" "${brief[@]}" > "$work/native.txt" || { cat "$work/native.txt"; exit 1; }
echo "this machine: $(tail -1 "$work/native.txt")"
check max generic neon i8mm
check neoverse-n1 generic neon
check cortex-a72 generic
