/* A host that forks before it uses the library: in each child several threads at once do everything for the first time, so that they meet in
 * the locks of the library and of the Swift runtime in it. The main thread of a child has the thread id that its parent had.
 *
 *   children LIBRARY MODEL TIMES */
#define _GNU_SOURCE
#include <alpaca.h>
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

enum { THREADS = 4 };

static const char *path;
static pthread_barrier_t start;

#define FUNCTION(name) static __typeof__(&name) p_##name
FUNCTION(alpaca_inspect);
FUNCTION(alpaca_string_free);
FUNCTION(alpaca_model_open);
FUNCTION(alpaca_model_free);
FUNCTION(alpaca_session_create);
FUNCTION(alpaca_session_free);
FUNCTION(alpaca_session_generate);
FUNCTION(alpaca_generation_params_init);

static void *describe(void *failed) {
    alpaca_string *json = NULL;
    pthread_barrier_wait(&start);
    if (p_alpaca_inspect(path, &json) != ALPACA_OK) *(int *)failed = 1;
    p_alpaca_string_free(json);
    return NULL;
}

static void *generate(void *failed) {
    alpaca_model *model = NULL;
    alpaca_session *session = NULL;
    alpaca_generation_params params;
    pthread_barrier_wait(&start);
    if (p_alpaca_model_open(path, NULL, &model) != ALPACA_OK || p_alpaca_session_create(model, NULL, &session) != ALPACA_OK ||
        p_alpaca_generation_params_init(&params, sizeof params) != ALPACA_OK) {
        *(int *)failed = 1;
    }
    params.max_new_tokens = 2;
    if (p_alpaca_session_generate(session, "山", ALPACA_NUL_TERMINATED, &params, NULL, NULL, NULL) != ALPACA_OK) *(int *)failed = 1;
    p_alpaca_session_free(session);
    p_alpaca_model_free(model);
    return NULL;
}

static int child(void) {
    pthread_t threads[THREADS];
    int failed[THREADS] = {0};
    alarm(60); /* The work takes a tenth of a second. */
    pthread_barrier_init(&start, NULL, THREADS);
    for (int i = 1; i < THREADS; i++) {
        if (pthread_create(&threads[i], NULL, i % 2 ? generate : describe, &failed[i]) != 0) return 1;
    }
    generate(&failed[0]);
    for (int i = 1; i < THREADS; i++) pthread_join(threads[i], NULL);
    for (int i = 0; i < THREADS; i++) {
        if (failed[i]) return 1;
    }
    return 0;
}

int main(int argc, char **argv) {
    void *library = argc == 4 ? dlopen(argv[1], RTLD_NOW | RTLD_LOCAL) : NULL;
    if (library == NULL) return 2;
#define LOAD(name) *(void **)&p_##name = dlsym(library, #name)
    LOAD(alpaca_inspect);
    LOAD(alpaca_string_free);
    LOAD(alpaca_model_open);
    LOAD(alpaca_model_free);
    LOAD(alpaca_session_create);
    LOAD(alpaca_session_free);
    LOAD(alpaca_session_generate);
    LOAD(alpaca_generation_params_init);
    path = argv[2];
    int times = atoi(argv[3]), failed = 0;
    for (int i = 0; i < times; i++) {
        pid_t pid = fork();
        if (pid == 0) _exit(child());
        int status = -1;
        if (pid < 0 || waitpid(pid, &status, 0) != pid) return 2;
        if (status == 0) continue;
        failed++;
        printf("FAIL child %d: %s %d\n", i, WIFSIGNALED(status) ? "signal" : "exit status", WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
    }
    printf("children: %d, %d failed\n", times, failed);
    return failed != 0;
}
