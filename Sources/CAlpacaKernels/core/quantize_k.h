/* Floats to the K types: the search of quantize_search.h, then the bits in their places (types/ tells the layouts). */
#ifndef ALPACA_QUANTIZE_K_H
#define ALPACA_QUANTIZE_K_H
#include "quantize_search.h"

/* What a block becomes: levels (from 0 up) in the order of the weights, rounded scales and minimums of its sub-blocks. */
typedef struct {
    uint8_t levels[256];
    float scales[LANES], minimums[LANES];
    uint16_t d, dmin;
} k_block;

/* A block's scales are solved for once, and again as long as the error falls that much: of ordinary weights' blocks next to none. */
enum { MOST_SOLUTIONS = 4 };
#define PAYS 0.97f

INLINE void store_levels(const float *x, search s, v16f scale, v16f offset, k_block *k) {
    const v16f inverse = inverse_or_zero(scale);
    for (int i = 0; i < 256; i += LANES) {
        const int lane = i / s.n;
        const v16f l = level((load16(x + i) - offset[lane]) * inverse[lane], s.least, s.most) - s.least;
        *(v16b_unaligned *)(k->levels + i) = __builtin_convertvector(__builtin_convertvector(l, v16i), v16b);
    }
}

/* ---- Q2_K, Q4_K, Q5_K ---- */

/* A choice for a block: decoded weights are d * scales * level - dmin * minimums. */
typedef struct {
    v16f scales, minimums, errors;
    level_sums sums;
    float d, dmin;
} affine_block;

/* Tries the rounded scales and minimums and their neighbours under d and dmin; with sub-blocks twice, each half some of them. */
INLINE void try_neighbours(const sub_blocks *b, search s, float most, affine_block *a) {
    const int twice = s.n == 32;
    const v16f sign = twice ? (v16f){1, 1, 1, 1, 1, 1, 1, 1, -1, -1, -1, -1, -1, -1, -1, -1} : (v16f)1.0f;
    static const float steps[3] = {0, 1, -1};
    const v16f scales = a->scales, minimums = a->minimums;
    v16f errors = __builtin_inff();
    for (int i = 0; i < (twice ? 2 : 3); i++) {
        const v16f scale = clamp16(scales + sign * steps[i], 0.0f, most), scale_z = a->d * scale * b->inverse_unit;
        const v16f inverse = inverse_or_zero(scale_z);
        for (int j = 0; j < (twice && i == 0 ? 2 : 3); j++) {
            const v16f minimum = clamp16(minimums + sign * steps[j], 0.0f, most);
            level_sums sums;
            const v16f error = error_of(b, s, scale_z, inverse, -(a->dmin * minimum + b->low) * b->inverse_unit, &sums);
            const v16i better = error < errors;
            a->scales = better ? scale : a->scales;
            a->minimums = better ? minimum : a->minimums;
            a->sums.l = better ? sums.l : a->sums.l;
            a->sums.ll = better ? sums.ll : a->sums.ll;
            a->sums.lz = better ? sums.lz : a->sums.lz;
            errors = better ? error : errors;
        }
    }
    if (s.n == 32) {
        const v16f error = swap_halves(errors);
        const v16i lower = {-1, -1, -1, -1, -1, -1, -1, -1, 0, 0, 0, 0, 0, 0, 0, 0};
        const v16i other = (error < errors) | ((error == errors) & ~lower);
        a->scales = other ? swap_halves(a->scales) : a->scales;
        a->minimums = other ? swap_halves(a->minimums) : a->minimums;
        a->sums.l = other ? swap_halves(a->sums.l) : a->sums.l;
        a->sums.ll = other ? swap_halves(a->sums.ll) : a->sums.ll;
        a->sums.lz = other ? swap_halves(a->sums.lz) : a->sums.lz;
        errors = other ? error : errors;
    }
    a->errors = errors;
}

/* The best d and dmin for the roundings that *a gives; 0 where there are none. */
INLINE int solve_block(const sub_blocks *b, const affine_block *a, float *d, float *dmin) {
    const v16f lx = b->low * a->sums.l + b->unit * a->sums.lz, x = b->low * b->sum_w + b->unit * b->sum_wz;
    const float ss = sum16(a->scales * a->scales * a->sums.ll), sm = sum16(a->scales * a->minimums * a->sums.l);
    const float mm = sum16(a->minimums * a->minimums * b->sum_w), sx = sum16(a->scales * lx), mx = sum16(a->minimums * x);
    const float determinant = ss * mm - sm * sm;
    if (determinant > 0.0f) {
        *d = (sx * mm - sm * mx) / determinant;
        *dmin = (sm * sx - ss * mx) / determinant;
    } else {
        *d = ss > 0.0f ? sx / ss : 0.0f;
        *dmin = 0.0f;
    }
    return *d > 0.0f && *dmin >= 0.0f && *d < 65504.0f && *dmin < 65504.0f;
}

INLINE void affine_k(const float *x, const float *importance, search s, float most, float first, float step, int steps, k_block *k) {
    sub_blocks b;
    gather(&b, s, AFFINE_BELOW_ZERO, x, importance);
    /* The minimum of a block is stored without its sign. */
    const affine found = search_affine(&b, s, -b.low * b.inverse_unit, first, step, steps);
    const v16f scale = found.scale * b.unit, minimum = -(b.low + found.offset * b.unit);
    affine_block best;
    best.d = f32_from_f16(f16_scale(max_lane(scale) / most));
    best.dmin = f32_from_f16(f16_scale(max_lane(minimum) / most));
    best.scales = level(scale * (best.d != 0.0f ? 1.0f / best.d : 0.0f), 0.0f, most);
    best.minimums = level(minimum * (best.dmin != 0.0f ? 1.0f / best.dmin : 0.0f), 0.0f, most);
    try_neighbours(&b, s, most, &best);
    for (int i = 0, pays = 1; i < MOST_SOLUTIONS && pays; i++) {
        float d, dmin;
        if (!solve_block(&b, &best, &d, &dmin)) break;
        affine_block next = best;
        next.d = f32_from_f16(f16_scale(d));
        next.dmin = f32_from_f16(f16_scale(dmin));
        try_neighbours(&b, s, most, &next);
        const float before = sum16(best.errors), after = sum16(next.errors);
        pays = after < before * PAYS;
        if (after < before) best = next;
    }
    k->d = f16_scale(best.d);
    k->dmin = f16_scale(best.dmin);
    store16(k->scales, best.scales);
    store16(k->minimums, best.minimums);
    store_levels(x, s, best.d * best.scales, -(best.dmin * best.minimums), k);
}

/* ---- Q3_K, Q6_K ---- */

typedef struct {
    v16f scales, errors;
    level_sums sums;
    float d;
} symmetric_block;

INLINE void try_scales(const sub_blocks *b, search s, float most, symmetric_block *a) {
    const v16f middle = a->scales;
    v16f errors = __builtin_inff();
    for (int i = 0; i < 3; i++) {
        const v16f scale = clamp16(middle + (i == 2 ? -1.0f : (float)i), -most, most - 1.0f);
        level_sums sums;
        const v16f scale_z = a->d * scale * b->inverse_unit;
        const v16f error = error_of(b, s, scale_z, inverse_or_zero(scale_z), (v16f)0.0f, &sums);
        const v16i better = error < errors;
        a->scales = better ? scale : a->scales;
        a->sums.ll = better ? sums.ll : a->sums.ll;
        a->sums.lz = better ? sums.lz : a->sums.lz;
        errors = better ? error : errors;
    }
    a->errors = errors;
}

/* Scales -most ..< most. */
INLINE void symmetric_k(const float *x, const float *importance, search s, float most, float first, float step, int steps, k_block *k) {
    sub_blocks b;
    gather(&b, s, SYMMETRIC, x, importance);
    const v16f found = search_symmetric(&b, s, first, step, steps) * b.unit;
    const float high = max_lane(found), low = min_lane(found);
    symmetric_block best = {.errors = 0.0f};
    best.d = f32_from_f16(f16_scale((high > -low ? high : low) / -most));
    best.scales = level(found * (best.d != 0.0f ? 1.0f / best.d : 0.0f), -most, most - 1.0f);
    best.sums = (level_sums){0.0f, 0.0f, 0.0f};
    try_scales(&b, s, most, &best);
    for (int i = 0, pays = 1; i < MOST_SOLUTIONS && pays; i++) {
        const float below = sum16(best.scales * best.scales * best.sums.ll);
        if (!(below > 0.0f)) break;
        symmetric_block next = best;
        next.d = f32_from_f16(f16_scale(sum16(best.scales * best.sums.lz * b.unit) / below));
        try_scales(&b, s, most, &next);
        const float before = sum16(best.errors), after = sum16(next.errors);
        pays = after < before * PAYS;
        if (after < before) best = next;
    }
    k->d = f16_scale(best.d);
    store16(k->scales, best.scales);
    store_levels(x, s, best.d * best.scales, (v16f)0.0f, k);
}

/* ---- The bits ---- */

INLINE void encode_q2_k(const float *x, const float *w, int weighted, kern_q2_k *b) {
    k_block k;
    affine_k(x, w, (search){weighted, 16, 0.0f, 3.0f, 11}, 15.0f, -1.2f, 0.24f, 9, &k);
    b->d = k.d;
    b->dmin = k.dmin;
    __builtin_memset(b->qs, 0, sizeof b->qs);
    for (int run = 0; run < 16; run++) {
        b->scales[run] = (uint8_t)((int)k.scales[run] | (int)k.minimums[run] << 4);
        uint8_t *q = b->qs + run / 8 * 32 + run % 2 * 16;
        for (int j = 0; j < 16; j++) q[j] |= (uint8_t)(k.levels[run * 16 + j] << run % 8 / 2 * 2);
    }
}

INLINE void encode_q3_k(const float *x, const float *w, int weighted, kern_q3_k *b) {
    k_block k;
    symmetric_k(x, w, (search){weighted, 16, -4.0f, 3.0f, 11}, 32.0f, -1.4f, 0.4f, 6, &k);
    b->d = k.d;
    __builtin_memset(b->qs, 0, sizeof b->qs);
    __builtin_memset(b->hmask, 0, sizeof b->hmask);
    __builtin_memset(b->scales, 0, sizeof b->scales);
    for (int run = 0; run < 16; run++) {
        const int scale = (int)k.scales[run] + 32;
        b->scales[run % 8] |= (uint8_t)((scale & 15) << run / 8 * 4);
        b->scales[8 + run % 4] |= (uint8_t)(scale >> 4 << run / 4 * 2);
        uint8_t *q = b->qs + run / 8 * 32 + run % 2 * 16, *high = b->hmask + run % 2 * 16;
        for (int j = 0; j < 16; j++) {
            const int l = k.levels[run * 16 + j];
            q[j] |= (uint8_t)((l & 3) << run % 8 / 2 * 2);
            high[j] |= (uint8_t)(l >> 2 << run / 2);
        }
    }
}

INLINE void store_scales_and_minimums(const k_block *k, uint8_t *scales) {
    for (int i = 0; i < 4; i++) {
        const int s = (int)k->scales[i], m = (int)k->minimums[i], s4 = (int)k->scales[i + 4], m4 = (int)k->minimums[i + 4];
        scales[i] = (uint8_t)(s | s4 >> 4 << 6);
        scales[i + 4] = (uint8_t)(m | m4 >> 4 << 6);
        scales[i + 8] = (uint8_t)((s4 & 15) | (m4 & 15) << 4);
    }
}

INLINE void encode_q4_k(const float *x, const float *w, int weighted, kern_q4_k *b) {
    k_block k;
    affine_k(x, w, (search){weighted, 32, 0.0f, 15.0f, 9}, 63.0f, -1.2f, 0.3f, 10, &k);
    b->d = k.d;
    b->dmin = k.dmin;
    store_scales_and_minimums(&k, b->scales);
    for (int i = 0; i < 4; i++) {
        const uint8_t *l = k.levels + i * 64;
        for (int j = 0; j < 32; j++) b->qs[i * 32 + j] = (uint8_t)(l[j] | l[j + 32] << 4);
    }
}

INLINE void encode_q5_k(const float *x, const float *w, int weighted, kern_q5_k *b) {
    k_block k;
    affine_k(x, w, (search){weighted, 32, 0.0f, 31.0f, 8}, 63.0f, -0.9f, 0.24f, 10, &k);
    b->d = k.d;
    b->dmin = k.dmin;
    store_scales_and_minimums(&k, b->scales);
    __builtin_memset(b->qh, 0, sizeof b->qh);
    for (int i = 0; i < 4; i++) {
        const uint8_t *l = k.levels + i * 64;
        for (int j = 0; j < 32; j++) {
            b->qs[i * 32 + j] = (uint8_t)((l[j] & 15) | (l[j + 32] & 15) << 4);
            b->qh[j] |= (uint8_t)(l[j] >> 4 << i * 2 | l[j + 32] >> 4 << (i * 2 + 1));
        }
    }
}

INLINE void encode_q6_k(const float *x, const float *w, int weighted, kern_q6_k *b) {
    k_block k;
    symmetric_k(x, w, (search){weighted, 16, -32.0f, 31.0f, 8}, 128.0f, -0.9f, 0.36f, 6, &k);
    b->d = k.d;
    __builtin_memset(b->ql, 0, sizeof b->ql);
    __builtin_memset(b->qh, 0, sizeof b->qh);
    for (int run = 0; run < 16; run++) {
        const int quarter = run % 8 / 2, from = run % 2 * 16;
        b->scales[run] = (int8_t)k.scales[run];
        uint8_t *low = b->ql + run / 8 * 64 + quarter % 2 * 32 + from, *high = b->qh + run / 8 * 32 + from;
        for (int j = 0; j < 16; j++) {
            const int l = k.levels[run * 16 + j];
            low[j] |= (uint8_t)((l & 15) << quarter / 2 * 4);
            high[j] |= (uint8_t)(l >> 4 << quarter * 2);
        }
    }
}

#undef PAYS
#endif
