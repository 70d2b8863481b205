/* ids MODEL SEED: the ids that are drawn, one a line; a C program with the header. */
#include <alpaca.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

static int32_t print(const alpaca_token_event *event, void *user_data) {
    (void)user_data;
    return printf("%" PRId32 "\n", event->id) < 0;
}

int main(int argc, char **argv) {
    alpaca_model *model = NULL;
    alpaca_session *session = NULL;
    alpaca_generation_params params;
    if (argc != 3) return 2;
    alpaca_status status = alpaca_generation_params_init(&params, sizeof params);
    params.temperature = 1;
    params.max_new_tokens = 64;
    params.ignore_eos = 1;
    params.use_seed = 1;
    params.seed = strtoull(argv[2], NULL, 10);
    if (status == ALPACA_OK) status = alpaca_model_open(argv[1], NULL, &model);
    if (status == ALPACA_OK) status = alpaca_session_create(model, NULL, &session);
    if (status == ALPACA_OK) {
        status = alpaca_session_generate(session, "写一首五言绝句，题目是《秋夜》", ALPACA_NUL_TERMINATED, &params, print, NULL, NULL);
    }
    if (status != ALPACA_OK) fprintf(stderr, "%s\n", alpaca_last_error());
    alpaca_session_free(session);
    alpaca_model_free(model);
    return status != ALPACA_OK;
}
