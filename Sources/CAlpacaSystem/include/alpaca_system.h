/* Linux calls that Swift's Glibc module does not show. Each returns 0, or -1 with errno; elsewhere the first three do nothing. */
#ifndef ALPACA_SYSTEM_H
#define ALPACA_SYSTEM_H
#include <stdint.h>

/* Takes the room for a file's first `size` bytes from the disk; the file grows to that. EOPNOTSUPP where the file system can't. */
int system_allocate(int descriptor, int64_t size);
/* Lets the system begin to write these bytes to the disk; does not wait. */
int system_begin_writing(int descriptor, int64_t offset, int64_t count);
/* Waits until these bytes of the file are on their way to the disk's own memory; says nothing of the file's name and size. */
int system_await_writing(int descriptor, int64_t offset, int64_t count);
/* Lets two paths of a file system change places, in one step. ENOSYS or EINVAL where the file system can't. */
int system_exchange(const char *a, const char *b);
/* Whether an open file is on a network or FUSE file system: 1 or 0, also where the system can't tell. */
int system_is_remote(int descriptor);

#endif
