/* Four threads write and a fifth reads a long prompt; calls are cancelled at random moments, that of the prompt and those of a writer. In
 * the second half the writers pause between tokens, so that they aren't waited for and the thread with the prompt computes most steps. What
 * is measured is the time from alpaca_session_cancel to the return of the call that was under way. The aim: 50 ms, whether the thread that
 * is cancelled computes the common step or waits for it. The writers' tokens are compared with those that each draws alone. */
#define _GNU_SOURCE
#include "threads.h"

#include <string.h>
#include <time.h>

enum { WRITERS = 4, CALLERS = WRITERS + 1, READER = WRITERS, PROMPT = 2000, TOKENS = 48, CANCELS = 25 };

typedef struct {
    int index;
    alpaca_session *session;
    pthread_t thread;
    /* Odd while a call is under way. The two behind it are of the last call that returned. */
    atomic_size_t calls;
    double returned;
    alpaca_status status;
    const int32_t *expected;
    size_t tokens; /* that were compared */
    bool differs;
} caller;

static atomic_bool ends, pauses;
static int32_t *long_prompt;

static alpaca_status append(caller *c, const int32_t *ids, size_t count) {
    atomic_fetch_add(&c->calls, 1);
    const alpaca_status status = alpaca_session_append(c->session, ids, count);
    c->returned = now();
    c->status = status;
    atomic_fetch_add(&c->calls, 1);
    if (status != ALPACA_CANCELLED) check(status);
    return status;
}

/* One text after the other. A token whose call was cancelled is asked for again. */
static void *write_texts(void *context) {
    caller *c = context;
    const alpaca_generation_params params = drawing(c->index);
    while (!atomic_load(&ends)) {
        /* The prompt's last token again, for its logits. */
        check(alpaca_session_truncate(c->session, prompt_count - 1));
        while (append(c, &prompt_ids[prompt_count - 1], 1) == ALPACA_CANCELLED) continue;
        for (size_t i = 0; i < TOKENS && !atomic_load(&ends); i++) {
            const int32_t id = draw(c->session, &params);
            if (atomic_load(&pauses)) pause_for(0.01 + 0.01 * (double)(i % 7));
            if (id != c->expected[i]) {
                c->differs = true;
                return NULL;
            }
            c->tokens++;
            while (append(c, &id, 1) == ALPACA_CANCELLED) continue;
        }
    }
    return NULL;
}

static void *read_prompts(void *context) {
    caller *c = context;
    while (!atomic_load(&ends)) {
        /* Another text each time, so that nothing of it is found in the cache. */
        long_prompt[0]++;
        append(c, long_prompt, PROMPT);
        check(alpaca_session_truncate(c->session, 0));
    }
    return NULL;
}

static double processor_time(pthread_t thread) {
    clockid_t clock;
    struct timespec t;
    if (pthread_getcpuclockid(thread, &clock) != 0 || clock_gettime(clock, &t) != 0) give_up("a thread's time can't be read");
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

typedef struct {
    double *times; /* from the cancel to the return */
    int count, finished;
} record;

/* Cancels what `c` is doing. `computing` and `waiting` are for calls whose thread was at work just before and those whose thread was not. */
static void cancel(caller *c, record *computing, record *waiting) {
    for (;;) {
        /* A moment of which nothing is known, in a call of which a part has run. */
        pause_for(0.002 + 0.2 * drand48());
        size_t call = atomic_load(&c->calls);
        for (; call % 2 == 0 && !c->differs; call = atomic_load(&c->calls)) pause_for(0.0001);
        if (c->differs) return;
        const double begun = now(), used = processor_time(c->thread);
        pause_for(0.001);
        const double share = (processor_time(c->thread) - used) / (now() - begun);
        if (atomic_load(&c->calls) != call) continue;
        const double asked = now();
        alpaca_session_cancel(c->session);
        while (atomic_load(&c->calls) == call) pause_for(0.0002);
        /* It may have ended between the look and the cancel. */
        if (c->returned < asked) continue;
        record *r = share > 0.2 ? computing : waiting;
        r->times[r->count++] = c->returned - asked;
        if (c->status == ALPACA_OK) r->finished++;
        return;
    }
}

static void write_alone(int index, alpaca_session *session, int32_t *expected) {
    const alpaca_generation_params params = drawing(index);
    check(alpaca_session_append(session, prompt_ids, prompt_count));
    for (size_t i = 0; i < TOKENS; i++) {
        expected[i] = draw(session, &params);
        check(alpaca_session_append(session, &expected[i], 1));
    }
}

static void show(const char *name, record *r) {
    if (r->count == 0) {
        printf("  %-26s %10d\n", name, 0);
        return;
    }
    const double middle = median(r->times, r->count);
    printf("  %-26s %10d %12d %12.2f %10.2f %6d\n", name, r->count, r->finished, 1e3 * middle, 1e3 * r->times[r->count - 1], 50);
}

void measure_cancel(void) {
    int32_t ids[PROMPT], expected[WRITERS][TOKENS];
    for (int i = 0; i < PROMPT; i++) ids[i] = 300 + (7 * i) % 20000;
    long_prompt = ids;
    static caller callers[CALLERS];
    for (int i = 0; i < CALLERS; i++) {
        callers[i] = (caller){.index = i, .session = new_session(i == READER ? PROMPT : (int32_t)prompt_count + TOKENS)};
        if (i == READER) continue;
        callers[i].expected = expected[i];
        write_alone(i, callers[i].session, expected[i]);
    }
    atomic_store(&ends, false);
    srand48(1);
    for (int i = 0; i < CALLERS; i++) start(&callers[i].thread, i == READER ? read_prompts : write_texts, &callers[i]);
    record records[4];
    const int most = CANCELS * rounds;
    for (int i = 0; i < 4; i++) records[i] = (record){.times = room((size_t)most, sizeof(double))};
    for (int i = 0; i < most; i++) {
        atomic_store(&pauses, i >= most / 2);
        cancel(&callers[READER], &records[0], &records[1]);
        cancel(&callers[i % WRITERS], &records[2], &records[3]);
    }
    atomic_store(&ends, true);
    /* The prompt that is being read is not waited for. */
    while (atomic_load(&callers[READER].calls) % 2 == 1) {
        alpaca_session_cancel(callers[READER].session);
        pause_for(0.01);
    }
    size_t tokens = 0;
    bool differs = false;
    for (int i = 0; i < CALLERS; i++) {
        pthread_join(callers[i].thread, NULL);
        alpaca_session_free(callers[i].session);
        tokens += callers[i].tokens;
        differs |= callers[i].differs;
    }
    printf("\n%-28s %10s %12s %12s %10s %6s\n", "cancelled calls", "number", "ended so", "median ms", "worst ms", "aim");
    const char *const names[4] = {"prompt, its thread computes", "prompt, its thread waits", "token, its thread computes", "token, its thread waits"};
    for (int i = 0; i < 4; i++) {
        show(names[i], &records[i]);
        free(records[i].times);
    }
    printf("  the others' tokens: %s (%zu of them)\n", differs ? "DIFFERENT" : "as alone", tokens);
    if (differs) give_up("a writer drew other tokens beside cancelled calls than alone");
}
