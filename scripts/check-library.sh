#!/usr/bin/env bash
# check-library.sh LIBRARY: it needs nothing but the C and C++ runtimes, and exports the alpaca_ functions alone.
set -euo pipefail
library=$1
needed=$(readelf -d "$library" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p' | grep -vE '^(libc|libm|libstdc\+\+|libgcc_s|ld-linux-[a-z0-9-]+)\.so\.[0-9]+$' || true)
[ -z "$needed" ] || { echo "error: $library needs $needed" >&2; exit 1; }
others=$(nm -D --defined-only "$library" | awk '{print $3}' | grep -vE '^(alpaca_[a-z0-9_]+@@ALPACA_[0-9.]+|ALPACA_[0-9.]+)$' || true)
[ -z "$others" ] || { echo "error: $library exports $others" >&2; exit 1; }
# Not by grep -q, which leaves at the first match: the writer may fail then, and the whole pipe with it.
dynamic=$(readelf -d "$library")
[[ $dynamic == *SONAME*"[libalpaca.so.1]"* ]] || { echo "error: $library has the wrong soname" >&2; exit 1; }
