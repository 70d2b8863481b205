/* What the interface needs of the process and can't be said in Swift.
 *
 * Signals. Keeps the Swift runtime's hands off the host's signals.
 * The runtime that is linked into libalpaca may install handlers for crashes, and an alternate signal stack, when it starts. Both belong to
 * the process that loads us. libalpaca.so is linked with --wrap=sigaction and --wrap=sigaltstack, so that calls from inside it come here:
 * questions are answered, changes are refused. Other products are not linked that way and never get here. */
#define _GNU_SOURCE
#include "alpaca_host.h"
#include <stdlib.h>

int host_has_headroom(void) {
    volatile char *block = malloc(1 << 20);
    if (block == NULL) return 0;
    /* Touched through a volatile, so that no compiler takes the whole away. */
    *block = 1;
    free((void *)block);
    return 1;
}

#if defined(__linux__)
#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <unistd.h>

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
#endif
