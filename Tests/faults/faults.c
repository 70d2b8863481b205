/* Loaded with LD_PRELOAD: makes the n-th call of a kind fail, when it concerns a path below FAULT_PATH. Driven by convert.py and read.py.
 *
 *   FAULT_PATH   folder; other calls are let through and not counted
 *   FAULT_CALL   create, mkdir, pwrite, fsync, rename, exchange, link, fallocate, ftruncate, unlink, or "any" of them;
 *                open (to read), pread, fstat, stat, opendir, mmap, fstatfs
 *   FAULT_AT     number of the call, from 1; 0: none fails
 *   FAULT_MODE   a number: errno; "short": half of the bytes; "kill": SIGKILL before the call; "late": SIGKILL after it; for fstatfs "nfs"
 *   FAULT_FROM   set: that call and all later ones fail
 *   FAULT_SLEEP  microseconds before each pwrite
 *   FAULT_HIT    file that is made when a fault happens
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

enum { PASS, FAIL, SHORT, LATE, NFS };
static long calls;

static int below(const char *path) {
    const char *folder = getenv("FAULT_PATH");
    return folder && path && strncmp(path, folder, strlen(folder)) == 0;
}

static int open_below(int descriptor) {
    char link[64], path[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
    ssize_t count = readlink(link, path, sizeof path - 1);
    if (count < 0) return 0;
    path[count] = 0;
    return below(path);
}

static void kill_now(void) {
    kill(getpid(), SIGKILL);
    for (;;) pause();
}

/* What is to happen to this call. */
static int fate(const char *call) {
    static const char *const reading[] = {"open", "pread", "fstat", "stat", "opendir", "mmap", "fstatfs"};
    const char *wanted = getenv("FAULT_CALL"), *at = getenv("FAULT_AT"), *mode = getenv("FAULT_MODE"), *hit = getenv("FAULT_HIT");
    if (!wanted || !at || !mode || (strcmp(wanted, call) != 0 && strcmp(wanted, "any") != 0)) return PASS;
    for (size_t i = 0; i < sizeof reading / sizeof *reading; i++) {
        if (strcmp(wanted, "any") == 0 && strcmp(call, reading[i]) == 0) return PASS;
    }
    long number = __atomic_add_fetch(&calls, 1, __ATOMIC_SEQ_CST), due = atol(at);
    if (due == 0 || number < due || (number > due && !getenv("FAULT_FROM"))) return PASS;
    if (hit) close((int)syscall(SYS_openat, AT_FDCWD, hit, O_CREAT | O_WRONLY, 0600));
    if (strcmp(mode, "kill") == 0) kill_now();
    if (strcmp(mode, "late") == 0) return LATE;
    if (strcmp(mode, "short") == 0) return SHORT;
    if (strcmp(mode, "nfs") == 0) return NFS;
    errno = atoi(mode);
    return FAIL;
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))
#define RUN(concerned, call, expression) \
    do { \
        int f = (concerned) ? fate(call) : PASS; \
        if (f == FAIL) return -1; \
        __typeof__(expression) result = (expression); \
        if (f == LATE) kill_now(); \
        return result; \
    } while (0)

int open(const char *path, int flags, ...) {
    va_list list;
    va_start(list, flags);
    mode_t mode = flags & O_CREAT ? va_arg(list, mode_t) : 0;
    va_end(list);
    RUN(below(path), flags & O_CREAT ? "create" : "open", REAL(open)(path, flags, mode));
}

int open64(const char *path, int flags, ...) {
    va_list list;
    va_start(list, flags);
    mode_t mode = flags & O_CREAT ? va_arg(list, mode_t) : 0;
    va_end(list);
    RUN(below(path), flags & O_CREAT ? "create" : "open", REAL(open)(path, flags, mode));
}

static ssize_t write_at(int descriptor, const void *bytes, size_t count, off_t offset) {
    int f = PASS;
    if (open_below(descriptor)) {
        const char *nap = getenv("FAULT_SLEEP");
        if (nap) usleep((useconds_t)atoi(nap));
        f = fate("pwrite");
    }
    if (f == FAIL) return -1;
    if (f == SHORT && count > 1) count /= 2;
    ssize_t written = REAL(pwrite)(descriptor, bytes, count, offset);
    if (f == LATE) kill_now();
    return written;
}

ssize_t pwrite(int descriptor, const void *bytes, size_t count, off_t offset) { return write_at(descriptor, bytes, count, offset); }
ssize_t pwrite64(int descriptor, const void *bytes, size_t count, off64_t offset) { return write_at(descriptor, bytes, count, offset); }

int mkdir(const char *path, mode_t mode) { RUN(below(path), "mkdir", REAL(mkdir)(path, mode)); }
int fsync(int descriptor) { RUN(open_below(descriptor), "fsync", REAL(fsync)(descriptor)); }
int rename(const char *from, const char *to) { RUN(below(to), "rename", REAL(rename)(from, to)); }
int link(const char *from, const char *to) { RUN(below(to), "link", REAL(link)(from, to)); }
int unlink(const char *path) { RUN(below(path), "unlink", REAL(unlink)(path)); }
int fallocate(int descriptor, int mode, off_t offset, off_t count) {
    RUN(open_below(descriptor), "fallocate", REAL(fallocate)(descriptor, mode, offset, count));
}
int fallocate64(int descriptor, int mode, off64_t offset, off64_t count) {
    RUN(open_below(descriptor), "fallocate", REAL(fallocate)(descriptor, mode, offset, count));
}
int ftruncate(int descriptor, off_t size) { RUN(open_below(descriptor), "ftruncate", REAL(ftruncate)(descriptor, size)); }
int ftruncate64(int descriptor, off64_t size) { RUN(open_below(descriptor), "ftruncate", REAL(ftruncate)(descriptor, size)); }
int renameat2(int a, const char *from, int b, const char *to, unsigned flags) {
    RUN(below(to), "exchange", REAL(renameat2)(a, from, b, to, flags));
}

/* ---- Reading */

static ssize_t read_at(int descriptor, void *bytes, size_t count, off_t offset) {
    int f = open_below(descriptor) ? fate("pread") : PASS;
    if (f == FAIL) return -1;
    if (f == SHORT && count > 1) count /= 2;
    return REAL(pread)(descriptor, bytes, count, offset);
}

ssize_t pread(int descriptor, void *bytes, size_t count, off_t offset) { return read_at(descriptor, bytes, count, offset); }
ssize_t pread64(int descriptor, void *bytes, size_t count, off64_t offset) { return read_at(descriptor, bytes, count, offset); }

int fstat(int descriptor, struct stat *status) { RUN(open_below(descriptor), "fstat", REAL(fstat)(descriptor, status)); }
int stat(const char *path, struct stat *status) { RUN(below(path), "stat", REAL(stat)(path, status)); }

DIR *opendir(const char *path) { return below(path) && fate("opendir") == FAIL ? NULL : REAL(opendir)(path); }

void *mmap(void *place, size_t count, int protection, int flags, int descriptor, off_t offset) {
    if (descriptor >= 0 && open_below(descriptor) && fate("mmap") == FAIL) return MAP_FAILED;
    return REAL(mmap)(place, count, protection, flags, descriptor, offset);
}

int fstatfs(int descriptor, struct statfs *status) {
    int f = open_below(descriptor) ? fate("fstatfs") : PASS;
    if (f == FAIL) return -1;
    int result = REAL(fstatfs)(descriptor, status);
    if (f == NFS) status->f_type = 0x6969;
    return result;
}
