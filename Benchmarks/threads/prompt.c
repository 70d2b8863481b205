/* A thread that writes while another reads a long prompt. The aim: it goes on at half of its pace alone, or more. */
#include "threads.h"

enum { PROMPT = 2000, MOST_TOKENS = 1 << 16, DEPTH = 512 };

typedef struct {
    alpaca_session *session;
    double *times; /* when each token was there */
    atomic_size_t count;
    atomic_bool ends;
} writer;

static void *write_on(void *context) {
    writer *w = context;
    const alpaca_generation_params params = drawing(0);
    while (!atomic_load(&w->ends)) {
        const size_t n = atomic_load(&w->count);
        if (n == MOST_TOKENS) give_up("too many tokens: choose fewer seconds");
        if (alpaca_session_position(w->session) >= DEPTH) {
            /* The prompt's last token again, for its logits. */
            check(alpaca_session_truncate(w->session, prompt_count - 1));
            check(alpaca_session_append(w->session, &prompt_ids[prompt_count - 1], 1));
        }
        const int32_t id = draw(w->session, &params);
        check(alpaca_session_append(w->session, &id, 1));
        w->times[n] = now();
        atomic_store(&w->count, n + 1);
    }
    return NULL;
}

typedef struct {
    double pace, longest; /* tokens a second; seconds between two tokens */
} stretch;

/* The tokens between two moments, and the first behind them: a step that was under way then belongs to it. */
static stretch between(const writer *w, double begin, double end) {
    const size_t count = atomic_load(&w->count);
    size_t first = 0, last;
    while (first < count && w->times[first] < begin) first++;
    stretch s = {0};
    for (last = first; last + 1 < count && w->times[last] < end; last++) {
        const double gap = w->times[last + 1] - w->times[last];
        if (gap > s.longest) s.longest = gap;
    }
    /* The gap in which it began counts as well: the prompt's first rows may be in it. */
    if (first > 0 && first < count && w->times[first] - w->times[first - 1] > s.longest) s.longest = w->times[first] - w->times[first - 1];
    if (last > first) s.pace = (double)(last - first) / (w->times[last] - w->times[first]);
    /* Not two tokens: it stood still. */
    else s.pace = 1 / (end - begin);
    return s;
}

static double read_prompt(alpaca_session *session, int32_t *ids) {
    /* Another text each time, so that nothing of it is found in the cache. */
    ids[0]++;
    check(alpaca_session_truncate(session, 0));
    const double begin = now();
    check(alpaca_session_append(session, ids, PROMPT));
    return now() - begin;
}

void measure_prompt(void) {
    int32_t ids[PROMPT];
    for (int i = 0; i < PROMPT; i++) ids[i] = 300 + (7 * i) % 20000;
    double alone[MOST_ROUNDS], beside[MOST_ROUNDS], ratios[MOST_ROUNDS], longest_alone[MOST_ROUNDS], longest[MOST_ROUNDS];
    double reading_alone[MOST_ROUNDS], reading[MOST_ROUNDS], worst_ratio = 0;
    alpaca_session *reader = new_session(PROMPT);
    for (int r = 0; r < rounds; r++) {
        writer w = {.session = new_session(DEPTH), .times = room(MOST_TOKENS, sizeof(double))};
        check(alpaca_session_append(w.session, prompt_ids, prompt_count));
        reading_alone[r] = read_prompt(reader, ids);
        pthread_t thread;
        start(&thread, write_on, &w);
        /* A few tokens first, and at least eight in the time that is measured. */
        while (atomic_load(&w.count) < 4) pause_for(0.001);
        const double begin = now();
        pause_for(seconds);
        while (atomic_load(&w.count) < 12) pause_for(0.001);
        const double middle = now();
        reading[r] = read_prompt(reader, ids);
        const double end = now();
        const size_t seen = atomic_load(&w.count);
        while (atomic_load(&w.count) < seen + 2) pause_for(0.001);
        atomic_store(&w.ends, true);
        pthread_join(thread, NULL);
        const stretch before = between(&w, begin, middle), meanwhile = between(&w, middle, end);
        alone[r] = before.pace;
        longest_alone[r] = before.longest;
        beside[r] = meanwhile.pace;
        longest[r] = meanwhile.longest;
        ratios[r] = meanwhile.pace / before.pace;
        if (r == 0 || ratios[r] < worst_ratio) worst_ratio = ratios[r];
        alpaca_session_free(w.session);
        free(w.times);
    }
    alpaca_session_free(reader);
    printf("\n%-28s %10s %8s %6s %8s %16s %10s\n", "a prompt of 2000 tokens", "tokens/s", "ratio", "aim", "worst", "longest gap ms", "prompt s");
    const double gap_alone = median(longest_alone, rounds), pace_alone = median(alone, rounds), read_alone = median(reading_alone, rounds);
    printf("  %-26s %10.1f %8.2f %6s %8s %16.1f %10.2f\n", "each alone", pace_alone, 1.0, "", "", 1e3 * gap_alone, read_alone);
    printf("  %-26s %10.1f %8.2f %6s %8.2f %16.1f %10.2f\n", "writing while it is read", median(beside, rounds), median(ratios, rounds), "0.50",
           worst_ratio, 1e3 * median(longest, rounds), median(reading, rounds));
}
