/* The search for scales of the K types. A lane is a sub-block: sixteen of 16 weights (Q2_K, Q3_K, Q6_K), or eight of 32 twice (Q4_K,
 * Q5_K), where the second eight lanes try other candidates than the first. So no sum goes across lanes, every path computes the same
 * bits, and what is chosen is chosen per lane.
 *
 * The aim is the least sum of w * (weight - decoded)^2, w being 1 or the importance. First each sub-block alone: for candidates of the
 * scale round all weights, then solve for the best scale (and minimum) of these roundings. Then the scales are rounded themselves, to
 * multiples of the block's, and their neighbours tried with what the weights really become. Last the block's own scales are solved for
 * with everything else fixed, and the neighbours tried again. */
#ifndef ALPACA_QUANTIZE_SEARCH_H
#define ALPACA_QUANTIZE_SEARCH_H
#include "quantize_legacy.h"

/* 256 weights, element e of every sub-block in x[e]; `n` is 16 or 32. */
typedef struct {
    v16f x[32], w[32];
    v16f sum_w, sum_wx, sum_wxx;
    int n;
    int weighted;
} sub_blocks;

/* Nearest integer, halves to even; |x| < 2^22. */
INLINE v16f nearest(v16f x) { return (x + 12582912.0f) - 12582912.0f; }
INLINE v16f level(v16f x, float low, float high) { return nearest(clamp16(x, low, high)); }
INLINE v16f weigh(const sub_blocks *b, int weighted, int e, v16f x) { return weighted ? b->w[e] * x : x; }
INLINE v16f swap_halves(v16f x) {
    v16f y;
    y.lo = x.hi;
    y.hi = x.lo;
    return y;
}
INLINE v16f inverse_or_zero(v16f x) { return x != 0.0f ? 1.0f / x : (v16f)0.0f; }

static void gather(sub_blocks *b, int n, const float *x, const float *importance) {
    float by_lane[32][LANES] __attribute__((aligned(64)));
    b->n = n;
    b->weighted = importance != 0;
    for (int lane = 0; lane < LANES; lane++) {
        const float *from = x + lane * n % 256;
        for (int e = 0; e < n; e++) by_lane[e][lane] = from[e];
    }
    for (int e = 0; e < n; e++) b->x[e] = load16(by_lane[e]);
    for (int lane = 0; importance && lane < LANES; lane++) {
        const float *from = importance + lane * n % 256;
        for (int e = 0; e < n; e++) by_lane[e][lane] = from[e];
    }
    b->sum_w = b->sum_wx = b->sum_wxx = (v16f)0.0f;
    for (int e = 0; e < n; e++) {
        b->w[e] = importance ? load16(by_lane[e]) : (v16f)1.0f;
        const v16f wx = b->w[e] * b->x[e];
        b->sum_w += b->w[e];
        b->sum_wx += wx;
        b->sum_wxx += wx * b->x[e];
    }
}

/* ---- x = s * q + o, q = 0 ... levels, s >= 0, o <= 0 ---- */

typedef struct { v16f scale, offset, gain; } affine;

/* The best scale and offset for the roundings that (scale, offset) gives; kept where they beat `best`. */
INLINE void improve_affine(const sub_blocks *b, int weighted, int n, float levels, v16f inverse, v16f offset, affine *best) {
    v16f l1 = 0.0f, l2 = 0.0f, lx = 0.0f;
    for (int e = 0; e < n; e++) {
        const v16f l = level((b->x[e] - offset) * inverse, 0.0f, levels), wl = weigh(b, weighted, e, l);
        l1 += wl;
        l2 += wl * l;
        lx += wl * b->x[e];
    }
    const v16f w = b->sum_w, x = b->sum_wx;
    const v16f determinant = w * l2 - l1 * l1;
    const v16f one_over = determinant > 0.0f ? 1.0f / determinant : (v16f)0.0f;
    v16f s = (w * lx - x * l1) * one_over, o = (l2 * x - l1 * lx) * one_over;
    const v16f alone = l2 > 0.0f ? lx / l2 : (v16f)0.0f;
    s = o > 0.0f ? alone : s;
    o = o > 0.0f ? (v16f)0.0f : o;
    const v16f gain = s * (2.0f * lx - s * l2) + o * (2.0f * x - o * w) - 2.0f * s * o * l1;
    const v16i better = (gain > best->gain) & (s > 0.0f);
    best->scale = better ? s : best->scale;
    best->offset = better ? o : best->offset;
    best->gain = better ? gain : best->gain;
}

/* Both halves get the better of lane i and lane i + 8. */
INLINE void join_affine(affine *a) {
    const v16f gain = swap_halves(a->gain), scale = swap_halves(a->scale), offset = swap_halves(a->offset);
    const v16i lower = {-1, -1, -1, -1, -1, -1, -1, -1, 0, 0, 0, 0, 0, 0, 0, 0};
    const v16i other = (gain > a->gain) | ((gain == a->gain) & ~lower);
    a->scale = other ? scale : a->scale;
    a->offset = other ? offset : a->offset;
    a->gain = other ? gain : a->gain;
}

/* Candidates: the range of the weights spread over levels + t steps, t = first, first + step ... */
INLINE affine search_affine(const sub_blocks *b, int weighted, int n, float levels, float first, float step, int steps) {
    v16f low = 0.0f, high = b->x[0];
    for (int e = 0; e < n; e++) {
        low = min16(low, b->x[e]);
        high = max16(high, b->x[e]);
    }
    /* All weights alike or below zero: the offset alone, which may be their mean. */
    const v16f mean = b->sum_w > 0.0f ? b->sum_wx / b->sum_w : (v16f)0.0f, below = min16(mean, (v16f)0.0f);
    affine best = {.scale = 0.0f, .offset = below, .gain = below * (2.0f * b->sum_wx - below * b->sum_w)};
    const v16f one_over = inverse_or_zero(high - low);
    const v16f half = {0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1};
    const int twice = n == 32, passes = twice ? (steps + 1) / 2 : steps;
    for (int k = 0; k < passes; k++) {
        const v16f t = twice ? first + step * (2.0f * (float)k + half) : (v16f)(first + step * (float)k);
        improve_affine(b, weighted, n, levels, (levels + t) * one_over, low, &best);
    }
    for (int k = 0; k < 2; k++) improve_affine(b, weighted, n, levels, inverse_or_zero(best.scale), best.offset, &best);
    if (twice) join_affine(&best);
    return best;
}

/* ---- x = s * q, q = low ... high, s of either sign ---- */

INLINE void improve_symmetric(const sub_blocks *b, int weighted, float low, float high, v16f inverse, v16f *scale, v16f *gain) {
    v16f l2 = 0.0f, lx = 0.0f;
    for (int e = 0; e < 16; e++) {
        const v16f l = level(b->x[e] * inverse, low, high), wl = weigh(b, weighted, e, l);
        l2 += wl * l;
        lx += wl * b->x[e];
    }
    const v16f s = l2 > 0.0f ? lx / l2 : (v16f)0.0f, found = s * lx;
    const v16i better = found > *gain;
    *scale = better ? s : *scale;
    *gain = better ? found : *gain;
}

/* The greatest weight at level low - t or high + t, t = first, first + step ... */
INLINE v16f search_symmetric(const sub_blocks *b, int weighted, float low, float high, float first, float step, int steps) {
    v16f least = 0.0f, most = 0.0f;
    for (int e = 0; e < 16; e++) {
        least = min16(least, b->x[e]);
        most = max16(most, b->x[e]);
    }
    const v16f one_over = inverse_or_zero(most > -least ? most : least);
    v16f scale = 0.0f, gain = 0.0f;
    for (int k = 0; k < steps; k++) {
        const float t = first + step * (float)k;
        improve_symmetric(b, weighted, low, high, (low - t) * one_over, &scale, &gain);
        improve_symmetric(b, weighted, low, high, (high + t) * one_over, &scale, &gain);
    }
    for (int k = 0; k < 2; k++) improve_symmetric(b, weighted, low, high, inverse_or_zero(scale), &scale, &gain);
    return scale;
}

/* Sum of w * (weight - decoded)^2 of each lane, as it will be. */
INLINE v16f error_of(const sub_blocks *b, int weighted, int n, float low, float high, v16f scale, v16f offset) {
    const v16f inverse = inverse_or_zero(scale);
    v16f sum = 0.0f;
    for (int e = 0; e < n; e++) {
        const v16f lost = scale * level((b->x[e] - offset) * inverse, low, high) + offset - b->x[e];
        sum += weigh(b, weighted, e, lost * lost);
    }
    return sum;
}

#endif
