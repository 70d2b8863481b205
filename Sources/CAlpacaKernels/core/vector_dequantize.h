/* Rows of every tensor type to floats: the embedding lookup, and the reference of everything else.
 *
 * Exact: a scale has 11 bits (times at most 8 more in the K types), a quant at most 8, so each product fits a float; only types with
 * an offset (Q4_1, Q5_1, Q2_K, Q4_K, Q5_K) round, once, in the final sum. No order of evaluation can change a bit. */
#ifndef ALPACA_VECTOR_DEQUANTIZE_H
#define ALPACA_VECTOR_DEQUANTIZE_H
#include "float16.h"

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

/* ---- Blocks of 32: weight j is the low nibble of byte j, weight j + 16 the high one; a fifth bit is bit j of qh. ---- */

INLINE void block_q4_0(const kern_q4_0 *b, float *out) {
    const float d = f32_from_f16(b->d);
    for (int j = 0; j < 16; j++) {
        out[j] = d * (float)((b->qs[j] & 15) - 8);
        out[j + 16] = d * (float)((b->qs[j] >> 4) - 8);
    }
}

INLINE void block_q4_1(const kern_q4_1 *b, float *out) {
    const float d = f32_from_f16(b->d), m = f32_from_f16(b->m);
    for (int j = 0; j < 16; j++) {
        out[j] = d * (float)(b->qs[j] & 15) + m;
        out[j + 16] = d * (float)(b->qs[j] >> 4) + m;
    }
}

INLINE uint32_t high_bits(const uint8_t *qh) {
    return (uint32_t)qh[0] | (uint32_t)qh[1] << 8 | (uint32_t)qh[2] << 16 | (uint32_t)qh[3] << 24;
}

INLINE void block_q5_0(const kern_q5_0 *b, float *out) {
    const float d = f32_from_f16(b->d);
    const uint32_t high = high_bits(b->qh);
    for (int j = 0; j < 16; j++) {
        out[j] = d * (float)((int)((b->qs[j] & 15) | (high >> j & 1) << 4) - 16);
        out[j + 16] = d * (float)((int)((b->qs[j] >> 4) | (high >> (j + 16) & 1) << 4) - 16);
    }
}

INLINE void block_q5_1(const kern_q5_1 *b, float *out) {
    const float d = f32_from_f16(b->d), m = f32_from_f16(b->m);
    const uint32_t high = high_bits(b->qh);
    for (int j = 0; j < 16; j++) {
        out[j] = d * (float)(int)((b->qs[j] & 15) | (high >> j & 1) << 4) + m;
        out[j + 16] = d * (float)(int)((b->qs[j] >> 4) | (high >> (j + 16) & 1) << 4) + m;
    }
}

INLINE void block_q8_0(const kern_q8_0 *b, float *out) {
    const float d = f32_from_f16(b->d);
    for (int j = 0; j < 32; j++) out[j] = d * (float)b->qs[j];
}

/* ---- Blocks of 256. ---- */

/* Sixteen scales of 16 weights: scale * d in the low nibble, minimum * dmin in the high one. Each 32 bytes of qs hold four runs of
 * 32 weights, two bits each, lowest bits first. */
INLINE void block_q2_k(const kern_q2_k *b, float *out) {
    const float d = f32_from_f16(b->d), dmin = f32_from_f16(b->dmin);
    for (int run = 0; run < 16; run++) {
        const uint8_t *q = b->qs + run / 8 * 32 + run % 2 * 16;
        const float scale = d * (float)(b->scales[run] & 15), minimum = dmin * (float)(b->scales[run] >> 4);
        for (int j = 0; j < 16; j++) *out++ = scale * (float)(q[j] >> run % 8 / 2 * 2 & 3) - minimum;
    }
}

/* As Q2_K without minimums; a third bit per weight, inverted, in hmask: bit run / 2 of byte j. Scales have six bits, less 32: four in
 * a nibble of scales[0 ..< 8], two in scales[8 ..< 12]. */
INLINE void block_q3_k(const kern_q3_k *b, float *out) {
    const float d = f32_from_f16(b->d);
    for (int run = 0; run < 16; run++) {
        const uint8_t *q = b->qs + run / 8 * 32 + run % 2 * 16, *high = b->hmask + run % 2 * 16;
        const int low = b->scales[run % 8] >> run / 8 * 4 & 15, top = b->scales[8 + run % 4] >> run / 4 * 2 & 3;
        const float scale = d * (float)((low | top << 4) - 32);
        for (int j = 0; j < 16; j++) {
            *out++ = scale * (float)((q[j] >> run % 8 / 2 * 2 & 3) + (high[j] >> run / 2 & 1) * 4 - 4);
        }
    }
}

/* Scale and minimum of sub-block i (of eight) of Q4_K and Q5_K, six bits each in twelve bytes: 0 ..< 4 in the low six bits of bytes
 * 0 ..< 4 and 4 ..< 8, whose top two bits complete the nibbles of bytes 8 ..< 12. */
INLINE void scale_and_minimum(const uint8_t *scales, int i, int *scale, int *minimum) {
    *scale = i < 4 ? scales[i] & 63 : (scales[i + 4] & 15) | scales[i - 4] >> 6 << 4;
    *minimum = i < 4 ? scales[i + 4] & 63 : scales[i + 4] >> 4 | scales[i] >> 6 << 4;
}

/* Each 32 bytes of qs: 32 weights in the low nibbles, the next 32 in the high ones. */
INLINE void block_q4_k(const kern_q4_k *b, float *out) {
    const float d = f32_from_f16(b->d), dmin = f32_from_f16(b->dmin);
    for (int i = 0; i < 8; i++) {
        const uint8_t *q = b->qs + i / 2 * 32;
        int scale, minimum;
        scale_and_minimum(b->scales, i, &scale, &minimum);
        const float s = d * (float)scale, m = dmin * (float)minimum;
        for (int j = 0; j < 32; j++) *out++ = s * (float)(q[j] >> i % 2 * 4 & 15) - m;
    }
}

/* As Q4_K with a fifth bit: bit i of qh[j]. */
INLINE void block_q5_k(const kern_q5_k *b, float *out) {
    const float d = f32_from_f16(b->d), dmin = f32_from_f16(b->dmin);
    for (int i = 0; i < 8; i++) {
        const uint8_t *q = b->qs + i / 2 * 32;
        int scale, minimum;
        scale_and_minimum(b->scales, i, &scale, &minimum);
        const float s = d * (float)scale, m = dmin * (float)minimum;
        for (int j = 0; j < 32; j++) *out++ = s * (float)((q[j] >> i % 2 * 4 & 15) + (b->qh[j] >> i & 1) * 16) - m;
    }
}

/* Each half (128 weights) has 64 bytes of ql and 32 of qh: runs of 32 weights take the low nibbles of the first and second 32 bytes,
 * then the high ones, and two bits of qh each. A signed scale for 16 weights. */
INLINE void block_q6_k(const kern_q6_k *b, float *out) {
    const float d = f32_from_f16(b->d);
    for (int run = 0; run < 16; run++) {
        const int quarter = run % 8 / 2, from = run % 2 * 16;
        const uint8_t *low = b->ql + run / 8 * 64 + quarter % 2 * 32 + from, *high = b->qh + run / 8 * 32 + from;
        const float scale = d * (float)b->scales[run];
        for (int j = 0; j < 16; j++) {
            *out++ = scale * (float)((low[j] >> quarter / 2 * 4 & 15) + (high[j] >> quarter * 2 & 3) * 16 - 32);
        }
    }
}

#define EACH_BLOCK(type, weights)                                                                                                      \
    for (const kern_##type *b = row, *end = b + n / weights; b < end; b++, out += weights) block_##type(b, out);                       \
    break

static void dequantize_row(int32_t type, const void *row, size_t n, float *out) {
    switch (type) {
    case KERN_F32: __builtin_memcpy(out, row, n * sizeof(float)); break;
    case KERN_F16: row_f16(row, n, out); break;
    case KERN_BF16: row_bf16(row, n, out); break;
    case KERN_Q4_0: EACH_BLOCK(q4_0, 32);
    case KERN_Q4_1: EACH_BLOCK(q4_1, 32);
    case KERN_Q5_0: EACH_BLOCK(q5_0, 32);
    case KERN_Q5_1: EACH_BLOCK(q5_1, 32);
    case KERN_Q8_0: EACH_BLOCK(q8_0, 32);
    case KERN_Q2_K: EACH_BLOCK(q2_k, 256);
    case KERN_Q3_K: EACH_BLOCK(q3_k, 256);
    case KERN_Q4_K: EACH_BLOCK(q4_k, 256);
    case KERN_Q5_K: EACH_BLOCK(q5_k, 256);
    case KERN_Q6_K: EACH_BLOCK(q6_k, 256);
    default: break;
    }
}

#undef EACH_BLOCK
#endif
