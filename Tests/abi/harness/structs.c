/* Structs grow in both directions. All that begin with their size are taken from the header's description: programs older and newer than the
 * library hand them over, and no field has a value that does harm. */
#include "harness.h"

#define ROOM (1 << 17)
static char memory[ROOM] __attribute__((aligned(16)));

/* What a program must fill in beyond the defaults, as far as its struct reaches. */
static void fill_in(const char *name, size_t size) {
#define SET(type, struct, field, value) \
    if (strcmp(name, #struct) == 0 && AT_##struct##_##field + sizeof(type) <= size) FIELD(type, memory, struct, field) = (value)
    SET(int32_t, alpaca_session_params, n_ctx, 64);
    SET(int32_t, alpaca_session_params, n_threads, 1);
    SET(int32_t, alpaca_generation_params, max_new_tokens, 1);
    SET(const char *, alpaca_generation_params, template_name, "none");
    SET(int32_t, alpaca_perplexity_params, n_ctx, 8);
    SET(int32_t, alpaca_imatrix_params, n_ctx, 8);
    SET(const char *, alpaca_imatrix_params, output, "/dev/null");
    static char tests[4 * SIZE_alpaca_bench_test];
    FIELD(int32_t, tests, alpaca_bench_test, n_gen) = 1;
    SET(void *, alpaca_bench_params, tests, tests);
    SET(size_t, alpaca_bench_params, n_tests, 1);
    SET(int32_t, alpaca_bench_params, n_repetitions, 1);
    SET(int32_t, alpaca_bench_params, roofs, 0);
    SET(const char *, alpaca_convert_params, base, model_path);
    SET(const char *, alpaca_convert_params, output, "/dev/null");
#undef SET
}

/* The smallest struct of `name` that any version of the library had and that says enough. */
static size_t smallest(const char *name) {
    if (strcmp(name, "alpaca_convert_params") == 0) return AT_alpaca_convert_params_output + 8;
    if (strcmp(name, "alpaca_imatrix_params") == 0) return AT_alpaca_imatrix_params_n_ctx + 4; /* by default a chunk is longer than the text */
    if (strcmp(name, "alpaca_bench_params") == 0) return AT_alpaca_bench_params_roofs + 8; /* the defaults take long */
    return 8;
}

/* One call that takes the struct in `memory`. A struct that a callback is given is the library's own: none takes it. */
static int use(void *model, const char *name, uint64_t *status) {
    char sizes[SIZE_alpaca_session_params];
    void *session = NULL, *made = NULL;
    CALL("alpaca_session_params_init", P(sizes), N(sizeof sizes));
    FIELD(int32_t, sizes, alpaca_session_params, n_ctx) = strncmp(name, "alpaca_perplexity", 17) == 0 ? 32 : 128;
    FIELD(int32_t, sizes, alpaca_session_params, n_threads) = 1;
    CHECK(CALL("alpaca_session_create", P(model), P(sizes), P(&session)).q == ALPACA_OK, "%s", message());
    const char *paths[] = {"Tests/Goldens/tokenizers/mini_llama.model"};
    struct recorder *r = calloc(1, sizeof *r);
    char perplexity[SIZE_alpaca_perplexity_params], convert[SIZE_alpaca_convert_params];
    r->stop_at = 1;
    int known = 1;
    if (strcmp(name, "alpaca_model_params") == 0) {
        *status = CALL("alpaca_model_open", P(model_path), P(memory), P(&made)).q;
        CALL("alpaca_model_free", P(made));
    } else if (strcmp(name, "alpaca_session_params") == 0) {
        *status = CALL("alpaca_session_create", P(model), P(memory), P(&made)).q;
        CALL("alpaca_session_free", P(made));
    } else if (strcmp(name, "alpaca_generation_params") == 0) {
        *status = CALL("alpaca_session_generate", P(session), P("a"), N(1), P(memory), P(token_callback), P(r), P(NULL)).q;
    } else if (strcmp(name, "alpaca_generation_result") == 0) {
        *status = CALL("alpaca_session_generate", P(session), P("a"), N(1), P(NULL), P(token_callback), P(r), P(memory)).q;
    } else if (strcmp(name, "alpaca_perplexity_params") == 0) {
        char result[SIZE_alpaca_perplexity_result] = {0};
        FIELD(size_t, result, alpaca_perplexity_result, struct_size) = sizeof result;
        /* As long as the windows of a client that can't say how long they are to be: the session's. */
        char text[256];
        snprintf(text, sizeof text, "%s%s", poem, poem);
        *status = CALL("alpaca_perplexity", P(session), P(text), N(ALPACA_NUL_TERMINATED), P(memory), P(result)).q;
    } else if (strcmp(name, "alpaca_perplexity_result") == 0) {
        CALL("alpaca_perplexity_params_init", P(perplexity), N(sizeof perplexity));
        FIELD(int32_t, perplexity, alpaca_perplexity_params, n_ctx) = 8;
        *status = CALL("alpaca_perplexity", P(session), P(poem), N(ALPACA_NUL_TERMINATED), P(perplexity), P(memory)).q;
    } else if (strcmp(name, "alpaca_imatrix_params") == 0) {
        *status = CALL("alpaca_imatrix", P(session), P(poem), N(ALPACA_NUL_TERMINATED), P(memory), P(&made)).q;
        CALL("alpaca_string_free", P(made));
    } else if (strcmp(name, "alpaca_render_params") == 0) {
        const char *messages = "[{\"role\": \"user\", \"content\": \"a\"}]";
        *status = CALL("alpaca_model_render_chat", P(model), P(messages), N(ALPACA_NUL_TERMINATED), P(memory), P(&made), P(NULL), N(0), P(NULL)).q;
        CALL("alpaca_string_free", P(made));
    } else if (strcmp(name, "alpaca_verify_params") == 0) {
        *status = CALL("alpaca_verify", P(paths), N(1), P(memory), P(&made)).q;
        CALL("alpaca_string_free", P(made));
    } else if (strcmp(name, "alpaca_bench_params") == 0) {
        *status = CALL("alpaca_bench", P(model), P(memory), P(&made)).q;
        CALL("alpaca_string_free", P(made));
    } else if (strcmp(name, "alpaca_convert_params") == 0) {
        *status = CALL("alpaca_convert_plan", P(memory), P(&made)).q;
        CALL("alpaca_string_free", P(made));
    } else if (strcmp(name, "alpaca_convert_result") == 0) {
        CALL("alpaca_convert_params_init", P(convert), N(sizeof convert));
        FIELD(const char *, convert, alpaca_convert_params, base) = model_path;
        FIELD(const char *, convert, alpaca_convert_params, output) = "/dev/null";
        *status = CALL("alpaca_convert", P(convert), P(memory), P(NULL)).q;
    } else if (strcmp(name, "alpaca_model_info") == 0) {
        *status = CALL("alpaca_model_get_info", P(model), P(memory)).q;
    } else {
        known = 0;
    }
    CALL("alpaca_session_free", P(session));
    free(r);
    return known;
}

/* Whether a callback is given a pointer to it. */
static int is_given_to_callbacks(const char *name) {
    char text[80];
    snprintf(text, sizeof text, "(const %s *", name);
    for (const struct callback *c = callbacks; c->name; c++) {
        if (strstr(c->type, text)) return 1;
    }
    return 0;
}

static int is(size_t from, size_t to, char byte) {
    for (size_t i = from; i < to; i++) {
        if (memory[i] != byte) return 0;
    }
    return 1;
}

static const size_t bad_sizes[] = {0, 1, 7, 9, 12, 1 << 16 | 8, SIZE_MAX, SIZE_MAX - 7, (size_t)1 << 63};

static void test_params(void *model, const struct structure *s) {
    char name[80];
    snprintf(name, sizeof name, "%s_init", s->name);
    struct function *init = function_named(name);
    uint64_t status = 0;
    for (size_t i = 0; i < sizeof bad_sizes / sizeof *bad_sizes; i++) {
        memset(memory, 0x55, sizeof memory);
        CHECK(call_function(init, (value[]){P(memory), N(bad_sizes[i])}).q == ALPACA_INVALID_ARGUMENT && is(0, ROOM, 0x55), "%s", s->name);
        memcpy(memory, &bad_sizes[i], 8);
        CHECK(use(model, s->name, &status) && status == ALPACA_INVALID_ARGUMENT && strstr(message(), "struct_size"), "%s: %s", s->name,
              message());
    }
    /* Older programs. Not a byte behind their struct is touched; what they do not have takes its default, whatever stands there. */
    for (size_t size = smallest(s->name); size <= s->size; size += 8) {
        memset(memory, 0x55, sizeof memory);
        CHECK(call_function(init, (value[]){P(memory), N(size)}).q == ALPACA_OK && *(size_t *)memory == size, "%s", message());
        CHECK(is(size, ROOM, 0x55), "%s of %zu bytes", s->name, size);
        fill_in(s->name, size);
        CHECK(use(model, s->name, &status) && status == ALPACA_OK, "%s of %zu bytes: %s", s->name, size, message());
        CHECK(is(size, ROOM, 0x55), "%s of %zu bytes", s->name, size);
    }
    /* Newer ones: what this library does not know is zero, or it says that it can't. */
    const size_t larger[] = {s->size + 8, s->size + 64, 1 << 16};
    for (size_t i = 0; i < 3; i++) {
        memset(memory, 0x55, sizeof memory);
        CHECK(call_function(init, (value[]){P(memory), N(larger[i])}).q == ALPACA_OK && is(s->size, larger[i], 0), "%s", s->name);
        CHECK(is(larger[i], ROOM, 0x55), "%s", s->name);
        fill_in(s->name, larger[i]);
        CHECK(use(model, s->name, &status) && status == ALPACA_OK, "%s: %s", s->name, message());
        const size_t places[] = {s->size, (s->size + larger[i]) / 2, larger[i] - 1};
        for (size_t p = 0; p < 3; p++) {
            memory[places[p]] = 1;
            CHECK(use(model, s->name, &status) && status == ALPACA_UNSUPPORTED, "%s, byte %zu: %s", s->name, places[p], message());
            memory[places[p]] = 0;
        }
    }
}

static void test_result(void *model, const struct structure *s) {
    uint64_t status = 0;
    for (size_t i = 0; i < sizeof bad_sizes / sizeof *bad_sizes; i++) {
        memset(memory, 0x55, sizeof memory);
        memcpy(memory, &bad_sizes[i], 8);
        use(model, s->name, &status);
        CHECK(status == ALPACA_INVALID_ARGUMENT && is(8, ROOM, 0x55), "%s of %zu bytes", s->name, bad_sizes[i]);
    }
    for (size_t size = 8; size <= s->size + 64; size += 8) {
        memset(memory, 0x55, sizeof memory);
        memcpy(memory, &size, 8);
        use(model, s->name, &status);
        size_t ours = size < s->size ? size : s->size;
        CHECK(status == ALPACA_OK && *(size_t *)memory == ours, "%s of %zu bytes: %s", s->name, size, message());
        CHECK(is(ours, size, 0) && is(size, ROOM, 0x55), "%s of %zu bytes", s->name, size);
    }
}

/* Each field at what no program should put there; pointers are NULL. The call says what is wrong, or goes on without harm. */
static void test_fields(void *model, const struct structure *s) {
    static const int64_t integers[] = {0, 1, 2, -1, INT32_MAX, INT32_MIN, INT64_MAX, INT64_MIN, 0x10000};
    static const double numbers[] = {0, 1, -1, 1e-300, 1e300, -0.0, __builtin_nan(""), __builtin_inf(), -__builtin_inf()};
    char name[80];
    snprintf(name, sizeof name, "%s_init", s->name);
    for (const struct field *f = s->fields; f->name; f++) {
        if (f->at == 0) continue;
        for (int i = 0; i < 9; i++) {
            call_function(function_named(name), (value[]){P(memory), N(s->size)});
            fill_in(s->name, s->size);
            float single = (float)numbers[i];
            if (f->letter == 'f') memcpy(memory + f->at, &single, 4);
            else if (f->letter == 'd') memcpy(memory + f->at, &numbers[i], 8);
            else if (f->letter == 'p') memset(memory + f->at, 0, 8);
            else memcpy(memory + f->at, &integers[i], f->size);
            uint64_t status = 99;
            use(model, s->name, &status);
            CHECK(status == ALPACA_OK || status == ALPACA_INVALID_ARGUMENT || status == ALPACA_UNSUPPORTED || status == ALPACA_OUT_OF_MEMORY,
                  "%s.%s, value %d: %s: %s", s->name, f->name, i, status_name(status), message());
            /* NaN and infinity are never a wish. */
            if (i >= 6 && strchr("fd", f->letter)) CHECK(status == ALPACA_INVALID_ARGUMENT, "%s.%s: %g", s->name, f->name, numbers[i]);
        }
    }
}

void test_structs(void *model) {
    for (const struct structure *s = structures; s->name; s++) {
        if (!s->grows || is_given_to_callbacks(s->name)) continue;
        uint64_t status;
        memset(memory, 0, sizeof memory);
        CHECK(use(model, s->name, &status), "no call uses %s: add one to structs.c", s->name);
        if (strstr(s->name, "_params")) test_params(model, s), test_fields(model, s);
        else test_result(model, s);
    }
}
