/* The types of blocks of 32 with importance: the search of the K types, eight blocks at a time, a lane a block. A block without any
 * importance is encoded as if none were given. Q8_0 has no use for it. */
#ifndef ALPACA_QUANTIZE_WEIGHTED_H
#define ALPACA_QUANTIZE_WEIGHTED_H
#include "quantize_search.h"

typedef struct { float scale[LANES], offset[LANES], importance[LANES]; } found_blocks;

INLINE void search_blocks(const float *x, const float *importance, int mapping, float least, float most, found_blocks *f) {
    const search s = {1, 32, least, most, 0};
    sub_blocks b;
    gather(&b, s, mapping, x, importance);
    v16f scale, offset = 0.0f;
    if (mapping == SYMMETRIC) {
        scale = search_symmetric(&b, s, -1.0f, 0.36f, 6);
    } else {
        const affine found = search_affine(&b, s, (v16f)__builtin_inff(), -1.2f, 0.3f, 10);
        scale = found.scale;
        offset = b.low + found.offset * b.unit;
    }
    store16(f->scale, scale * b.unit);
    store16(f->offset, offset);
    store16(f->importance, b.sum_w);
}

/* Levels under the scale and offset as stored, from 0 up. */
INLINE void levels_under(const float *x, float d, float m, float least, float most, v16i *first, v16i *second) {
    const v16f inverse = d != 0.0f ? 1.0f / d : 0.0f;
    *first = __builtin_convertvector(level((load16(x) - m) * inverse, least, most) - least, v16i);
    *second = __builtin_convertvector(level((load16(x + 16) - m) * inverse, least, most) - least, v16i);
}

INLINE void store_q4_0(const float *x, const found_blocks *f, int i, kern_q4_0 *b) {
    v16i first, second;
    b->d = f16_scale(f->scale[i]);
    levels_under(x, f32_from_f16(b->d), 0.0f, -8.0f, 7.0f, &first, &second);
    store_nibbles(b->qs, first, second);
}

INLINE void store_q4_1(const float *x, const found_blocks *f, int i, kern_q4_1 *b) {
    v16i first, second;
    b->d = f16_scale(f->scale[i]);
    b->m = f16_scale(f->offset[i]);
    levels_under(x, f32_from_f16(b->d), f32_from_f16(b->m), 0.0f, 15.0f, &first, &second);
    store_nibbles(b->qs, first, second);
}

INLINE void store_q5_0(const float *x, const found_blocks *f, int i, kern_q5_0 *b) {
    v16i first, second;
    b->d = f16_scale(f->scale[i]);
    levels_under(x, f32_from_f16(b->d), 0.0f, -16.0f, 15.0f, &first, &second);
    store_nibbles(b->qs, first, second);
    store_fifth_bits(b->qh, first, second);
}

INLINE void store_q5_1(const float *x, const found_blocks *f, int i, kern_q5_1 *b) {
    v16i first, second;
    b->d = f16_scale(f->scale[i]);
    b->m = f16_scale(f->offset[i]);
    levels_under(x, f32_from_f16(b->d), f32_from_f16(b->m), 0.0f, 31.0f, &first, &second);
    store_nibbles(b->qs, first, second);
    store_fifth_bits(b->qh, first, second);
}

/* n blocks of 32; the last search of a row may be of fewer than eight. */
#define WEIGHTED(type, mapping, least, most)                                                                                           \
    static void weighted_##type(const float *x, const float *importance, size_t n, kern_##type *out) {                                 \
        float all_x[256], all_importance[256];                                                                                         \
        found_blocks f;                                                                                                                \
        for (size_t i = 0; i < n; i++, x += 32, importance += 32) {                                                                    \
            if (i % 8 == 0) {                                                                                                          \
                const size_t here = n - i < 8 ? (n - i) * 32 : 256;                                                                    \
                for (size_t k = 0; k < 256; k++) {                                                                                     \
                    all_x[k] = k < here ? x[k] : 0.0f;                                                                                 \
                    all_importance[k] = k < here ? importance[k] : 0.0f;                                                               \
                }                                                                                                                      \
                search_blocks(all_x, all_importance, mapping, least, most, &f);                                                        \
            }                                                                                                                          \
            if (f.importance[i % 8] > 0.0f) store_##type(x, &f, (int)(i % 8), &out[i]);                                                \
            else encode_##type(x, &out[i]);                                                                                            \
        }                                                                                                                              \
    }

WEIGHTED(q4_0, SYMMETRIC, -8.0f, 7.0f)
WEIGHTED(q4_1, AFFINE, 0.0f, 15.0f)
WEIGHTED(q5_0, SYMMETRIC, -16.0f, 15.0f)
WEIGHTED(q5_1, AFFINE, 0.0f, 31.0f)

#undef WEIGHTED
#endif
