/* What the measurements of threads share. */
#ifndef THREADS_H
#define THREADS_H

#include <alpaca.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

enum { MOST_ROUNDS = 64, MOST_PROMPT = 256 };

/* The model, how long a case is measured, and how often. */
extern alpaca_model *model;
extern double seconds;
extern int rounds;
/* What every writer's text begins with, and its tokens. */
extern const char prompt_text[];
extern int32_t prompt_ids[MOST_PROMPT];
extern size_t prompt_count;

/* The subjects. Each prints its own table. */
void measure_sharing(void);
void measure_callers(void);
void measure_alone(const char *path, const char *old_library);
void measure_prompt(void);
void measure_cancel(void);

/* Seconds. */
double now(void);
void pause_for(double time);
/* Ends the program with the call's message when it failed. */
void check(alpaca_status status);
_Noreturn void give_up(const char *what);
void *room(size_t count, size_t size);
void start(pthread_t *thread, void *(*body)(void *), void *context);
int processors(void);
/* The middle one of `count` values, which are sorted. */
double median(double *values, int count);

/* A session with the default number of threads. */
alpaca_session *new_session(int32_t positions);
/* How writer number `index` draws: by a seed of its own, and never at an end. */
alpaca_generation_params drawing(int index);
int32_t draw(alpaca_session *session, const alpaca_generation_params *params);

#endif
