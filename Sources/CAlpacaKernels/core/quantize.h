/* Rows of floats to every tensor type. */
#ifndef ALPACA_QUANTIZE_H
#define ALPACA_QUANTIZE_H
#include "quantize_k.h"
#include "quantize_weighted.h"

/* x - x is zero for all but infinities and NaN. */
static int all_finite(const float *x, size_t n) {
    v16u bad = 0;
    const size_t whole = n - n % LANES;
    for (size_t i = 0; i < whole; i += LANES) {
        const v16f v = load16(x + i);
        bad |= __builtin_bit_cast(v16u, v - v);
    }
    uint32_t any = 0;
    for (int i = 0; i < LANES; i++) any |= bad[i];
    for (size_t i = whole; i < n; i++) any |= x[i] - x[i] != 0.0f || x[i] != x[i];
    return (any & 0x7FFFFFFFu) == 0;
}

#define EACH_BLOCK_WEIGHTED(type)                                                                                                      \
    if (importance) {                                                                                                                  \
        weighted_##type(x, importance, n / 32, out);                                                                                   \
        break;                                                                                                                         \
    }                                                                                                                                  \
    EACH_BLOCK(type)
#define EACH_BLOCK(type)                                                                                                               \
    for (kern_##type *b = out, *end = b + n / 32; b < end; b++, x += 32) encode_##type(x, b);                                          \
    break
#define EACH_K_BLOCK(type)                                                                                                             \
    for (size_t i = 0; i < n; i += 256) {                                                                                              \
        if (importance) encode_##type(x + i, importance + i, 1, (kern_##type *)out + i / 256);                                         \
        else encode_##type(x + i, 0, 0, (kern_##type *)out + i / 256);                                                                 \
    }                                                                                                                                  \
    break

static int quantize_row(int32_t type, const float *x, size_t n, const float *importance, void *out) {
    switch (type) {
    case KERN_F32: __builtin_memcpy(out, x, n * sizeof(float)); return 1;
    case KERN_F16: f32_to_f16(x, n, out); return 1;
    case KERN_BF16: f32_to_bf16(x, n, out); return 1;
    default: break;
    }
    if (!all_finite(x, n)) return 0;
    switch (type) {
    case KERN_Q4_0: EACH_BLOCK_WEIGHTED(q4_0);
    case KERN_Q4_1: EACH_BLOCK_WEIGHTED(q4_1);
    case KERN_Q5_0: EACH_BLOCK_WEIGHTED(q5_0);
    case KERN_Q5_1: EACH_BLOCK_WEIGHTED(q5_1);
    case KERN_Q8_0: EACH_BLOCK(q8_0);
    case KERN_Q2_K: EACH_K_BLOCK(q2_k);
    case KERN_Q3_K: EACH_K_BLOCK(q3_k);
    case KERN_Q4_K: EACH_K_BLOCK(q4_k);
    case KERN_Q5_K: EACH_K_BLOCK(q5_k);
    case KERN_Q6_K: EACH_K_BLOCK(q6_k);
    default: return 0;
    }
    return 1;
}

#undef EACH_BLOCK
#undef EACH_BLOCK_WEIGHTED
#undef EACH_K_BLOCK
#endif
