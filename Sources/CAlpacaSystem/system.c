#define _GNU_SOURCE
#include "alpaca_system.h"

#if defined(__linux__)
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

int system_allocate(int descriptor, int64_t size) {
    int result;
    do {
        result = fallocate(descriptor, 0, 0, size);
    } while (result != 0 && errno == EINTR);
    return result;
}

int system_begin_writing(int descriptor, int64_t offset, int64_t count) {
    return sync_file_range(descriptor, offset, count, SYNC_FILE_RANGE_WRITE);
}

int system_await_writing(int descriptor, int64_t offset, int64_t count) {
    return sync_file_range(
        descriptor, offset, count, SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER);
}

int system_exchange(const char *a, const char *b) {
    return renameat2(AT_FDCWD, a, AT_FDCWD, b, RENAME_EXCHANGE);
}
#else
#include <stdio.h>

int system_allocate(int descriptor, int64_t size) {
    (void)descriptor, (void)size;
    return 0;
}

int system_begin_writing(int descriptor, int64_t offset, int64_t count) {
    (void)descriptor, (void)offset, (void)count;
    return 0;
}

int system_await_writing(int descriptor, int64_t offset, int64_t count) {
    (void)descriptor, (void)offset, (void)count;
    return 0;
}

int system_exchange(const char *a, const char *b) {
    return renamex_np(a, b, RENAME_SWAP);
}
#endif
