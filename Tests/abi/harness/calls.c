/* Calls by libffi, callbacks as closures. */
#define DEFINE_SIGNATURES
#include "harness.h"

#include <dlfcn.h>
#include <ffi.h>
#include <ftw.h>

const char *model_path;
char folder[] = "/tmp/alpaca-harness-XXXXXX";
const char *const prompt = "写一首五言绝句，题目是《秋夜》";
const char *const poem = "故国无尘土，山林下水流。\n不知何处去，不忍见花枝。";

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

struct function *function_named(const char *name) {
    for (struct function *f = functions; f->name; f++) {
        if (strcmp(f->name, name) == 0) return f;
    }
    fprintf(stderr, "harness: no function %s\n", name);
    exit(1);
}

const struct structure *structure_named(const char *name) {
    for (const struct structure *s = structures; s->name; s++) {
        if (strcmp(s->name, name) == 0) return s;
    }
    return NULL;
}

/* Each call is watched: it leaves what belongs to the host as it was. */
value call_function(struct function *f, const value *arguments) {
    ffi_cif cif;
    ffi_type *types[MOST_ARGUMENTS];
    void *pointers[MOST_ARGUMENTS];
    value result = {0};
    struct host before, after;
    unsigned n = (unsigned)strlen(f->signature) - 1;
    for (unsigned i = 0; i < n; i++) types[i] = type_of(f->signature[i + 1]), pointers[i] = (void *)&arguments[i];
    if (ffi_prep_cif(&cif, FFI_DEFAULT_ABI, n, type_of(f->signature[0]), types) != FFI_OK) abort();
    look_at_host(&before);
    ffi_call(&cif, FFI_FN(f->address), &result, pointers);
    look_at_host(&after);
    __atomic_fetch_add(&f->calls, 1, __ATOMIC_RELAXED);
    const char *difference = host_difference(&before, &after);
    CHECK(difference == NULL, "%s changed the host's %s", f->name, difference);
    if (strchr("uei", f->signature[0])) result.q = (uint32_t)result.q;
    return result;
}

void *bind(const char *path) {
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (library == NULL) fprintf(stderr, "harness: %s\n", dlerror()), exit(1);
    for (struct function *f = functions; f->name; f++) {
        f->address = dlsym(library, f->name);
        if (f->address == NULL) fprintf(stderr, "harness: %s is not exported\n", f->name), exit(1);
    }
    return library;
}

const char *message(void) { return (const char *)CALL("alpaca_last_error").p; }
const char *status_name(uint64_t status) { return (const char *)CALL("alpaca_status_name", N(status)).p; }

/* ---- Callbacks */

void *token_callback, *progress_callback, *log_callback;

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
    if (r->body) r->body();
    if (r->cancel_at && r->n == r->cancel_at) CALL("alpaca_session_cancel", P(r->session));
    if (r->stop_at && r->n == r->stop_at) answer = 1;
    *(ffi_sarg *)result = answer;
}

static void on_progress(ffi_cif *cif, void *result, void **arguments, void *unused) {
    const char *progress = *(const char **)arguments[0];
    struct progress_recorder *r = *(struct progress_recorder **)arguments[1];
    (void)cif, (void)unused;
    r->n++;
    const char *stage = FIELD(const char *, progress, alpaca_progress, stage);
    if (FIELD(size_t, progress, alpaca_progress, struct_size) != SIZE_alpaca_progress) stage = "size";
    if (FIELD(const char *, progress, alpaca_progress, item) == NULL) stage = "item";
    if (strstr(r->stages, stage) == NULL && strlen(r->stages) + strlen(stage) + 2 < sizeof r->stages) {
        if (*r->stages) strcat(r->stages, " ");
        strcat(r->stages, stage);
    }
    r->done = FIELD(uint64_t, progress, alpaca_progress, done);
    r->total = FIELD(uint64_t, progress, alpaca_progress, total);
    CHECK(r->done <= r->total, "%s", stage);
    if (r->body) r->body();
    *(ffi_sarg *)result = r->cancel_at && r->n == r->cancel_at;
}

static void on_log(ffi_cif *cif, void *result, void **arguments, void *unused) {
    const char *entry = *(const char **)arguments[0];
    struct log_recorder *r = *(struct log_recorder **)arguments[1];
    (void)cif, (void)unused, (void)result;
    size_t length = FIELD(size_t, entry, alpaca_log_entry, text_length);
    CHECK(FIELD(size_t, entry, alpaca_log_entry, struct_size) == SIZE_alpaca_log_entry && length > 0, "an entry of the log");
    if (FIELD(int32_t, entry, alpaca_log_entry, level) == ALPACA_LOG_ERROR) r->errors++;
    if (FIELD(int32_t, entry, alpaca_log_entry, level) == ALPACA_LOG_WARNING) r->warnings++;
    snprintf(r->text, sizeof r->text, "%.*s", (int)length, FIELD(const char *, entry, alpaca_log_entry, text));
    if (r->body) r->body();
}

/* What the library can call as a callback of the header's type `name`. */
static void *closure(const char *name, void (*body)(ffi_cif *, void *, void **, void *)) {
    for (const struct callback *c = callbacks; c->name; c++) {
        if (strcmp(c->name, name) != 0) continue;
        /* Both live as long as the closure: as long as the process. */
        ffi_cif *cif = malloc(sizeof *cif);
        ffi_type **types = malloc(MOST_ARGUMENTS * sizeof *types);
        void *code;
        ffi_closure *memory = ffi_closure_alloc(sizeof(ffi_closure), &code);
        if (cif == NULL || types == NULL || memory == NULL) abort();
        unsigned n = (unsigned)strlen(c->signature) - 1;
        for (unsigned i = 0; i < n; i++) types[i] = type_of(c->signature[i + 1]);
        if (ffi_prep_cif(cif, FFI_DEFAULT_ABI, n, type_of(c->signature[0]), types) != FFI_OK) abort();
        if (ffi_prep_closure_loc(memory, cif, body, NULL, code) != FFI_OK) abort();
        return code;
    }
    fprintf(stderr, "harness: no callback %s\n", name);
    exit(1);
}

void make_callbacks(void) {
    token_callback = closure("alpaca_token_callback", on_token);
    progress_callback = closure("alpaca_progress_callback", on_progress);
    log_callback = closure("alpaca_log_callback", on_log);
    int n = 0;
    for (const struct callback *c = callbacks; c->name; c++) n++;
    CHECK(n == 3, "the header has %d kinds of callbacks: make a closure of each", n);
}

/* ---- What all tests start from */

static int remove_entry(const char *path, const struct stat *status, int kind, struct FTW *where) {
    (void)status, (void)kind, (void)where;
    CHECK(remove(path) == 0, "%s", path);
    return 0;
}

void remove_tree(const char *path) { nftw(path, remove_entry, 8, FTW_PHYS | FTW_DEPTH); }

void *open_model(void) {
    void *model = NULL;
    value status = CALL("alpaca_model_open", P(model_path), P(NULL), P(&model));
    CHECK(status.q == ALPACA_OK && model != NULL, "%s", message());
    return model;
}

int in_valgrind(void) { return getenv("HARNESS_VALGRIND") != NULL; }

void *make_session(void *model) {
    void *session = NULL;
    CHECK(CALL("alpaca_session_create", P(model), P(NULL), P(&session)).q == ALPACA_OK && session != NULL, "%s", message());
    return session;
}

uint64_t write_text(void *session, struct recorder *r, int32_t max_new_tokens, int32_t *finish) {
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
