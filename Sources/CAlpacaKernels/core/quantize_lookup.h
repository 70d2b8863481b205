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

/* The scale of 32 weights. If they are without any importance, it is as if none were given. */
INLINE float lookup_scale32(const int8_t table[16], const float *x, const float *importance, int weighted) {
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
    return scale;
}

/* 32 weights to a scale and sixteen bytes of nibbles. */
INLINE void encode_iq4_nl(const float *x, const float *importance, int weighted, kern_iq4_nl *b) {
    b->d = f16_scale(lookup_scale32(iq4_nl_values, x, importance, weighted));
    const float stored = f32_from_f16(b->d), inverse = stored != 0.0f ? 1.0f / stored : 0.0f;
    store_nibbles(b->qs, nearest_index(iq4_nl_values, load16(x) * inverse), nearest_index(iq4_nl_values, load16(x + 16) * inverse));
}

/* A block of IQ4_XS as it is tried: weights and importance over the greatest of each, and what a scale of the block makes of them. */
typedef struct { v16f z[16], w[16]; } xs_block;
typedef struct { int scale[8]; float error, products, squares; } xs_trial;

/* The error of 32 weights at this scale; onto *lz and *ll what a better one is solved from. */
INLINE float xs_error(const xs_block *b, int g, int weighted, float scale, v16f *lz, v16f *ll) {
    const float inverse = scale != 0.0f ? 1.0f / scale : 0.0f;
    v16f error = 0.0f;
    *lz = *ll = 0.0f;
    UNROLL for (int h = 2 * g; h < 2 * g + 2; h++) {
        const v16f l = nearest_entry(iq4_nl_values, b->z[h] * inverse), rest = b->z[h] - l * scale;
        const v16f wl = weighted ? b->w[h] * l : l, wr = weighted ? b->w[h] * rest : rest;
        error += wr * rest, *lz += wl * b->z[h], *ll += wl * l;
    }
    return sum16(error);
}

/* To the nearest integer that a scale of IQ4_XS can be; halves away from zero. */
INLINE int xs_scale(float x) {
    const float cut = x < -32.0f ? -32.0f : x > 31.0f ? 31.0f : x;
    return (int)(cut < 0.0f ? cut - 0.5f : cut + 0.5f);
}

/* For this scale of the block the best scales of its eight parts: those nearest to the wanted ones, or their neighbours. */
INLINE xs_trial xs_try(const xs_block *b, int weighted, float d, const float *wanted) {
    xs_trial trial = {.error = 0.0f};
    for (int g = 0; g < 8; g++) {
        const int middle = xs_scale(d != 0.0f ? wanted[g] / d : 0.0f);
        v16f best_lz, best_ll;
        float best = xs_error(b, g, weighted, d * (float)middle, &best_lz, &best_ll);
        trial.scale[g] = middle;
        for (int step = -1; step <= 1; step += 2) {
            const int scale = middle + step;
            if (scale < -32 || scale > 31) continue;
            v16f lz, ll;
            const float error = xs_error(b, g, weighted, d * (float)scale, &lz, &ll);
            if (error < best) best = error, best_lz = lz, best_ll = ll, trial.scale[g] = scale;
        }
        const float scale = (float)trial.scale[g];
        trial.error += best, trial.products += scale * sum16(best_lz), trial.squares += scale * scale * sum16(best_ll);
    }
    return trial;
}

/* The scales of 32s, then of the block: so that the greatest of them becomes -32, and once more as solved for with what the weights became.
 * The better one is taken. */
INLINE void encode_iq4_xs(const float *x, const float *importance, int weighted, kern_iq4_xs *b) {
    float wanted[8], most = 0.0f, greatest_scale = 0.0f, most_importance = 0.0f;
    for (int g = 0; g < 8; g++) {
        wanted[g] = lookup_scale32(iq4_nl_values, x + 32 * g, importance ? importance + 32 * g : NULL, weighted);
        if (__builtin_fabsf(wanted[g]) > __builtin_fabsf(greatest_scale)) greatest_scale = wanted[g];
    }
    for (int i = 0; i < 256; i += LANES) most = __builtin_fmaxf(most, max_lane(abs16(load16(x + i))));
    for (int i = 0; weighted && i < 256; i += LANES) most_importance = __builtin_fmaxf(most_importance, max_lane(load16(importance + i)));
    b->d = f16_scale(greatest_scale / -32.0f);
    xs_trial best = {.error = 0.0f};
    for (int g = 0; g < 8; g++) best.scale[g] = f32_from_f16(b->d) != 0.0f ? xs_scale(wanted[g] / f32_from_f16(b->d)) : 0;
    if (most > 0x1p-60f && most < 0x1p60f) {
        const int heeded = weighted && most_importance > 0x1p-100f;
        const float inverse = 1.0f / most;
        xs_block block;
        for (int i = 0; i < 16; i++) {
            block.z[i] = load16(x + 16 * i) * inverse;
            block.w[i] = heeded ? load16(importance + 16 * i) * (1.0f / most_importance) : (v16f)1.0f;
        }
        for (int g = 0; g < 8; g++) wanted[g] *= inverse;
        best = xs_try(&block, heeded, f32_from_f16(b->d) * inverse, wanted);
        if (best.squares > 0.0f) {
            const uint16_t solved = f16_scale(best.products / best.squares * most);
            const xs_trial trial = xs_try(&block, heeded, f32_from_f16(solved) * inverse, wanted);
            if (trial.error < best.error) best = trial, b->d = solved;
        }
    }
    uint32_t low = 0, high = 0;
    for (int g = 0; g < 8; g++) {
        const uint32_t stored = (uint32_t)(best.scale[g] + 32);
        low |= (stored & 15) << 4 * g, high |= stored >> 4 << 2 * g;
        const float scale = f32_from_f16(b->d) * (float)best.scale[g], inverse = scale != 0.0f ? 1.0f / scale : 0.0f;
        store_nibbles(b->qs + 16 * g, nearest_index(iq4_nl_values, load16(x + 32 * g) * inverse),
                      nearest_index(iq4_nl_values, load16(x + 32 * g + 16) * inverse));
    }
    b->h = (uint16_t)high;
    for (int i = 0; i < 4; i++) b->l[i] = (uint8_t)(low >> 8 * i);
}

#undef UNROLL
#endif
