/* Floats to MXFP4 and to the types of three values. */
#ifndef ALPACA_QUANTIZE_SMALL_H
#define ALPACA_QUANTIZE_SMALL_H
#include "quantize_legacy.h"

#define UNROLL _Pragma("clang loop unroll(full)")

/* |x| over the scale to the nearest of the eight amounts, the lower one of two as near: its index. */
INLINE v16i mxfp4_index(v16f x, float d) {
    const v16f amount = abs16(x);
    v16i index = 0;
    UNROLL for (int i = 1; i < 8; i++) index -= amount > (float)(mxfp4_values[i - 1] + mxfp4_values[i]) * 0.5f * d;
    const v16i minus = x < 0.0f;
    return index + (minus & (index > 0) & 8);
}

/* ggml takes the exponent by which the greatest weight comes to 8 ... 16 times the scale, though the values end at 12. Here those beside it are
 * tried as well, and the one of least error, weighted by importance, is taken: ggml's unless another is better. */
INLINE void encode_mxfp4(const float *x, const float *importance, int weighted, kern_mxfp4 *b) {
    const v16f first = load16(x), second = load16(x + 16);
    const float most = max_lane(max16(abs16(first), abs16(second)));
    const int exponent = (int)(__builtin_bit_cast(uint32_t, most) >> 23) - 2; /* of subnormal numbers -2 */
    b->e = (uint8_t)(exponent < 0 ? 0 : exponent);
    if (most > 0x1p-60f && most < 0x1p60f) {
        /* Over the greatest weight, so that squares stay within reach. */
        const float unit = __builtin_bit_cast(float, (uint32_t)(254 - exponent - 2) << 23);
        const v16f z[2] = {first * unit, second * unit};
        v16f w[2] = {1.0f, 1.0f};
        if (weighted) {
            w[0] = load16(importance), w[1] = load16(importance + 16);
            const float most_importance = max_lane(max16(w[0], w[1])), inverse = most_importance > 0x1p-100f ? 1.0f / most_importance : 0.0f;
            UNROLL for (int h = 0; h < 2; h++) w[h] = inverse > 0.0f ? w[h] * inverse : (v16f)1.0f;
        }
        static const int8_t steps[] = {0, 1, -1, -2};
        float least = 0.0f;
        for (int k = 0; k < 4; k++) {
            const int e = exponent + steps[k];
            const float d = __builtin_bit_cast(float, (uint32_t)(127 - 3 + steps[k]) << 23); /* the greatest is 1 ..< 2 */
            v16f error = 0.0f;
            UNROLL for (int h = 0; h < 2; h++) {
                const v16f amount = abs16(z[h]);
                v16f entry = 0.0f;
                UNROLL for (int i = 1; i < 8; i++) {
                    entry = amount > (float)(mxfp4_values[i - 1] + mxfp4_values[i]) * 0.5f * d ? (v16f)((float)mxfp4_values[i] * d) : entry;
                }
                const v16f rest = amount - entry;
                error += w[h] * rest * rest;
            }
            const float sum = sum16(error);
            if (k == 0 || sum < least) least = sum, b->e = (uint8_t)e;
        }
    }
    const float d = mxfp4_scale(b->e);
    store_nibbles(b->qs, mxfp4_index(first, d), mxfp4_index(second, d));
}

/* 256 weights over the greatest of them, each to the nearest of -1, 0, 1, plus one: bit for bit as ggml has it. Models that these types are
 * meant for have no other weights. */
INLINE float three_values(const float *x, uint8_t *q) {
    v16f amount = 0.0f;
    for (int i = 0; i < 256; i += LANES) amount = max16(abs16(load16(x + i)), amount);
    const float most = max_lane(amount), inverse = most >= 0x1p-126f ? 1.0f / most : 0.0f;
    for (int i = 0; i < 256; i += LANES) {
        const v16i whole = round_away(clamp16(load16(x + i) * inverse, -1.0f, 1.0f)) + 1;
        *(v16b_unaligned *)(q + i) = __builtin_convertvector(whole, v16b);
    }
    return most;
}

INLINE void encode_tq2_0(const float *x, kern_tq2_0 *b) {
    uint8_t q[256];
    b->d = f16_scale(three_values(x, q));
    for (int i = 0; i < 64; i++) {
        const uint8_t *first = q + i / 32 * 128 + i % 32;
        b->qs[i] = (uint8_t)(first[0] | first[32] << 2 | first[64] << 4 | first[96] << 6);
    }
}

/* The fraction of 256, rounded up, whose digits to the base of three these are; `apart`: from one to the next. Of four the fifth is zero. */
INLINE uint8_t fraction_of_digits(const uint8_t *q, int digits, int apart) {
    int number = 0;
    for (int n = 0; n < 5; n++) number = 3 * number + (n < digits ? q[n * apart] : 0);
    return (uint8_t)((number * 256 + 242) / 243);
}

INLINE void encode_tq1_0(const float *x, kern_tq1_0 *b) {
    uint8_t q[256];
    b->d = f16_scale(three_values(x, q));
    for (int i = 0; i < 32; i++) b->qs[i] = fraction_of_digits(q + i, 5, 32);
    for (int i = 0; i < 16; i++) b->qs[32 + i] = fraction_of_digits(q + 160 + i, 5, 16);
    for (int i = 0; i < 4; i++) b->qh[i] = fraction_of_digits(q + 240 + i, 4, 4);
}

#undef UNROLL
#endif
