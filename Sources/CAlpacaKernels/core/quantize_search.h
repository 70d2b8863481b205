/* The search for scales of the K types. A lane is a sub-block: sixteen of 16 weights (Q2_K, Q3_K, Q6_K), or eight of 32 twice (Q4_K,
 * Q5_K), where the second eight lanes try other candidates than the first. So no sum goes across lanes, every path computes the same
 * bits, and what is chosen is chosen per lane.
 *
 * The aim is the least sum of w * (weight - decoded)^2, w being 1 or the importance. First each sub-block alone: for candidates of the
 * scale round all weights, then solve for the best scale (and minimum) of these roundings. Then the scales are rounded themselves, to
 * multiples of the block's, and their neighbours tried with what the weights really become. Last the block's own scales are solved for
 * with everything else fixed, and the neighbours tried again.
 *
 * All this walks the weights dozens of times, and needs three sums of each walk: of the levels, of their squares, of level * weight.
 * So the weights are mapped to integers of 15 bits first, each sub-block by its own range; with weights of 16 bits a vector holds two
 * of each lane, products are summed by pairs, and the sums are exact. With importance the same is done in floats. The final levels are
 * rounded from the weights themselves. */
#ifndef ALPACA_QUANTIZE_SEARCH_H
#define ALPACA_QUANTIZE_SEARCH_H
#include "quantize_legacy.h"

/* 256 weights as z = (weight - low) * inverse_unit, element e of every sub-block: in z[e] with importance, else rounded, in pairs. */
typedef struct {
    v16f z[32], w[32];
    v32h pairs[16];
    v16f unit, inverse_unit, low; /* of a sub-block; 0 where all is alike */
    v16f greatest;                /* symmetric: 1 or -1, the sign of the greatest weight */
    v16f sum_w, sum_wz, sum_wzz;
} sub_blocks;

/* What a type and the presence of importance fix; constants after inlining. */
typedef struct {
    int weighted, n;    /* sub-blocks of n weights */
    float least, most;  /* levels */
    int fraction;       /* bits behind the point of a level, in 16 */
} search;

typedef struct { v16f l, ll, lz; } level_sums;

enum { Z_MOST = 32767 };

#define NEAREST 12582912.0f
#define UNROLL _Pragma("clang loop unroll(full)")

/* Nearest integer, halves to even; |x| < 2^22. */
INLINE v16f nearest(v16f x) { return (x + NEAREST) - NEAREST; }
INLINE v16f level(v16f x, float low, float high) { return nearest(clamp16(x, low, high)); }
INLINE v16f swap_halves(v16f x) {
    v16f y;
    y.lo = x.hi;
    y.hi = x.lo;
    return y;
}
INLINE v16f inverse_or_zero(v16f x) { return x != 0.0f ? 1.0f / x : (v16f)0.0f; }

/* Both 16-bit halves of each lane. */
INLINE v32h in_pairs(v16i x) { return __builtin_bit_cast(v32h, (x & 0xFFFF) | x << 16); }

/* Eight rows of eight numbers, `stride` apart, to columns. */
INLINE void transpose8(const float *x, size_t stride, v8f *out) {
    v8f a[8], b[8];
    UNROLL for (int i = 0; i < 8; i++) a[i] = *(const v8f_unaligned *)(x + (size_t)i * stride);
    UNROLL for (int i = 0; i < 8; i += 2) {
        b[i] = __builtin_shufflevector(a[i], a[i + 1], 0, 8, 1, 9, 4, 12, 5, 13);
        b[i + 1] = __builtin_shufflevector(a[i], a[i + 1], 2, 10, 3, 11, 6, 14, 7, 15);
    }
    UNROLL for (int i = 0; i < 8; i += 4) {
        UNROLL for (int k = 0; k < 2; k++) {
            a[i + 2 * k] = __builtin_shufflevector(b[i + k], b[i + k + 2], 0, 1, 8, 9, 4, 5, 12, 13);
            a[i + 2 * k + 1] = __builtin_shufflevector(b[i + k], b[i + k + 2], 2, 3, 10, 11, 6, 7, 14, 15);
        }
    }
    UNROLL for (int i = 0; i < 4; i++) {
        out[i] = __builtin_shufflevector(a[i], a[i + 4], 0, 1, 2, 3, 8, 9, 10, 11);
        out[i + 4] = __builtin_shufflevector(a[i], a[i + 4], 4, 5, 6, 7, 12, 13, 14, 15);
    }
}

/* out[e] has element e of every sub-block. */
INLINE void by_lane(int n, const float *x, v16f *out) {
    for (int e = 0; e < n; e += 8) {
        v8f low[8], high[8];
        transpose8(x + e, (size_t)n, low);
        if (n == 16) transpose8(x + 128 + e, (size_t)n, high);
        UNROLL for (int i = 0; i < 8; i++) {
            out[e + i].lo = low[i];
            out[e + i].hi = n == 16 ? high[i] : low[i];
        }
    }
}

/* How the weights are mapped: around zero, from the least of them or zero, or from the least. */
enum { SYMMETRIC, AFFINE_BELOW_ZERO, AFFINE };

INLINE void gather(sub_blocks *b, search s, int mapping, const float *x, const float *importance) {
    const int affine = mapping != SYMMETRIC;
    by_lane(s.n, x, b->z);
    v16f low = mapping == AFFINE ? b->z[0] : (v16f)0.0f, high = affine ? b->z[0] : (v16f)0.0f;
    for (int e = 0; e < s.n; e++) {
        low = min16(low, b->z[e]);
        high = max16(high, b->z[e]);
    }
    const v16f range = affine ? high - low : max16(high, -low);
    /* Ranges that no scale can tell from zero, or that are infinite, count as none. */
    const v16i usable = (range > 0x1p-100f) & (range < 0x1p127f);
    b->inverse_unit = usable ? (float)Z_MOST / range : (v16f)0.0f;
    b->unit = usable ? range * (1.0f / Z_MOST) : (v16f)0.0f;
    b->low = affine ? low : (v16f)0.0f;
    b->greatest = high > -low ? (v16f)1.0f : (v16f)-1.0f;
    if (s.weighted) {
        by_lane(s.n, importance, b->w);
        b->sum_w = b->sum_wz = b->sum_wzz = (v16f)0.0f;
        for (int e = 0; e < s.n; e++) {
            b->z[e] = (usable ? b->z[e] - b->low : (v16f)0.0f) * b->inverse_unit;
            const v16f wz = b->w[e] * b->z[e];
            b->sum_w += b->w[e];
            b->sum_wz += wz;
            b->sum_wzz += wz * b->z[e];
        }
        return;
    }
    v16f sum = 0.0f, squares = 0.0f;
    for (int e = 0; e < s.n; e += 2) {
        /* Adding 1.5 * 2^23 leaves the nearest integer in the last bits. */
        const v16f first = (usable ? b->z[e] - b->low : (v16f)0.0f) * b->inverse_unit + NEAREST;
        const v16f second = (usable ? b->z[e + 1] - b->low : (v16f)0.0f) * b->inverse_unit + NEAREST;
        b->pairs[e / 2] = __builtin_bit_cast(v32h, (__builtin_bit_cast(v16i, first) & 0xFFFF) | __builtin_bit_cast(v16i, second) << 16);
        const v16f x = first - NEAREST, y = second - NEAREST;
        sum += x + y;
        squares += x * x + y * y;
    }
    b->sum_w = (v16f)(float)s.n;
    b->sum_wz = sum;
    b->sum_wzz = squares;
}

/* Sums over the levels nearest to z * inverse - zero. */
INLINE level_sums sums_of(const sub_blocks *b, search s, v16f inverse, v16f zero) {
    if (s.weighted) {
        level_sums sums = {0.0f, 0.0f, 0.0f};
        for (int e = 0; e < s.n; e++) {
            const v16f l = level(b->z[e] * inverse - zero, s.least, s.most), wl = b->w[e] * l;
            sums.l += wl;
            sums.ll += wl * l;
            sums.lz += wl * b->z[e];
        }
        return sums;
    }
    const float one = (float)(1 << s.fraction);
    const v32h factor = in_pairs(__builtin_convertvector(clamp16(inverse * (65536.0f * one), -32767.0f, 32767.0f), v16i));
    const v32h half = in_pairs(__builtin_convertvector(clamp16(one * 0.5f - zero * one, -32767.0f, 32767.0f), v16i));
    const v32h least = (v32h)(int16_t)s.least, most = (v32h)(int16_t)s.most;
    v32h l1 = 0;
    v16i l2 = 0, lz = 0;
    for (int e = 0; e < s.n / 2; e++) {
        v32h l = __builtin_elementwise_add_sat(high_products(b->pairs[e], factor), half) >> (int16_t)s.fraction;
        l = __builtin_elementwise_min(__builtin_elementwise_max(l, least), most);
        l1 += l;
        l2 = add_pair_products(l2, l, l);
        lz = add_pair_products(lz, l, b->pairs[e]);
    }
    const v16i l1_pairs = add_pair_products((v16i)0, l1, (v32h)(int16_t)1);
    return (level_sums){__builtin_convertvector(l1_pairs, v16f), __builtin_convertvector(l2, v16f), __builtin_convertvector(lz, v16f)};
}

/* ---- z = s * q + o, q = 0 ... most, s >= 0 ---- */

typedef struct { v16f scale, offset, gain; } affine;

/* The best scale and offset for the roundings that z * inverse - zero gives; kept where they beat `best`. */
INLINE void improve_affine(const sub_blocks *b, search s, v16f inverse, v16f zero, v16f top, affine *best) {
    const level_sums sums = sums_of(b, s, inverse, zero);
    const v16f w = b->sum_w, z = b->sum_wz, l1 = sums.l, l2 = sums.ll, lz = sums.lz;
    const v16f determinant = w * l2 - l1 * l1;
    const v16f one_over = determinant > 0.0f ? 1.0f / determinant : (v16f)0.0f;
    v16f scale = (w * lz - z * l1) * one_over, offset = (l2 * z - l1 * lz) * one_over;
    const v16i too_high = offset > top;
    if (__builtin_reduce_or(too_high)) {
        const v16f alone = l2 > 0.0f ? (lz - top * l1) / l2 : (v16f)0.0f;
        scale = too_high ? alone : scale;
        offset = too_high ? top : offset;
    }
    const v16f gain = scale * (2.0f * lz - scale * l2) + offset * (2.0f * z - offset * w) - 2.0f * scale * offset * l1;
    const v16i better = (gain > best->gain) & (scale > 0.0f);
    best->scale = better ? scale : best->scale;
    best->offset = better ? offset : best->offset;
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

/* Offsets up to `top`. Candidates: the range of the weights spread over most + t steps, t = first, first + step ...; twice as many with importance, where
 * the error has more valleys. */
INLINE affine search_affine(const sub_blocks *b, search s, v16f top, float first, float step, int steps) {
    /* All weights alike or below zero: the offset alone, which may be their mean. */
    const v16f mean = b->sum_w > 0.0f ? b->sum_wz / b->sum_w : (v16f)0.0f, below = min16(mean, top);
    affine best = {.scale = 0.0f, .offset = below, .gain = below * (2.0f * b->sum_wz - below * b->sum_w)};
    const v16f half = {0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1};
    if (s.weighted) step *= 0.5f, steps *= 2;
    const int twice = s.n == 32, passes = twice ? (steps + 1) / 2 : steps;
    for (int k = 0; k < passes; k++) {
        const v16f t = twice ? first + step * (2.0f * (float)k + half) : (v16f)(first + step * (float)k);
        improve_affine(b, s, (s.most + t) * (1.0f / Z_MOST), (v16f)0.0f, top, &best);
    }
    for (int k = 0; k < 2; k++) {
        const v16f inverse = inverse_or_zero(best.scale);
        improve_affine(b, s, inverse, best.offset * inverse, top, &best);
    }
    if (twice) join_affine(&best);
    return best;
}

/* ---- z = s * q, q = least ... most, s of either sign ---- */

INLINE void improve_symmetric(const sub_blocks *b, search s, v16f inverse, v16f *scale, v16f *gain) {
    const level_sums sums = sums_of(b, s, inverse, (v16f)0.0f);
    const v16f found = sums.ll > 0.0f ? sums.lz / sums.ll : (v16f)0.0f, better_gain = found * sums.lz;
    const v16i better = better_gain > *gain;
    *scale = better ? found : *scale;
    *gain = better ? better_gain : *gain;
}

/* The greatest weight at level least - t or most + t, t = first, first + step ... */
INLINE v16f search_symmetric(const sub_blocks *b, search s, float first, float step, int steps) {
    const v16f one_over = b->greatest * (1.0f / Z_MOST);
    v16f scale = 0.0f, gain = 0.0f;
    const v16i lower = {-1, -1, -1, -1, -1, -1, -1, -1, 0, 0, 0, 0, 0, 0, 0, 0};
    if (s.weighted) step *= 0.5f, steps *= 2;
    for (int k = 0; k < steps; k++) {
        const v16f down = s.least - (first + step * (float)k), up = s.most + (first + step * (float)k);
        improve_symmetric(b, s, (s.n != 32 || lower ? down : up) * one_over, &scale, &gain);
        if (s.n != 32) improve_symmetric(b, s, up * one_over, &scale, &gain);
    }
    for (int k = 0; k < 2; k++) improve_symmetric(b, s, inverse_or_zero(scale), &scale, &gain);
    if (s.n == 32) {
        const v16f other = swap_halves(gain);
        scale = (other > gain) | ((other == gain) & ~lower) ? swap_halves(scale) : scale;
    }
    return scale;
}

/* Sum of w * (weight - decoded)^2 of each lane, as it will be; the scale (and one over it, or 0) and offset are those of z. `sums` are
 * those of the levels. */
INLINE v16f error_of(const sub_blocks *b, search s, v16f scale, v16f inverse, v16f offset, level_sums *sums) {
    *sums = sums_of(b, s, inverse, offset * inverse);
    const v16f error = b->sum_wzz - scale * (2.0f * sums->lz - scale * sums->ll) - offset * (2.0f * b->sum_wz - offset * b->sum_w)
        + 2.0f * scale * offset * sums->l;
    return error * b->unit * b->unit;
}

#undef UNROLL
#endif
