/* Floats to the types of blocks of 32, bit for bit as ggml's reference quantizers: the scale maps the weight of greatest magnitude (or
 * the least and the greatest) to the ends of the range, and every weight is rounded to the nearest level. No search, no importance: see quantize_weighted.h. */
#ifndef ALPACA_QUANTIZE_LEGACY_H
#define ALPACA_QUANTIZE_LEGACY_H
#include "../types/types.h"

typedef uint8_t v16b __attribute__((ext_vector_type(16)));
typedef v16b v16b_unaligned __attribute__((aligned(1)));

/* Of two numbers the less; b where either is NaN. */
INLINE v16f min16(v16f a, v16f b) { return a < b ? a : b; }
INLINE v16f clamp16(v16f x, float low, float high) { return min16(max16(x, (v16f)low), (v16f)high); }
INLINE v16f abs16(v16f x) { return __builtin_bit_cast(v16f, __builtin_bit_cast(v16u, x) & 0x7FFFFFFFu); }
INLINE float min_lane(v16f x) { return -max_lane(-x); }

/* Nearest half; beyond the largest finite one that one, since an infinite scale would make NaN of every weight. */
INLINE uint16_t f16_scale(float x) {
    const float most = 65504.0f, finite = x > most ? most : x < -most ? -most : x;
    return f16_from_f32_vector((v16f)finite).x;
}

INLINE void store_nibbles(uint8_t *qs, v16i first, v16i second) {
    *(v16b_unaligned *)qs = __builtin_convertvector((first & 15) | (second & 15) << 4, v16b);
}

/* The fifth bits of 32 weights, weight j as bit j. */
INLINE void store_fifth_bits(uint8_t *qh, v16i first, v16i second) {
    const v16u lane = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
    const v16u bits = __builtin_bit_cast(v16u, first >> 4 & 1) << lane | __builtin_bit_cast(v16u, second >> 4 & 1) << (lane + 16);
    uint32_t all = 0;
    for (int i = 0; i < LANES; i++) all |= bits[i];
    for (int i = 0; i < 4; i++) qh[i] = (uint8_t)(all >> 8 * i);
}

/* The weight of greatest magnitude, the first of them, with its sign. */
INLINE float greatest(const float *x, v16f a, v16f b) {
    const float high = max_lane(max16(a, b)), low = min_lane(min16(a, b));
    if (high != -low) return high > -low ? high : low;
    for (int i = 0; i < 32; i++) {
        if (x[i] == high || x[i] == low) return high == 0.0f ? 0.0f : x[i];
    }
    return 0.0f;
}

/* d spans -levels ..< levels, the greatest weight at -levels. */
INLINE float symmetric32(const float *x, float levels, v16i *first, v16i *second) {
    const v16f a = load16(x), b = load16(x + 16);
    const float d = greatest(x, a, b) / -levels, inverse = d != 0.0f ? 1.0f / d : 0.0f;
    *first = __builtin_convertvector(clamp16(a * inverse + (levels + 0.5f), 0.0f, 2.0f * levels - 1.0f), v16i);
    *second = __builtin_convertvector(clamp16(b * inverse + (levels + 0.5f), 0.0f, 2.0f * levels - 1.0f), v16i);
    return d;
}

/* d spans minimum ... maximum in `steps` steps. */
INLINE float offset32(const float *x, float steps, float *minimum, v16i *first, v16i *second) {
    const v16f a = load16(x), b = load16(x + 16);
    *minimum = min_lane(min16(a, b));
    const float d = (max_lane(max16(a, b)) - *minimum) / steps, inverse = d != 0.0f ? 1.0f / d : 0.0f;
    *first = __builtin_convertvector(clamp16((a - *minimum) * inverse + 0.5f, 0.0f, steps), v16i);
    *second = __builtin_convertvector(clamp16((b - *minimum) * inverse + 0.5f, 0.0f, steps), v16i);
    return d;
}

INLINE void encode_q4_0(const float *x, kern_q4_0 *b) {
    v16i first, second;
    b->d = f16_scale(symmetric32(x, 8.0f, &first, &second));
    store_nibbles(b->qs, first, second);
}

INLINE void encode_q4_1(const float *x, kern_q4_1 *b) {
    v16i first, second;
    float minimum;
    b->d = f16_scale(offset32(x, 15.0f, &minimum, &first, &second));
    b->m = f16_scale(minimum);
    store_nibbles(b->qs, first, second);
}

INLINE void encode_q5_0(const float *x, kern_q5_0 *b) {
    v16i first, second;
    b->d = f16_scale(symmetric32(x, 16.0f, &first, &second));
    store_nibbles(b->qs, first, second);
    store_fifth_bits(b->qh, first, second);
}

INLINE void encode_q5_1(const float *x, kern_q5_1 *b) {
    v16i first, second;
    float minimum;
    b->d = f16_scale(offset32(x, 31.0f, &minimum, &first, &second));
    b->m = f16_scale(minimum);
    store_nibbles(b->qs, first, second);
    store_fifth_bits(b->qh, first, second);
}

/* To the nearest integer, halves away from zero, exactly; |x| < 2^31. */
INLINE v16i round_away(v16f x) {
    const v16i whole = __builtin_convertvector(x, v16i);
    const v16f rest = x - __builtin_convertvector(whole, v16f);
    return whole - (rest >= 0.5f) + (rest <= -0.5f);
}

INLINE void encode_q8_0(const float *x, kern_q8_0 *b) {
    const v16f first = load16(x), second = load16(x + 16);
    const float d = max_lane(max16(abs16(first), abs16(second))) / 127.0f, inverse = d != 0.0f ? 1.0f / d : 0.0f;
    b->d = f16_scale(d);
    *(v16c_unaligned *)b->qs = __builtin_convertvector(round_away(clamp16(first * inverse, -127.0f, 127.0f)), v16c);
    *(v16c_unaligned *)(b->qs + 16) = __builtin_convertvector(round_away(clamp16(second * inverse, -127.0f, 127.0f)), v16c);
}

#endif
