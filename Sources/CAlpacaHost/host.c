/* What the interface needs of the process and can't be said in Swift.
 *
 * Signals. Keeps the Swift runtime's hands off the host's signals.
 * The runtime that is linked into libalpaca may install handlers for crashes, and an alternate signal stack, when it starts. Both belong to
 * the process that loads us. libalpaca.so is linked with --wrap=sigaction and --wrap=sigaltstack, so that calls from inside it come here:
 * questions are answered, changes are refused. Other products are not linked that way and never get here.
 *
 * Locks. Those of the runtime leave it to the kernel who has them (FUTEX_LOCK_PI), by thread ids that the runtime remembers. After a fork the
 * child's thread still goes by the id that it had in the parent: the kernel then refuses to let go of its locks, and two threads of the child
 * that meet at one stay there for ever. With --wrap=syscall the same operations are done here, by the lock's word alone.
 *
 * --wrap=NAME (LIBRARY_FLAGS in the Makefile) is the linker's: every reference to NAME, in our objects and in the runtime's, becomes one to
 * __wrap_NAME, and __real_NAME is what NAME was. All of this goes by how today's runtime is written. With a new toolchain,
 * Tests/abi/wrapped.sh tells whether it still is, and what to do; Tests/abi/harness and children.c show that it works. */
#define _GNU_SOURCE
#include "alpaca_host.h"

#include <errno.h>
#include <linux/futex.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

int host_has_headroom(void) {
    volatile char *block = malloc(1 << 20);
    if (block == NULL) return 0;
    /* Touched through a volatile, so that no compiler takes the whole away. */
    *block = 1;
    free((void *)block);
    return 1;
}

/* What the linker makes of it: glibc's. Weak, for products that are not linked that way. */
__attribute__((weak)) extern long __real_syscall(long number, ...);

/* The runtime's own part: a free lock's word, 0, is exchanged for an id, and back. Any other value comes here when it does not succeed. */
enum { WAITED_FOR = FUTEX_WAITERS | 1 };

static long lock(_Atomic uint32_t *word) {
    uint32_t seen = atomic_load_explicit(word, memory_order_relaxed);
    for (;;) {
        if (seen == 0) {
            /* Others may be asleep: who lets go of it has to wake one. */
            if (atomic_compare_exchange_weak_explicit(word, &seen, WAITED_FOR, memory_order_acquire, memory_order_relaxed)) return 0;
        } else if (seen & FUTEX_WAITERS ||
                   atomic_compare_exchange_weak_explicit(word, &seen, seen | FUTEX_WAITERS, memory_order_relaxed, memory_order_relaxed)) {
            __real_syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, seen | FUTEX_WAITERS, NULL, NULL, 0);
            seen = atomic_load_explicit(word, memory_order_relaxed);
        }
    }
}

static long try_lock(_Atomic uint32_t *word) {
    uint32_t seen = 0;
    return atomic_compare_exchange_strong_explicit(word, &seen, WAITED_FOR, memory_order_acquire, memory_order_relaxed) ? 0 : -1;
}

static long unlock(_Atomic uint32_t *word) {
    atomic_store_explicit(word, 0, memory_order_release);
    __real_syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
    return 0;
}

long __wrap_syscall(long number, ...) {
    long given[6];
    va_list list;
    va_start(list, number);
    for (int i = 0; i < 6; i++) given[i] = va_arg(list, long);
    va_end(list);
    if (number == SYS_futex) {
        _Atomic uint32_t *word = (_Atomic uint32_t *)given[0];
        switch ((int)given[1] & FUTEX_CMD_MASK) {
        case FUTEX_LOCK_PI: return lock(word);
        case FUTEX_TRYLOCK_PI: return try_lock(word);
        case FUTEX_UNLOCK_PI: return unlock(word);
        }
    }
    return __real_syscall(number, given[0], given[1], given[2], given[3], given[4], given[5]);
}

extern int __sigaction(int number, const struct sigaction *action, struct sigaction *old); /* glibc's, which nobody wraps */

int __wrap_sigaction(int number, const struct sigaction *action, struct sigaction *old) {
    if (action != NULL) {
        errno = EPERM;
        return -1;
    }
    return __sigaction(number, NULL, old);
}

int __wrap_sigaltstack(const stack_t *stack, stack_t *old) {
    if (stack != NULL) {
        errno = EPERM;
        return -1;
    }
    return (int)syscall(SYS_sigaltstack, NULL, old);
}
