/* What AVX-512 does (matmul_avx512.c), and with VBMI one loop more: Q4_0 for one token. A file of its own, so that the compiler puts
 * instructions of VBMI nowhere else. */
#if defined(__x86_64__)
#define ROWS 16
#include <immintrin.h>
#pragma clang attribute push(                                                                                                          \
    __attribute__((target("avx2,fma,f16c,avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx512vbmi"))), apply_to = function)
#include "../core/quant_vectors.h"
#include "../core/wide_q4_0.h"

extern const kern_matmul_table kern_matmul_avx512, kern_matmul_avx512vbmi;

static size_t packed_bytes(size_t columns, size_t n_tokens) { return kern_matmul_avx512.packed_bytes(columns, n_tokens); }
static size_t pack_group(size_t n_tokens) { return kern_matmul_avx512.pack_group(n_tokens); }
static void pack_inputs(const kern_inputs *in, size_t first, size_t last) { kern_matmul_avx512.pack_inputs(in, first, last); }
static size_t scratch_bytes(size_t columns, size_t n_tokens) { return kern_matmul_avx512.scratch_bytes(columns, n_tokens); }

static void matmul(const kern_matrix *w, size_t first, size_t last, const kern_inputs *in, kern_ahead ahead, float *y, size_t y_stride,
                   void *scratch) {
    size_t rest = first;
    if (w->type == KERN_Q4_0 && in->n_tokens == 1 && w->columns % (4 * 32) == 0 && first < last) {
        rest = first + (last - first) / WIDE_ROWS * WIDE_ROWS;
        wide_q4_0(w, first, rest, in, ahead, y);
    }
    if (rest < last) kern_matmul_avx512.matmul(w, rest, last, in, ahead, y, y_stride, scratch);
}

const kern_matmul_table kern_matmul_avx512vbmi = {
    .packed_bytes = packed_bytes,
    .pack_group = pack_group,
    .pack_inputs = pack_inputs,
    .matmul = matmul,
    .scratch_bytes = scratch_bytes,
};
#pragma clang attribute pop
#endif
