/* The thread's floating-point state: how it rounds, whether it flushes denormals to zero, which exceptions end the process. It is the host's:
 * libraries built with -ffast-math change it when they are loaded, numerical code changes it on purpose. What this library computes hangs on
 * none of that, and a trap that the host has set doesn't go off in it. */
#ifndef ALPACA_FLOAT_STATE_H
#define ALPACA_FLOAT_STATE_H

/* Keeps the host's state and sets the default. 1; 0 when that is so already: then nothing is to be left. */
int float_state_enter(void);
/* Sets the host's state again, after an enter that gave 1. */
void float_state_leave(void);
/* Sets the host's state while a callback of the host runs. 1; 0 when it was not ours: then nothing is to be ended. */
int float_state_begin_callback(void);
/* Keeps what the callback left, after a begin that gave 1. */
void float_state_end_callback(void);
/* The default, for a thread of our own: a new thread inherits the state of the one that makes it. */
void float_state_set_default(void);

#endif
