/* Norm, sums, the feed-forward gate, rotary embedding: everything that walks a vector once. */
#ifndef ALPACA_VECTOR_ELEMENTWISE_H
#define ALPACA_VECTOR_ELEMENTWISE_H
#include "float16.h"
#include "vector_exp.h"

static void rms_norm(const float *x, const float *weight, float eps, size_t n, float *out) {
    const size_t left = n % LANES, whole = n - left;
    v16f squares = 0.0f;
    for (size_t i = 0; i < whole; i += LANES) {
        v16f v = load16(x + i);
        squares = fma16(v, v, squares);
    }
    if (left) {
        v16f v = load_part(x + whole, left);
        squares = fma16(v, v, squares);
    }
    v16f factor = 1.0f / __builtin_sqrtf(sum16(squares) / (float)n + eps);
    for (size_t i = 0; i < whole; i += LANES) store16(out + i, load16(x + i) * factor * load16(weight + i));
    if (left) store_part(out + whole, left, load_part(x + whole, left) * factor * load_part(weight + whole, left));
}

static void add(float *x, const float *y, size_t n) {
    const size_t left = n % LANES, whole = n - left;
    for (size_t i = 0; i < whole; i += LANES) store16(x + i, load16(x + i) + load16(y + i));
    if (left) store_part(x + whole, left, load_part(x + whole, left) + load_part(y + whole, left));
}

/* g * sigmoid(g) * u = g / (1 + e^-g) * u */
INLINE v16f silu_times(v16f g, v16f u) { return g / (1.0f + exp16(-g)) * u; }

static void silu_mul(float *gate, const float *up, size_t n) {
    const size_t left = n % LANES, whole = n - left;
    for (size_t i = 0; i < whole; i += LANES) store16(gate + i, silu_times(load16(gate + i), load16(up + i)));
    if (left) store_part(gate + whole, left, silu_times(load_part(gate + whole, left), load_part(up + whole, left)));
}

/* Eight pairs (a, b) turned by eight angles (c, s): (a c - b s, b c + a s), one product and one fused multiply-add each. */
INLINE v16f rotate8(v16f x, v16f cos_sin) {
    v16f c = __builtin_shufflevector(cos_sin, cos_sin, 0, 0, 2, 2, 4, 4, 6, 6, 8, 8, 10, 10, 12, 12, 14, 14);
    v16f s = __builtin_shufflevector(-cos_sin, cos_sin, 1, 17, 3, 19, 5, 21, 7, 23, 9, 25, 11, 27, 13, 29, 15, 31);
    v16f swapped = __builtin_shufflevector(x, x, 1, 0, 3, 2, 5, 4, 7, 6, 9, 8, 11, 10, 13, 12, 15, 14);
    return fma16(x, c, swapped * s);
}

/* The same for pairs whose first halves are `a` and second halves `b`: cosines and sines of sixteen pairs begin at cos_sin. */
INLINE void rotate_halves(v16f *a, v16f *b, v16f low, v16f high) {
    const v16f c = __builtin_shufflevector(low, high, 0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
    const v16f s = __builtin_shufflevector(low, high, 1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31);
    const v16f turned = fma16(*a, c, *b * -s);
    *b = fma16(*b, c, *a * s);
    *a = turned;
}

static void rope_halves(float *x, size_t n_heads, size_t head_dim, size_t rope_dim, const float *cos_sin) {
    const size_t half = rope_dim / 2, left = half % LANES, whole = half - left;
    for (size_t h = 0; h < n_heads; h++, x += head_dim) {
        for (size_t i = 0; i < whole; i += LANES) {
            v16f a = load16(x + i), b = load16(x + half + i);
            rotate_halves(&a, &b, load16(cos_sin + 2 * i), load16(cos_sin + 2 * i + LANES));
            store16(x + i, a), store16(x + half + i, b);
        }
        if (left) {
            v16f a = load_part(x + whole, left), b = load_part(x + half + whole, left), high = 0.0f;
            const size_t floats = 2 * left, low = floats < LANES ? floats : LANES;
            if (floats > LANES) high = load_part(cos_sin + 2 * whole + LANES, floats - LANES);
            rotate_halves(&a, &b, low < LANES ? load_part(cos_sin + 2 * whole, low) : load16(cos_sin + 2 * whole), high);
            store_part(x + whole, left, a), store_part(x + half + whole, left, b);
        }
    }
}

static void rope(float *x, size_t n_heads, size_t head_dim, size_t rope_dim, const float *cos_sin, int32_t pairing) {
    if (pairing == KERN_ROPE_HALVES) {
        rope_halves(x, n_heads, head_dim, rope_dim, cos_sin);
        return;
    }
    const size_t left = rope_dim % LANES, whole = rope_dim - left;
    for (size_t h = 0; h < n_heads; h++, x += head_dim) {
        for (size_t i = 0; i < whole; i += LANES) store16(x + i, rotate8(load16(x + i), load16(cos_sin + i)));
        if (left) store_part(x + whole, left, rotate8(load_part(x + whole, left), load_part(cos_sin + whole, left)));
    }
}

static void f32_to_f16(const float *x, size_t n, uint16_t *out) {
    const size_t left = n % LANES, whole = n - left;
    for (size_t i = 0; i < whole; i += LANES) store_f16(out + i, load16(x + i));
    if (left) {
        uint16_t lanes[LANES];
        store_f16(lanes, load_part(x + whole, left));
        for (size_t i = 0; i < left; i++) out[whole + i] = lanes[i];
    }
}

static void f32_to_bf16(const float *x, size_t n, uint16_t *out) {
    const size_t whole = n - n % LANES;
    for (size_t i = 0; i < whole; i += LANES) *(v16s_unaligned *)(out + i) = bf16_from_f32_vector(load16(x + i));
    for (size_t i = whole; i < n; i++) out[i] = bf16_from_f32(x[i]);
}

#endif
