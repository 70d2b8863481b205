/* Threads that each write with a session of their own, in two forms (a loop of append and sample; generate), beside one thread that writes
 * with all sessions by alpaca_sessions_step. The aim: nine tenths of its tokens a second. All three write the same tokens. */
#include "threads.h"

#include <string.h>

/* WARM tokens of each writer are not counted. */
enum { WRITERS = 8, WARM = 4 };

typedef struct {
    int index;
    size_t tokens; /* that are counted */
    bool generates;
    alpaca_session *session;
    pthread_barrier_t *gate;
    size_t written;
    double begin, end;
} writer;

static void loop(writer *w) {
    const alpaca_generation_params params = drawing(w->index);
    check(alpaca_session_append(w->session, prompt_ids, prompt_count));
    for (size_t i = 0; i < WARM + w->tokens; i++) {
        if (i == WARM) {
            pthread_barrier_wait(w->gate);
            w->begin = now();
        }
        const int32_t id = draw(w->session, &params);
        check(alpaca_session_append(w->session, &id, 1));
    }
    w->end = now();
}

static int32_t on_token(const alpaca_token_event *event, void *context) {
    writer *w = context;
    /* Text that was held back comes with the same token once more. */
    if ((size_t)event->index < w->written) return 0;
    if (++w->written == WARM) {
        pthread_barrier_wait(w->gate);
        w->begin = now();
    }
    return 0;
}

static void generate(writer *w) {
    alpaca_generation_params params = drawing(w->index);
    params.max_new_tokens = (int32_t)(WARM + w->tokens);
    alpaca_generation_result result = {.struct_size = sizeof result};
    check(alpaca_session_generate(w->session, prompt_text, ALPACA_NUL_TERMINATED, &params, on_token, w, &result));
    w->end = now();
    if (result.n_generated != WARM + w->tokens) give_up("alpaca_session_generate wrote fewer tokens than asked for");
}

static void *write_on(void *context) {
    writer *w = context;
    if (w->generates) generate(w);
    else loop(w);
    return NULL;
}

/* Tokens a second of all. */
static double many_threads(alpaca_session *sessions[WRITERS], size_t tokens, bool generates) {
    pthread_barrier_t gate;
    pthread_barrier_init(&gate, NULL, WRITERS);
    writer writers[WRITERS];
    pthread_t ids[WRITERS];
    for (int i = 0; i < WRITERS; i++) {
        check(alpaca_session_truncate(sessions[i], 0));
        writers[i] = (writer){.index = i, .tokens = tokens, .generates = generates, .session = sessions[i], .gate = &gate};
        start(&ids[i], write_on, &writers[i]);
    }
    double begin = 0, end = 0;
    for (int i = 0; i < WRITERS; i++) {
        pthread_join(ids[i], NULL);
        if (i == 0 || writers[i].begin < begin) begin = writers[i].begin;
        if (writers[i].end > end) end = writers[i].end;
    }
    pthread_barrier_destroy(&gate);
    return (double)(WRITERS * tokens) / (end - begin);
}

static double one_thread(alpaca_session *sessions[WRITERS], size_t tokens) {
    alpaca_step_input inputs[WRITERS];
    alpaca_generation_params params[WRITERS];
    int32_t ids[WRITERS];
    for (int i = 0; i < WRITERS; i++) {
        params[i] = drawing(i);
        check(alpaca_session_truncate(sessions[i], 0));
        inputs[i] = (alpaca_step_input){.session = sessions[i], .ids = prompt_ids, .n_ids = prompt_count};
    }
    check(alpaca_sessions_step(inputs, WRITERS));
    double begin = 0;
    for (size_t t = 0; t < WARM + tokens; t++) {
        if (t == WARM) begin = now();
        for (int i = 0; i < WRITERS; i++) {
            ids[i] = draw(sessions[i], &params[i]);
            inputs[i].ids = &ids[i];
            inputs[i].n_ids = 1;
        }
        check(alpaca_sessions_step(inputs, WRITERS));
    }
    return (double)(WRITERS * tokens) / (now() - begin);
}

/* Whether the sessions hold what they held after the first case, whose tokens are kept in `expected`. generate doesn't read its last token. */
static void compare(alpaca_session *sessions[WRITERS], int32_t *expected[WRITERS], size_t count, bool isFirst) {
    for (int i = 0; i < WRITERS; i++) {
        int32_t *found = room(count, sizeof *found);
        size_t n = 0;
        check(alpaca_session_tokens(sessions[i], isFirst ? expected[i] : found, count, &n));
        if (n + 1 < count) give_up("a session holds fewer tokens than were written");
        if (!isFirst && memcmp(found, expected[i], n * sizeof *found) != 0) give_up("sessions on threads of their own drew other tokens");
        free(found);
    }
}

void measure_callers(void) {
    alpaca_session *sessions[WRITERS];
    int32_t *expected[WRITERS];
    /* As many tokens as take about as long as asked for. */
    for (int i = 0; i < WRITERS; i++) sessions[i] = new_session((int32_t)prompt_count + WARM + 8);
    double pace = one_thread(sessions, 4) / WRITERS * seconds;
    const size_t tokens = pace < 8 ? 8 : pace > 1024 ? 1024 : (size_t)pace, count = prompt_count + WARM + tokens;
    for (int i = 0; i < WRITERS; i++) {
        alpaca_session_free(sessions[i]);
        sessions[i] = new_session((int32_t)count);
        expected[i] = room(count, sizeof(int32_t));
    }
    enum { CASES = 3 };
    const char *const names[CASES] = {"one, sessions_step", "8, append + sample", "8, generate"};
    double rates[CASES][MOST_ROUNDS], ratios[CASES][MOST_ROUNDS];
    for (int r = 0; r < rounds; r++)
        for (int i = 0; i < CASES; i++) {
            /* Who comes first changes: what ran just before matters a little. */
            const int c = (i + r) % CASES;
            rates[c][r] = c == 0 ? one_thread(sessions, tokens) : many_threads(sessions, tokens, c == 2);
            compare(sessions, expected, count, r == 0 && i == 0);
        }
    for (int r = 0; r < rounds; r++)
        for (int c = 0; c < CASES; c++) ratios[c][r] = rates[c][r] / rates[0][r];
    printf("\n%-28s %10s %8s %6s   (%zu tokens each, the same ids)\n", "threads that write", "tokens/s", "ratio", "aim", tokens);
    for (int c = 0; c < CASES; c++)
        printf("  %-26s %10.1f %8.2f %6s\n", names[c], median(rates[c], rounds), median(ratios[c], rounds), c == 0 ? "" : "0.90");
    for (int i = 0; i < WRITERS; i++) {
        alpaca_session_free(sessions[i]);
        free(expected[i]);
    }
}
