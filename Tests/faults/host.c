/* A host that is short of memory: it loads the library and works under a limit of address space, which is raised step by step from what the
 * process has when idle until the work is done. Each step has a process of its own.
 *
 *   host LIBRARY STEP-KB WORK MODEL [BASE ADAPTER OUTPUT]
 *
 * WORK: open, generate, tokenize, inspect, convert. Each child ends with a status: done, or ALPACA_OUT_OF_MEMORY with a message; after that the
 * limit goes and the same work has to be done. The last line tells how many steps there were and what became of them. */
#define _GNU_SOURCE
#include <alpaca.h>
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

enum { DONE, REFUSED, OTHER, NOT_AFTERWARDS, WITHOUT_MESSAGE };

#define FUNCTION(name) static __typeof__(&name) p_##name
FUNCTION(alpaca_last_error);
FUNCTION(alpaca_status_name);
FUNCTION(alpaca_model_open);
FUNCTION(alpaca_model_free);
FUNCTION(alpaca_model_tokenizer);
FUNCTION(alpaca_session_params_init);
FUNCTION(alpaca_session_create);
FUNCTION(alpaca_session_free);
FUNCTION(alpaca_session_generate);
FUNCTION(alpaca_generation_params_init);
FUNCTION(alpaca_tokenize);
FUNCTION(alpaca_detokenize);
FUNCTION(alpaca_inspect);
FUNCTION(alpaca_string_free);
FUNCTION(alpaca_convert_params_init);
FUNCTION(alpaca_convert);

static void load(const char *path) {
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (library == NULL) {
        fprintf(stderr, "%s\n", dlerror());
        exit(2);
    }
#define LOAD(name) *(void **)&p_##name = dlsym(library, #name)
    LOAD(alpaca_last_error);
    LOAD(alpaca_status_name);
    LOAD(alpaca_model_open);
    LOAD(alpaca_model_free);
    LOAD(alpaca_model_tokenizer);
    LOAD(alpaca_session_params_init);
    LOAD(alpaca_session_create);
    LOAD(alpaca_session_free);
    LOAD(alpaca_session_generate);
    LOAD(alpaca_generation_params_init);
    LOAD(alpaca_tokenize);
    LOAD(alpaca_detokenize);
    LOAD(alpaca_inspect);
    LOAD(alpaca_string_free);
    LOAD(alpaca_convert_params_init);
    LOAD(alpaca_convert);
}

static char **arguments;

/* As many threads on every machine: each takes address space, and the steps have an end. */
enum { THREADS = 2 };

static alpaca_status generate(alpaca_model *model) {
    alpaca_session *session = NULL;
    alpaca_session_params session_params;
    alpaca_status status = p_alpaca_session_params_init(&session_params, sizeof session_params);
    session_params.n_threads = THREADS;
    if (status == ALPACA_OK) status = p_alpaca_session_create(model, &session_params, &session);
    if (status == ALPACA_OK) {
        alpaca_generation_params params;
        p_alpaca_generation_params_init(&params, sizeof params);
        params.temperature = 0;
        params.max_new_tokens = 8;
        status = p_alpaca_session_generate(session, "白日依山尽，", ALPACA_NUL_TERMINATED, &params, NULL, NULL, NULL);
    }
    p_alpaca_session_free(session);
    return status;
}

/* A megabyte of text, there and back. The host's own memory comes from before the limit. */
static char text[1 << 20], back[1 << 21];
static int32_t ids[1 << 20];

static alpaca_status tokenize(const alpaca_tokenizer *tokenizer) {
    size_t n = 0;
    for (size_t i = 0; i + 3 <= sizeof text; i += 3) memcpy(text + i, i % 7 ? "山" : "abc", 3);
    alpaca_status status = p_alpaca_tokenize(tokenizer, text, sizeof text, 0, ids, sizeof ids / sizeof *ids, &n);
    if (status != ALPACA_OK) return status;
    return p_alpaca_detokenize(tokenizer, ids, n, back, sizeof back, &n);
}

static alpaca_status work(const char *what) {
    alpaca_status status = ALPACA_OK;
    if (strcmp(what, "convert") == 0) {
        alpaca_convert_params params;
        alpaca_adapter_source adapter = {arguments[2], 1};
        unlink(arguments[3]);
        status = p_alpaca_convert_params_init(&params, sizeof params);
        if (status != ALPACA_OK) return status;
        params.base = arguments[1];
        params.adapters = &adapter;
        params.n_adapters = 1;
        params.output = arguments[3];
        params.n_threads = THREADS;
        params.quantization = "Q4_K_M";
        return p_alpaca_convert(&params, NULL, NULL);
    }
    if (strcmp(what, "inspect") == 0) {
        alpaca_string *json = NULL;
        status = p_alpaca_inspect(arguments[0], &json);
        p_alpaca_string_free(json);
        return status;
    }
    alpaca_model *model = NULL;
    status = p_alpaca_model_open(arguments[0], NULL, &model);
    if (status == ALPACA_OK && strcmp(what, "generate") == 0) status = generate(model);
    if (status == ALPACA_OK && strcmp(what, "tokenize") == 0) status = tokenize(p_alpaca_model_tokenizer(model));
    p_alpaca_model_free(model);
    return status;
}

static size_t address_space(void) {
    unsigned long pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    if (file == NULL || fscanf(file, "%lu", &pages) != 1) exit(2);
    fclose(file);
    return pages * (size_t)sysconf(_SC_PAGESIZE);
}

static int child(const char *what, size_t room) {
    struct rlimit limit, small;
    getrlimit(RLIMIT_AS, &limit);
    small = limit;
    small.rlim_cur = address_space() + room;
    if (setrlimit(RLIMIT_AS, &small) != 0) return OTHER;
    alpaca_status status = work(what);
    if (status == ALPACA_OK) return DONE;
    const char *message = p_alpaca_last_error();
    if (status != ALPACA_OUT_OF_MEMORY) {
        fprintf(stderr, "%zu KB: %s: %s\n", room >> 10, p_alpaca_status_name(status), message);
        return OTHER;
    }
    if (message == NULL || *message == 0) return WITHOUT_MESSAGE;
    if (strcmp(what, "convert") == 0 && access(arguments[3], F_OK) == 0) return OTHER;
    setrlimit(RLIMIT_AS, &limit);
    status = work(what);
    if (status == ALPACA_OK) return REFUSED;
    fprintf(stderr, "%zu KB: afterwards: %s: %s\n", room >> 10, p_alpaca_status_name(status), p_alpaca_last_error());
    return NOT_AFTERWARDS;
}

int main(int argc, char **argv) {
    if (argc < 5) return 2;
    load(argv[1]);
    const size_t step = (size_t)atol(argv[2]) << 10;
    const char *what = argv[3];
    arguments = argv + 4;
    int steps = 0, refused = 0, done = 0, bad = 0;
    size_t first = 0;
    /* Some steps more than the first that is done: the next may be less lucky. */
    for (size_t room = 0; done < 8 && room < (size_t)4 << 30; room += step) {
        pid_t pid = fork();
        if (pid == 0) _exit(child(what, room));
        int status = 0;
        if (pid < 0 || waitpid(pid, &status, 0) != pid) return 2;
        steps++;
        if (WIFSIGNALED(status)) {
            printf("FAIL %s: signal %d with %zu KB\n", what, WTERMSIG(status), room >> 10);
            bad++;
        } else if (WEXITSTATUS(status) == DONE) {
            if (done++ == 0) first = room;
        } else if (WEXITSTATUS(status) == REFUSED) {
            refused++;
        } else {
            printf("FAIL %s: outcome %d with %zu KB\n", what, WEXITSTATUS(status), room >> 10);
            bad++;
        }
        if (bad > 20) break;
    }
    if (done < 8 || refused == 0) bad++;
    printf("%s: %d steps of %zu KB, %d out of memory, %d done (from %.1f MB on), %d failed\n", what, steps, step >> 10, refused, done,
           (double)first / (1 << 20), bad);
    return bad != 0;
}
