/* chat - a conversation with a model in the terminal, by way of libalpaca's C interface.
 *
 *     chat [OPTIONS] MODEL              talk; Ctrl-C stops an answer, /reset forgets, Ctrl-D ends
 *     chat [OPTIONS] -p PROMPT MODEL    one answer, then the end
 *     options: -n TOKENS (0: no limit)  -t TEMPERATURE  -s SEED
 *
 * Plain C11 with POSIX threads; also compiles as C++20. Text is streamed as it is written. */
#if !defined(_POSIX_C_SOURCE)
#define _POSIX_C_SOURCE 200809L
#endif
#include <alpaca.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The answer as it comes in; the next turn hands it back as part of the conversation. */
struct answer {
    char *text;
    size_t length, capacity;
};

static int32_t on_token(const alpaca_token_event *event, void *user_data) {
    struct answer *answer = (struct answer *)user_data;
    if (answer->length + event->text_length >= answer->capacity) {
        size_t capacity = 2 * (answer->length + event->text_length) + 256;
        char *larger = (char *)realloc(answer->text, capacity);
        if (larger == NULL) return 1; /* ends the answer */
        answer->text = larger;
        answer->capacity = capacity;
    }
    memcpy(answer->text + answer->length, event->text, event->text_length);
    answer->length += event->text_length;
    fwrite(event->text, 1, event->text_length, stdout);
    fflush(stdout);
    return 0;
}

/* Ctrl-C: SIGINT is blocked in all threads; this one waits for it and cancels what the session is doing. */
static void *wait_for_interrupts(void *user_data) {
    sigset_t interrupt;
    int number;
    sigemptyset(&interrupt);
    sigaddset(&interrupt, SIGINT);
    while (sigwait(&interrupt, &number) == 0) alpaca_session_cancel((alpaca_session *)user_data);
    return NULL;
}

static int fail(const char *what) {
    fprintf(stderr, "chat: %s: %s\n", what, alpaca_last_error());
    return EXIT_FAILURE;
}

/* The conversation: every message so far. It owns the texts. */
struct conversation {
    alpaca_message *messages;
    size_t count, capacity;
};

static int say(struct conversation *c, int32_t role, char *owned_text, size_t length) {
    if (c->count == c->capacity) {
        size_t capacity = 2 * c->capacity + 8;
        alpaca_message *larger = (alpaca_message *)realloc(c->messages, capacity * sizeof *larger);
        if (larger == NULL) return 0;
        c->messages = larger;
        c->capacity = capacity;
    }
    alpaca_message message = {role, 0, owned_text, length};
    c->messages[c->count++] = message;
    return 1;
}

static void forget(struct conversation *c, size_t first) {
    while (c->count > first) free((void *)c->messages[--c->count].content);
}

/* Asks for the answer to the last message, shows it, and adds it to the conversation. */
static alpaca_status reply(alpaca_session *session, struct conversation *c, const alpaca_generation_params *params, int32_t *finish) {
    struct answer answer = {NULL, 0, 0};
    alpaca_generation_result result;
    memset(&result, 0, sizeof result);
    result.struct_size = sizeof result;
    alpaca_status status = alpaca_session_chat(session, c->messages, c->count, params, on_token, &answer, &result);
    *finish = result.finish_reason;
    printf(status == ALPACA_OK && result.finish_reason == ALPACA_FINISH_CANCELLED ? " [stopped]\n" : "\n");
    fflush(stdout);
    if (status != ALPACA_OK || !say(c, ALPACA_ROLE_ASSISTANT, answer.text, answer.length)) free(answer.text);
    return status;
}

static int converse(alpaca_session *session, struct conversation *c, const alpaca_generation_params *params, int show_prompt) {
    char *line = NULL;
    size_t capacity = 0;
    ssize_t length;
    int32_t finish;
    for (;;) {
        if (show_prompt) fputs("> ", stdout), fflush(stdout);
        if ((length = getline(&line, &capacity, stdin)) < 0) break;
        while (length > 0 && (line[length - 1] == '\n' || line[length - 1] == '\r')) line[--length] = 0;
        if (strcmp(line, "/reset") == 0) forget(c, 0);
        else if (line[0] == '/') fputs("/reset forgets the conversation, Ctrl-D ends\n", stderr);
        if (length == 0 || line[0] == '/') continue;
        char *text = strdup(line);
        if (text == NULL || !say(c, ALPACA_ROLE_USER, text, (size_t)length)) {
            free(text);
            break;
        }
        if (reply(session, c, params, &finish) != ALPACA_OK) {
            fail("no answer (/reset begins anew)");
            forget(c, c->count - 1);
        }
    }
    free(line);
    if (show_prompt) putchar('\n');
    return ferror(stdin) ? EXIT_FAILURE : EXIT_SUCCESS;
}

int main(int argc, char **argv) {
    const char *prompt = NULL;
    int option;
    alpaca_model *model = NULL;
    alpaca_session *session = NULL;
    alpaca_generation_params params;
    struct conversation conversation = {NULL, 0, 0};
    pthread_t waiter;
    sigset_t interrupt;

    alpaca_generation_params_init(&params, sizeof params);
    while ((option = getopt(argc, argv, "p:n:t:s:")) != -1) {
        switch (option) {
        case 'p': prompt = optarg; break;
        case 'n': params.max_new_tokens = atoi(optarg); break;
        case 't': params.temperature = strtof(optarg, NULL); break;
        case 's': params.use_seed = 1, params.seed = strtoull(optarg, NULL, 10); break;
        default: optind = argc; break;
        }
    }
    if (optind + 1 != argc) {
        fprintf(stderr, "usage: %s [-p PROMPT] [-n TOKENS] [-t TEMPERATURE] [-s SEED] MODEL\n", argv[0]);
        return 2;
    }

    if (alpaca_model_open(argv[optind], NULL, &model) != ALPACA_OK) return fail("cannot open the model");
    if (alpaca_session_create(model, NULL, &session) != ALPACA_OK) {
        alpaca_model_free(model);
        return fail("cannot begin a session");
    }
    alpaca_model_free(model); /* the session keeps what it needs */

    sigemptyset(&interrupt);
    sigaddset(&interrupt, SIGINT);
    pthread_sigmask(SIG_BLOCK, &interrupt, NULL);
    int can_interrupt = pthread_create(&waiter, NULL, wait_for_interrupts, session) == 0;
    if (!can_interrupt) pthread_sigmask(SIG_UNBLOCK, &interrupt, NULL);

    int result = EXIT_SUCCESS;
    int32_t finish = ALPACA_FINISH_LENGTH;
    if (prompt == NULL) {
        result = converse(session, &conversation, &params, isatty(STDIN_FILENO));
    } else {
        char *text = strdup(prompt);
        if (text == NULL || !say(&conversation, ALPACA_ROLE_USER, text, ALPACA_NUL_TERMINATED)) {
            fprintf(stderr, "chat: out of memory\n");
            free(text);
            result = EXIT_FAILURE;
        } else if (reply(session, &conversation, &params, &finish) != ALPACA_OK) {
            result = fail("no answer");
        } else if (finish == ALPACA_FINISH_CANCELLED) {
            result = 130; /* what a shell expects after Ctrl-C */
        }
    }

    if (can_interrupt) pthread_cancel(waiter), pthread_join(waiter, NULL);
    forget(&conversation, 0);
    free(conversation.messages);
    alpaca_session_free(session);
    return result;
}
