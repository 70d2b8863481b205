/* What the command needs of the process and can't be said in Swift. */
#ifndef ALPACA_COMMAND_H
#define ALPACA_COMMAND_H

/* The words that the program was started with, its own name the first, as the system gave them. Swift reads them from /proc/self/cmdline,
 * which a chroot or a sandbox may lack. */
int command_word_count(void);
/* The word at `index`, 0 ... count - 1, ended by a zero byte; NULL beyond. It lives as long as the process. */
const char *command_word(int index);

#endif
