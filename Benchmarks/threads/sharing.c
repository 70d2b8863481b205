/* What sharing the processors costs.
 *
 * Tokens a second, writing one by one and reading in batches of 128, of one session with as many threads as there are processors; of two
 * such sessions at once; of one session with two and with four times as many threads; of one session beside a program that keeps one
 * processor busy. The ratio to the first case stands beside what would be fair. */
#define _GNU_SOURCE
#include "threads.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum { BATCH = 128, DEPTH = 256 };

/* A session at work on a thread of its own. */
typedef struct {
    int index, threads, reads;
    double rate; /* tokens a second */
} worker;

static void *work(void *context) {
    worker *w = context;
    alpaca_session_params params;
    check(alpaca_session_params_init(&params, sizeof params));
    params.n_ctx = DEPTH + BATCH;
    params.n_threads = w->threads;
    alpaca_session *session;
    check(alpaca_session_create(model, &params, &session));
    int32_t ids[BATCH];
    for (int i = 0; i < BATCH; i++) ids[i] = 300 + 7 * i;
    /* Another text for each session and each step, so that nothing of it is found in the cache. */
    ids[0] = 300 + 10000 * w->index;
    const size_t step = w->reads ? BATCH : 1;
    check(alpaca_session_append(session, ids, BATCH));
    double begin = 0, end = 0;
    size_t tokens = 0;
    /* The first step is not counted. */
    for (int i = 0; i == 0 || end - begin < seconds; i++) {
        if (alpaca_session_position(session) + step > DEPTH) check(alpaca_session_truncate(session, BATCH));
        ids[0] = 300 + 10000 * w->index + (ids[0] + 1) % 10000;
        check(alpaca_session_append(session, ids, step));
        end = now();
        if (i == 0) begin = end;
        else tokens += step;
    }
    w->rate = (double)tokens / (end - begin);
    alpaca_session_free(session);
    return NULL;
}

/* Tokens a second of `sessions` sessions together. */
static double measure(int sessions, int threads, int reads) {
    worker workers[2];
    pthread_t ids[2];
    double sum = 0;
    for (int i = 0; i < sessions; i++) {
        workers[i] = (worker){.index = i, .threads = threads, .reads = reads};
        start(&ids[i], work, &workers[i]);
    }
    for (int i = 0; i < sessions; i++) {
        pthread_join(ids[i], NULL);
        sum += workers[i].rate;
    }
    return sum;
}

static double beside_neighbour(int threads, int reads) {
    const pid_t child = fork();
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        for (volatile unsigned long n = 0;;) n++;
    }
    const double rate = measure(1, threads, reads);
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    return rate;
}

void measure_sharing(void) {
    const int cores = processors();
    char alone[32], twice[32], four[32];
    snprintf(alone, sizeof alone, "%d threads", cores);
    snprintf(twice, sizeof twice, "%d threads", 2 * cores);
    snprintf(four, sizeof four, "%d threads", 4 * cores);
    const char *names[] = {alone, "two sessions", twice, four, "busy neighbour"};
    /* A neighbour has half a processor, if both get the same. */
    const double fair[] = {1, 1, 1, 1, (cores - 0.5) / cores};
    enum { CASES = 5 };
    for (int reads = 0; reads < 2; reads++) {
        double rates[CASES][MOST_ROUNDS];
        for (int r = 0; r < rounds; r++)
            for (int c = 0; c < CASES; c++)
                rates[c][r] = c == 4 ? beside_neighbour(cores, reads) : measure(c == 1 ? 2 : 1, c == 2 ? 2 * cores : c == 3 ? 4 * cores : cores, reads);
        printf("\n%-28s %10s %8s %6s\n", reads ? "reading beside others" : "writing beside others", "tokens/s", "ratio", "fair");
        double base = 0;
        for (int c = 0; c < CASES; c++) {
            const double middle = median(rates[c], rounds);
            if (c == 0) base = middle;
            printf("  %-26s %10.1f %8.2f %6.2f\n", names[c], middle, middle / base, fair[c]);
        }
    }
}
