/* The search for types whose weights are a scale times entries of a table of sixteen. The table isn't even, so the error has many valleys: a
 * scale is tried for each of some places beside either end of the table where the greatest weight may come to lie, and solved for with all
 * weights rounded; the best is rounded and solved again. The aim is the least sum of w * (weight - decoded)^2, w being 1 or the importance. */
#ifndef ALPACA_QUANTIZE_LOOKUP_H
#define ALPACA_QUANTIZE_LOOKUP_H
#include "quantize_search.h"

#define UNROLL _Pragma("clang loop unroll(full)")

typedef struct { v16f z[2], w[2]; } lookup_block; /* 32 weights over the greatest of them; their importance */
typedef struct { float scale, gain; } lookup_scale;

/* The entry of an ascending table that is nearest to x, the lower one of two as near. */
INLINE v16f nearest_entry(const int8_t table[16], v16f x) {
    v16f entry = (float)table[0];
    UNROLL for (int i = 1; i < 16; i++) entry = x > (float)(table[i - 1] + table[i]) * 0.5f ? (v16f)(float)table[i] : entry;
    return entry;
}

INLINE v16i nearest_index(const int8_t table[16], v16f x) {
    v16i index = 0;
    UNROLL for (int i = 1; i < 16; i++) index -= x > (float)(table[i - 1] + table[i]) * 0.5f;
    return index;
}

/* The best scale for the entries that `inverse` rounds to, if it is better than *best. */
INLINE void improve_lookup(const int8_t table[16], const lookup_block *b, int weighted, float inverse, lookup_scale *best) {
    v16f lz = 0.0f, ll = 0.0f;
    UNROLL for (int h = 0; h < 2; h++) {
        const v16f l = nearest_entry(table, b->z[h] * inverse), wl = weighted ? b->w[h] * l : l;
        lz += wl * b->z[h];
        ll += wl * l;
    }
    const float products = sum16(lz), squares = sum16(ll), scale = squares > 0.0f ? products / squares : 0.0f, gain = scale * products;
    if (gain > best->gain) *best = (lookup_scale){scale, gain};
}

enum { LOOKUP_STEPS = 8, LOOKUP_STEP = 4, LOOKUP_FIRST = -16 };

INLINE float search_lookup(const int8_t table[16], const lookup_block *b, int weighted, float greatest) {
    lookup_scale best = {0.0f, 0.0f};
    for (int k = 0; k < LOOKUP_STEPS; k++) {
        const float beyond = (float)(LOOKUP_FIRST + LOOKUP_STEP * k);
        improve_lookup(table, b, weighted, ((float)table[0] - beyond) * greatest, &best);
        improve_lookup(table, b, weighted, ((float)table[15] + beyond) * greatest, &best);
    }
    for (int k = 0; k < 2 && best.scale != 0.0f; k++) improve_lookup(table, b, weighted, 1.0f / best.scale, &best);
    return best.scale;
}

/* 32 weights to a scale and sixteen bytes of nibbles. A block without any importance is encoded as if none were given. */
INLINE void encode_lookup32(const int8_t table[16], const float *x, const float *importance, int weighted, uint16_t *d, uint8_t *qs) {
    const v16f first = load16(x), second = load16(x + 16);
    const float most = max_lane(max16(abs16(first), abs16(second)));
    float scale = 0.0f;
    /* Ranges that no scale can tell from zero count as none; those beyond any scale take the greatest. */
    if (most > 0x1p-100f && most < 0x1p100f) {
        const float inverse = 1.0f / most;
        lookup_block b = {.z = {first * inverse, second * inverse}, .w = {1.0f, 1.0f}};
        if (weighted) b.w[0] = load16(importance), b.w[1] = load16(importance + 16);
        const float most_importance = max_lane(max16(b.w[0], b.w[1]));
        const int heeded = weighted && most_importance > 0x1p-100f;
        if (heeded) b.w[0] *= 1.0f / most_importance, b.w[1] *= 1.0f / most_importance;
        const float sign = greatest(x, first, second) < 0.0f ? -1.0f : 1.0f;
        scale = (heeded ? search_lookup(table, &b, 1, sign) : search_lookup(table, &b, 0, sign)) * most;
    } else if (most >= 0x1p100f) {
        scale = greatest(x, first, second) / (float)table[0];
    }
    *d = f16_scale(scale);
    const float stored = f32_from_f16(*d), inverse = stored != 0.0f ? 1.0f / stored : 0.0f;
    store_nibbles(qs, nearest_index(table, first * inverse), nearest_index(table, second * inverse));
}

INLINE void encode_iq4_nl(const float *x, const float *importance, int weighted, kern_iq4_nl *b) {
    encode_lookup32(iq4_nl_values, x, importance, weighted, &b->d, b->qs);
}

#undef UNROLL
#endif
