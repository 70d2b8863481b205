/* soak MODEL CYCLES TOKENS: opens, uses and frees everything CYCLES times, TOKENS tokens in all, and compares what the process holds after
 * the first cycles with what it holds at the end: resident memory, descriptors, threads, mappings. Exit status 1 when something has grown. */
#include <alpaca.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { SLACK_KB = 1024 };

typedef struct {
    long resident_kb;
    int descriptors, threads, mappings;
} holdings;

static void check(alpaca_status status, const char *call) {
    if (status == ALPACA_OK) return;
    fprintf(stderr, "soak: %s: %s: %s\n", call, alpaca_status_name(status), alpaca_last_error());
    exit(1);
}
#define CHECK(call) check(call, #call)

static int entries(const char *path) {
    DIR *folder = opendir(path);
    int count = 0;
    if (folder == NULL) return -1;
    while (readdir(folder) != NULL) count++;
    closedir(folder);
    return count - 2; /* "." and ".." */
}

static holdings look(void) {
    holdings h = {0};
    char line[4096];
    FILE *file = fopen("/proc/self/status", "r");
    while (file != NULL && fgets(line, sizeof line, file) != NULL) sscanf(line, "VmRSS: %ld", &h.resident_kb);
    if (file != NULL) fclose(file);
    file = fopen("/proc/self/maps", "r");
    while (file != NULL && fgets(line, sizeof line, file) != NULL) h.mappings += strchr(line, '\n') != NULL;
    if (file != NULL) fclose(file);
    h.descriptors = entries("/proc/self/fd") - 1; /* the folder itself */
    h.threads = entries("/proc/self/task");
    return h;
}

static void print(const char *when, long cycles, unsigned long tokens, holdings h) {
    printf("%-6s %5ld cycles, %7lu tokens: %ld kB resident, %d descriptors, %d threads, %d mappings\n", when, cycles, tokens, h.resident_kb,
           h.descriptors, h.threads, h.mappings);
    fflush(stdout);
}

static int32_t read_event(const alpaca_token_event *event, void *bytes) {
    *(size_t *)bytes += event->text_length;
    return 0;
}

/* Everything that has a beginning and an end. */
static unsigned long cycle(const char *path, long number, int tokens) {
    alpaca_model_params model_params;
    CHECK(alpaca_model_params_init(&model_params, sizeof model_params));
    model_params.use_mmap = number % 4 != 3; /* Else copied. */
    alpaca_model *model;
    CHECK(alpaca_model_open(path, &model_params, &model));
    alpaca_string *json;
    CHECK(alpaca_model_describe(model, &json));
    alpaca_string_free(json);

    alpaca_session_params session_params;
    CHECK(alpaca_session_params_init(&session_params, sizeof session_params));
    session_params.n_ctx = 256;
    session_params.n_batch = 1 + number % 64;
    session_params.n_threads = 1 + number % 3;
    alpaca_session *session;
    CHECK(alpaca_session_create(model, &session_params, &session));
    alpaca_model_free(model); /* The session keeps it. */

    alpaca_generation_params params;
    CHECK(alpaca_generation_params_init(&params, sizeof params));
    params.max_new_tokens = tokens;
    params.ignore_eos = params.context_shift = params.use_seed = 1;
    params.seed = (uint64_t)number;
    params.n_probs = number % 3;
    alpaca_generation_result result = {.struct_size = sizeof result};
    size_t bytes = 0;
    CHECK(alpaca_session_generate(session, "写一首五言绝句，题目是《秋夜》", ALPACA_NUL_TERMINATED, &params, read_event, &bytes, &result));
    /* An error, and a message with it. */
    if (alpaca_session_append(session, (int32_t[]){-1}, 1) != ALPACA_INVALID_ARGUMENT) check(ALPACA_INTERNAL, "append of a bad id");
    alpaca_session_free(session);

    if (number % 50 == 0) {
        alpaca_convert_params convert;
        CHECK(alpaca_convert_params_init(&convert, sizeof convert));
        convert.base = path;
        convert.output = "/dev/null";
        convert.quantization = "Q4_0";
        CHECK(alpaca_convert(&convert, NULL, &json));
        alpaca_string_free(json);
        CHECK(alpaca_verify(&path, 1, NULL, &json));
        alpaca_string_free(json);
    }
    return result.n_generated;
}

int main(int argc, char **argv) {
    if (argc != 4) return fprintf(stderr, "usage: soak MODEL CYCLES TOKENS\n"), 2;
    const long cycles = atol(argv[2]), tokens = atol(argv[3]);
    if (cycles < 4 || tokens < cycles) return fprintf(stderr, "soak: at least 4 cycles, and a token for each\n"), 2;
    /* Before the comparison each kind of cycle has been there. */
    const long first = cycles >= 100 ? 51 : cycles / 2;
    const time_t start = time(NULL);
    unsigned long written = 0;
    holdings before = {0};
    for (long i = 0; i < cycles; i++) {
        if (i == first) print("after", i, written, before = look());
        written += cycle(argv[1], i, (int)((tokens + cycles - 1) / cycles));
    }
    const holdings after = look();
    print("end", cycles, written, after);
    printf("soak: %ld s, resident memory %+ld kB\n", (long)(time(NULL) - start), after.resident_kb - before.resident_kb);
    int failed = 0;
    if (after.resident_kb > before.resident_kb + SLACK_KB) failed = 1, printf("soak: memory has grown by more than %d kB\n", SLACK_KB);
    if (after.descriptors != before.descriptors) failed = 1, printf("soak: descriptors are left\n");
    if (after.threads != before.threads || after.threads != 1) failed = 1, printf("soak: threads are left\n");
    if (after.mappings > before.mappings) failed = 1, printf("soak: mappings are left\n");
    if (written < (unsigned long)tokens) failed = 1, printf("soak: %lu tokens were written, expected %ld\n", written, tokens);
    return failed;
}
