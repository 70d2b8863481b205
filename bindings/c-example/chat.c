/* chat.c - talk with a model through libalpaca, in plain C.
 *
 *     chat MODEL              turn by turn; Ctrl-C stops the answer, at the prompt it ends the program, as Ctrl-D does
 *     chat MODEL -p "PROMPT"  one answer
 *     options: -n TOKENS  -t TEMPERATURE  -s SEED
 */
#if !defined(_POSIX_C_SOURCE)
#define _POSIX_C_SOURCE 200809L
#endif
#include <alpaca.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The session whose answer Ctrl-C stops; NULL at the prompt. */
static alpaca_session *volatile answering;

static void on_interrupt(int number) {
    alpaca_session *session = answering;
    (void)number;
    if (session == NULL) _exit(130);
    alpaca_session_cancel(session);
}

/* What the model has said in this turn. */
typedef struct {
    char *text;
    size_t length, capacity;
} answer;

/* Shows the text of a token as it comes, and keeps it. */
static int32_t on_token(const alpaca_token_event *event, void *user_data) {
    answer *said = (answer *)user_data;
    if (said->length + event->text_length > said->capacity) {
        size_t capacity = 2 * (said->length + event->text_length) + 256;
        char *text = (char *)realloc(said->text, capacity);
        if (text == NULL) return 1;
        said->text = text;
        said->capacity = capacity;
    }
    memcpy(said->text + said->length, event->text, event->text_length);
    said->length += event->text_length;
    fwrite(event->text, 1, event->text_length, stdout);
    return fflush(stdout) != 0;
}

static int fail(void) {
    fprintf(stderr, "error: %s\n", alpaca_last_error());
    return 1;
}

/* Writes the answer to the last of `n` messages into `said`. */
static alpaca_status answer_to(alpaca_session *session, const alpaca_message *messages, size_t n, const alpaca_generation_params *params,
                               answer *said) {
    alpaca_generation_result result;
    alpaca_status status;
    result.struct_size = sizeof result;
    said->text = NULL;
    said->length = said->capacity = 0;
    answering = session;
    status = alpaca_session_chat(session, messages, n, params, on_token, said, &result);
    answering = NULL;
    putchar('\n');
    if (status == ALPACA_OK && result.finish_reason == ALPACA_FINISH_CONTEXT_FULL) {
        fprintf(stderr, "the context is full (%zu positions)\n", alpaca_session_context_length(session));
    }
    return status;
}

static alpaca_message message(alpaca_role role, char *content, size_t length) {
    alpaca_message m = {0, 0, NULL, 0};
    m.role = (int32_t)role;
    m.content = content;
    m.length = length;
    return m;
}

/* Reads turns until the input ends. */
static int converse(alpaca_session *session, const alpaca_generation_params *params) {
    alpaca_message *messages = NULL;
    size_t n = 0, room = 0, capacity = 0, i;
    char *line = NULL;
    int failed = 0;
    while (!failed) {
        answer said;
        ssize_t length;
        if (isatty(0)) fputs("> ", stderr);
        length = getline(&line, &capacity, stdin);
        if (length < 0) break;
        while (length > 0 && (line[length - 1] == '\n' || line[length - 1] == '\r')) length--;
        if (length == 0) continue;
        if (n + 2 > room) {
            alpaca_message *more = (alpaca_message *)realloc(messages, (room + 64) * sizeof *messages);
            if (more == NULL) break;
            messages = more;
            room += 64;
        }
        messages[n++] = message(ALPACA_ROLE_USER, strndup(line, (size_t)length), (size_t)length);
        if (answer_to(session, messages, n, params, &said) != ALPACA_OK) failed = fail();
        messages[n++] = message(ALPACA_ROLE_ASSISTANT, said.text, said.length);
    }
    for (i = 0; i < n; i++) free((char *)messages[i].content);
    free(messages);
    free(line);
    return failed;
}

int main(int argc, char **argv) {
    alpaca_model *model = NULL;
    alpaca_session *session = NULL;
    alpaca_generation_params params;
    struct sigaction action;
    char *prompt = NULL;
    int failed, option;

    alpaca_generation_params_init(&params, sizeof params);
    while ((option = getopt(argc, argv, "p:n:t:s:")) != -1) {
        switch (option) {
        case 'p': prompt = optarg; break;
        case 'n': params.max_new_tokens = atoi(optarg); break;
        case 't': params.temperature = (float)atof(optarg); break;
        case 's':
            params.use_seed = 1;
            params.seed = strtoull(optarg, NULL, 10);
            break;
        default: return 2;
        }
    }
    if (optind + 1 != argc) {
        fprintf(stderr, "usage: %s [-p PROMPT] [-n TOKENS] [-t TEMPERATURE] [-s SEED] MODEL\n", argv[0]);
        return 2;
    }
    memset(&action, 0, sizeof action);
    action.sa_handler = on_interrupt;
    action.sa_flags = SA_RESTART;
    sigaction(SIGINT, &action, NULL);

    if (alpaca_model_open(argv[optind], NULL, &model) != ALPACA_OK) return fail();
    if (alpaca_session_create(model, NULL, &session) != ALPACA_OK) {
        failed = fail();
    } else if (prompt != NULL) {
        answer said;
        alpaca_message question = message(ALPACA_ROLE_USER, prompt, ALPACA_NUL_TERMINATED);
        failed = answer_to(session, &question, 1, &params, &said) == ALPACA_OK ? 0 : fail();
        free(said.text);
    } else {
        failed = converse(session, &params);
    }
    alpaca_session_free(session);
    alpaca_model_free(model);
    return failed;
}
