/* Every function, for what it is there for. */
#include "harness.h"

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
    struct progress_recorder told = {0};
    CHECK(CALL("alpaca_bench_params_init", P(params), N(sizeof params)).q == ALPACA_OK, "%s", message());
    FIELD(int32_t, tests, alpaca_bench_test, n_prompt) = 16;
    FIELD(int32_t, tests + SIZE_alpaca_bench_test, alpaca_bench_test, n_gen) = 2;
    FIELD(int32_t, params, alpaca_bench_params, n_repetitions) = 1;
    FIELD(int32_t, params, alpaca_bench_params, roofs) = 0;
    FIELD(void *, params, alpaca_bench_params, progress) = progress_callback;
    FIELD(void *, params, alpaca_bench_params, user_data) = &told;
    FIELD(size_t, params, alpaca_bench_params, n_tests) = 2;
    CHECK(CALL("alpaca_bench", P(model), P(params), P(&json)).q == ALPACA_INVALID_ARGUMENT && json == NULL, "tests at NULL");
    FIELD(void *, params, alpaca_bench_params, tests) = tests;
    CHECK(CALL("alpaca_bench", P(model), P(params), P(&json)).q == ALPACA_OK, "%s", message());
    const char *text = CALL("alpaca_string_data", P(json)).p;
    CHECK(strstr(text, "\"pp16\"") != NULL && strstr(text, "\"tg2\"") != NULL, "%s", text);
    CALL("alpaca_string_free", P(json));
    CHECK(told.n > 0 && strcmp(told.stages, "warm-up measure") == 0, "%s", told.stages);
    told = (struct progress_recorder){.cancel_at = 1};
    CHECK(CALL("alpaca_bench", P(model), P(params), P(&json)).q == ALPACA_CANCELLED && json == NULL, "%s", message());
}

/* Pieces are added, the file is written and verified; the model is converted. */
static void test_files(void) {
    char path[64];
    snprintf(path, sizeof path, "%s/tokenizer.model", folder);
    void *llama = NULL, *merged = NULL, *padded = NULL, *json = NULL;
    CHECK(CALL("alpaca_tokenizer_open", P("Tests/Goldens/tokenizers/mini_llama.model"), P(&llama)).q == ALPACA_OK, "%s", message());
    CHECK(CALL("alpaca_tokenizer_merge", P(llama), P("Tests/Goldens/tokenizers/mini_chinese_sp.model"), P(&merged)).q == ALPACA_OK, "%s",
          message());
    CHECK(CALL("alpaca_tokenizer_add_piece", P(merged), P("[PAD]"), N(ALPACA_NUL_TERMINATED), F(0.5f), N(ALPACA_PIECE_DEFAULT),
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
    CHECK(unlink(path) == 0, "%s", path);
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

/* From a second thread. */
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


/* ---- Progress: told and able to cancel, wherever there is a callback for it */

static uint64_t open_with(struct progress_recorder *r) {
    char params[SIZE_alpaca_model_params];
    void *model = NULL;
    CHECK(CALL("alpaca_model_params_init", P(params), N(sizeof params)).q == ALPACA_OK, "%s", message());
    FIELD(int32_t, params, alpaca_model_params, use_mmap) = 0;
    FIELD(void *, params, alpaca_model_params, progress) = progress_callback;
    FIELD(void *, params, alpaca_model_params, user_data) = r;
    uint64_t status = CALL("alpaca_model_open", P(model_path), P(params), P(&model)).q;
    CHECK((status == ALPACA_OK) == (model != NULL), "%s", message());
    CALL("alpaca_model_free", P(model));
    return status;
}

static uint64_t perplexity_with(struct progress_recorder *r) {
    char params[SIZE_alpaca_perplexity_params], result[SIZE_alpaca_perplexity_result] = {0};
    void *model = open_model(), *session = make_session(model);
    CHECK(CALL("alpaca_perplexity_params_init", P(params), N(sizeof params)).q == ALPACA_OK, "%s", message());
    FIELD(int32_t, params, alpaca_perplexity_params, n_ctx) = 8;
    FIELD(void *, params, alpaca_perplexity_params, progress) = progress_callback;
    FIELD(void *, params, alpaca_perplexity_params, user_data) = r;
    FIELD(size_t, result, alpaca_perplexity_result, struct_size) = sizeof result;
    uint64_t status = CALL("alpaca_perplexity", P(session), P(poem), N(ALPACA_NUL_TERMINATED), P(params), P(result)).q;
    CHECK(status != ALPACA_OK || FIELD(double, result, alpaca_perplexity_result, perplexity) > 1, "perplexity");
    CALL("alpaca_session_free", P(session));
    CALL("alpaca_model_free", P(model));
    return status;
}

static uint64_t verify_with(struct progress_recorder *r) {
    char params[SIZE_alpaca_verify_params];
    const char *paths[] = {model_path};
    void *json = NULL;
    CHECK(CALL("alpaca_verify_params_init", P(params), N(sizeof params)).q == ALPACA_OK, "%s", message());
    FIELD(void *, params, alpaca_verify_params, progress) = progress_callback;
    FIELD(void *, params, alpaca_verify_params, user_data) = r;
    uint64_t status = CALL("alpaca_verify", P(paths), N(1), P(params), P(&json)).q;
    CALL("alpaca_string_free", P(json));
    return status;
}

static uint64_t convert_with(struct progress_recorder *r) {
    char params[SIZE_alpaca_convert_params], output[64];
    snprintf(output, sizeof output, "%s/converted.gguf", folder);
    CHECK(CALL("alpaca_convert_params_init", P(params), N(sizeof params)).q == ALPACA_OK, "%s", message());
    FIELD(const char *, params, alpaca_convert_params, base) = model_path;
    FIELD(const char *, params, alpaca_convert_params, output) = output;
    FIELD(const char *, params, alpaca_convert_params, quantization) = "q8_0";
    FIELD(int32_t, params, alpaca_convert_params, hash_output) = 1;
    FIELD(void *, params, alpaca_convert_params, progress) = progress_callback;
    FIELD(void *, params, alpaca_convert_params, user_data) = r;
    uint64_t status = CALL("alpaca_convert", P(params), P(NULL), P(NULL)).q;
    CHECK((access(output, F_OK) == 0) == (status == ALPACA_OK), "%s", output);
    unlink(output);
    return status;
}

static void test_progress(void) {
    const struct {
        uint64_t (*run)(struct progress_recorder *);
        const char *stages;
    } calls[] = {{open_with, "load"}, {perplexity_with, "perplexity"}, {verify_with, "hash"}, {convert_with, "convert flush hash"}};
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
        struct progress_recorder told = {0}, cancelled = {.cancel_at = 1};
        CHECK(calls[i].run(&told) == ALPACA_OK && told.n > 0, "%s", message());
        /* What is left of a text behind the last whole window is not measured. */
        CHECK(told.done == told.total || calls[i].run == perplexity_with, "%s", told.stages);
        CHECK(strcmp(told.stages, calls[i].stages) == 0, "%s", told.stages);
        CHECK(calls[i].run(&cancelled) == ALPACA_CANCELLED && cancelled.n == 1, "%s: %s", calls[i].stages, message());
    }
}

/* ---- Calling back: in a callback getters work, calls on the same session are refused, other sessions are free */

static void *busy_session, *free_session;
static int called_back;

static void call_back(void) {
    int32_t ids[4] = {5, 5, 5, 5}, id;
    const float *logits;
    size_t n = 0;
    char measured[SIZE_alpaca_perplexity_result] = {0}, measure[SIZE_alpaca_perplexity_params];
    if (called_back++ > 2) return; /* the first ones do */
    FIELD(size_t, measured, alpaca_perplexity_result, struct_size) = sizeof measured;
    CALL("alpaca_perplexity_params_init", P(measure), N(sizeof measure));
    FIELD(int32_t, measure, alpaca_perplexity_params, n_ctx) = 8;
    CHECK(CALL("alpaca_session_context_length", P(busy_session)).q > 0 && CALL("alpaca_session_thread_count", P(busy_session)).q > 0, "getters");
    CALL("alpaca_session_position", P(busy_session));
    const uint64_t refused[] = {
        CALL("alpaca_session_append", P(busy_session), P(ids), N(4)).q,
        CALL("alpaca_session_sample", P(busy_session), P(NULL), P(&id)).q,
        CALL("alpaca_session_truncate", P(busy_session), N(0)).q,
        CALL("alpaca_session_generate", P(busy_session), P("a"), N(1), P(NULL), P(NULL), P(NULL), P(NULL)).q,
        CALL("alpaca_perplexity", P(busy_session), P(poem), N(ALPACA_NUL_TERMINATED), P(measure), P(measured)).q,
    };
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) CHECK(refused[i] == ALPACA_BUSY, "call %zu: %s", i, status_name(refused[i]));
    /* Both are the session's own and can be read: what they give depends on how far the call is. */
    uint64_t read[] = {CALL("alpaca_session_logits", P(busy_session), P(&logits), P(&n)).q,
                       CALL("alpaca_session_tokens", P(busy_session), P(NULL), N(0), P(&n)).q};
    for (int i = 0; i < 2; i++) CHECK(read[i] != ALPACA_INTERNAL, "%s", message());
    CHECK(CALL("alpaca_session_append", P(free_session), P(ids), N(4)).q == ALPACA_OK, "%s", message());
    CHECK(CALL("alpaca_session_truncate", P(free_session), N(0)).q == ALPACA_OK, "%s", message());
    void *model = open_model();
    CALL("alpaca_model_free", P(model));
}

static void cancel_busy_session(void) { CALL("alpaca_session_cancel", P(busy_session)); }

static void test_calling_back(void *model) {
    char params[SIZE_alpaca_perplexity_params], result[SIZE_alpaca_perplexity_result] = {0};
    struct recorder *r = calloc(1, sizeof *r);
    struct progress_recorder p = {.body = call_back};
    int32_t finish;
    busy_session = make_session(model), free_session = make_session(model);
    r->body = call_back;
    CHECK(write_text(busy_session, r, 8, &finish) == ALPACA_OK && r->n == 8, "%s", message());
    called_back = 0;
    CALL("alpaca_perplexity_params_init", P(params), N(sizeof params));
    FIELD(int32_t, params, alpaca_perplexity_params, n_ctx) = 8;
    FIELD(void *, params, alpaca_perplexity_params, progress) = progress_callback;
    FIELD(void *, params, alpaca_perplexity_params, user_data) = &p;
    FIELD(size_t, result, alpaca_perplexity_result, struct_size) = sizeof result;
    CHECK(CALL("alpaca_perplexity", P(busy_session), P(poem), N(ALPACA_NUL_TERMINATED), P(params), P(result)).q == ALPACA_OK, "%s", message());
    CHECK(called_back > 2, "%d", called_back);
    /* A cancel from there ends the call, as the callback's own answer does. */
    p = (struct progress_recorder){.body = cancel_busy_session};
    CHECK(CALL("alpaca_perplexity", P(busy_session), P(poem), N(ALPACA_NUL_TERMINATED), P(params), P(result)).q == ALPACA_CANCELLED && p.n == 1,
          "%d", p.n);
    CALL("alpaca_session_free", P(busy_session));
    CALL("alpaca_session_free", P(free_session));
    free(r);
}

/* ---- The log */

/* A Hugging Face folder whose configuration says what its weights deny: a warning. */
static void make_odd_folder(const char *path) {
    char params[SIZE_alpaca_convert_params], name[96], text[4096] = {0};
    CALL("alpaca_convert_params_init", P(params), N(sizeof params));
    FIELD(const char *, params, alpaca_convert_params, base) = model_path;
    FIELD(const char *, params, alpaca_convert_params, output) = path;
    FIELD(int32_t, params, alpaca_convert_params, format) = ALPACA_FORMAT_HF;
    CHECK(CALL("alpaca_convert", P(params), P(NULL), P(NULL)).q == ALPACA_OK, "%s", message());
    snprintf(name, sizeof name, "%s/config.json", path);
    FILE *file = fopen(name, "r+");
    char *at = file && fread(text, 1, sizeof text - 1, file) > 0 ? strstr(text, "\"tie_word_embeddings\": false") : NULL;
    CHECK(at != NULL, "%s", text);
    if (at == NULL) return;
    memcpy(at + strlen("\"tie_word_embeddings\": "), "true ", 5);
    rewind(file);
    fputs(text, file);
    fclose(file);
}

static void fail(void) { CHECK(CALL("alpaca_session_truncate", P(NULL), N(0)).q == ALPACA_INVALID_ARGUMENT, "%s", message()); }

static void test_log(void) {
    char path[64];
    void *model = NULL;
    struct log_recorder r = {0};
    snprintf(path, sizeof path, "%s/odd", folder);
    make_odd_folder(path);
    CALL("alpaca_set_log_callback", P(log_callback), P(&r));
    CHECK(CALL("alpaca_model_open", P("/nonexistent"), P(NULL), P(&model)).q == ALPACA_NOT_FOUND && r.errors == 1, "%s", r.text);
    CHECK(strcmp(r.text, message()) == 0, "%s", r.text);
    /* The size of a buffer is asked for: no error. */
    size_t n = 0;
    void *other = open_model();
    CHECK(CALL("alpaca_model_metadata", P(other), P("general.architecture"), P(NULL), N(0), P(&n)).q == ALPACA_BUFFER_TOO_SMALL, "%s",
          message());
    CALL("alpaca_model_free", P(other));
    CHECK(r.errors == 1, "%s", r.text);
    /* What the callback itself calls is not told. */
    r.body = fail;
    fail();
    CHECK(r.errors == 2 && strstr(r.text, "session: found NULL") != NULL, "%s", r.text);
    r.body = NULL;
    CHECK(CALL("alpaca_model_open", P(path), P(NULL), P(&model)).q == ALPACA_OK && r.warnings == 1 && r.errors == 2, "%s", r.text);
    CHECK(strstr(r.text, "tie_word_embeddings") != NULL, "%s", r.text);
    CALL("alpaca_model_free", P(model));
    CALL("alpaca_set_log_callback", P(NULL), P(NULL));
    CALL("alpaca_model_open", P("/nonexistent"), P(NULL), P(&model));
    CHECK(r.errors == 2 && r.warnings == 1, "nobody listens any more");
    remove_tree(path);
}

void whole_run(void) {
    void *model = open_model();
    test_getters(model);
    test_tokenizer(model);
    test_generation(model);
    CALL("alpaca_model_free", P(model));
}

void test_use(void *model) {
    test_getters(model);
    test_tokenizer(model);
    test_files();
    test_bench(model);
    test_low_level(model);
    test_step(model);
    test_generation(model);
    test_cancel_from_thread(model);
    test_progress();
    test_calling_back(model);
    test_log();
}
