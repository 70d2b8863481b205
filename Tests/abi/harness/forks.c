/* Children of a host that uses the library: what it had open goes on in them. */
#include "harness.h"

#include <sys/wait.h>

/* What `body` finds in a child; `body` gets `context`. */
void in_child(void (*body)(void *), void *context) {
    fflush(report);
    pid_t child = fork();
    if (child == 0) {
        if (!in_valgrind()) alarm(120); /* there everything takes fifty times as long */
        failed = 0;
        body(context);
        fflush(report);
        _exit(failed != 0);
    }
    int status = -1;
    waitpid(child, &status, 0);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0, "the child ended with %x", status);
}

void use_all(void *unused) { (void)unused, whole_run(); }

/* A session that has worked in the parent, its threads with it, goes on in the child. */
static void go_on(void *session) {
    struct recorder *r = calloc(1, sizeof *r);
    int32_t finish;
    CHECK(write_text(session, r, 512, &finish) == ALPACA_OK && strcmp(r->text, poem) == 0, "%s: %s", message(), r->text);
    free(r);
}

/* Three sessions of one model, each on a thread of its own, at the same time. */
static void *go_on_thread(void *session) { return go_on(session), NULL; }

static void go_on_together(void *context) {
    void **sessions = context;
    pthread_t threads[3];
    for (int i = 0; i < 3; i++) CHECK(pthread_create(&threads[i], NULL, go_on_thread, sessions[i]) == 0, "no thread");
    for (int i = 0; i < 3; i++) pthread_join(threads[i], NULL);
}

/* What the parent has left, to the end: all of it is freed in the child, and more is made of the same model. */
struct inherited { void *model, *sessions[3], *busy; };

static void use_and_free(void *context) {
    struct inherited *i = context;
    go_on_together(i->sessions);
    for (int s = 0; s < 3; s++) CALL("alpaca_session_free", P(i->sessions[s]));
    void *more = make_session(i->model);
    go_on(more);
    CALL("alpaca_session_free", P(more));
    CALL("alpaca_model_free", P(i->model));
}

/* A thread of the parent was in the middle of a step. It does not exist in the child, where its session stays in use; the others work. */
static void use_beside_busy(void *context) {
    struct inherited *i = context;
    const int32_t id = 300;
    CHECK(CALL("alpaca_session_append", P(i->busy), P(&id), N(1)).q == ALPACA_BUSY, "%s", message());
    go_on_together(i->sessions);
    void *more = make_session(i->model);
    go_on(more);
    CALL("alpaca_session_free", P(more));
}

static int begun;
static void note_begin(void) { __atomic_store_n(&begun, 1, __ATOMIC_RELEASE); }

static void *write_without_end(void *session) {
    struct recorder *r = calloc(1, sizeof *r);
    int32_t finish = -1;
    r->body = note_begin;
    CHECK(write_text(session, r, 0, &finish) == ALPACA_OK && finish == ALPACA_FINISH_CANCELLED, "%s, %d", message(), finish);
    free(r);
    return NULL;
}

static void test_sessions_of_one_model(void) {
    struct inherited i = {.model = open_model()};
    pthread_t writer;
    for (int s = 0; s < 3; s++) i.sessions[s] = make_session(i.model);
    i.busy = make_session(i.model);
    go_on_together(i.sessions);
    in_child(go_on_together, i.sessions);
    in_child(use_and_free, &i);
    go_on_together(i.sessions);
    begun = 0;
    CHECK(pthread_create(&writer, NULL, write_without_end, i.busy) == 0, "no thread");
    while (!__atomic_load_n(&begun, __ATOMIC_ACQUIRE)) usleep(100);
    for (int times = in_valgrind() ? 1 : 20; times > 0; times--) {
        usleep((useconds_t)(times * 137));
        in_child(use_beside_busy, &i);
    }
    go_on_together(i.sessions);
    CALL("alpaca_session_cancel", P(i.busy));
    pthread_join(writer, NULL);
    for (int s = 0; s < 3; s++) CALL("alpaca_session_free", P(i.sessions[s]));
    CALL("alpaca_session_free", P(i.busy));
    CALL("alpaca_model_free", P(i.model));
}

static void test_session(void *model) {
    void *session = NULL;
    char params[SIZE_alpaca_session_params];
    CALL("alpaca_session_params_init", P(params), N(sizeof params));
    FIELD(int32_t, params, alpaca_session_params, n_threads) = 3;
    CHECK(CALL("alpaca_session_create", P(model), P(params), P(&session)).q == ALPACA_OK, "%s", message());
    go_on(session);
    in_child(use_all, NULL);
    in_child(go_on, session);
    go_on(session);
    CALL("alpaca_session_free", P(session));
}

void test_forks(void *model) {
    test_session(model);
    test_sessions_of_one_model();
}
