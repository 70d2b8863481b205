/* threads MODEL [SECONDS] [ROUNDS] [SUBJECTS]: what calls of several threads at the same time cost each other.
 *
 * SUBJECTS is a list of words; all of them by default:
 *   callers   threads that each write with a session of their own, beside one thread that moves all sessions on together
 *   alone     one thread alone: its speed and its threads, beside those of an older library (OLD_LIBRARY in the environment)
 *   prompt    a thread that writes while another reads a long prompt
 *   cancel    how soon a cancelled call returns, and whether the others' tokens stay what they are
 *   sharing   sessions that share the processors with each other, with too many threads, and with another program
 *
 * The cases of a subject take turns, ROUNDS times. Figures are medians; a ratio is the median of the rounds' own ratios where a round has
 * both. The program ends with 1 when tokens differ from those that a session draws alone. */
#include "threads.h"

#include <string.h>

alpaca_model *model;
double seconds = 2;
int rounds = 5;
const char prompt_text[] = "The lake lies still; a boat waits.";
int32_t prompt_ids[MOST_PROMPT];
size_t prompt_count;

int main(int argc, char **argv) {
    if (argc < 2) return fprintf(stderr, "usage: threads MODEL [SECONDS] [ROUNDS] [SUBJECTS]\n"), 2;
    if (argc > 2) seconds = atof(argv[2]);
    if (argc > 3) rounds = atoi(argv[3]);
    if (seconds <= 0 || seconds > 3600) give_up("SECONDS must be above 0 and at most 3600");
    if (rounds < 1 || rounds > MOST_ROUNDS) give_up("ROUNDS must be 1 ... 64");
    const char *subjects = argc > 4 && *argv[4] ? argv[4] : "callers alone prompt cancel sharing";
    setvbuf(stdout, NULL, _IOLBF, 0);
    check(alpaca_model_open(argv[1], NULL, &model));
    check(alpaca_tokenize(alpaca_model_tokenizer(model), prompt_text, ALPACA_NUL_TERMINATED, ALPACA_ADD_BOS, prompt_ids, MOST_PROMPT,
                          &prompt_count));
    printf("%s, %d processors, %d rounds of %.1f s\n", argv[1], processors(), rounds, seconds);
    char *words = strdup(subjects), *rest = NULL;
    if (!words) give_up("no memory");
    for (char *word = strtok_r(words, " ,", &rest); word; word = strtok_r(NULL, " ,", &rest)) {
        if (strcmp(word, "callers") == 0) measure_callers();
        else if (strcmp(word, "alone") == 0) measure_alone(argv[1], getenv("OLD_LIBRARY"));
        else if (strcmp(word, "prompt") == 0) measure_prompt();
        else if (strcmp(word, "cancel") == 0) measure_cancel();
        else if (strcmp(word, "sharing") == 0) measure_sharing();
        else give_up("SUBJECTS must be some of: callers alone prompt cancel sharing");
    }
    free(words);
    alpaca_model_free(model);
    return 0;
}
