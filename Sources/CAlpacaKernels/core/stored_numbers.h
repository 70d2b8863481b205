/* What a conversion looks for in what it is about to write: weights that are no numbers, scales that were cut. */
#ifndef ALPACA_STORED_NUMBERS_H
#define ALPACA_STORED_NUMBERS_H
#include "../types/types.h"

/* Whether the exponent of any of n numbers is all ones: infinities and NaN. The compiler makes vectors of any width of these loops. */
static int any_f32_special(const uint32_t *x, size_t n) {
    uint32_t found = 0;
    for (size_t i = 0; i < n; i++) found |= (x[i] & 0x7F800000u) == 0x7F800000u;
    return found != 0;
}

INLINE int any_half_special(const uint16_t *x, size_t n, uint16_t exponent) {
    uint16_t found = 0;
    for (size_t i = 0; i < n; i++) found |= (uint16_t)((x[i] & exponent) == exponent);
    return found != 0;
}

/* The magnitudes of binary16: the greatest number, and infinity. */
enum { MOST_HALF = 0x7BFF, INFINITE_HALF = 0x7C00 };

INLINE int scales_of_blocks(const uint8_t *blocks, size_t count, size_t bytes, size_t first, size_t second) {
    int special = 0, full = 0;
    for (size_t i = 0; i < count; i++, blocks += bytes) {
        uint16_t a, b;
        __builtin_memcpy(&a, blocks + first, 2);
        __builtin_memcpy(&b, blocks + second, 2);
        a &= 0x7FFF, b &= 0x7FFF;
        special |= a >= INFINITE_HALF || b >= INFINITE_HALF;
        full |= a == MOST_HALF || b == MOST_HALF;
    }
    return (special ? KERN_NOT_FINITE : 0) | (full ? KERN_SCALE_FULL : 0);
}

/* MXFP4: only the two greatest exponents make infinities, of values that are great enough. */
static int any_exponent_special(const kern_mxfp4 *b, size_t count) {
    for (const kern_mxfp4 *end = b + count; b < end; b++) {
        const int most = b->e == 255 ? 1 : 3;
        for (int i = 0; b->e >= 254 && i < 32; i++) {
            const int value = mxfp4_values[b->qs[i % 16] >> i / 16 * 4 & 15];
            if (value > most || value < -most) return KERN_NOT_FINITE;
        }
    }
    return 0;
}

/* IQ1_M, whose scale is in pieces. */
static int any_spread_special(const kern_iq1_m *b, size_t count) {
    int found = 0;
    for (size_t i = 0; i < count; i++) {
        const int magnitude = iq1_m_d(b[i].scales) & 0x7FFF;
        found |= magnitude >= INFINITE_HALF ? KERN_NOT_FINITE : magnitude == MOST_HALF ? KERN_SCALE_FULL : 0;
    }
    return found;
}

static int stored_numbers(int32_t type, const void *row, size_t n) {
    switch (type) {
    case KERN_F32: return any_f32_special(row, n) ? KERN_NOT_FINITE : 0;
    case KERN_F16: return any_half_special(row, n, 0x7C00) ? KERN_NOT_FINITE : 0;
    case KERN_BF16: return any_half_special(row, n, 0x7F80) ? KERN_NOT_FINITE : 0;
#define SCALES_FLOAT(NAME, weights, bytes, scale, second_scale)
#define SCALES_LINEAR(NAME, weights, bytes, scale, second_scale)                                                                       \
    case KERN_##NAME: return scales_of_blocks(row, n / weights, bytes, scale, second_scale);
#define SCALES_LOOKUP16(NAME, weights, bytes, scale, second_scale) SCALES_LINEAR(NAME, weights, bytes, scale, second_scale)
#define SCALES_GRID(NAME, weights, bytes, scale, second_scale) SCALES_LINEAR(NAME, weights, bytes, scale, second_scale)
#define SCALES_EXPONENT16(NAME, weights, ...) case KERN_##NAME: return any_exponent_special(row, n / weights);
#define SCALES_GRID_SPREAD(NAME, weights, ...) case KERN_##NAME: return any_spread_special(row, n / weights);
#define TYPE(NAME, id, number, weights, bytes, scale, second_scale, decode, ...) SCALES_##decode(NAME, weights, bytes, scale, second_scale)
#include "../types/types.def"
#undef SCALES_FLOAT
#undef SCALES_LINEAR
#undef SCALES_LOOKUP16
#undef SCALES_GRID
#undef SCALES_EXPONENT16
#undef SCALES_GRID_SPREAD
    default: return 0;
    }
}
#endif
