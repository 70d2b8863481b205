/* Calls libalpaca as another language's foreign-function interface would: no header, the library by dlopen, each call by libffi from a table
 * of signatures (signatures.h, made by describe.py), callbacks as libffi closures, structs by offset. */
#pragma once
#define _GNU_SOURCE
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "signatures.h"

/* ---- Checks (main.c) */

extern int passed, failed;
extern FILE *report; /* standard output; the descriptor 1 itself is watched, see host.c */
#define CHECK(condition, ...) \
    do { \
        if (condition) __atomic_fetch_add(&passed, 1, __ATOMIC_RELAXED); \
        else \
            __atomic_fetch_add(&failed, 1, __ATOMIC_RELAXED), \
                fprintf(report, "FAILED %s:%d: %s: ", __FILE__, __LINE__, #condition), fprintf(report, __VA_ARGS__), fprintf(report, "\n"); \
    } while (0)

/* ---- Calls (calls.c) */

typedef union value { /* as large as any argument or result */
    uint64_t q;
    int64_t s;
    float f;
    void *p;
} value;

#define P(pointer) ((value){.p = (void *)(uintptr_t)(pointer)})
#define N(number) ((value){.q = (uint64_t)(number)})
#define F(number) ((value){.f = (number)})
#define CALL(name, ...) call_function(function_named(name), (const value[]){__VA_ARGS__ __VA_OPT__(,) N(0)})
#define FIELD(type, struct, name, field) (*(type *)((char *)(struct) + AT_##name##_##field))

struct function *function_named(const char *name);
const struct structure *structure_named(const char *name);
value call_function(struct function *f, const value *arguments);
void *bind(const char *path); /* the library of all later calls */
const char *message(void);    /* alpaca_last_error */
const char *status_name(uint64_t status);

/* Callbacks that the library can call: closures by the signatures of the header. */
extern void *token_callback, *progress_callback, *log_callback;
void make_callbacks(void);

struct recorder { /* user_data of token_callback */
    void *session;
    int cancel_at, stop_at; /* alpaca_session_cancel, or a result other than 0, at that token */
    void (*body)(void);     /* called at each token; NULL for none */
    int n;
    int32_t ids[4096];
    size_t length;
    char text[16384];
};

struct progress_recorder { /* user_data of progress_callback */
    int cancel_at;
    void (*body)(void);
    int n;
    char stages[64]; /* "load", or "convert flush hash": each once, in order */
    uint64_t done, total;
};

struct log_recorder { /* user_data of log_callback */
    void (*body)(void);
    int errors, warnings;
    char text[1024];
};

/* ---- What all tests start from (calls.c) */

extern const char *model_path;
extern char folder[]; /* for files of our own */
extern const char *const prompt, *const poem;
void remove_tree(const char *path); /* not by a shell: system() touches signals */
int in_valgrind(void);
void *open_model(void);
void *make_session(void *model);
/* Writes what follows `prompt`, greedily; max_new_tokens 0: without end. */
uint64_t write_text(void *session, struct recorder *r, int32_t max_new_tokens, int32_t *finish);

/* ---- Tests */

void test_use(void *model);    /* use.c: every function, for what it is there for */
void test_misuse(void *model); /* misuse.c: every function and every field with what should not be there */
void test_no_memory(void);
void test_structs(void *model); /* structs.c: structs of older and newer programs */
void test_cache(void *model);   /* cache.c: memory for keys and values */
void test_forks(void *model);   /* forks.c */
void use_all(void *unused);
void in_child(void (*body)(void *), void *context); /* what `body` finds in a child; it gets `context` */
void note_process(void);   /* host.c: what belongs to the process; noted before the library is there */
void test_host(const char *library, const char *copy, const char *corpus);
void whole_run(void);           /* use.c: open, tokenize, write, free */

/* ---- The host's things (host.c): what a call must leave as it is. */

struct host {
    struct { void *handler; unsigned long flags, mask; } actions[32];
    void *stack;
    int stack_flags;
    unsigned long mask;
    unsigned floating_point;
};
void look_at_host(struct host *host);
const char *host_difference(const struct host *before, const struct host *after); /* NULL for none */
