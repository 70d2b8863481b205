/* How fast is attention? Per CPU path, on one thread: decode in GB/s of cache read, prefill in GFLOP/s, beside this core's memory
 * read rate and FP32 multiply-add peak measured in the same run.
 *
 *   clang -O3 -ffp-contract=off -fno-math-errno -std=gnu17 -I Sources/CAlpacaKernels/include Benchmarks/Kernels/attention.c \
 *         $(find Sources/CAlpacaKernels -name '*.c') -lm -lpthread -o attention && ./attention [n_group [kind]]
 *
 * Llama-2-7B's shape: 32 heads of 128; n_group 1, kind 1 (F16) if not given. Each figure is the best of several repetitions, paths in alternation. */
#include "alpaca_kernels.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <sys/mman.h>

extern const kern_vector_table kern_vector_generic, kern_vector_avx2, kern_vector_avx512;

enum { HEADS = 32, HEAD_DIM = 128, CAPACITY = 16384, REPETITIONS = 5 };

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static uint64_t random_state = 1;
static float random_float(void) {
    random_state = random_state * 6364136223846793005u + 1442695040888963407u;
    return (float)(int32_t)(random_state >> 32) * 0x1p-31f;
}

static void *allocate(size_t bytes) {
    void *p = aligned_alloc(1 << 21, (bytes + (1 << 21) - 1) >> 21 << 21);
    if (!p) exit(1); madvise(p, bytes, 14);
    return p;
}

typedef float lanes8 __attribute__((ext_vector_type(8)));
typedef float lanes16 __attribute__((ext_vector_type(16)));
typedef uint64_t words8 __attribute__((ext_vector_type(8)));

/* Twelve independent chains of fused multiply-adds in registers. */
#define PEAK(name, lanes, features)                                                                                                    \
    __attribute__((target(features))) static double name(void) {                                                                      \
        lanes a[12], x = 0.999f, y = 1e-3f;                                                                                            \
        for (int i = 0; i < 12; i++) a[i] = (float)i;                                                                                  \
        const size_t n = 5000000;                                                                                                      \
        const double begin = now();                                                                                                    \
        for (size_t k = 0; k < n; k++)                                                                                                 \
            for (int i = 0; i < 12; i++) a[i] = __builtin_elementwise_fma(a[i], x, y);                                                 \
        const double seconds = now() - begin;                                                                                          \
        volatile float sink = 0;                                                                                                       \
        for (int i = 0; i < 12; i++) sink += a[i][0];                                                                                  \
        return 1e-9 * 2 * 12 * (sizeof(lanes) / 4) * (double)n / seconds;                                                              \
    }
PEAK(peak_avx2, lanes8, "avx2,fma")
PEAK(peak_avx512, lanes16, "avx512f,avx512vl,avx512bw,avx512dq,fma")

static double read_rate(const void *p, size_t bytes) {
    const words8 *words = p;
    words8 a = 0, b = 0, c = 0, d = 0;
    const double begin = now();
    for (size_t i = 0; i + 4 <= bytes / 64; i += 4) a ^= words[i], b ^= words[i + 1], c ^= words[i + 2], d ^= words[i + 3];
    const double seconds = now() - begin;
    volatile uint64_t sink = (a ^ b ^ c ^ d)[0];
    (void)sink;
    return 1e-9 * (double)bytes / seconds;
}

typedef struct path {
    const char *name;
    const kern_vector_table *table;
    double peak;
} path;

int main(int argc, char **argv) {
    const size_t n_group = argc > 1 ? strtoul(argv[1], 0, 10) : 1, heads_kv = HEADS / n_group, stride = HEADS * HEAD_DIM;
    path paths[3];
    int n_paths = 0;
    if (getenv("GENERIC")) paths[n_paths++] = (path){"generic", &kern_vector_generic, 0};
    if (__builtin_cpu_supports("avx2")) paths[n_paths++] = (path){"avx2", &kern_vector_avx2, 0};
    if (__builtin_cpu_supports("avx512bw")) paths[n_paths++] = (path){"avx512", &kern_vector_avx512, 0};

    const int32_t kind = argc > 2 ? atoi(argv[2]) : KERN_F16;
    const size_t prompt = 512, row = heads_kv * HEAD_DIM, bytes = heads_kv * CAPACITY / KERN_KEY_BLOCK * kern_kv_block_bytes(kind, HEAD_DIM);
    float *q = allocate(prompt * stride * 4), *out = allocate(prompt * stride * 4), *k = allocate(row * 4), *v = allocate(row * 4);
    for (size_t i = 0; i < prompt * stride; i++) q[i] = random_float();
    const size_t page_bytes = 2 * bytes / (CAPACITY / KERN_KEY_BLOCK);
    char *memory = allocate(2 * bytes);
    void *pages[CAPACITY / KERN_KEY_BLOCK];
    for (size_t i = 0; i < CAPACITY / KERN_KEY_BLOCK; i++) pages[i] = memory + i * page_bytes;
    kern_kv kv = {pages, 0, heads_kv, HEAD_DIM, kind, kind, kern_best()->fetch_level};
    for (size_t position = 0; position < CAPACITY; position++) {
        for (size_t i = 0; i < row; i++) k[i] = random_float(), v[i] = random_float();
        paths[n_paths - 1].table->kv_store(&kv, position, k, v);
    }
    void *scratch = allocate(paths[0].table->attention_scratch_bytes(n_group, HEAD_DIM));

    double roof = 0;
    for (int i = 0; i < REPETITIONS; i++) {
        const double rate = read_rate(memory, bytes);
        if (rate > roof) roof = rate;
    }
    printf("n_group %zu, %zu KV heads of %d, cache kind %d; memory read %.1f GB/s\n", n_group, heads_kv, HEAD_DIM, kind, roof);

    for (int r = 0; r < REPETITIONS; r++)
        for (int i = 0; i < n_paths; i++) {
            const double peak = paths[i].table == &kern_vector_avx512 ? peak_avx512() : paths[i].table == &kern_vector_avx2 ? peak_avx2() : 0;
            if (peak > paths[i].peak) paths[i].peak = peak;
        }
    for (int i = 0; i < n_paths; i++) printf("%s: multiply-add peak %.0f GFLOP/s\n", paths[i].name, paths[i].peak);

    const size_t contexts[] = {512, 4096, 16384};
    for (int c = 0; c < 3; c++) {
        double best[3] = {1e9, 1e9, 1e9};
        for (int repetition = 0; repetition < REPETITIONS; repetition++)
            for (int i = 0; i < n_paths; i++) {
                const double begin = now();
                for (size_t h = 0; h < heads_kv; h++)
                    paths[i].table->attention(&kv, h, n_group, contexts[c] - 1, 1, 0, q, stride, out, stride, 0.088f, scratch);
                const double seconds = now() - begin;
                if (seconds < best[i]) best[i] = seconds;
            }
        for (int i = 0; i < n_paths; i++) {
            const double rate = 1e-9 * 2 * (double)bytes * (double)contexts[c] / CAPACITY / best[i];
            printf("decode  at %5zu  %-8s %6.2f ms  %6.1f GB/s  %3.0f %% of the read rate\n", contexts[c], paths[i].name, 1e3 * best[i], rate,
                   100 * rate / roof);
        }
    }
    const size_t depths[] = {0, 4096, 15872};
    for (int c = 0; c < 3; c++) {
        double best[3] = {1e9, 1e9, 1e9}, flops = 0;
        const size_t measured_heads = heads_kv < 4 ? heads_kv : 4;
        for (size_t t = 0; t < prompt; t++) flops += 4.0 * HEAD_DIM * (double)(depths[c] + t + 1) * (double)(n_group * measured_heads);
        for (int repetition = 0; repetition < REPETITIONS; repetition++)
            for (int i = 0; i < n_paths; i++) {
                const double begin = now();
                for (size_t h = 0; h < measured_heads; h++)
                    paths[i].table->attention(&kv, h, n_group, depths[c], prompt, 0, q, stride, out, stride, 0.088f, scratch);
                const double seconds = now() - begin;
                if (seconds < best[i]) best[i] = seconds;
            }
        for (int i = 0; i < n_paths; i++) {
            const double rate = 1e-9 * flops / best[i];
            printf("prefill 512 at %5zu  %-8s %6.2f ms a head  %6.1f GFLOP/s  %3.0f %% of the peak\n", depths[c], paths[i].name,
                   1e3 * best[i] / (double)measured_heads, rate, paths[i].peak > 0 ? 100 * rate / paths[i].peak : 0);
        }
    }
    return 0;
}
