/* How fast floats are quantized, by type and CPU path, and how much is lost.
 *
 *   clang -O3 -ffp-contract=off -fno-math-errno -std=gnu17 -I Sources/CAlpacaKernels/include -o .build/quantize-bench \
 *       Benchmarks/Kernels/quantize.c $(find Sources/CAlpacaKernels -name '*.c') -lm -lpthread
 *
 * Usage: quantize [path,path|all] [type,type|all] [file of F32 weights, or - for normal random numbers] [weights (262144)]
 * One thread. ns: of one weight, the fastest row of 4096 and the median one. RMSE is relative to the weights' root mean square. With a
 * second word after the file, "i", importance is given (the square of other random numbers). */
#include "alpaca_kernels.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { ROW = 4096 };

static const struct { const char *name; int32_t type; } types[] = {
    {"F16", KERN_F16},   {"BF16", KERN_BF16}, {"Q4_0", KERN_Q4_0}, {"Q4_1", KERN_Q4_1}, {"Q5_0", KERN_Q5_0}, {"Q5_1", KERN_Q5_1},
    {"Q8_0", KERN_Q8_0}, {"Q2_K", KERN_Q2_K}, {"Q3_K", KERN_Q3_K}, {"Q4_K", KERN_Q4_K}, {"Q5_K", KERN_Q5_K}, {"Q6_K", KERN_Q6_K},
    {"IQ4_NL", KERN_IQ4_NL}, {"IQ4_XS", KERN_IQ4_XS}, {"MXFP4", KERN_MXFP4}, {"TQ1_0", KERN_TQ1_0}, {"TQ2_0", KERN_TQ2_0},
};

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int chosen(const char *list, const char *name) {
    const size_t n = strlen(name);
    if (!strcmp(list, "all")) return 1;
    for (const char *p = list; (p = strstr(p, name)); p++) {
        if ((p == list || p[-1] == ',') && (p[n] == 0 || p[n] == ',')) return 1;
    }
    return 0;
}

static float normal(void) {
    const double a = (rand() + 1.0) / (RAND_MAX + 2.0), b = rand() / (RAND_MAX + 1.0);
    return (float)(sqrt(-2 * log(a)) * cos(6.283185307179586 * b));
}

static int ascending(const void *a, const void *b) { return (*(const double *)a > *(const double *)b) - (*(const double *)a < *(const double *)b); }

int main(int count, char **arguments) {
    const char *paths = count > 1 ? arguments[1] : "all", *list = count > 2 ? arguments[2] : "all", *names[] = {"generic", "avx2", "avx512", "neon"};
    const char *path = count > 3 ? arguments[3] : "-";
    const size_t n = (count > 4 ? (size_t)atoll(arguments[4]) : 262144) / ROW * ROW, rows = n / ROW;
    const int weighted = count > 5;
    float *x = malloc(n * 4), *w = malloc(ROW * 4), *back = malloc(ROW * 4);
    uint8_t *out = malloc(ROW * 4);
    double *seconds = malloc(rows * sizeof(double));
    if (!x || !w || !back || !out || !seconds || n == 0) return 1;
    for (size_t i = 0; i < n; i++) x[i] = 0.02f * normal();
    for (size_t i = 0; i < ROW; i++) w[i] = powf(normal(), 2);
    if (strcmp(path, "-")) {
        FILE *f = fopen(path, "rb");
        if (!f || fread(x, 4, n, f) != n) return 1;
        fclose(f);
    }
    printf("%-5s %-8s %8s %8s %12s\n", "type", "path", "ns", "median", weighted ? "weighted" : "RMSE");
    for (size_t t = 0; t < sizeof types / sizeof *types; t++) {
        for (size_t p = 0; p < sizeof names / sizeof *names; p++) {
            const kern_table *table = kern_named(names[p]);
            if (!table || !chosen(paths, names[p]) || !chosen(list, types[t].name)) continue;
            double lost = 0, all = 0;
            for (size_t r = 0; r < rows; r++) {
                const float *from = x + r * ROW;
                const double start = now();
                table->vector.quantize_row(types[t].type, from, ROW, weighted ? w : NULL, out);
                seconds[r] = now() - start;
                table->vector.dequantize_row(types[t].type, out, ROW, back);
                for (size_t i = 0; i < ROW; i++) {
                    const double weight = weighted ? w[i] : 1, e = (double)back[i] - from[i];
                    lost += weight * e * e, all += weight * (double)from[i] * from[i];
                }
            }
            qsort(seconds, rows, sizeof *seconds, ascending);
            printf("%-5s %-8s %8.2f %8.2f %12.8f\n", types[t].name, names[p], seconds[0] / ROW * 1e9, seconds[rows / 2] / ROW * 1e9,
                   sqrt(lost / all));
        }
    }
    free(x), free(w), free(back), free(out), free(seconds);
}
