/* Calls libalpaca as another language's foreign-function interface would: no header, the library by dlopen, each call by libffi from a table
 * of signatures (signatures.h, made by describe.py), callbacks as libffi closures, structs by offset.
 *
 *     harness LIBRARY MODEL_F16 COPY_OF_LIBRARY
 *
 * Also what a host must be able to trust: signal dispositions, threads with small stacks, fork, dlopen and dlclose, two copies. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <ffi.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "signatures.h"

static int passed, failed;
static const char *const prompt = "写一首五言绝句，题目是《秋夜》";
static const char *const poem = "故国无尘土，山林下水流。\n不知何处去，不忍见花枝。";

#define CHECK(condition, ...) \
    do { \
        if (condition) passed++; \
        else failed++, printf("FAILED %s:%d: %s: ", __FILE__, __LINE__, #condition), printf(__VA_ARGS__), printf("\n"); \
    } while (0)

/* ---- Calls */

typedef union value { /* as large as any argument or result */
    uint64_t q;
    int64_t s;
    float f;
    void *p;
} value;

static ffi_type *type_of(char letter) {
    switch (letter) {
    case 'v': return &ffi_type_void;
    case 'i': return &ffi_type_sint32;
    case 'u': case 'e': return &ffi_type_uint32;
    case 'z': case 'q': return &ffi_type_uint64;
    case 'f': return &ffi_type_float;
    case 'd': return &ffi_type_double;
    default: return &ffi_type_pointer;
    }
}

static struct function *function_named(const char *name) {
    for (size_t i = 0; i < sizeof functions / sizeof *functions; i++) {
        if (strcmp(functions[i].name, name) == 0) return &functions[i];
    }
    fprintf(stderr, "harness: no function %s\n", name);
    exit(1);
}

static value call_function(struct function *f, const value *arguments) {
    ffi_cif cif;
    ffi_type *types[16];
    void *pointers[16];
    value result = {0};
    unsigned n = (unsigned)strlen(f->signature) - 1;
    for (unsigned i = 0; i < n; i++) types[i] = type_of(f->signature[i + 1]), pointers[i] = (void *)&arguments[i];
    if (ffi_prep_cif(&cif, FFI_DEFAULT_ABI, n, type_of(f->signature[0]), types) != FFI_OK) abort();
    ffi_call(&cif, FFI_FN(f->address), &result, pointers);
    __atomic_fetch_add(&f->calls, 1, __ATOMIC_RELAXED);
    if (strchr("uei", f->signature[0])) result.q = (uint32_t)result.q;
    return result;
}

#define P(pointer) ((value){.p = (void *)(uintptr_t)(pointer)})
#define N(number) ((value){.q = (uint64_t)(number)})
#define CALL(name, ...) call_function(function_named(name), (const value[]){__VA_ARGS__ __VA_OPT__(,) N(0)})

static const char *message(void) { return (const char *)CALL("alpaca_last_error").p; }

static void *bind(const char *path) {
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (library == NULL) fprintf(stderr, "harness: %s\n", dlerror()), exit(1);
    for (size_t i = 0; i < sizeof functions / sizeof *functions; i++) {
        functions[i].address = dlsym(library, functions[i].name);
        if (functions[i].address == NULL) fprintf(stderr, "harness: %s is not exported\n", functions[i].name), exit(1);
    }
    return library;
}

/* ---- Structs and callbacks, by offset */

#define FIELD(type, struct, name, field) (*(type *)((char *)(struct) + AT_##name##_##field))

struct recorder {
    void *session; /* cancelled at `cancel_at` */
    int cancel_at, stop_at;
    int n;
    int32_t ids[4096];
    size_t length;
    char text[16384];
};

static void on_token(ffi_cif *cif, void *result, void **arguments, void *unused) {
    const char *event = *(const char **)arguments[0];
    struct recorder *r = *(struct recorder **)arguments[1];
    (void)cif, (void)unused;
    int32_t answer = 0;
    if (FIELD(size_t, event, alpaca_token_event, struct_size) != SIZE_alpaca_token_event) answer = 1;
    if (r->n < 4096) r->ids[r->n] = FIELD(int32_t, event, alpaca_token_event, id);
    r->n++;
    size_t length = FIELD(size_t, event, alpaca_token_event, text_length);
    if (r->length + length < sizeof r->text) {
        memcpy(r->text + r->length, FIELD(char *, event, alpaca_token_event, text), length);
        r->length += length;
        r->text[r->length] = 0;
    }
    if (r->cancel_at && r->n == r->cancel_at) CALL("alpaca_session_cancel", P(r->session));
    if (r->stop_at && r->n == r->stop_at) answer = 1;
    *(ffi_sarg *)result = answer;
}

static int progress_calls, progress_answer;
static void on_progress(ffi_cif *cif, void *result, void **arguments, void *unused) {
    const char *progress = *(const char **)arguments[0];
    (void)cif, (void)unused;
    progress_calls++;
    const char *stage = FIELD(const char *, progress, alpaca_progress, stage);
    int fine = FIELD(uint64_t, progress, alpaca_progress, done) <= FIELD(uint64_t, progress, alpaca_progress, total)
               && (strcmp(stage, "load") == 0 || strcmp(stage, "warm-up") == 0 || strcmp(stage, "measure") == 0);
    *(ffi_sarg *)result = fine ? progress_answer : 1;
}

/* An int32_t (*)(const struct *, void *) that the library can call. */
static void *closure(void (*body)(ffi_cif *, void *, void **, void *)) {
    static ffi_type *types[2] = {&ffi_type_pointer, &ffi_type_pointer};
    static ffi_cif cif;
    void *code;
    ffi_closure *memory = ffi_closure_alloc(sizeof(ffi_closure), &code);
    if (ffi_prep_cif(&cif, FFI_DEFAULT_ABI, 2, &ffi_type_sint32, types) != FFI_OK) abort();
    if (memory == NULL || ffi_prep_closure_loc(memory, &cif, body, NULL, code) != FFI_OK) abort();
    return code;
}

static void *token_callback, *progress_callback;
static const char *model_path;

static void *open_model(void) {
    void *model = NULL;
    value status = CALL("alpaca_model_open", P(model_path), P(NULL), P(&model));
    CHECK(status.q == ALPACA_OK && model != NULL, "%s", message());
    return model;
}

static void *make_session(void *model) {
    void *session = NULL;
    CHECK(CALL("alpaca_session_create", P(model), P(NULL), P(&session)).q == ALPACA_OK && session != NULL, "%s", message());
    return session;
}

static uint64_t write_text(void *session, struct recorder *r, int32_t max_new_tokens, int32_t *finish) {
    char params[SIZE_alpaca_generation_params], result[SIZE_alpaca_generation_result] = {0};
    CALL("alpaca_generation_params_init", P(params), N(sizeof params));
    FIELD(float, params, alpaca_generation_params, temperature) = 0;
    FIELD(int32_t, params, alpaca_generation_params, repeat_last_n) = -1;
    FIELD(int32_t, params, alpaca_generation_params, max_new_tokens) = max_new_tokens;
    FIELD(int32_t, params, alpaca_generation_params, context_shift) = max_new_tokens == 0;
    FIELD(int32_t, params, alpaca_generation_params, ignore_eos) = max_new_tokens == 0;
    FIELD(size_t, result, alpaca_generation_result, struct_size) = sizeof result;
    r->session = session;
    uint64_t status = CALL("alpaca_session_generate", P(session), P(prompt), N(ALPACA_NUL_TERMINATED), P(params), P(token_callback), P(r),
                           P(result)).q;
    *finish = FIELD(int32_t, result, alpaca_generation_result, finish_reason);
    return status;
}

/* ---- What is called */

static void test_getters(void *model) {
    CHECK(strcmp(CALL("alpaca_version").p, "1.1.0") == 0, "%s", (char *)CALL("alpaca_version").p);
    CHECK((int32_t)CALL("alpaca_abi_version").q == 2, "%d", (int)CALL("alpaca_abi_version").q);
    CHECK(strcmp(CALL("alpaca_status_name", N(ALPACA_BUSY)).p, "ALPACA_BUSY") == 0, "name");
    CHECK(strstr(CALL("alpaca_build_info").p, "cpu_path") != NULL, "build info");
    char info[SIZE_alpaca_model_info] = {0};
    FIELD(size_t, info, alpaca_model_info, struct_size) = sizeof info;
    CHECK(CALL("alpaca_model_get_info", P(model), P(info)).q == ALPACA_OK, "%s", message());
    CHECK(strcmp(&FIELD(char, info, alpaca_model_info, architecture), "llama") == 0, "architecture");
    char buffer[64];
    size_t needed = 0;
    CHECK(CALL("alpaca_model_metadata", P(model), P("general.architecture"), P(buffer), N(sizeof buffer), P(&needed)).q == ALPACA_OK
              && strcmp(buffer, "llama") == 0 && needed == 6, "%s", message());
    void *json = NULL;
    CHECK(CALL("alpaca_model_describe", P(model), P(&json)).q == ALPACA_OK, "%s", message());
    CHECK(strlen(CALL("alpaca_string_data", P(json)).p) == CALL("alpaca_string_size", P(json)).q, "sizes");
    CALL("alpaca_string_free", P(json));
    CHECK(CALL("alpaca_inspect", P(model_path), P(&json)).q == ALPACA_OK, "%s", message());
    CALL("alpaca_string_free", P(json));
    CHECK(CALL("alpaca_model_retain", P(model)).p == model, "retain");
    CALL("alpaca_model_free", P(model));
}

static void test_tokenizer(void *model) {
    void *tokenizers[2] = {CALL("alpaca_model_tokenizer", P(model)).p, NULL};
    CHECK(CALL("alpaca_tokenizer_open", P(model_path), P(&tokenizers[1])).q == ALPACA_OK, "%s", message());
    for (int i = 0; i < 2; i++) {
        void *t = tokenizers[i];
        int32_t ids[64], id = -1;
        size_t n = 0, needed = 0;
        char text[256];
        CHECK(CALL("alpaca_tokenizer_size", P(t)).q > 1000, "size");
        CHECK(CALL("alpaca_tokenize", P(t), P(prompt), N(ALPACA_NUL_TERMINATED), N(0), P(ids), N(64), P(&n)).q == ALPACA_OK, "%s", message());
        CHECK(CALL("alpaca_detokenize", P(t), P(ids), N(n), P(text), N(sizeof text), P(&needed)).q == ALPACA_OK
                  && strcmp(text, prompt) == 0, "%s", text);
        CHECK(CALL("alpaca_token_piece", P(t), N(2), P(text), N(sizeof text), P(&needed)).q == ALPACA_OK && strcmp(text, "</s>") == 0,
              "%s", text);
        CHECK(CALL("alpaca_token_special", P(t), N(ALPACA_TOKEN_EOS), P(&id)).q == ALPACA_OK && id == 2, "%d", id);
    }
    CALL("alpaca_tokenizer_free", P(tokenizers[1]));
}

/* A benchmark of two tests; a list that is not there. */
static void test_bench(void *model) {
    char params[SIZE_alpaca_bench_params], tests[2 * SIZE_alpaca_bench_test] = {0};
    void *json = NULL;
    CHECK(CALL("alpaca_bench_params_init", P(params), N(sizeof params)).q == ALPACA_OK, "%s", message());
    FIELD(int32_t, tests, alpaca_bench_test, n_prompt) = 16;
    FIELD(int32_t, tests + SIZE_alpaca_bench_test, alpaca_bench_test, n_gen) = 2;
    FIELD(int32_t, params, alpaca_bench_params, n_repetitions) = 1;
    FIELD(int32_t, params, alpaca_bench_params, roofs) = 0;
    FIELD(void *, params, alpaca_bench_params, progress) = progress_callback;
    FIELD(size_t, params, alpaca_bench_params, n_tests) = 2;
    CHECK(CALL("alpaca_bench", P(model), P(params), P(&json)).q == ALPACA_INVALID_ARGUMENT && json == NULL, "tests at NULL");
    FIELD(void *, params, alpaca_bench_params, tests) = tests;
    progress_answer = 0;
    CHECK(CALL("alpaca_bench", P(model), P(params), P(&json)).q == ALPACA_OK, "%s", message());
    const char *text = CALL("alpaca_string_data", P(json)).p;
    CHECK(strstr(text, "\"pp16\"") != NULL && strstr(text, "\"tg2\"") != NULL, "%s", text);
    CALL("alpaca_string_free", P(json));
    progress_answer = 1;
    CHECK(CALL("alpaca_bench", P(model), P(params), P(&json)).q == ALPACA_CANCELLED && json == NULL, "%s", message());
    progress_answer = 0;
}

/* Pieces are added, the file is written and verified; the model is converted. */
static void test_files(void) {
    char folder[] = "/tmp/alpaca-harness-XXXXXX", path[64];
    CHECK(mkdtemp(folder) != NULL, "%s", folder);
    snprintf(path, sizeof path, "%s/tokenizer.model", folder);
    void *llama = NULL, *merged = NULL, *padded = NULL, *json = NULL;
    CHECK(CALL("alpaca_tokenizer_open", P("Tests/Goldens/tokenizers/mini_llama.model"), P(&llama)).q == ALPACA_OK, "%s", message());
    CHECK(CALL("alpaca_tokenizer_merge", P(llama), P("Tests/Goldens/tokenizers/mini_chinese_sp.model"), P(&merged)).q == ALPACA_OK, "%s",
          message());
    CHECK(CALL("alpaca_tokenizer_add_piece", P(merged), P("[PAD]"), N(ALPACA_NUL_TERMINATED), ((value){.f = 0.5f}), N(ALPACA_PIECE_DEFAULT),
               P(&padded)).q == ALPACA_OK, "%s", message());
    CHECK(CALL("alpaca_tokenizer_size", P(padded)).q == 3941, "size");
    CHECK(CALL("alpaca_tokenizer_save", P(padded), P(path), N(0)).q == ALPACA_OK, "%s", message());
    CHECK(CALL("alpaca_tokenizer_save", P(padded), P(path), N(0)).q != ALPACA_OK, "written over");

    char params[SIZE_alpaca_verify_params];
    const char *paths[] = {path};
    CHECK(CALL("alpaca_verify_params_init", P(params), N(sizeof params)).q == ALPACA_OK, "%s", message());
    FIELD(int32_t, params, alpaca_verify_params, n_threads) = 1;
    CHECK(CALL("alpaca_verify", P(paths), N(1), P(params), P(&json)).q == ALPACA_OK, "%s", message());
    CHECK(strstr(CALL("alpaca_string_data", P(json)).p, "\"ok\": true") != NULL, "%s", (char *)CALL("alpaca_string_data", P(json)).p);
    CALL("alpaca_string_free", P(json));

    char convert[SIZE_alpaca_convert_params];
    CHECK(CALL("alpaca_convert_params_init", P(convert), N(sizeof convert)).q == ALPACA_OK, "%s", message());
    FIELD(const char *, convert, alpaca_convert_params, base) = path;
    FIELD(const char *, convert, alpaca_convert_params, output) = path;
    CHECK(CALL("alpaca_convert_plan", P(convert), P(&json)).q != ALPACA_OK && json == NULL && message()[0] != 0, "planned");
    CHECK(CALL("alpaca_convert", P(convert), P(NULL), P(&json)).q != ALPACA_OK && json == NULL && message()[0] != 0, "converted");
    char output[64], result[SIZE_alpaca_convert_result] = {0};
    snprintf(output, sizeof output, "%s/model.gguf", folder);
    FIELD(const char *, convert, alpaca_convert_params, base) = model_path;
    FIELD(const char *, convert, alpaca_convert_params, output) = output;
    FIELD(const char *, convert, alpaca_convert_params, quantization) = "q4_0";
    FIELD(size_t, result, alpaca_convert_result, struct_size) = sizeof result;
    CHECK(CALL("alpaca_convert_plan", P(convert), P(&json)).q == ALPACA_OK && json != NULL, "%s", message());
    CALL("alpaca_string_free", P(json));
    CHECK(CALL("alpaca_convert", P(convert), P(result), P(NULL)).q == ALPACA_OK, "%s", message());
    CHECK(FIELD(uint64_t, result, alpaca_convert_result, size_bytes) > 1000000 && unlink(output) == 0, "%s", output);

    CALL("alpaca_tokenizer_free", P(llama));
    CALL("alpaca_tokenizer_free", P(merged));
    CALL("alpaca_tokenizer_free", P(padded));
    CHECK(unlink(path) == 0 && rmdir(folder) == 0, "%s is not empty", folder);
}

static void test_low_level(void *model) {
    void *session = NULL;
    char params[SIZE_alpaca_session_params];
    CHECK(CALL("alpaca_session_params_init", P(params), N(sizeof params)).q == ALPACA_OK, "%s", message());
    FIELD(int32_t, params, alpaca_session_params, n_ctx) = 256;
    FIELD(int32_t, params, alpaca_session_params, n_threads) = 1;
    CHECK(CALL("alpaca_session_create", P(model), P(params), P(&session)).q == ALPACA_OK, "%s", message());
    CHECK(CALL("alpaca_session_context_length", P(session)).q == 256, "n_ctx");
    CHECK(CALL("alpaca_session_thread_count", P(session)).q == 1, "n_threads");
    /* The poem, token by token: what alpaca_session_generate does, from outside. */
    char greedy[SIZE_alpaca_generation_params];
    CALL("alpaca_generation_params_init", P(greedy), N(sizeof greedy));
    FIELD(float, greedy, alpaca_generation_params, temperature) = 0;
    FIELD(int32_t, greedy, alpaca_generation_params, repeat_last_n) = -1;
    void *other = make_session(model);
    struct recorder *r = calloc(1, sizeof *r);
    int32_t finish, held[256], ids[256];
    size_t n = 0, count = 0;
    write_text(other, r, 40, &finish);
    CHECK(CALL("alpaca_session_tokens", P(other), P(held), N(256), P(&n)).q == ALPACA_OK, "%s", message());
    size_t prompt_length = n - (size_t)r->n;
    CHECK(CALL("alpaca_session_append", P(session), P(held), N(prompt_length)).q == ALPACA_OK, "%s", message());
    for (; count < (size_t)r->n; count++) {
        const float *logits = NULL;
        size_t n_logits = 0;
        CHECK(CALL("alpaca_session_logits", P(session), P(&logits), P(&n_logits)).q == ALPACA_OK && n_logits > 1000, "%s", message());
        CHECK(CALL("alpaca_session_sample", P(session), P(greedy), P(&ids[count])).q == ALPACA_OK, "%s", message());
        CHECK(CALL("alpaca_session_append", P(session), P(&ids[count]), N(1)).q == ALPACA_OK, "%s", message());
    }
    CHECK(count > 5 && memcmp(ids, r->ids, count * sizeof *ids) == 0, "ids differ from generate's");
    CHECK(CALL("alpaca_session_truncate", P(session), N(3)).q == ALPACA_OK && CALL("alpaca_session_position", P(session)).q == 3, "truncate");
    CALL("alpaca_session_free", P(session));
    CALL("alpaca_session_free", P(other));
    free(r);
}

/* Two sessions read together what one reads alone. */
static void test_step(void *model) {
    void *sessions[3];
    int32_t ids[] = {1, 300, 301, 302};
    const float *logits[3];
    size_t n = 0;
    for (int i = 0; i < 3; i++) sessions[i] = make_session(model);
    char inputs[2][SIZE_alpaca_step_input] = {{0}};
    for (int i = 0; i < 2; i++) {
        FIELD(void *, inputs[i], alpaca_step_input, session) = sessions[i];
        FIELD(const int32_t *, inputs[i], alpaca_step_input, ids) = ids + i;
        FIELD(size_t, inputs[i], alpaca_step_input, n_ids) = (size_t)(4 - i);
    }
    CHECK(CALL("alpaca_sessions_step", P(inputs), N(2)).q == ALPACA_OK, "%s", message());
    for (int i = 0; i < 2; i++) {
        CHECK(CALL("alpaca_session_truncate", P(sessions[2]), N(0)).q == ALPACA_OK, "%s", message());
        CHECK(CALL("alpaca_session_append", P(sessions[2]), P(ids + i), N(4 - i)).q == ALPACA_OK, "%s", message());
        CHECK(CALL("alpaca_session_logits", P(sessions[i]), P(&logits[i]), P(&n)).q == ALPACA_OK, "%s", message());
        CHECK(CALL("alpaca_session_logits", P(sessions[2]), P(&logits[2]), P(&n)).q == ALPACA_OK && n > 1000, "%s", message());
        CHECK(memcmp(logits[i], logits[2], n * sizeof(float)) == 0, "session %d", i);
    }
    FIELD(void *, inputs[1], alpaca_step_input, session) = sessions[0];
    CHECK(CALL("alpaca_sessions_step", P(inputs), N(2)).q == ALPACA_INVALID_ARGUMENT, "a session twice");
    CHECK(strncmp(message(), "inputs[1].session: ", 19) == 0, "%s", message());
    for (int i = 0; i < 3; i++) CALL("alpaca_session_free", P(sessions[i]));
}

static void test_generation(void *model) {
    void *session = make_session(model);
    struct recorder *r = calloc(1, sizeof *r);
    int32_t finish;
    CHECK(write_text(session, r, 512, &finish) == ALPACA_OK && finish == ALPACA_FINISH_END_OF_SEQUENCE, "%s", message());
    CHECK(strcmp(r->text, poem) == 0, "%s", r->text);

    memset(r, 0, sizeof *r);
    char chat[SIZE_alpaca_message] = {0};
    FIELD(int32_t, chat, alpaca_message, role) = ALPACA_ROLE_USER;
    FIELD(const char *, chat, alpaca_message, content) = prompt;
    FIELD(size_t, chat, alpaca_message, length) = strlen(prompt);
    CHECK(CALL("alpaca_session_chat", P(session), P(chat), N(1), P(NULL), P(token_callback), P(r), P(NULL)).q == ALPACA_OK && r->n > 0, "%s",
          message());

    memset(r, 0, sizeof *r);
    r->stop_at = 3;
    CHECK(write_text(session, r, 0, &finish) == ALPACA_OK && finish == ALPACA_FINISH_CALLBACK && r->n == 3, "%d", finish);
    memset(r, 0, sizeof *r);
    r->cancel_at = 3;
    CHECK(write_text(session, r, 0, &finish) == ALPACA_OK && finish == ALPACA_FINISH_CANCELLED && r->n == 3, "%d", finish);
    CALL("alpaca_session_free", P(session));
    free(r);
}

static void *cancel_soon(void *session) {
    while (CALL("alpaca_session_position", P(session)).q < 200) usleep(100);
    CALL("alpaca_session_cancel", P(session));
    return NULL;
}

static void test_cancel_from_thread(void *model) {
    void *session = make_session(model);
    struct recorder *r = calloc(1, sizeof *r);
    pthread_t thread;
    int32_t finish;
    pthread_create(&thread, NULL, cancel_soon, session);
    CHECK(write_text(session, r, 0, &finish) == ALPACA_OK && finish == ALPACA_FINISH_CANCELLED, "%d", finish);
    pthread_join(thread, NULL);
    CALL("alpaca_session_free", P(session));
    free(r);
}

static void test_progress(void) {
    char params[SIZE_alpaca_model_params];
    void *model = NULL;
    progress_calls = 0;
    CHECK(CALL("alpaca_model_params_init", P(params), N(sizeof params)).q == ALPACA_OK, "%s", message());
    FIELD(int32_t, params, alpaca_model_params, use_mmap) = 0;
    FIELD(void *, params, alpaca_model_params, progress) = progress_callback;
    CHECK(CALL("alpaca_model_open", P(model_path), P(params), P(&model)).q == ALPACA_OK && progress_calls > 0, "%s", message());
    CALL("alpaca_model_free", P(model));
    progress_answer = 1;
    CHECK(CALL("alpaca_model_open", P(model_path), P(params), P(&model)).q == ALPACA_CANCELLED && model == NULL, "%s", message());
}

/* ---- Misuse: every function, every argument, in all combinations that need no valid memory */

static void test_misuse(void *model) {
    void *session = make_session(model), *freed = make_session(model);
    CALL("alpaca_session_free", P(freed));
    int local = 0;
    const uint64_t handles[] = {0, 1, 64, UINT64_MAX, (uint64_t)(uintptr_t)&local, (uint64_t)(uintptr_t)session, (uint64_t)(uintptr_t)freed,
                                (uint64_t)(uintptr_t)session + 8, 0x8000000000000000u};
    const uint64_t numbers[] = {0, 1, 2, 0x7FFFFFFF, 0x80000000u, 0xFFFFFFFFu, 0x7FFFFFFFFFFFFFFFu, 0x8000000000000000u, UINT64_MAX};
    long calls = 0;
    for (size_t i = 0; i < sizeof functions / sizeof *functions; i++) {
        struct function *f = &functions[i];
        size_t n = strlen(f->signature) - 1;
        size_t combinations = 1;
        for (size_t a = 0; a < n; a++) combinations *= f->signature[a + 1] == 'p' ? 1 : 9;
        for (size_t c = 0; c < combinations; c++) {
            value arguments[16] = {{0}};
            size_t rest = c;
            int valid = 1; /* whether all handles are live ones of the right kind */
            for (size_t a = 0; a < n; a++) {
                char letter = f->signature[a + 1];
                if (letter == 'p') continue; /* NULL */
                size_t choice = rest % 9;
                rest /= 9;
                int is_handle = strchr("MTSX", letter) != NULL;
                arguments[a].q = is_handle ? handles[choice] : numbers[choice];
                if (is_handle) valid = valid && letter == 'S' && choice == 5;
            }
            /* A session of our own: what frees it, or works on it for long, has its own tests. */
            if (valid && strcmp(f->name, "alpaca_session_free") == 0) continue;
            value result = call_function(f, arguments);
            calls++;
            if (f->signature[0] != 'e') continue;
            int may_succeed = strcmp(f->name, "alpaca_session_truncate") == 0 || strcmp(f->name, "alpaca_session_append") == 0;
            if (!may_succeed || !valid) {
                CHECK(result.q == ALPACA_INVALID_ARGUMENT || (valid && result.q == ALPACA_OK), "%s: %s: %s", f->name,
                      (char *)CALL("alpaca_status_name", N(result.q)).p, message());
                CHECK(message()[0] != 0, "%s", f->name);
            }
        }
    }
    CHECK(calls > 1000, "%ld", calls);
    CALL("alpaca_session_free", P(session));
}

/* ---- The host */

static struct sigaction before[NSIG];
static stack_t stack_before;

static void note_signals(void) {
    for (int i = 1; i < NSIG; i++) sigaction(i, NULL, &before[i]);
    sigaltstack(NULL, &stack_before);
}

static void check_signals(const char *when) {
    sigset_t mask;
    stack_t stack;
    for (int i = 1; i < NSIG; i++) {
        struct sigaction now;
        if (sigaction(i, NULL, &now) != 0) continue;
        CHECK(now.sa_handler == before[i].sa_handler && now.sa_flags == before[i].sa_flags, "signal %d %s", i, when);
    }
    sigaltstack(NULL, &stack);
    CHECK(stack.ss_sp == stack_before.ss_sp && stack.ss_flags == stack_before.ss_flags, "alternate stack %s", when);
    pthread_sigmask(SIG_BLOCK, NULL, &mask);
    for (int i = 1; i < NSIG; i++) CHECK(sigismember(&mask, i) != 1, "signal %d is blocked %s", i, when);
}

static void *whole_run(void *unused) {
    void *model = open_model();
    (void)unused;
    test_getters(model);
    test_tokenizer(model);
    test_generation(model);
    CALL("alpaca_model_free", P(model));
    return NULL;
}

static void test_small_stack(void) {
    pthread_attr_t attributes;
    pthread_t thread;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, 64 << 10);
    CHECK(pthread_create(&thread, &attributes, whole_run, NULL) == 0, "thread");
    pthread_join(thread, NULL);
    pthread_attr_destroy(&attributes);
}

static void test_fork(void) {
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        alarm(60);
        failed = 0;
        whole_run(NULL);
        fflush(stdout);
        _exit(failed != 0);
    }
    int status = -1;
    waitpid(child, &status, 0);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0, "the child ended with %x", status);
}

static int open_descriptors(void) {
    int count = 0;
    for (int i = 0; i < 256; i++) count += fcntl(i, F_GETFD) >= 0;
    return count;
}

int main(int argc, char **argv) {
    if (argc != 4) return fprintf(stderr, "usage: harness LIBRARY MODEL COPY_OF_LIBRARY\n"), 2;
    model_path = argv[2];
    note_signals();
    void *library = bind(argv[1]);
    check_signals("after dlopen");
    token_callback = closure(on_token);
    progress_callback = closure(on_progress);
    int descriptors = open_descriptors();

    void *model = open_model();
    test_getters(model);
    test_tokenizer(model);
    test_files();
    test_bench(model);
    test_low_level(model);
    test_step(model);
    test_generation(model);
    test_cancel_from_thread(model);
    test_progress();
    check_signals("after use");
    test_misuse(model);
    check_signals("after misuse");
    test_small_stack();
    test_fork(); /* with a model open in the parent */
    CALL("alpaca_model_free", P(model));
    test_fork();
    CHECK(open_descriptors() == descriptors, "%d descriptors, were %d", open_descriptors(), descriptors);

    for (size_t i = 0; i < sizeof functions / sizeof *functions; i++) CHECK(functions[i].calls > 0, "%s was not called", functions[i].name);

    for (int i = 0; i < 50; i++) {
        dlclose(library);
        library = bind(argv[1]);
    }
    whole_run(NULL);
    /* A second copy: objects of its own, and handles of the first are none of the second's. */
    model = open_model();
    void *second = bind(argv[3]);
    whole_run(NULL);
    char info[SIZE_alpaca_model_info] = {0};
    FIELD(size_t, info, alpaca_model_info, struct_size) = sizeof info;
    if (second != library) CHECK(CALL("alpaca_model_get_info", P(model), P(info)).q == ALPACA_INVALID_ARGUMENT, "another copy's handle");
    bind(argv[1]);
    CHECK(CALL("alpaca_model_get_info", P(model), P(info)).q == ALPACA_OK, "%s", message());
    CALL("alpaca_model_free", P(model));
    check_signals("at the end");
    printf("libffi harness: %d passed, %d failed\n", passed, failed);
    return failed != 0;
}
