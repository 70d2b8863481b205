#include "alpaca_command.h"

#include <stddef.h>

static int word_count;
static char **words;

/* The runtime's own way to be told the words. Weak: a runtime without it is not told, and nothing of ours asks it. */
__attribute__((weak)) extern void _swift_stdlib_overrideUnsafeArgvArgc(char **argv, int argc);

/* glibc calls what is in .init_array with the arguments of main. */
static void keep_words(int argc, char **argv, char **environment) {
    (void)environment;
    word_count = argc;
    words = argv;
}
__attribute__((section(".init_array"), used)) static void (*const keep)(int, char **, char **) = keep_words;

int command_word_count(void) {
    /* Comes before anything asks the runtime. */
    if (_swift_stdlib_overrideUnsafeArgvArgc != NULL) _swift_stdlib_overrideUnsafeArgvArgc(words, word_count);
    return word_count;
}

const char *command_word(int index) {
    return index >= 0 && index < word_count ? words[index] : NULL;
}
