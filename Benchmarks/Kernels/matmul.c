/* How fast the matrix products are, by type and CPU path, against a plain read of the same memory.
 *
 *   clang -O3 -ffp-contract=off -fno-math-errno -std=gnu17 -I Sources/CAlpacaKernels/include -o .build/matmul-bench \
 *       Benchmarks/Kernels/matmul.c $(find Sources/CAlpacaKernels -name '*.c') -lm -lpthread
 *
 * Usage: matmul [threads (2)] [path,path|all] [type,type|all] [tokens,tokens (1,4,128,512)]
 * One token: GB/s of weights, on more memory than the caches hold, random (equal pages would be merged by some hosts). More tokens:
 * GOPS a thread (2 * rows * columns * tokens operations) on 4096 x 4096, packing of the inputs apart. Best of several runs. */
#include "alpaca_kernels.h"
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { COLUMNS = 4096, MOST_THREADS = 64, MEMORY = 512 << 20 };

typedef struct format {
    const char *name;
    int32_t type;
    size_t weights, bytes, scale, second_scale; /* of a block; offsets of its binary16 scales */
} format;

static const format formats[] = {
#define TYPE(NAME, id, number, weights, bytes, scale, second_scale, ...) {#NAME, number, weights, bytes, scale, second_scale},
#include "../types/types.def"
};
enum { FORMATS = sizeof formats / sizeof *formats };

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void *aligned(size_t bytes) {
    void *p = aligned_alloc(64, (bytes + 64) / 64 * 64);
    if (!p) exit(1);
    return memset(p, 0, bytes);
}

static void fill(uint8_t *p, const format *f) {
    static uint64_t x = 88172645463325252u;
    for (size_t i = 0; i + 8 <= MEMORY; i += 8) {
        x ^= x << 13, x ^= x >> 7, x ^= x << 17;
        uint64_t bits = x;
        if (f->type == KERN_F32) bits = (bits & 0x007FFFFF007FFFFF) | 0x3C0000003C000000;
        if (f->weights == 1 && f->type != KERN_F32) bits = (bits & 0x83FF83FF83FF83FF) | 0x2000200020002000;
        memcpy(p + i, &bits, 8);
    }
    /* Of MXFP4 and IQ1_M the same byte is something else, which does not matter for the speed. */
    for (size_t i = 0; f->weights > 1 && i + f->bytes <= MEMORY; i += f->bytes) p[i + f->scale + 1] = p[i + f->second_scale + 1] = 0x20;
}

typedef struct job {
    const kern_matmul_table *table;
    kern_matrix matrix;
    kern_inputs inputs;
    kern_ahead ahead;
    float *y;
    void *scratch[MOST_THREADS];
    int threads;
    atomic_size_t next;
    atomic_ullong sink;
} job;

typedef struct worker {
    job *job;
    int index;
} worker;

/* Row blocks from a shared counter; of few tokens one long range for each thread, nearly as the engine gives them out. */
static void *multiply(void *p) {
    const worker *me = p;
    job *j = me->job;
    const size_t share = (j->matrix.rows / (size_t)j->threads / KERN_ROW_BLOCK + 1) * KERN_ROW_BLOCK;
    const size_t step = j->inputs.n_tokens > KERN_FEW_TOKENS ? 128 : share;
    for (;;) {
        const size_t first = atomic_fetch_add(&j->next, step);
        if (first >= j->matrix.rows) return NULL;
        const size_t last = first + step < j->matrix.rows ? first + step : j->matrix.rows;
        j->table->matmul(&j->matrix, first, last, &j->inputs, j->ahead, j->y, j->matrix.rows, j->scratch[me->index]);
    }
}

static void *read_plainly(void *p) {
    typedef uint64_t v8 __attribute__((ext_vector_type(8)));
    const worker *me = p;
    job *j = me->job;
    v8 a = 0, b = 0;
    for (;;) {
        const size_t first = atomic_fetch_add(&j->next, 1 << 20);
        if (first >= MEMORY) break;
        const v8 *from = (const v8 *)(const void *)((const uint8_t *)j->matrix.base + first);
        for (size_t i = 0; i < (1 << 20) / sizeof(v8); i += 2) {
            __builtin_prefetch(from + i + 32), __builtin_prefetch(from + i + 33);
            a += from[i], b += from[i + 1];
        }
    }
    a += b;
    atomic_fetch_add(&j->sink, a[0] ^ a[1] ^ a[2] ^ a[3] ^ a[4] ^ a[5] ^ a[6] ^ a[7]);
    return NULL;
}

static double seconds(job *j, void *(*f)(void *)) {
    pthread_t threads[MOST_THREADS];
    worker workers[MOST_THREADS];
    atomic_store(&j->next, 0);
    const double start = now();
    for (int i = 0; i < j->threads; i++) {
        workers[i] = (worker){j, i};
        if (pthread_create(&threads[i], NULL, f, &workers[i])) exit(1);
    }
    for (int i = 0; i < j->threads; i++) pthread_join(threads[i], NULL);
    return now() - start;
}

static double best(job *j, void *(*f)(void *), int times) {
    double least = 1e9;
    for (int i = 0; i < times; i++) {
        const double t = seconds(j, f);
        if (t < least) least = t;
    }
    return least;
}

static int chosen(const char *list, const char *name) {
    const size_t n = strlen(name);
    if (!strcmp(list, "all")) return 1;
    for (const char *p = list; (p = strstr(p, name)); p++) {
        if ((p == list || p[-1] == ',') && (p[n] == 0 || p[n] == ',')) return 1;
    }
    return 0;
}

int main(int count, char **arguments) {
    const int threads = count > 1 ? atoi(arguments[1]) : 2;
    const char *paths = count > 2 ? arguments[2] : "all", *types = count > 3 ? arguments[3] : "all";
    const char *tokens = count > 4 ? arguments[4] : "1,4,128,512";
    const char *names[] = {"generic", "avx2", "avxvnni", "avx512", "avx512vbmi", "neon", "i8mm"};
    uint8_t *memory = aligned_alloc(64, MEMORY);
    if (!memory || threads < 1 || threads > MOST_THREADS) return 1;
    printf("%d threads\n%-6s %-8s %9s %9s", threads, "type", "path", "read GB/s", "pack ns");
    printf("   GOPS a thread (GB/s of weights) by number of tokens\n");
    for (int f = 0; f < FORMATS; f++) {
        if (!chosen(types, formats[f].name)) continue;
        fill(memory, &formats[f]);
        for (size_t n = 0; n < sizeof names / sizeof *names; n++) {
            const kern_table *table = kern_named(names[n]);
            if (!table || !chosen(paths, names[n])) continue;
            job j = {.table = &table->matmul, .threads = threads, .ahead = {NULL, table->fetch_level}};
            const size_t row_bytes = COLUMNS / formats[f].weights * formats[f].bytes;
            j.matrix = (kern_matrix){memory, MEMORY / row_bytes, COLUMNS, row_bytes, formats[f].type, 0};
            const double roof = MEMORY / best(&j, read_plainly, 5) / 1e9;
            printf("%-6s %-8s %9.1f", formats[f].name, names[n], roof);
            char list[256], *rest = NULL;
            snprintf(list, sizeof list, "%s", tokens);
            int first = 1;
            for (char *word = strtok_r(list, ",", &rest); word; word = strtok_r(NULL, ",", &rest), first = 0) {
                const size_t n_tokens = (size_t)atoi(word);
                if (n_tokens == 0) return 1;
                j.matrix.rows = n_tokens <= 4 ? MEMORY / row_bytes : COLUMNS;
                j.inputs = (kern_inputs){aligned(COLUMNS * n_tokens * sizeof(float)), COLUMNS, COLUMNS, n_tokens, NULL};
                for (size_t i = 0; i < COLUMNS * n_tokens; i++) ((float *)j.inputs.x)[i] = (float)(rand() % 2001 - 1000) / 1000.0f;
                j.inputs.packed = aligned(j.table->packed_bytes(COLUMNS, n_tokens));
                j.y = aligned(j.matrix.rows * n_tokens * sizeof(float));
                for (int i = 0; i < threads; i++) j.scratch[i] = aligned(j.table->scratch_bytes(COLUMNS, n_tokens));
                const double start = now();
                j.table->pack_inputs(&j.inputs, 0, n_tokens);
                if (first) printf(" %9.0f  ", (now() - start) / (double)n_tokens * 1e9);
                const double t = best(&j, multiply, n_tokens <= 4 ? 5 : 4);
                const double gops = 2e-9 * (double)j.matrix.rows * COLUMNS * (double)n_tokens / t / threads;
                printf(" %5zu: %6.1f (%5.1f)", n_tokens, gops, 1e-9 * (double)(j.matrix.rows * row_bytes) / t);
                fflush(stdout);
                for (int i = 0; i < threads; i++) free(j.scratch[i]);
                free((void *)j.inputs.x), free(j.inputs.packed), free(j.y);
            }
            printf("\n");
        }
    }
    free(memory);
}
