#!/usr/bin/env bash
# wrapped.sh LIBRARY: the calls of the Swift runtime that libalpaca must not let through still come to Sources/CAlpacaHost, where --wrap (Makefile)
# sends them. Fails with what to do when a new toolchain or glibc does these things in another way.
#
# The runtime is linked in, so it could do to the host's process what it does to its own: put handlers on signals, and leave its locks to
# the kernel, which does not go with fork(). Its objects name three functions of glibc for that; the linker gives them ours instead.
set -euo pipefail
library=$1
# Swift versions with which all of Tests/abi was passed. Others are tried, and named.
checked="6.3"

fail() {
    cat >&2 <<END
error: $1

Sources/CAlpacaHost/host.c says what the wrapped calls are for, the Makefile (LIBRARY_FLAGS) has the list. What to do:
  1. See what the new runtime calls: nm -A --undefined-only TOOLCHAIN/usr/lib/swift_static/linux/libswiftCore.a
  2. Something new that changes signals: a --wrap of it in the Makefile and a __wrap_ in host.c that refuses; then its name here.
  3. Locks in another way (no syscall(SYS_futex, FUTEX_LOCK_PI)): when Tests/abi/children.c passes with --wrap=syscall taken out, take
     it out for good, with its half of host.c. When it hangs, wrap what the locks call now.
  4. Tests/abi/run.sh: signals before and after (harness), and forks (children), are what it is about; then this list of versions.
END
    exit 1
}

# What the product still asks of glibc. Weak or not, a name that changes handlers must not be there; ours ask for __sigaction.
imported=$(nm -D --undefined-only "$library" | awk '{ sub(/@.*/, "", $NF); print $NF }')
for name in sigaction sigaltstack signal bsd_signal sysv_signal __sysv_signal sigset sigvec sigignore siginterrupt; do
    if grep -qx "$name" <<< "$imported"; then fail "$library calls $name past its --wrap: handlers of the host could be changed"; fi
done
for name in __sigaction syscall; do
    grep -qx "$name" <<< "$imported" || fail "$library does not ask for $name: it is linked without --wrap, or CAlpacaHost is not in it"
done

# What the runtime asks for, by which the wraps have something to do.
runtime=$(swiftc -print-target-info | sed -n 's/.*"runtimeResourcePath": "\(.*\)".*/\1/p')
core=${runtime}_static/linux/libswiftCore.a
[ -f "$core" ] || fail "the static runtime is not at $core"
asked=$(nm -A --undefined-only "$core" "${runtime}_static/linux/libswiftSynchronization.a" 2> /dev/null || true)
for name in sigaction sigaltstack syscall; do
    grep -qE " U $name\$" <<< "$asked" || fail "the Swift runtime does not call $name any more: its --wrap has nothing to do"
done

version=$(swiftc --version 2> /dev/null | sed -n 's/.*Swift version \([0-9]*\.[0-9]*\).*/\1/p')
case " $checked " in
*" $version "*) ;;
*) echo "note: Swift $version is none of those that Tests/abi/wrapped.sh names ($checked): when all of Tests/abi passes, add it there" ;;
esac
echo "wrapped calls: sigaction, sigaltstack and syscall of Swift $version's runtime come to CAlpacaHost"
