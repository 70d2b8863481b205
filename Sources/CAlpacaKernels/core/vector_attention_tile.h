/* The two products of attention, scores = queries . keys and outputs += weights . values, over one block of 64 keys: register tiles, and
 * the walks of a few rows or many along a block. Part of vector_attention.h, which see. */
#ifndef ALPACA_VECTOR_ATTENTION_TILE_H
#define ALPACA_VECTOR_ATTENTION_TILE_H
#include "vector_types.h"

enum {
    BLOCK = KERN_KEY_BLOCK,
    GROUPS = BLOCK / LANES,
    SCALED = KERN_KV_SCALED, /* components that share a scale in a Q8_0 cache */
};
enum { SCORES, OUTPUTS };

#define UNROLL _Pragma("clang loop unroll(full)")

/* What a call works with; it lies in the caller's scratch. `width` is head_dim rounded up to whole vectors. */
typedef struct attention_state {
    size_t head_dim, width;
    float *queries;     /* (rows, head_dim), scaled */
    float *outputs;     /* (rows, width): o */
    float *weights;     /* (rows, 64): scores, then p */
    float *sums;        /* (rows, 16): l */
    float *maximums;    /* (rows): m */
    float *corrections; /* (rows): c */
    float *keys;        /* (4, head_dim, 16): a block, widened */
    float *values;      /* (width / 16, 64, 16): a block, widened */
    float *scales;      /* (head_dim / 32, 64): the scales of a Q8_0 block of values */
    int32_t fetch_level;
} attention_state;

/* The right-hand side of a product over one block, in the cache or widened: the keys (a step is a component, its four vectors are the
 * keys) or the values (a step is a key, its vectors are the components). Vector v of step i begins at element i * step + v * vector;
 * Q8_0 keys have scales between the groups of 32 components, Q8_0 values have theirs in the state.
 * `next` is what will be read from the cache after this panel, NULL for a widened one. */
typedef struct panel {
    const void *base;
    size_t step, vector;
    const char *next;
} panel;

INLINE size_t kind_bytes(int kind) { return kind == KERN_Q8_0 ? 1 : kind == KERN_F16 ? 2 : 4; }

INLINE v16f load_kind(int kind, const void *p, size_t index) {
    if (kind == KERN_Q8_0) return load_s8((const int8_t *)p + index);
    return kind == KERN_F16 ? load_f16((const uint16_t *)p + index) : load16((const float *)p + index);
}

/* Where a group of 32 components of a Q8_0 block of keys begins: 64 scales, then (32, 64) quants. */
INLINE const char *scaled_group(const void *keys, size_t d) {
    return (const char *)keys + d / SCALED * (BLOCK * (sizeof(uint16_t) + SCALED));
}

/* A tile of a product: R rows (of queries, or of weights) by C vectors, over the first `steps` steps. SCORES are stored, OUTPUTS added
 * to the corrected o. what, kind, R <= 8 and C <= 8 are constants after inlining, and the arrays become registers. A Q8_0 number is
 * quant * scale, which is exact in a float, so it can be widened here or beforehand.
 *
 * Reading from the cache, up to STREAM_ROWS rows wait for memory: then the first tile of a step asks for the rest of that step too, so
 * that the hardware's prefetcher sees one forward stream, which nothing beats on CPUs of fetch level 1. In all other cases the core asks for
 * the next panel at the pace at which it consumes this one: with more rows; in a Q8_0 cache, which takes more work a byte (Zen 5: 20 GB/s
 * without, 44 with); on CPUs of level 2, whose prefetcher does not keep up (Emerald Rapids, one core, 16384 positions: 18 GB/s without, 26
 * with). */
INLINE void tile(int what, int kind, int R, int C, const attention_state *s, size_t row, panel b, size_t vector, size_t steps) {
    const size_t a_stride = what == SCORES ? s->head_dim : BLOCK;
    const float *a = (what == SCORES ? s->queries : s->weights) + row * a_stride;
    const size_t bytes = LANES * kind_bytes(kind), read = C * bytes, all = (what == SCORES ? GROUPS : 8) * bytes;
    const int waits = R <= STREAM_ROWS && kind != KERN_Q8_0 && s->fetch_level < 2;
    const int fetch_rest = waits && read < all && b.next && vector == 0, fetch_next = !waits && b.next;
    const int scaled_keys = kind == KERN_Q8_0 && what == SCORES, scaled_values = kind == KERN_Q8_0 && what == OUTPUTS;
    v16f sum[8][8], right[8], scale[8];
    UNROLL for (int r = 0; r < R; r++) {
        UNROLL for (int c = 0; c < C; c++) sum[r][c] = 0.0f;
    }
    for (size_t i = 0; i < steps;) {
        const size_t end = scaled_keys ? i + SCALED : steps;
        const void *base = b.base;
        if (scaled_keys) {
            const char *group = scaled_group(b.base, i);
            UNROLL for (int c = 0; c < C; c++) scale[c] = load_f16((const uint16_t *)group + (vector + c) * LANES);
            base = group + BLOCK * sizeof(uint16_t) - i * b.step;
        }
        for (; i < end; i++) {
            const size_t at = i * b.step + vector * b.vector;
            UNROLL for (int c = 0; c < C; c++) {
                right[c] = load_kind(kind, base, at + c * b.vector);
                if (scaled_keys) right[c] *= scale[c];
                if (scaled_values) right[c] *= s->scales[(vector + c) / 2 * BLOCK + i];
            }
            if (fetch_rest) {
                const char *rest = (const char *)base + at * kind_bytes(kind);
                UNROLL for (size_t behind = read < 64 ? 64 : read; behind < all; behind += 64) __builtin_prefetch(rest + behind, 0, 3);
            }
            if (fetch_next) {
                UNROLL for (size_t c = 0; c < read; c += 64) __builtin_prefetch(b.next + (vector * steps + i * C) * bytes + c, 0, 3);
            }
            UNROLL for (int r = 0; r < R; r++) {
                const v16f left = a[r * a_stride + i];
                UNROLL for (int c = 0; c < C; c++) sum[r][c] = fma16(left, right[c], sum[r][c]);
            }
        }
    }
    UNROLL for (int r = 0; r < R; r++) {
        float *out = what == SCORES ? s->weights + (row + r) * BLOCK : s->outputs + (row + r) * s->width;
        const v16f correction = what == SCORES ? 0.0f : s->corrections[row + r];
        UNROLL for (int c = 0; c < C; c++) {
            float *to = out + (vector + c) * LANES;
            store16(to, what == SCORES ? sum[r][c] : fma16(load16(to), correction, sum[r][c]));
        }
    }
}

/* ---- Few rows: a tile of rows stays while it walks along the block, as many vectors at a time as there are registers for. ---- */

INLINE void few_rows(int what, int kind, int R, const attention_state *s, size_t row, panel b, size_t steps) {
    const size_t vectors = what == SCORES ? GROUPS : s->width / LANES;
    size_t v = 0;
    if (R * 8 <= ACCUMULATORS) {
        for (; v + 8 <= vectors; v += 8) tile(what, kind, R, 8, s, row, b, v, steps);
    }
    if (R * 4 <= ACCUMULATORS) {
        for (; v + 4 <= vectors; v += 4) tile(what, kind, R, 4, s, row, b, v, steps);
    }
    if (R * 2 <= ACCUMULATORS) {
        for (; v + 2 <= vectors; v += 2) tile(what, kind, R, 2, s, row, b, v, steps);
    }
    for (; v < vectors; v++) tile(what, kind, R, 1, s, row, b, v, steps);
}

INLINE void few(int what, int kind, const attention_state *s, size_t row, size_t end, panel b, size_t steps) {
    if (ACCUMULATORS >= 16) {
        for (; row + 8 <= end; row += 8) few_rows(what, kind, 8, s, row, b, steps);
    }
    for (; row + 4 <= end; row += 4) few_rows(what, kind, 4, s, row, b, steps);
    for (; row + 2 <= end; row += 2) few_rows(what, kind, 2, s, row, b, steps);
    for (; row < end; row++) few_rows(what, kind, 1, s, row, b, steps);
}

static void few_scores(int kind, const attention_state *s, size_t row, size_t end, panel keys) {
    if (kind == KERN_F16) few(SCORES, KERN_F16, s, row, end, keys, s->head_dim);
    else if (kind == KERN_Q8_0) few(SCORES, KERN_Q8_0, s, row, end, keys, s->head_dim);
    else few(SCORES, KERN_F32, s, row, end, keys, s->head_dim);
}

static void few_outputs(int kind, const attention_state *s, size_t row, size_t end, panel values, size_t n_keys) {
    if (kind == KERN_F16) few(OUTPUTS, KERN_F16, s, row, end, values, n_keys);
    else if (kind == KERN_Q8_0) few(OUTPUTS, KERN_Q8_0, s, row, end, values, n_keys);
    else few(OUTPUTS, KERN_F32, s, row, end, values, n_keys);
}

/* ---- Many rows: a strip of the widened block stays in L1 while the rows walk along it. ---- */

INLINE void strip(int what, int C, const attention_state *s, size_t row, size_t end, panel b, size_t vector, size_t steps) {
    for (; row + TILE_ROWS <= end; row += TILE_ROWS) tile(what, KERN_F32, TILE_ROWS, C, s, row, b, vector, steps);
    for (; row + 4 <= end; row += 4) tile(what, KERN_F32, 4, C, s, row, b, vector, steps);
    for (; row + 2 <= end; row += 2) tile(what, KERN_F32, 2, C, s, row, b, vector, steps);
    for (; row < end; row++) tile(what, KERN_F32, 1, C, s, row, b, vector, steps);
}

INLINE void many(int what, const attention_state *s, size_t row, size_t end, panel b, size_t steps) {
    const size_t vectors = what == SCORES ? GROUPS : s->width / LANES;
    size_t v = 0;
    for (; v + TILE_VECTORS <= vectors; v += TILE_VECTORS) strip(what, TILE_VECTORS, s, row, end, b, v, steps);
    for (; v < vectors; v++) strip(what, 1, s, row, end, b, v, steps);
}

#endif
