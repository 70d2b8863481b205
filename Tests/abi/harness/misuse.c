/* What should not be there: every function with every kind of bad argument, every field with every kind of bad value. */
#include "harness.h"

#include <sys/resource.h>
#include <sys/wait.h>

/* ---- Arguments: all combinations of those that need no valid memory; pointers are NULL */

static void test_arguments(void *model) {
    void *session = make_session(model), *freed = make_session(model);
    CALL("alpaca_session_free", P(freed));
    int local = 0;
    const uint64_t handles[] = {0, 1, 64, UINT64_MAX, (uint64_t)(uintptr_t)&local, (uint64_t)(uintptr_t)session, (uint64_t)(uintptr_t)freed,
                                (uint64_t)(uintptr_t)session + 8, 0x8000000000000000u};
    const uint64_t numbers[] = {0, 1, 2, 0x7FFFFFFF, 0x80000000u, 0xFFFFFFFFu, 0x7FFFFFFFFFFFFFFFu, 0x8000000000000000u, UINT64_MAX};
    const uint32_t floats[] = {0, 0x3F800000, 0xBF800000, 0x7FC00000, 0x7F800000, 0xFF800000, 1, 0x7F7FFFFF, 0x80000000};
    long calls = 0;
    for (struct function *f = functions; f->name; f++) {
        size_t n = strlen(f->signature) - 1;
        size_t combinations = 1;
        for (size_t a = 0; a < n; a++) combinations *= f->signature[a + 1] == 'p' ? 1 : 9;
        for (size_t c = 0; c < combinations; c++) {
            value arguments[MOST_ARGUMENTS] = {{0}};
            size_t rest = c;
            int valid = 1; /* whether all handles are live ones of the right kind */
            for (size_t a = 0; a < n; a++) {
                char letter = f->signature[a + 1];
                if (letter == 'p') continue; /* NULL */
                size_t choice = rest % 9;
                rest /= 9;
                int is_handle = strchr("MTSX", letter) != NULL;
                arguments[a].q = is_handle ? handles[choice] : letter == 'f' ? floats[choice] : numbers[choice];
                if (is_handle) valid = valid && letter == 'S' && choice == 5;
            }
            /* A session of our own: what frees it, or works on it for long, has its own tests. */
            if (valid && strcmp(f->name, "alpaca_session_free") == 0) continue;
            value result = call_function(f, arguments);
            calls++;
            if (f->signature[0] != 'e') continue;
            CHECK(result.q == ALPACA_INVALID_ARGUMENT || (valid && result.q == ALPACA_OK), "%s: %s: %s", f->name, status_name(result.q),
                  message());
            CHECK(message()[0] != 0, "%s", f->name);
        }
    }
    CHECK(calls > 1000, "%ld", calls);
    /* Random numbers as handles: of all of the address space, and of the neighbourhood of a live one. */
    unsigned short random[3] = {1, 2, 3};
    for (int i = 0; i < 20000; i++) {
        uint64_t guess = (uint64_t)nrand48(random) << 33 ^ (uint64_t)nrand48(random) << 8 ^ (uint64_t)nrand48(random);
        if (i % 2) guess = (uint64_t)(uintptr_t)session + (guess & 0x3FFFFF) - 0x200000;
        if (guess == (uint64_t)(uintptr_t)session) continue;
        CHECK(CALL("alpaca_session_context_length", N(guess)).q == 0, "%llx", (unsigned long long)guess);
        CHECK(CALL("alpaca_session_truncate", N(guess), N(0)).q == ALPACA_INVALID_ARGUMENT, "%llx", (unsigned long long)guess);
    }
    CALL("alpaca_session_free", P(session));
}

/* ---- Without memory: each function that gives a status says so, and goes on when there is some again */

void test_no_memory(void) {
    fflush(report);
    pid_t child = fork();
    if (child == 0) {
        failed = 0;
        open_model(); /* what is made once is made */
        for (struct function *f = functions; f->name; f++) {
            if (f->signature[0] == 'e') call_function(f, (const value[MOST_ARGUMENTS]){{0}});
        }
        struct rlimit none = {0, 0}, before;
        getrlimit(RLIMIT_AS, &before);
        none.rlim_max = before.rlim_max;
        void *taken = NULL;
        setrlimit(RLIMIT_AS, &none);
        for (void *more; (more = malloc(512 << 10)) != NULL; taken = more) *(void **)more = taken; /* what the heap still holds */
        for (struct function *f = functions; f->name; f++) {
            if (f->signature[0] != 'e') continue;
            value result = call_function(f, (const value[MOST_ARGUMENTS]){{0}});
            CHECK(result.q == ALPACA_OUT_OF_MEMORY, "%s: %llu: %s", f->name, (unsigned long long)result.q, message());
            CHECK(strstr(message(), "out of memory") != NULL, "%s: %s", f->name, message());
        }
        setrlimit(RLIMIT_AS, &before);
        for (void *next; taken; taken = next) next = *(void **)taken, free(taken);
        whole_run();
        fflush(report);
        _exit(failed != 0);
    }
    int status = -1;
    waitpid(child, &status, 0);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0, "the child ended with %x", status);
}

void test_misuse(void *model) {
    test_arguments(model);
    if (in_valgrind()) fprintf(report, "SKIPPED test_no_memory: valgrind needs memory of its own\n");
    else test_no_memory();
}
