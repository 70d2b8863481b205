/* One thread that writes alone: tokens a second and threads of the process, beside an older library's when one is named. Both are in this
 * process and take turns every few tokens, so that what else the machine does meets both alike. The aim: nothing lost. */
#define _GNU_SOURCE
#include "threads.h"

#include <dirent.h>
#include <dlfcn.h>
#include <string.h>

enum { SLICES = 20, DEPTH = 256 };

/* The functions that are used, of one library or of the other. */
#define FUNCTIONS(X) X(last_error) X(version) X(model_open) X(model_free) X(session_params_init) X(session_create) X(session_free) \
    X(session_append) X(session_truncate) X(session_position) X(session_sample) X(generation_params_init)
typedef struct {
#define X(name) __typeof__(&alpaca_##name) name;
    FUNCTIONS(X)
#undef X
    alpaca_model *model;
    alpaca_session *session;
    alpaca_generation_params params;
    int threads;
    double rates[MOST_ROUNDS];
} library;

static void must(const library *l, alpaca_status status) {
    if (status != ALPACA_OK) give_up(l->last_error());
}

static int threads_there(void) {
    DIR *folder = opendir("/proc/self/task");
    if (!folder) give_up("/proc/self/task can't be read");
    int count = 0;
    for (const struct dirent *entry; (entry = readdir(folder));) count += entry->d_name[0] != '.';
    closedir(folder);
    return count;
}

static void write_tokens(library *l, size_t count) {
    for (size_t i = 0; i < count; i++) {
        if (l->session_position(l->session) >= DEPTH) {
            /* The prompt's last token again, for its logits. */
            must(l, l->session_truncate(l->session, prompt_count - 1));
            must(l, l->session_append(l->session, &prompt_ids[prompt_count - 1], 1));
        }
        int32_t id;
        must(l, l->session_sample(l->session, &l->params, &id));
        must(l, l->session_append(l->session, &id, 1));
    }
}

static void begin(library *l) {
    alpaca_session_params params;
    must(l, l->session_params_init(&params, sizeof params));
    params.n_ctx = DEPTH;
    must(l, l->session_create(l->model, &params, &l->session));
    must(l, l->session_append(l->session, prompt_ids, prompt_count));
}

/* Opens the model. Threads are counted while a session has just written and the other library has none. */
static void prepare(library *l, const char *path) {
    must(l, l->model_open(path, NULL, &l->model));
    must(l, l->generation_params_init(&l->params, sizeof l->params));
    l->params.use_seed = 1;
    begin(l);
    write_tokens(l, 8);
    l->threads = threads_there();
    l->session_free(l->session);
}

void measure_alone(const char *path, const char *old_library) {
    library both[2] = {{.threads = 0}};
    const int count = old_library && *old_library ? 2 : 1;
#define X(name) both[0].name = &alpaca_##name;
    FUNCTIONS(X)
#undef X
    void *handle = NULL;
    if (count == 2) {
        handle = dlopen(old_library, RTLD_NOW | RTLD_LOCAL | RTLD_DEEPBIND);
        if (!handle) give_up(dlerror());
#define X(name) if (!(both[1].name = (__typeof__(&alpaca_##name))dlsym(handle, "alpaca_" #name))) give_up(dlerror());
        FUNCTIONS(X)
#undef X
        if (both[1].session_append == both[0].session_append) give_up("OLD_LIBRARY is the library that is measured");
    }
    for (int l = 0; l < count; l++) prepare(&both[l], path);
    double ratios[MOST_ROUNDS];
    for (int r = 0; r < rounds; r++) {
        double pair[SLICES], spent[2] = {0};
        size_t tokens[2] = {0}, slice[2];
        for (int l = 0; l < count; l++) {
            begin(&both[l]);
            write_tokens(&both[l], 2);
            const double begun = now();
            write_tokens(&both[l], 4);
            const double pace = 4 / (now() - begun);
            slice[l] = (size_t)(pace * seconds / SLICES) + 1;
        }
        if (count == 2) slice[1] = slice[0];
        for (int s = 0; s < SLICES; s++) {
            double took[2] = {1, 1};
            for (int i = 0; i < count; i++) {
                /* Who goes first changes. */
                const int l = count == 2 ? (i + s) % 2 : 0;
                const double begun = now();
                write_tokens(&both[l], slice[l]);
                took[l] = now() - begun;
                spent[l] += took[l];
                tokens[l] += slice[l];
            }
            pair[s] = took[1] / took[0];
        }
        ratios[r] = median(pair, SLICES);
        for (int l = 0; l < count; l++) {
            both[l].rates[r] = (double)tokens[l] / spent[l];
            both[l].session_free(both[l].session);
        }
    }
    printf("\n%-28s %10s %8s %6s %8s\n", "one thread alone", "tokens/s", "ratio", "aim", "threads");
    for (int l = count - 1; l >= 0; l--) {
        char name[32], ratio[16] = "";
        snprintf(name, sizeof name, "%s %s", l ? "older," : "this,", both[l].version());
        if (l == 0 && count == 2) snprintf(ratio, sizeof ratio, "%.3f", median(ratios, rounds));
        printf("  %-26s %10.1f %8s %6s %8d\n", name, median(both[l].rates, rounds), ratio, *ratio ? "0.99" : "", both[l].threads);
        both[l].model_free(both[l].model);
    }
    /* The older library stays: threads of its own may still be on their way out. */
}
