/* What `alpaca` does to a file, through the C interface: check_hostile.py judges how it ends.
 *
 *   host inspect PATH | run PATH | convert PATH | merge BASE ADAPTER | tokenize PATH
 *
 * Exit status 0, or 1 with a line "ALPACA_...: message". */
#include <alpaca.h>
#include <stdio.h>
#include <string.h>

static alpaca_status inspect(const char *path) {
    alpaca_string *json = NULL;
    alpaca_status status = alpaca_inspect(path, &json);
    alpaca_string_free(json);
    return status;
}

static alpaca_status run(const char *path) {
    alpaca_model *model = NULL;
    alpaca_session *session = NULL;
    alpaca_generation_params params;
    alpaca_status status = alpaca_model_open(path, NULL, &model);
    if (status == ALPACA_OK) status = alpaca_session_create(model, NULL, &session);
    if (status == ALPACA_OK) status = alpaca_generation_params_init(&params, sizeof params);
    if (status == ALPACA_OK) {
        params.max_new_tokens = 1;
        status = alpaca_session_generate(session, "hi", ALPACA_NUL_TERMINATED, &params, NULL, NULL, NULL);
    }
    alpaca_session_free(session);
    alpaca_model_free(model);
    return status;
}

static alpaca_status convert(const char *base, const char *adapter) {
    alpaca_convert_params params;
    alpaca_adapter_source source = {adapter, 1};
    alpaca_status status = alpaca_convert_params_init(&params, sizeof params);
    if (status != ALPACA_OK) return status;
    params.base = base;
    params.adapters = &source;
    params.n_adapters = adapter != NULL;
    params.output = "/dev/null";
    return alpaca_convert(&params, NULL, NULL);
}

static alpaca_status tokenize(const char *path) {
    alpaca_tokenizer *tokenizer = NULL;
    int32_t ids[16];
    size_t n = 0;
    alpaca_status status = alpaca_tokenizer_open(path, &tokenizer);
    if (status == ALPACA_OK) status = alpaca_tokenize(tokenizer, "hi", ALPACA_NUL_TERMINATED, 0, ids, sizeof ids / sizeof *ids, &n);
    alpaca_tokenizer_free(tokenizer);
    return status;
}

int main(int argc, char **argv) {
    alpaca_status status;
    if (argc == 3 && strcmp(argv[1], "inspect") == 0) status = inspect(argv[2]);
    else if (argc == 3 && strcmp(argv[1], "run") == 0) status = run(argv[2]);
    else if (argc == 3 && strcmp(argv[1], "convert") == 0) status = convert(argv[2], NULL);
    else if (argc == 4 && strcmp(argv[1], "merge") == 0) status = convert(argv[2], argv[3]);
    else if (argc == 3 && strcmp(argv[1], "tokenize") == 0) status = tokenize(argv[2]);
    else return 2;
    if (status == ALPACA_OK) return 0;
    fprintf(stderr, "%s: %s\n", alpaca_status_name(status), alpaca_last_error());
    return 1;
}
