/* start MODEL: seconds from nothing to the first token after a prompt of ten tokens, as one line: what opening took, the session, the prompt,
 * the draw, and the sum. */
#include <alpaca.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void check(alpaca_status status) {
    if (status == ALPACA_OK) return;
    fprintf(stderr, "start: %s\n", alpaca_last_error());
    exit(1);
}

int main(int argc, char **argv) {
    if (argc != 2) return fprintf(stderr, "usage: start MODEL\n"), 2;
    enum { PROMPT = 10 };
    alpaca_model *model;
    const double begin = now();
    check(alpaca_model_open(argv[1], NULL, &model));
    const double opened = now();
    alpaca_session_params params;
    check(alpaca_session_params_init(&params, sizeof params));
    params.n_ctx = 512;
    alpaca_session *session;
    check(alpaca_session_create(model, &params, &session));
    const double made = now();
    const int32_t size = alpaca_tokenizer_size(alpaca_model_tokenizer(model));
    int32_t ids[PROMPT], id;
    for (int i = 0; i < PROMPT; i++) ids[i] = (300 + 7 * i) % size;
    check(alpaca_session_append(session, ids, PROMPT));
    const double read = now();
    check(alpaca_session_sample(session, NULL, &id));
    const double end = now();
    printf("%.4f %.4f %.4f %.4f %.4f\n", opened - begin, made - opened, read - made, end - read, end - begin);
    alpaca_session_free(session);
    alpaca_model_free(model);
    return 0;
}
