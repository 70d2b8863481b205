/* harness LIBRARY MODEL_F16 COPY_OF_LIBRARY [CORPUS]    everything; with files of CORPUS read on a small stack
 * harness --ids LIBRARY MODEL SEED                       the ids that are drawn, one a line */
#include "harness.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <sys/stat.h>

int passed, failed;
FILE *report;

static int print_ids(char **arguments) {
    struct recorder *r = calloc(1, sizeof *r);
    char params[SIZE_alpaca_generation_params];
    report = stdout;
    bind(arguments[0]);
    make_callbacks();
    model_path = arguments[1];
    void *model = open_model(), *session = make_session(model);
    CALL("alpaca_generation_params_init", P(params), N(sizeof params));
    FIELD(float, params, alpaca_generation_params, temperature) = 1;
    FIELD(int32_t, params, alpaca_generation_params, max_new_tokens) = 64;
    FIELD(int32_t, params, alpaca_generation_params, ignore_eos) = 1;
    FIELD(int32_t, params, alpaca_generation_params, use_seed) = 1;
    FIELD(uint64_t, params, alpaca_generation_params, seed) = strtoull(arguments[2], NULL, 10);
    uint64_t status = CALL("alpaca_session_generate", P(session), P(prompt), N(ALPACA_NUL_TERMINATED), P(params), P(token_callback), P(r),
                           P(NULL)).q;
    if (status != ALPACA_OK) return fprintf(stderr, "%s\n", message()), 1;
    for (int i = 0; i < r->n; i++) printf("%d\n", r->ids[i]);
    return failed != 0;
}

int main(int argc, char **argv) {
    if (argc == 5 && strcmp(argv[1], "--ids") == 0) return print_ids(argv + 2);
    if (argc != 4 && argc != 5) return fprintf(stderr, "usage: harness LIBRARY MODEL COPY_OF_LIBRARY [CORPUS]\n"), 2;
    model_path = argv[2];
    if (mkdtemp(folder) == NULL) return perror(folder), 1;
    /* What the library prints would land in a file of ours, which stays empty. */
    char output[80];
    snprintf(output, sizeof output, "%s/output", folder);
    report = fdopen(fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 10), "w");
    int watched = open(output, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (report == NULL || watched < 0) return perror(output), 1;
    dup2(watched, STDOUT_FILENO), dup2(watched, STDERR_FILENO);
    note_process();

    bind(argv[1]);
    make_callbacks();
    void *model = open_model();
    test_use(model);
    test_misuse(model);
    test_structs(model);
    test_cache(model);
    CALL("alpaca_model_free", P(model));
    for (struct function *f = functions; f->name; f++) CHECK(f->calls > 0, "%s was not called", f->name);
    test_host(argv[1], argv[3], argc == 5 ? argv[4] : NULL);

    struct stat status;
    CHECK(fstat(watched, &status) == 0 && status.st_size == 0, "the library printed %ld bytes", (long)status.st_size);
    remove_tree(folder);
    fprintf(report, "libffi harness: %d passed, %d failed\n", passed, failed);
    return failed != 0;
}
