/* Memory for keys and values: a budget, growth on demand, what goes back to the system. */
#include "harness.h"

static void *model_with_budget(uint64_t bytes) {
    char params[SIZE_alpaca_model_params];
    void *made = NULL;
    CHECK(CALL("alpaca_model_params_init", P(params), N(sizeof params)).q == ALPACA_OK, "%s", message());
    FIELD(uint64_t, params, alpaca_model_params, cache_bytes) = bytes;
    CHECK(CALL("alpaca_model_open", P(model_path), P(params), P(&made)).q == ALPACA_OK, "%s", message());
    return made;
}

/* NULL when it is refused. */
static void *session_with(void *model, int32_t n_ctx, int32_t grow_on_demand) {
    char params[SIZE_alpaca_session_params];
    void *made = NULL;
    CHECK(CALL("alpaca_session_params_init", P(params), N(sizeof params)).q == ALPACA_OK, "%s", message());
    FIELD(int32_t, params, alpaca_session_params, n_ctx) = n_ctx;
    FIELD(int32_t, params, alpaca_session_params, n_batch) = 16;
    FIELD(int32_t, params, alpaca_session_params, n_threads) = 1;
    FIELD(int32_t, params, alpaca_session_params, grow_on_demand) = grow_on_demand;
    CALL("alpaca_session_create", P(model), P(params), P(&made));
    return made;
}

static uint64_t page_bytes(void *model) {
    char info[SIZE_alpaca_model_info] = {0};
    FIELD(size_t, info, alpaca_model_info, struct_size) = sizeof info;
    CHECK(CALL("alpaca_model_get_info", P(model), P(info)).q == ALPACA_OK, "%s", message());
    return 64u * 4u * (uint64_t)FIELD(int32_t, info, alpaca_model_info, n_layer) * (uint64_t)FIELD(int32_t, info, alpaca_model_info, n_head_kv) *
           (uint64_t)(FIELD(int32_t, info, alpaca_model_info, n_embd) / FIELD(int32_t, info, alpaca_model_info, n_head));
}

static uint64_t append_some(void *session, size_t n) {
    static int32_t ids[4096];
    for (size_t i = 0; i < n; i++) ids[i] = (int32_t)(300 + i % 3000);
    return CALL("alpaca_session_append", P(session), P(ids), N(n)).q;
}

static void test_budget(void *any) {
    const uint64_t page = page_bytes(any);
    void *model = model_with_budget(2 * page), *promised = session_with(model, 64, 0), *growing = session_with(model, 65536, 1);
    CHECK(promised != NULL && growing != NULL, "%s", message());
    CHECK(session_with(model, 65, 0) == NULL && strstr(message(), "cache_bytes") != NULL, "%s", message());
    CHECK(append_some(growing, 64) == ALPACA_OK, "%s", message());
    CHECK(append_some(growing, 1) == ALPACA_OUT_OF_MEMORY && strstr(message(), "cache_bytes") != NULL, "%s", message());
    CHECK(CALL("alpaca_session_position", P(growing)).q == 64, "it lost what it had");
    CHECK(append_some(promised, 64) == ALPACA_OK, "%s", message());
    CALL("alpaca_session_free", P(promised));
    CHECK(append_some(growing, 1) == ALPACA_OK, "%s", message());
    CALL("alpaca_session_free", P(growing));
    CALL("alpaca_model_free", P(model));
    const uint64_t large[] = {0, INT64_MAX, (uint64_t)1 << 63, UINT64_MAX};
    for (int i = 0; i < 4; i++) {
        model = model_with_budget(large[i]), promised = session_with(model, 64, 0);
        CHECK(append_some(promised, 64) == ALPACA_OK, "%s", message());
        CALL("alpaca_session_free", P(promised));
        CALL("alpaca_model_free", P(model));
    }
}

/* Bytes of this process that are in memory. */
static long resident(void) {
    long pages = -1;
    FILE *file = fopen("/proc/self/statm", "r");
    if (file != NULL && fscanf(file, "%*d %ld", &pages) != 1) pages = -1;
    if (file != NULL) fclose(file);
    CHECK(pages > 0, "/proc/self/statm");
    return pages * sysconf(_SC_PAGESIZE);
}

/* 65536 positions are promised, 256 MB with this model: what is filled is there, and what is forgotten is not. */
static void test_memory(void *model) {
    if (in_valgrind()) {
        fprintf(report, "SKIPPED test_memory: valgrind has memory of its own\n");
        return;
    }
    const long page = (long)page_bytes(model);
    for (int grows = 0; grows < 2; grows++) {
        void *warm = session_with(model, 64, 0); /* the weights, the buffers */
        CHECK(append_some(warm, 64) == ALPACA_OK, "%s", message());
        const long before = resident();
        void *session = session_with(model, 65536, grows);
        CHECK(append_some(session, 100) == ALPACA_OK, "%s", message());
        const long few = resident();
        CHECK(few - before < 32 * page, "100 tokens take %ld bytes", few - before);
        CHECK(append_some(session, 3100) == ALPACA_OK, "%s", message());
        const long many = resident();
        CHECK(many - few > 40 * page, "3100 tokens take %ld bytes", many - few);
        CHECK(CALL("alpaca_session_truncate", P(session), N(100)).q == ALPACA_OK, "%s", message());
        CHECK(many - resident() > 40 * page, "%ld of %ld bytes went back", many - resident(), many - few);
        CHECK(append_some(session, 3100) == ALPACA_OK, "%s", message());
        CALL("alpaca_session_free", P(session));
        CHECK(many - resident() > 40 * page, "%ld of %ld bytes went back", many - resident(), many - few);
        CALL("alpaca_session_free", P(warm));
    }
}

void test_cache(void *model) {
    test_budget(model);
    test_memory(model);
}
