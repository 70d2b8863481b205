/* What belongs to the process that loads the library: signals, stacks, descriptors, threads, children, other copies. */
#include "harness.h"

#include <dirent.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <fenv.h>
#include <ftw.h>
#include <locale.h>
#include <sched.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/time.h>

/* ---- Compared before and after every call */

static unsigned floating_point(void) {
#if defined(__x86_64__)
    return __builtin_ia32_stmxcsr() & ~0x3Fu; /* without the flags of what has happened */
#else
    return (unsigned)fegetround();
#endif
}

/* The signals 1 to 31; those above are the threads library's and the program's own. */
void look_at_host(struct host *host) {
    memset(host, 0, sizeof *host);
    sigset_t mask;
    stack_t stack;
    pthread_sigmask(SIG_BLOCK, NULL, &mask);
    sigaltstack(NULL, &stack);
    for (int i = 1; i < 32; i++) {
        struct sigaction action;
        if (sigaction(i, NULL, &action) != 0) continue;
        host->actions[i].handler = (void *)(uintptr_t)action.sa_handler;
        host->actions[i].flags = (unsigned long)action.sa_flags;
        memcpy(&host->actions[i].mask, &action.sa_mask, sizeof(long));
    }
    memcpy(&host->mask, &mask, sizeof(long));
    host->stack = stack.ss_sp, host->stack_flags = stack.ss_flags;
    host->floating_point = floating_point();
}

const char *host_difference(const struct host *before, const struct host *after) {
    if (memcmp(before->actions, after->actions, sizeof before->actions) != 0) return "signal dispositions";
    if (before->mask != after->mask) return "signal mask";
    if (before->stack != after->stack || before->stack_flags != after->stack_flags) return "alternate stack";
    if (before->floating_point != after->floating_point) return "floating-point control";
    return NULL;
}

/* ---- Compared before and after all of it */

struct process {
    struct host host;
    char directory[4096], locale[1024];
    mode_t umask;
    struct itimerval timers[3];
    char **environment;
    size_t variables;
    int descriptors, threads;
};
extern char **environ;

static int count_threads(void) {
    int n = 0;
    DIR *tasks = opendir("/proc/self/task");
    for (struct dirent *entry; (entry = readdir(tasks)) != NULL;) n += entry->d_name[0] != '.';
    closedir(tasks);
    return n;
}

static void look_at_process(struct process *p) {
    memset(p, 0, sizeof *p);
    look_at_host(&p->host);
    if (getcwd(p->directory, sizeof p->directory) == NULL) abort();
    strncpy(p->locale, setlocale(LC_ALL, NULL), sizeof p->locale - 1);
    p->umask = umask(0);
    umask(p->umask);
    for (int i = 0; i < 3; i++) getitimer(i, &p->timers[i]);
    p->environment = environ;
    for (char **v = environ; *v; v++) p->variables++;
    for (int i = 0; i < 1024; i++) p->descriptors += fcntl(i, F_GETFD) >= 0;
    /* Threads end a moment after they are joined, for the kernel. */
    for (int i = 0; i < 200 && (p->threads = count_threads()) > 1; i++) usleep(1000);
}

static struct process at_start;

static void check_process(const char *when) {
    struct process now;
    look_at_process(&now);
    const char *difference = host_difference(&at_start.host, &now.host);
    CHECK(difference == NULL, "%s, %s", difference, when);
    CHECK(strcmp(at_start.directory, now.directory) == 0 && at_start.umask == now.umask, "%s", when);
    CHECK(strcmp(at_start.locale, now.locale) == 0, "%s: %s", when, now.locale);
    CHECK(memcmp(at_start.timers, now.timers, sizeof now.timers) == 0, "%s", when);
    CHECK(at_start.environment == now.environment && at_start.variables == now.variables, "%s", when);
    CHECK(at_start.descriptors == now.descriptors, "%s: %d descriptors, were %d", when, now.descriptors, at_start.descriptors);
    CHECK(at_start.threads == now.threads, "%s: %d threads, were %d", when, now.threads, at_start.threads);
}

/* ---- Descriptors: never 0 to 2, which others take for standard streams, and closed in programs that the host starts */

static char was_open[1024];

static void check_descriptors(void) {
    for (int i = 0; i < 1024; i++) {
        int flags = fcntl(i, F_GETFD);
        if (flags < 0 || was_open[i]) continue;
        CHECK(i > 2, "descriptor %d", i);
        CHECK(flags & FD_CLOEXEC, "descriptor %d stays open in other programs", i);
    }
}

static void with_progress(void *params, size_t progress_at, size_t data_at, struct progress_recorder *r) {
    *(void **)((char *)params + progress_at) = progress_callback;
    *(void **)((char *)params + data_at) = r;
}

static void without_standard_streams(void *unused) {
    (void)unused;
    for (int i = 0; i < 3; i++) close(i);
    for (int i = 0; i < 1024; i++) was_open[i] = fcntl(i, F_GETFD) >= 0;
    struct progress_recorder p = {.body = check_descriptors};
    struct recorder *r = calloc(1, sizeof *r);
    char output[64], open_params[SIZE_alpaca_model_params], verify[SIZE_alpaca_verify_params], convert[SIZE_alpaca_convert_params];
    void *model = NULL, *json = NULL, *tokenizer = NULL;
    int32_t finish;

    CALL("alpaca_model_params_init", P(open_params), N(sizeof open_params));
    FIELD(int32_t, open_params, alpaca_model_params, use_mmap) = 0;
    with_progress(open_params, AT_alpaca_model_params_progress, AT_alpaca_model_params_user_data, &p);
    CHECK(CALL("alpaca_model_open", P(model_path), P(open_params), P(&model)).q == ALPACA_OK, "%s", message());
    CALL("alpaca_model_free", P(model));
    model = open_model();
    check_descriptors();
    void *session = make_session(model);
    r->body = check_descriptors;
    CHECK(write_text(session, r, 8, &finish) == ALPACA_OK && r->n == 8, "%s", message());
    CALL("alpaca_session_free", P(session));
    CALL("alpaca_model_free", P(model));

    CALL("alpaca_verify_params_init", P(verify), N(sizeof verify));
    with_progress(verify, AT_alpaca_verify_params_progress, AT_alpaca_verify_params_user_data, &p);
    CHECK(CALL("alpaca_verify", P(&model_path), N(1), P(verify), P(&json)).q == ALPACA_OK, "%s", message());
    CALL("alpaca_string_free", P(json));

    for (int format = ALPACA_FORMAT_GGUF; format <= ALPACA_FORMAT_PTH; format++) {
        snprintf(output, sizeof output, "%s/out%d", folder, format);
        CALL("alpaca_convert_params_init", P(convert), N(sizeof convert));
        FIELD(const char *, convert, alpaca_convert_params, base) = model_path;
        FIELD(const char *, convert, alpaca_convert_params, output) = output;
        FIELD(int32_t, convert, alpaca_convert_params, format) = format;
        with_progress(convert, AT_alpaca_convert_params_progress, AT_alpaca_convert_params_user_data, &p);
        CHECK(CALL("alpaca_convert", P(convert), P(NULL), P(NULL)).q == ALPACA_OK, "%s", message());
    }
    CHECK(CALL("alpaca_tokenizer_open", P("Tests/Goldens/tokenizers/mini_llama.model"), P(&tokenizer)).q == ALPACA_OK, "%s", message());
    snprintf(output, sizeof output, "%s/saved.model", folder);
    CHECK(CALL("alpaca_tokenizer_save", P(tokenizer), P(output), N(1)).q == ALPACA_OK, "%s", message());
    CALL("alpaca_tokenizer_free", P(tokenizer));
    check_descriptors();
    for (int i = 0; i < 3; i++) CHECK(fcntl(i, F_GETFD) < 0, "descriptor %d was left open", i);
    CHECK(p.n > 5, "%d", p.n);
    free(r);
}

/* ---- Threads of the library: all signals blocked in them, so that the host's threads get them */

static int workers;
static void check_workers(void) {
    DIR *tasks = opendir("/proc/self/task");
    for (struct dirent *entry; (entry = readdir(tasks)) != NULL;) {
        char path[300], line[256];
        unsigned long long blocked = 0;
        if (entry->d_name[0] == '.' || atoi(entry->d_name) == gettid()) continue;
        snprintf(path, sizeof path, "/proc/self/task/%s/status", entry->d_name);
        FILE *status = fopen(path, "re");
        if (status == NULL) continue;
        while (fgets(line, sizeof line, status)) sscanf(line, "SigBlk: %llx", &blocked);
        fclose(status);
        workers++;
        /* SIGKILL and SIGSTOP can't be blocked; 32 and 33 are the threads library's. */
        unsigned long long wanted = ~0ull & ~(1ull << (SIGKILL - 1) | 1ull << (SIGSTOP - 1) | 3ull << 31);
        if (!in_valgrind()) CHECK((blocked & wanted) == wanted, "thread %s blocks %llx", entry->d_name, blocked);
    }
    closedir(tasks);
}

static void test_workers(void *model) {
    void *session = NULL;
    char params[SIZE_alpaca_session_params];
    struct recorder *r = calloc(1, sizeof *r);
    int32_t finish;
    CALL("alpaca_session_params_init", P(params), N(sizeof params));
    FIELD(int32_t, params, alpaca_session_params, n_threads) = 4;
    CHECK(CALL("alpaca_session_create", P(model), P(params), P(&session)).q == ALPACA_OK, "%s", message());
    if (in_valgrind()) fprintf(report, "SKIPPED the signals that workers block: /proc tells valgrind's\n");
    r->body = check_workers;
    CHECK(write_text(session, r, 4, &finish) == ALPACA_OK, "%s", message());
    /* Beside the caller's; no more than there are processors. Seen once for each of four tokens. */
    cpu_set_t allowed;
    CHECK(sched_getaffinity(0, sizeof allowed, &allowed) == 0, "the processors that this process may use");
    const int threads = CPU_COUNT(&allowed) < 4 ? CPU_COUNT(&allowed) : 4;
    CHECK(workers >= 4 * (threads - 1), "%d threads seen, of %d", workers, threads);
    CALL("alpaca_session_free", P(session));
    free(r);
}

/* ---- A thread with a small stack, 64 KB: everything that a host may call there, with files nested as deep as they can be too */

static void write_file(const char *name, const char *head, size_t head_size, const char *unit, size_t unit_size, int times) {
    char path[128];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "we");
    CHECK(file != NULL, "%s", path);
    fwrite(head, 1, head_size, file);
    for (int i = 0; i < times; i++) fwrite(unit, 1, unit_size, file);
    fclose(file);
}

/* Every reader of `path`. */
static void read_every_way(const char *path) {
    void *made = NULL;
    char convert[SIZE_alpaca_convert_params];
    struct { const char *path; double scale; } adapter = {path, 1};
    CALL("alpaca_inspect", P(path), P(&made)), CALL("alpaca_string_free", P(made));
    CALL("alpaca_model_open", P(path), P(NULL), P(&made)), CALL("alpaca_model_free", P(made));
    CALL("alpaca_tokenizer_open", P(path), P(&made)), CALL("alpaca_tokenizer_free", P(made));
    for (int as = 0; as < 4; as++) { /* base, adapter, tokenizer, importance matrix */
        CALL("alpaca_convert_params_init", P(convert), N(sizeof convert));
        FIELD(const char *, convert, alpaca_convert_params, base) = as == 0 ? path : model_path;
        FIELD(void *, convert, alpaca_convert_params, adapters) = &adapter;
        FIELD(size_t, convert, alpaca_convert_params, n_adapters) = as == 1;
        FIELD(const char *, convert, alpaca_convert_params, tokenizer) = as == 2 ? path : NULL;
        FIELD(const char *, convert, alpaca_convert_params, imatrix) = as == 3 ? path : NULL;
        FIELD(const char *, convert, alpaca_convert_params, output) = "/dev/null";
        CALL("alpaca_convert", P(convert), P(NULL), P(NULL));
    }
}

static int read_entry(const char *path, const struct stat *status, int kind, struct FTW *where) {
    (void)status, (void)kind;
    if (where->level > 0) read_every_way(path);
    return 0;
}

static void *on_small_stack(void *corpus) {
    whole_run();
    void *model = open_model();
    test_use(model);
    CALL("alpaca_model_free", P(model));
    static const char gguf[] = "GGUF\3\0\0\0\0\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0a\11\0\0";
    const struct { const char *name, *head; size_t head_size; const char *unit; size_t unit_size; } deep[] = {
        {"deep.json", "", 0, "[", 1}, {"config.json", "", 0, "{\"a\":", 5}, {"adapter_config.json", "", 0, "[{\"a\":", 6},
        {"deep.safetensors", "\x40\x42\x0f\0\0\0\0\0", 8, "{\"a\":", 5}, {"deep.gguf", gguf, sizeof gguf - 1 + 1, "\11\0\0\0\1\0\0\0\0\0\0\0", 12},
        {"pytorch_model.bin", "\x80\x02", 2, "]", 1}, {"adapter_model.bin", "\x80\x02", 2, "(", 1}, {"tokenizer.model", "", 0, "\x0b", 1},
        {"nested.model", "", 0, "\x0a\xff\xff\xff\x7f", 5},
    };
    char path[128];
    for (size_t i = 0; i < sizeof deep / sizeof *deep; i++) {
        write_file(deep[i].name, deep[i].head, deep[i].head_size, deep[i].unit, deep[i].unit_size, 200000);
        snprintf(path, sizeof path, "%s/%s", folder, deep[i].name);
        read_every_way(path);
    }
    read_every_way(folder); /* a model's and an adapter's */
    for (size_t i = 0; i < sizeof deep / sizeof *deep; i++) {
        snprintf(path, sizeof path, "%s/%s", folder, deep[i].name);
        CHECK(unlink(path) == 0, "%s", path);
    }
    if (corpus) nftw(corpus, read_entry, 8, FTW_PHYS);
    return NULL;
}

static void test_small_stack(const char *corpus) {
    pthread_attr_t attributes;
    pthread_t thread;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, 64 << 10);
    CHECK(pthread_create(&thread, &attributes, on_small_stack, (void *)(uintptr_t)corpus) == 0, "thread");
    pthread_join(thread, NULL);
    pthread_attr_destroy(&attributes);
}

/* ---- Loading again, and a second copy */

static void test_loading(const char *library, const char *copy) {
    void *first = bind(library);
    for (int i = 0; i < 50; i++) {
        dlclose(first);
        dlclose(first); /* as often as it was opened */
        first = bind(library);
        if (i % 10 == 0) whole_run(), check_process("after loading again");
    }
    whole_run();
    /* A second copy: objects of its own, and handles of the first are none of the second's. */
    void *second = bind(copy);
    CHECK(second != first, "the copy is the same library");
    check_process("after loading a copy");
    bind(library);
    void *model = open_model();
    bind(copy);
    whole_run();
    char info[SIZE_alpaca_model_info] = {0};
    FIELD(size_t, info, alpaca_model_info, struct_size) = sizeof info;
    CHECK(CALL("alpaca_model_get_info", P(model), P(info)).q == ALPACA_INVALID_ARGUMENT, "another copy's handle");
    void *others = open_model();
    bind(library);
    CHECK(CALL("alpaca_model_get_info", P(others), P(info)).q == ALPACA_INVALID_ARGUMENT, "another copy's handle");
    CHECK(CALL("alpaca_model_get_info", P(model), P(info)).q == ALPACA_OK, "%s", message());
    CALL("alpaca_model_free", P(model));
    bind(copy);
    CALL("alpaca_model_free", P(others));
    bind(library);
}

void note_process(void) { look_at_process(&at_start); }

void test_host(const char *library, const char *copy, const char *corpus) {
    check_process("after use and misuse");
    void *model = open_model();
    test_workers(model);
    test_forks(model); /* with a model open in the parent */
    CALL("alpaca_model_free", P(model));
    in_child(use_all, NULL);
    in_child(without_standard_streams, NULL);
    test_small_stack(corpus);
    check_process("after threads and children");
    test_loading(library, copy);
    check_process("at the end");
}
