/* Rows of floats to every tensor type. */
#ifndef ALPACA_QUANTIZE_H
#define ALPACA_QUANTIZE_H
#include "quantize_k.h"
#include "quantize_lookup.h"
#include "quantize_small.h"
#include "quantize_weighted.h"

/* Whether no number is an infinity, NaN, or so great (2^127) that the span of a block could be none. */
static int all_finite(const float *x, size_t n) {
    const uint32_t magnitude = 0x7FFFFFFFu, limit = 0x7F000000u;
    v16i bad = 0;
    const size_t whole = n - n % LANES;
    for (size_t i = 0; i < whole; i += LANES) bad |= (__builtin_bit_cast(v16u, load16(x + i)) & magnitude) >= limit;
    int any = 0;
    for (int i = 0; i < LANES; i++) any |= bad[i];
    for (size_t i = whole; i < n; i++) any |= (__builtin_bit_cast(uint32_t, x[i]) & magnitude) >= limit;
    return any == 0;
}

INLINE void floats_to_f32(const float *x, size_t n, float *out) { __builtin_memcpy(out, x, n * sizeof(float)); }
INLINE void floats_to_f16(const float *x, size_t n, uint16_t *out) { f32_to_f16(x, n, out); }
INLINE void floats_to_bf16(const float *x, size_t n, uint16_t *out) { f32_to_bf16(x, n, out); }

/* By the column `encode` of types.def. */
#define ENCODE_FLOAT(id, weights) floats_to_##id(x, n, out)
#define ENCODE_ROUNDED(id, weights)                                                                                                    \
    if (!all_finite(x, n)) return 0;                                                                                                   \
    for (kern_##id *b = out, *end = b + n / weights; b < end; b++, x += weights) encode_##id(x, b)
#define ENCODE_WEIGHTED(id, weights)                                                                                                   \
    if (importance && all_finite(x, n)) return weighted_##id(x, importance, n / weights, out), 1;                                      \
    ENCODE_ROUNDED(id, weights)
#define ENCODE_SEARCHED(id, weights)                                                                                                   \
    if (!all_finite(x, n)) return 0;                                                                                                   \
    for (size_t i = 0; i < n; i += weights) {                                                                                          \
        if (importance) encode_##id(x + i, importance + i, 1, (kern_##id *)out + i / weights);                                         \
        else encode_##id(x + i, 0, 0, (kern_##id *)out + i / weights);                                                                 \
    }

#define ENCODE_NONE(id, weights) return 0

static int quantize_row(int32_t type, const float *x, size_t n, const float *importance, void *out) {
    switch (type) {
#define TYPE(NAME, id, number, weights, bytes, scale, second_scale, decode, encode, ...)                                               \
    case KERN_##NAME: ENCODE_##encode(id, weights); return 1;
#include "../types/types.def"
    default: return 0;
    }
}

#undef ENCODE_FLOAT
#undef ENCODE_ROUNDED
#undef ENCODE_WEIGHTED
#undef ENCODE_SEARCHED
#undef ENCODE_NONE
#endif
