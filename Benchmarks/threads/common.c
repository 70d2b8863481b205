#define _GNU_SOURCE
#include "threads.h"

#include <sched.h>
#include <time.h>

double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

void pause_for(double time) {
    if (time <= 0) return;
    struct timespec t = {.tv_sec = (time_t)time};
    t.tv_nsec = (long)(1e9 * (time - (double)t.tv_sec));
    nanosleep(&t, NULL);
}

void check(alpaca_status status) {
    if (status != ALPACA_OK) give_up(alpaca_last_error());
}

_Noreturn void give_up(const char *what) {
    fprintf(stderr, "threads: %s\n", what);
    exit(1);
}

void *room(size_t count, size_t size) {
    void *memory = calloc(count, size);
    if (!memory) give_up("no memory");
    return memory;
}

void start(pthread_t *thread, void *(*body)(void *), void *context) {
    if (pthread_create(thread, NULL, body, context) != 0) give_up("a thread can't be made");
}

int processors(void) {
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) != 0) give_up("the processors can't be counted");
    return CPU_COUNT(&set);
}

static int ascending(const void *a, const void *b) {
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

double median(double *values, int count) {
    qsort(values, (size_t)count, sizeof(double), ascending);
    return count % 2 ? values[count / 2] : (values[count / 2 - 1] + values[count / 2]) / 2;
}

alpaca_session *new_session(int32_t positions) {
    alpaca_session_params params;
    check(alpaca_session_params_init(&params, sizeof params));
    params.n_ctx = positions;
    alpaca_session *session;
    check(alpaca_session_create(model, &params, &session));
    return session;
}

alpaca_generation_params drawing(int index) {
    alpaca_generation_params params;
    check(alpaca_generation_params_init(&params, sizeof params));
    params.use_seed = 1;
    params.seed = 1000 + (uint64_t)index;
    params.template_name = "none";
    params.ignore_eos = 1;
    return params;
}

int32_t draw(alpaca_session *session, const alpaca_generation_params *params) {
    int32_t id;
    check(alpaca_session_sample(session, params, &id));
    return id;
}
