/* cancel MODEL COUNT [LIMIT_MS]: cancels long calls at COUNT random moments and says how long it took them to return: from alpaca_session_cancel,
 * or from the moment at which a progress callback would say no, to the return of the call. After each the library goes on being used.
 * Exit status 1 when one took longer than LIMIT_MS (50), or did not say that it was cancelled. Tokenizing 32 MB takes a gigabyte, which has to be
 * given back: it may take four times as long. */
#include <alpaca.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { CONTEXT = 4096, LONGEST_MS = 800, TEXT_BYTES = 32 << 20 };

static const char words[] = "故国无尘土，山林下水流。不知何处去，不忍见花枝。The quick brown fox; ";
static const size_t length = sizeof words - 1;

static const char *path, *target;
static alpaca_model *model;
static alpaca_session *session;
static char *text;         /* TEXT_BYTES of words */
static char *unbroken;     /* as many of a letter that joins with itself: no place to cut it */
static int32_t *ids;       /* CONTEXT of them */
static atomic_int refuses; /* what progress callbacks go by */

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return 1e3 * (double)t.tv_sec + 1e-6 * (double)t.tv_nsec;
}

static void check(alpaca_status status, const char *call) {
    if (status == ALPACA_OK) return;
    fprintf(stderr, "cancel: %s: %s: %s\n", call, alpaca_status_name(status), alpaca_last_error());
    exit(1);
}
#define CHECK(call) check(call, #call)

static int32_t on_progress(const alpaca_progress *progress, void *data) {
    (void)progress, (void)data;
    return atomic_load(&refuses);
}

/* ---- The calls. Each returns ALPACA_CANCELLED when it was. */

static alpaca_status read_prompt(void) {
    CHECK(alpaca_session_truncate(session, 0));
    return alpaca_session_append(session, ids, CONTEXT);
}

static alpaca_status generate(const char *prompt, size_t bytes) {
    alpaca_generation_params params;
    CHECK(alpaca_generation_params_init(&params, sizeof params));
    params.max_new_tokens = 0;
    params.ignore_eos = params.context_shift = 1;
    alpaca_generation_result result = {.struct_size = sizeof result};
    const alpaca_status status = alpaca_session_generate(session, prompt, bytes, &params, NULL, NULL, &result);
    return status == ALPACA_OK && result.finish_reason == ALPACA_FINISH_CANCELLED ? ALPACA_CANCELLED : status;
}

static alpaca_status write_text(void) { return generate("写一首五言绝句，题目是《秋夜》", ALPACA_NUL_TERMINATED); }
/* The prompt does not fit, which is known when it has been cut into tokens. */
static alpaca_status tokenize(void) { return generate(text, TEXT_BYTES) == ALPACA_CANCELLED ? ALPACA_CANCELLED : ALPACA_OK; }
static alpaca_status tokenize_unbroken(void) { return generate(unbroken, TEXT_BYTES) == ALPACA_CANCELLED ? ALPACA_CANCELLED : ALPACA_OK; }

static alpaca_status perplexity(void) {
    alpaca_perplexity_result result = {.struct_size = sizeof result};
    return alpaca_perplexity(session, text, 20000 * length, NULL, &result);
}

static alpaca_status importance(void) {
    alpaca_imatrix_params params;
    CHECK(alpaca_imatrix_params_init(&params, sizeof params));
    params.output = "/dev/null";
    alpaca_string *json = NULL;
    alpaca_status status = alpaca_imatrix(session, text, 20000 * length, &params, &json);
    alpaca_string_free(json);
    return status;
}

static alpaca_status convert_to(const char *type, const char *output) {
    alpaca_convert_params params;
    CHECK(alpaca_convert_params_init(&params, sizeof params));
    params.base = path;
    params.output = output;
    params.quantization = type;
    params.overwrite = 1;
    params.progress = on_progress;
    alpaca_string *json = NULL;
    const alpaca_status status = alpaca_convert(&params, NULL, &json);
    alpaca_string_free(json);
    return status;
}
static alpaca_status convert_float(void) { return convert_to("F32", target); }
static alpaca_status convert_searching(void) { return convert_to("Q3_K_M", target); }
static alpaca_status convert_searching_legacy(void) { return convert_to("Q4_0", target); }

static alpaca_status verify(void) {
    alpaca_verify_params params;
    CHECK(alpaca_verify_params_init(&params, sizeof params));
    params.progress = on_progress;
    alpaca_string *json = NULL;
    const alpaca_status status = alpaca_verify(&path, 1, &params, &json);
    alpaca_string_free(json);
    return status;
}

static alpaca_status open_as(int32_t use_mmap, int32_t prefetch) {
    alpaca_model_params params;
    CHECK(alpaca_model_params_init(&params, sizeof params));
    params.use_mmap = use_mmap;
    params.prefetch = prefetch;
    params.progress = on_progress;
    alpaca_model *other = NULL;
    const alpaca_status status = alpaca_model_open(path, &params, &other);
    alpaca_model_free(other);
    return status;
}
static alpaca_status open_copied(void) { return open_as(0, 0); }
static alpaca_status open_prefetched(void) { return open_as(1, 1); }

static const struct {
    const char *name;
    alpaca_status (*run)(void);
    int of_session;
} calls[] = {
    {"reading a prompt", read_prompt, 1},        {"writing", write_text, 1},
    {"tokenizing", tokenize, 1},                 {"tokenizing, unbroken", tokenize_unbroken, 1},
    {"perplexity", perplexity, 1},               {"importance matrix", importance, 1},
    {"convert to F32", convert_float, 0},        {"convert to Q3_K_M", convert_searching, 0},
    {"convert to Q4_0", convert_searching_legacy, 0},
    {"verify", verify, 0},                       {"open, copied", open_copied, 0},
    {"open, prefetched", open_prefetched, 0},
};
enum { CALLS = sizeof calls / sizeof calls[0] };

/* ---- The other thread */

typedef struct {
    int of_session;
    double delay; /* ms */
    double asked; /* when it was, ms */
    atomic_int ended;
} canceller;

static void *cancel_later(void *context) {
    canceller *c = context;
    const double begin = now();
    while (now() - begin < c->delay) {
        if (atomic_load(&c->ended)) return NULL;
        usleep(c->delay - (now() - begin) > 0.3 ? 200 : 20);
    }
    c->asked = now();
    if (c->of_session) alpaca_session_cancel(session);
    else atomic_store(&refuses, 1);
    return NULL;
}

/* Milliseconds from the cancel to the return; -1 when the call ended before. */
static double cancelled_after(int number, double delay) {
    canceller c = {.of_session = calls[number].of_session, .delay = delay};
    pthread_t thread;
    atomic_store(&refuses, 0);
    if (pthread_create(&thread, NULL, cancel_later, &c) != 0) exit(1);
    const alpaca_status status = calls[number].run();
    const double end = now();
    atomic_store(&c.ended, 1);
    pthread_join(thread, NULL);
    if (status == ALPACA_OK) return -1;
    if (status != ALPACA_CANCELLED) check(status, calls[number].name);
    return end - c.asked;
}

static int ascending(const void *a, const void *b) {
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

int main(int argc, char **argv) {
    if (argc < 3) return fprintf(stderr, "usage: cancel MODEL COUNT [LIMIT_MS]\n"), 2;
    path = argv[1];
    const int count = atoi(argv[2]) > CALLS ? atoi(argv[2]) : CALLS;
    const double allowed = argc > 3 ? atof(argv[3]) : 50;
    char folder[] = "/tmp/alpaca-cancel-XXXXXX", file[64];
    if (mkdtemp(folder) == NULL) return 1;
    snprintf(file, sizeof file, "%s/out", folder);
    target = file;
    CHECK(alpaca_model_open(path, NULL, &model));
    alpaca_session_params params;
    CHECK(alpaca_session_params_init(&params, sizeof params));
    params.n_ctx = CONTEXT;
    CHECK(alpaca_session_create(model, &params, &session));
    text = malloc(TEXT_BYTES);
    unbroken = malloc(TEXT_BYTES);
    ids = malloc(CONTEXT * sizeof *ids);
    if (text == NULL || unbroken == NULL || ids == NULL) return 1;
    for (size_t i = 0; i < TEXT_BYTES; i++) text[i] = i < TEXT_BYTES / length * length ? words[i % length] : ' ', unbroken[i] = 'l';
    for (int i = 0; i < CONTEXT; i++) ids[i] = 300 + i % 1000;

    int failed = 0;
    int total = 0;
    srand(1);
    printf("%-22s %6s %8s %8s %8s   ms from cancel to return\n", "", "times", "median", "99 %", "most");
    for (int n = 0; n < CALLS; n++) {
        const double limit = calls[n].run == tokenize || calls[n].run == tokenize_unbroken ? 4 * allowed : allowed;
        const double begin = now();
        /* How long it takes, up to a bound. */
        const double first = cancelled_after(n, LONGEST_MS);
        double whole = now() - begin;
        if (whole > LONGEST_MS) whole = LONGEST_MS;
        const int wanted = count / CALLS + (n < count % CALLS);
        double *times = malloc((size_t)wanted * sizeof *times);
        int done = 0;
        if (first >= 0) times[done++] = first;
        for (int tries = 0; done < wanted && tries < 4 * wanted; tries++) {
            const double time = cancelled_after(n, whole * rand() / RAND_MAX);
            if (time >= 0) times[done++] = time;
        }
        CHECK(alpaca_session_truncate(session, 0));
        CHECK(alpaca_session_append(session, ids, 4));
        if (done == 0) {
            printf("%-22s too short to be cancelled (%.1f ms)\n", calls[n].name, whole);
            free(times);
            continue;
        }
        qsort(times, (size_t)done, sizeof *times, ascending);
        printf("%-22s %6d %8.2f %8.2f %8.2f%s\n", calls[n].name, done, times[done / 2], times[(done - 1) * 99 / 100], times[done - 1],
               times[done - 1] > limit ? "   too long" : "");
        fflush(stdout);
        failed |= times[done - 1] > limit;
        total += done;
        free(times);
    }
    printf("cancel: %d times\n", total);
    alpaca_session_free(session);
    alpaca_model_free(model);
    free(text);
    free(unbroken);
    free(ids);
    unlink(target);
    if (rmdir(folder) != 0) failed = 1, printf("cancel: %s is not empty\n", folder);
    return failed;
}
