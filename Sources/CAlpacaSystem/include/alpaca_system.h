/* Linux calls that Swift's Glibc module does not show. Each returns 0, or -1 with errno. */
#ifndef ALPACA_SYSTEM_H
#define ALPACA_SYSTEM_H
#include <stdint.h>

/* The one place that says so: the engine stands on this header, and nothing above it asks which system it is on. What would have to be
 * written for another one is here, in CAlpacaHost, and where Glibc is imported (files, memory, threads, /proc). */
#ifndef __linux__
#error "Alpaca is for Linux: 64-bit, with glibc 2.32 or later"/* Fills `bits`, of `count` bytes, with the processors that this thread may run on: the lowest bit of the first byte is processor 0. */
int system_affinity(unsigned char *bits, int64_t count);

#endif

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
/* Fills `bits`, of `count` bytes, with the processors that this thread may run on: the lowest bit of the first byte is processor 0. */
int system_affinity(unsigned char *bits, int64_t count);

#endif
