/* How fast low-rank updates are merged, against the most fused multiply-adds that the core can do.
 *
 *   clang -O3 -ffp-contract=off -fno-math-errno -std=gnu17 -I Sources/CAlpacaKernels/include -o .build/lora-bench \
 *       Benchmarks/Kernels/lora.c $(find Sources/CAlpacaKernels -name '*.c') -lm -lpthread
 *
 * Usage: lora [path|all] [columns (4096)] [rows of a call (64)] [seconds of each (0.5)]
 * One thread, the fastest call of many. GFMA/s: a multiply and an add count once; ns: of one weight. */
#include "alpaca_kernels.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

#if defined(__x86_64__)
#include <immintrin.h>
/* Sixteen independent sums: nothing waits but the multipliers. */
#define PEAK(name, isa, vector, lanes, fma)                                                                                            \
    __attribute__((target(isa))) static double name(void) {                                                                            \
        typedef vector v;                                                                                                              \
        v sum[12], x = {0.5f};                                                                                                         \
        double best = 0;                                                                                                               \
        for (int i = 0; i < 12; i++) sum[i] = x;                                                                                       \
        for (int run = 0; run < 1000; run++) {                                                                                           \
            const double start = now();                                                                                                \
            for (int i = 0; i < 50000; i++) {                                                                                        \
                _Pragma("clang loop unroll(full)") for (int j = 0; j < 12; j++) sum[j] = fma(x, x, sum[j]);                            \
                __asm__ volatile("" : "+v"(x));                                                                                        \
            }                                                                                                                          \
            const double rate = 12.0 * lanes * 50000 / (now() - start) / 1e9;                                                        \
            if (rate > best) best = rate;                                                                                              \
        }                                                                                                                              \
        volatile float sink = 0;                                                                                                       \
        for (int i = 0; i < 12; i++) sink += ((float *)&sum[i])[0];                                                                    \
        return best;                                                                                                                   \
    }
PEAK(peak_avx2, "avx2,fma", __m256, 8, _mm256_fmadd_ps)
PEAK(peak_avx512, "avx512f", __m512, 16, _mm512_fmadd_ps)
static double peak(const char *path) {
    return !strcmp(path, "avx512") ? peak_avx512() : !strcmp(path, "generic") ? 0 : peak_avx2();
}
#else
static double peak(const char *path) { return 0 * (double)path[0]; }
#endif

int main(int count, char **arguments) {
    const char *paths = count > 1 ? arguments[1] : "all", *names[] = {"generic", "avx2", "avx512", "neon"};
    const size_t columns = count > 2 ? (size_t)atoi(arguments[2]) : 4096, rows = count > 3 ? (size_t)atoi(arguments[3]) : 64;
    const double least = count > 4 ? atof(arguments[4]) : 0.5;
    const size_t all_rows = 4096 / rows * rows, ranks[] = {8, 16, 32, 64, 128, 256};
    static const struct { const char *name; int32_t type, rounding, out; } modes[] = {
        {"f16, each rounded", KERN_F16, KERN_F16, KERN_F16}, {"f16, once", KERN_F16, KERN_F32, KERN_F16},
        {"f16 to f32", KERN_F16, KERN_F32, KERN_F32}, {"bf16, each rounded", KERN_BF16, KERN_BF16, KERN_BF16},
    };
    uint16_t *w = calloc(all_rows * columns, 2);
    float *out = calloc(rows * columns, 4);
    for (size_t p = 0; p < sizeof names / sizeof *names; p++) {
        const kern_table *table = kern_named(names[p]);
        if (!table || (strcmp(paths, "all") && strcmp(paths, names[p]))) continue;
        const double most = peak(names[p]);
        printf("%s: peak %.1f GFMA/s\n", names[p], most);
        for (size_t r = 0; r < sizeof ranks / sizeof *ranks; r++) {
            const size_t rank = ranks[r];
            float *a = calloc(table->vector.lora_packed_count(rank, columns), 4), *b = calloc(all_rows * rank, 4);
            float *row = calloc(columns, 4);
            for (size_t i = 0; i < columns; i++) row[i] = (float)(rand() % 2001 - 1000) / 1000.0f;
            for (size_t i = 0; i < all_rows * rank; i++) b[i] = (float)(rand() % 2001 - 1000) / 1000.0f;
            for (size_t k = 0; k < rank; k++) table->vector.lora_pack(row, k, rank, columns, a);
            for (size_t m = 0; m < sizeof modes / sizeof *modes; m++) {
                double fastest = 1e9;
                for (double start = now(); now() - start < least;) {
                    for (size_t first = 0; first < all_rows; first += rows) {
                        const kern_lora lora = {a, b + first * rank, rank, rank, columns, 2.0f, modes[m].rounding};
                        const double before = now();
                        table->vector.lora_merge(&lora, rows, modes[m].type, w + first * columns, columns * 2, modes[m].out, out,
                                                 columns * (modes[m].out == KERN_F32 ? 4 : 2));
                        const double t = now() - before;
                        if (t < fastest) fastest = t;
                    }
                }
                const double rate = (double)(rows * columns * rank) / fastest / 1e9;
                printf("  rank %3zu %-20s %6.1f GFMA/s  %5.2f ns", rank, modes[m].name, rate, fastest / (double)(rows * columns) * 1e9);
                printf(most > 0 ? "  %3.0f %%\n" : "\n", 100 * rate / most);
            }
            free(a), free(b), free(row);
        }
    }
    free(w), free(out);
}
