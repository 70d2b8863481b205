/* Floats to the K types: the search of quantize_search.h, then the bits in their places (core/vector_dequantize.h tells the layouts). */
#ifndef ALPACA_QUANTIZE_K_H
#define ALPACA_QUANTIZE_K_H
#include "quantize_search.h"

/* What a block becomes: levels (from 0 up) in the order of the weights, rounded scales and minimums of its sub-blocks. */
typedef struct {
    uint8_t levels[256];
    float scales[LANES], minimums[LANES];
    uint16_t d, dmin;
} k_block;

INLINE void store_levels(const sub_blocks *b, int n, float low, float high, v16f scale, v16f offset, k_block *k) {
    const v16f inverse = inverse_or_zero(scale);
    for (int e = 0; e < n; e++) {
        const v16i l = __builtin_convertvector(level((b->x[e] - offset) * inverse, low, high) - low, v16i);
        for (int lane = 0; lane < 256 / n; lane++) k->levels[lane * n + e] = (uint8_t)l[lane];
    }
}

/* ---- Q2_K, Q4_K, Q5_K ---- */

typedef struct { v16f scales, minimums, errors; float d, dmin; } affine_block;

/* Tries the rounded scales and minimums and their neighbours under d and dmin. */
INLINE void try_neighbours(const sub_blocks *b, int weighted, int n, float levels, float most, affine_block *a) {
    const v16f sign = n == 32 ? (v16f){1, 1, 1, 1, 1, 1, 1, 1, -1, -1, -1, -1, -1, -1, -1, -1} : (v16f)1.0f;
    static const float steps[9][2] = {{0, 0}, {1, 0}, {0, 1}, {1, 1}, {1, -1}, {-1, 0}, {0, -1}, {-1, -1}, {-1, 1}};
    const v16f scales = a->scales, minimums = a->minimums;
    v16f errors = __builtin_inff();
    for (int i = 0; i < (n == 32 ? 5 : 9); i++) {
        const v16f s = clamp16(scales + sign * steps[i][0], 0.0f, most), m = clamp16(minimums + sign * steps[i][1], 0.0f, most);
        const v16f error = error_of(b, weighted, n, 0.0f, levels, a->d * s, -(a->dmin * m));
        const v16i better = error < errors;
        a->scales = better ? s : a->scales;
        a->minimums = better ? m : a->minimums;
        errors = better ? error : errors;
    }
    if (n == 32) {
        const v16f error = swap_halves(errors), s = swap_halves(a->scales), m = swap_halves(a->minimums);
        const v16i lower = {-1, -1, -1, -1, -1, -1, -1, -1, 0, 0, 0, 0, 0, 0, 0, 0};
        const v16i other = (error < errors) | ((error == errors) & ~lower);
        a->scales = other ? s : a->scales;
        a->minimums = other ? m : a->minimums;
        errors = other ? error : errors;
    }
    a->errors = errors;
}

/* The best d and dmin for the roundings that *a gives; 0 where there are none. */
INLINE int solve_block(const sub_blocks *b, int weighted, int n, float levels, const affine_block *a, float *d, float *dmin) {
    const v16f scale = a->d * a->scales, offset = -(a->dmin * a->minimums), inverse = inverse_or_zero(scale);
    v16f l1 = 0.0f, l2 = 0.0f, lx = 0.0f;
    for (int e = 0; e < n; e++) {
        const v16f l = level((b->x[e] - offset) * inverse, 0.0f, levels), wl = weigh(b, weighted, e, l);
        l1 += wl;
        l2 += wl * l;
        lx += wl * b->x[e];
    }
    const float ss = sum16(a->scales * a->scales * l2), sm = sum16(a->scales * a->minimums * l1);
    const float mm = sum16(a->minimums * a->minimums * b->sum_w), sx = sum16(a->scales * lx), mx = sum16(a->minimums * b->sum_wx);
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

INLINE void round_scales(const affine *found, float most, affine_block *a) {
    a->scales = level(found->scale * (a->d != 0.0f ? 1.0f / a->d : 0.0f), 0.0f, most);
    a->minimums = level(-found->offset * (a->dmin != 0.0f ? 1.0f / a->dmin : 0.0f), 0.0f, most);
}

INLINE void affine_k(const float *x, const float *importance, int weighted, int n, float levels, float most, float first, float step,
                     int steps, k_block *k) {
    sub_blocks b;
    gather(&b, n, x, weighted ? importance : 0);
    const affine found = search_affine(&b, weighted, n, levels, first, step, steps);
    affine_block best;
    best.d = f32_from_f16(f16_scale(max_lane(found.scale) / most));
    best.dmin = f32_from_f16(f16_scale(max_lane(-found.offset) / most));
    round_scales(&found, most, &best);
    try_neighbours(&b, weighted, n, levels, most, &best);
    for (int i = 0; i < 2; i++) {
        affine_block next;
        float d, dmin;
        if (!solve_block(&b, weighted, n, levels, &best, &d, &dmin)) break;
        next.d = f32_from_f16(f16_scale(d));
        next.dmin = f32_from_f16(f16_scale(dmin));
        next.scales = best.scales;
        next.minimums = best.minimums;
        try_neighbours(&b, weighted, n, levels, most, &next);
        if (!(sum16(next.errors) < sum16(best.errors))) break;
        best = next;
    }
    k->d = f16_scale(best.d);
    k->dmin = f16_scale(best.dmin);
    store16(k->scales, best.scales);
    store16(k->minimums, best.minimums);
    store_levels(&b, n, 0.0f, levels, best.d * best.scales, -(best.dmin * best.minimums), k);
}

/* ---- Q3_K, Q6_K ---- */

INLINE v16f try_scales(const sub_blocks *b, int weighted, float half, float most, float d, v16f *scales) {
    const v16f middle = *scales;
    v16f errors = __builtin_inff();
    for (int i = 0; i < 3; i++) {
        const v16f s = clamp16(middle + (i == 2 ? -1.0f : (float)i), -most, most - 1.0f);
        const v16f error = error_of(b, weighted, 16, -half, half - 1.0f, d * s, (v16f)0.0f);
        const v16i better = error < errors;
        *scales = better ? s : *scales;
        errors = better ? error : errors;
    }
    return errors;
}

/* Levels -half ..< half, scales -most ..< most. */
INLINE void symmetric_k(const float *x, const float *importance, int weighted, float half, float most, float first, float step,
                        int steps, k_block *k) {
    sub_blocks b;
    gather(&b, 16, x, weighted ? importance : 0);
    const v16f found = search_symmetric(&b, weighted, -half, half - 1.0f, first, step, steps);
    const float high = max_lane(found), low = min_lane(found);
    float d = f32_from_f16(f16_scale((high > -low ? high : low) / -most));
    v16f scales = level(found * (d != 0.0f ? 1.0f / d : 0.0f), -most, most - 1.0f);
    v16f errors = try_scales(&b, weighted, half, most, d, &scales);
    for (int i = 0; i < 2; i++) {
        const v16f inverse = inverse_or_zero(d * scales);
        v16f l2 = 0.0f, lx = 0.0f;
        for (int e = 0; e < 16; e++) {
            const v16f l = level(b.x[e] * inverse, -half, half - 1.0f), wl = weigh(&b, weighted, e, l);
            l2 += wl * l;
            lx += wl * b.x[e];
        }
        const float below = sum16(scales * scales * l2);
        if (!(below > 0.0f)) break;
        const float next_d = f32_from_f16(f16_scale(sum16(scales * lx) / below));
        v16f next_scales = scales;
        const v16f next_errors = try_scales(&b, weighted, half, most, next_d, &next_scales);
        if (!(sum16(next_errors) < sum16(errors))) break;
        d = next_d;
        scales = next_scales;
        errors = next_errors;
    }
    k->d = f16_scale(d);
    store16(k->scales, scales);
    store_levels(&b, 16, -half, half - 1.0f, d * scales, (v16f)0.0f, k);
}

/* ---- The bits ---- */

INLINE void encode_q2_k(const float *x, const float *w, int weighted, kern_q2_k *b) {
    k_block k;
    affine_k(x, w, weighted, 16, 3.0f, 15.0f, -1.2f, 0.12f, 18, &k);
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
    symmetric_k(x, w, weighted, 4.0f, 32.0f, -1.4f, 0.2f, 12, &k);
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
    affine_k(x, w, weighted, 32, 15.0f, 63.0f, -1.2f, 0.15f, 20, &k);
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
    affine_k(x, w, weighted, 32, 31.0f, 63.0f, -0.9f, 0.12f, 20, &k);
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
    symmetric_k(x, w, weighted, 32.0f, 128.0f, -0.9f, 0.18f, 11, &k);
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

#endif
