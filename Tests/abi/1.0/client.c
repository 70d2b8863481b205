/* A program of version 1.0: all functions and structs that it had, as its header has them (alpaca.h beside this file). It is compiled with that
 * header and run with the library of today. It is never changed. */
#include <alpaca.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#if ALPACA_VERSION_MINOR != 0
#error "this is to be compiled with the header of version 1.0"
#endif

static int failed;
#define CHECK(condition) \
    do { \
        if (!(condition)) failed++, printf("FAILED client.c:%d: %s: %s\n", __LINE__, #condition, alpaca_last_error()); \
    } while (0)

static const char *const prompt = "写一首五言绝句，题目是《秋夜》";

typedef struct text {
    char bytes[4096];
    size_t length;
    int n;
} text;

static int32_t on_token(const alpaca_token_event *event, void *user_data) {
    text *t = user_data;
    if (event->struct_size < sizeof *event || event->index != t->n || t->length + event->text_length >= sizeof t->bytes) return 1;
    memcpy(t->bytes + t->length, event->text, event->text_length);
    t->length += event->text_length;
    t->n++;
    return event->n_candidates == 2 && event->candidates[0].id == event->id && event->logprob <= 0 ? 0 : 1;
}

static int32_t on_progress(const alpaca_progress *progress, void *user_data) {
    int *calls = user_data;
    ++*calls;
    return progress->struct_size >= sizeof *progress && progress->done <= progress->total ? 0 : 1;
}

int main(int argc, char **argv) {
    if (argc != 2) return 2;
    CHECK(strcmp(alpaca_status_name(ALPACA_CONTEXT_FULL), "ALPACA_CONTEXT_FULL") == 0);
    CHECK(atoi(alpaca_version()) == 1 && alpaca_abi_version() >= ALPACA_ABI_VERSION && strstr(alpaca_build_info(), "cpu_path"));

    int calls = 0;
    alpaca_model_params open;
    CHECK(alpaca_model_params_init(&open, sizeof open) == ALPACA_OK);
    open.use_mmap = 0;
    open.progress = on_progress;
    open.user_data = &calls;
    alpaca_model *model = NULL;
    CHECK(alpaca_model_open("/nonexistent", &open, &model) == ALPACA_NOT_FOUND && model == NULL && alpaca_last_error()[0]);
    CHECK(alpaca_model_open(argv[1], &open, &model) == ALPACA_OK && calls > 0);
    CHECK(alpaca_model_retain(model) == model);
    alpaca_model_free(model);
    alpaca_model_info info = {.struct_size = sizeof info};
    CHECK(alpaca_model_get_info(model, &info) == ALPACA_OK && info.struct_size == sizeof info);
    CHECK(strcmp(info.architecture, "llama") == 0 && strcmp(info.template_name, "alpaca") == 0 && info.rope_theta == 10000);
    char buffer[256];
    size_t n = 0;
    CHECK(alpaca_model_metadata(model, "general.architecture", buffer, sizeof buffer, &n) == ALPACA_OK && n == 6);
    alpaca_string *json = NULL;
    CHECK(alpaca_model_describe(model, &json) == ALPACA_OK && strlen(alpaca_string_data(json)) == alpaca_string_size(json));
    alpaca_string_free(json);
    CHECK(alpaca_inspect(argv[1], &json) == ALPACA_OK);
    alpaca_string_free(json);

    alpaca_tokenizer *own = NULL;
    const alpaca_tokenizer *tokenizer = alpaca_model_tokenizer(model);
    CHECK(alpaca_tokenizer_open(argv[1], &own) == ALPACA_OK && alpaca_tokenizer_size(own) == (size_t)info.n_vocab);
    int32_t ids[64], id = -1;
    CHECK(alpaca_tokenize(own, prompt, ALPACA_NUL_TERMINATED, ALPACA_ADD_BOS | ALPACA_ADD_EOS, ids, 64, &n) == ALPACA_OK && ids[0] == 1);
    CHECK(alpaca_detokenize(tokenizer, ids, n, buffer, sizeof buffer, NULL) == ALPACA_OK && strcmp(buffer, prompt) == 0);
    CHECK(alpaca_token_special(tokenizer, ALPACA_TOKEN_EOS, &id) == ALPACA_OK && id == 2);
    CHECK(alpaca_token_piece(tokenizer, id, buffer, sizeof buffer, NULL) == ALPACA_OK && strcmp(buffer, "</s>") == 0);
    alpaca_tokenizer_free(own);

    alpaca_session_params make;
    CHECK(alpaca_session_params_init(&make, sizeof make) == ALPACA_OK && make.type_k == ALPACA_CACHE_F16 && make.n_batch == 512);
    make.n_ctx = 256;
    make.n_threads = 1;
    alpaca_session *session = NULL;
    CHECK(alpaca_session_create(model, &make, &session) == ALPACA_OK);
    alpaca_model_free(model); /* the session keeps it */
    CHECK(alpaca_session_context_length(session) == 256 && alpaca_session_thread_count(session) == 1);

    alpaca_generation_params write;
    CHECK(alpaca_generation_params_init(&write, sizeof write) == ALPACA_OK && write.top_k == 40 && write.max_new_tokens == 512);
    const char *stop[] = {"不知"};
    write.temperature = 0;
    write.repeat_last_n = -1;
    write.n_probs = 2;
    write.repetition_penalty = 1;
    write.max_new_tokens = 8;
    static text t;
    alpaca_generation_result result = {.struct_size = sizeof result};
    CHECK(alpaca_session_generate(session, prompt, ALPACA_NUL_TERMINATED, &write, on_token, &t, &result) == ALPACA_OK);
    CHECK(result.finish_reason == ALPACA_FINISH_LENGTH && result.n_generated == 8 && result.struct_size == sizeof result && t.n == 8);
    write.n_probs = 0;
    write.repetition_penalty = 1.1f;
    write.max_new_tokens = 64;
    write.stop = stop;
    write.n_stop = 1;
    alpaca_message message = {ALPACA_ROLE_USER, 0, prompt, ALPACA_NUL_TERMINATED};
    CHECK(alpaca_session_chat(session, &message, 1, &write, NULL, NULL, &result) == ALPACA_OK);
    CHECK(result.finish_reason == ALPACA_FINISH_STOP_STRING && result.n_cached > 0);

    const float *logits = NULL;
    size_t position = alpaca_session_position(session);
    CHECK(alpaca_session_truncate(session, 0) == ALPACA_OK && position > 10 && alpaca_session_position(session) == 0);
    CHECK(alpaca_session_append(session, ids, 4) == ALPACA_OK && alpaca_session_append(session, &id, -1) == ALPACA_INVALID_ARGUMENT);
    CHECK(alpaca_session_logits(session, &logits, &n) == ALPACA_OK && n == (size_t)info.n_vocab && isfinite(logits[n - 1]));
    CHECK(alpaca_session_sample(session, &write, &id) == ALPACA_OK && id >= 0 && id < info.n_vocab);
    CHECK(alpaca_session_tokens(session, ids, 64, &n) == ALPACA_OK && n == 4);
    alpaca_session_cancel(session);

    alpaca_perplexity_params measure;
    alpaca_perplexity_result measured = {.struct_size = sizeof measured};
    CHECK(alpaca_perplexity_params_init(&measure, sizeof measure) == ALPACA_OK);
    measure.n_ctx = 8;
    measure.progress = on_progress;
    measure.user_data = &calls;
    CHECK(alpaca_perplexity(session, prompt, strlen(prompt), &measure, &measured) == ALPACA_OK && measured.perplexity > 1);
    CHECK(fabs(exp(measured.mean_nll) / measured.perplexity - 1) < 1e-9 && measured.n_scored > 0);
    alpaca_session_free(session);

    if (failed == 0) puts("a program of 1.0: passed");
    return failed != 0;
}
