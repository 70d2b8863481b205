/* Rows of every tensor type to floats: the embedding lookup, and the reference of everything else.
 *
 * The blocks are in types/. Exact: a scale has 11 bits (times at most 8 more in the K types, 6 in the IQ types), a quant at most 8 (IQ4_XS:
 * 7), so each product fits a float; only types with an offset (Q4_1, Q5_1, Q2_K, Q4_K, Q5_K) round, once, in the final sum. No order of
 * evaluation can change a bit. */
#ifndef ALPACA_VECTOR_DEQUANTIZE_H
#define ALPACA_VECTOR_DEQUANTIZE_H
#include "../types/types.h"

INLINE void row_f32(const float *row, size_t n, float *out) { __builtin_memcpy(out, row, n * sizeof(float)); }

INLINE void row_f16(const uint16_t *row, size_t n, float *out) {
    const size_t left = n % LANES, whole = n - left;
    for (size_t i = 0; i < whole; i += LANES) store16(out + i, load_f16(row + i));
    for (size_t i = whole; i < n; i++) out[i] = f32_from_f16(row[i]);
}

INLINE void row_bf16(const uint16_t *row, size_t n, float *out) {
    const size_t whole = n - n % LANES;
    for (size_t i = 0; i < whole; i += LANES) store16(out + i, f32_from_bf16_vector(*(const v16s_unaligned *)(row + i)));
    for (size_t i = whole; i < n; i++) out[i] = f32_from_bf16(row[i]);
}

/* By how the type's numbers become weights (types.def). */
#define ROW_FLOAT(id, weights) row_##id(row, n, out)
#define ROW_LINEAR(id, weights)                                                                                                        \
    for (const kern_##id *b = row, *end = b + n / weights; b < end; b++, out += weights) block_##id(b, out)
#define ROW_LOOKUP16(id, weights) ROW_LINEAR(id, weights)
#define ROW_EXPONENT16(id, weights) ROW_LINEAR(id, weights)
#define ROW_GRID(id, weights) ROW_LINEAR(id, weights)
#define ROW_GRID_SPREAD(id, weights) ROW_LINEAR(id, weights)

static void dequantize_row(int32_t type, const void *row, size_t n, float *out) {
    switch (type) {
#define TYPE(NAME, id, number, weights, bytes, scale, second_scale, decode, ...)                                                       \
    case KERN_##NAME: ROW_##decode(id, weights); break;
#include "../types/types.def"
    default: break;
    }
}

#undef ROW_FLOAT
#undef ROW_LINEAR
#undef ROW_LOOKUP16
#undef ROW_EXPONENT16
#undef ROW_GRID
#undef ROW_GRID_SPREAD
#endif
