/* F32, F16 and BF16 matrices. Each product is 16 partial sums along the columns and one tree (alpaca_kernels.h); any number of columns.
 *
 * Up to AT_ONCE tokens: rows straight from the file. More than FEW_TOKENS: a block of rows is copied to floats, padded with zeros to a
 * multiple of 16; tiles of FLOAT_ROWS x FLOAT_TOKENS then walk runs of FLOAT_RUN columns, so that the tokens' part stays in the
 * first-level cache; the partial sums wait in memory from one run to the next. */
#ifndef ALPACA_FLOAT_MATMUL_H
#define ALPACA_FLOAT_MATMUL_H
#include "fetch.h"
#include "pack_inputs.h"

enum { FLOAT_RUN = 512, FLOAT_STRIDE = FLOAT_RUN + LANES /* not a power of two: cache sets */, FLOAT_BLOCK = 131072 };

INLINE size_t weight_bytes(int type) { return type == KERN_F32 ? 4 : 2; }

INLINE v16f weights16(int type, const uint8_t *p) {
    if (type == KERN_F32) return load16((const float *)(const void *)p);
    const uint16_t *halves = (const uint16_t *)(const void *)p;
    if (type == KERN_F16) return load_f16(halves);
    return __builtin_bit_cast(v16f, __builtin_convertvector(*(const v16s_unaligned *)halves, v16u) << 16);
}

/* The first n (< 16) of 16 weights. */
INLINE v16f weights_part(int type, const uint8_t *p, size_t n) {
    uint8_t bytes[LANES * 4] = {0};
    for (size_t i = 0; i < n * weight_bytes(type); i++) bytes[i] = p[i];
    return weights16(type, bytes);
}

INLINE void decode_float(int type, int n_tokens, const kern_matrix *m, size_t first, size_t last, const kern_inputs *in,
                         kern_ahead ahead, float *y, size_t y_stride) {
    /* Rows whose sums fit registers, or one; two are enough to hide an addition behind another, and fewer streams are easier on the
     * memory. */
    const size_t fit = FLOAT_ROWS * FLOAT_TOKENS / (size_t)n_tokens, most = n_tokens == 1 ? 2 : 4;
    const size_t step = fit == 0 ? 1 : fit < most ? fit : most;
    const size_t left = m->columns % LANES, whole = m->columns - left, size = weight_bytes(type);
    for (size_t row = first; row < last; row += step) {
        const uint8_t *rows[4];
        v16f sums[4][AT_ONCE];
        UNROLL for (size_t i = 0; i < step; i++) {
            rows[i] = (const uint8_t *)m->base + (row + i < m->rows ? row + i : m->rows - 1) * m->row_bytes;
            UNROLL for (int t = 0; t < n_tokens; t++) sums[i][t] = 0;
        }
        row_stream next = stream_behind(rows[0] + step * m->row_bytes, row + step >= last, ahead, m->row_bytes);
        for (size_t k = 0; k < whole; k += LANES, next.next += step * LANES * size) {
            for (size_t i = 0; i < step * LANES * size; i += LINE_BYTES) fetch_at(&next, i);
            v16f x[AT_ONCE];
            UNROLL for (int t = 0; t < n_tokens; t++) x[t] = load16(in->x + (size_t)t * in->stride + k);
            UNROLL for (size_t i = 0; i < step; i++) {
                const v16f w = weights16(type, rows[i] + k * size);
                UNROLL for (int t = 0; t < n_tokens; t++) sums[i][t] = fma16(w, x[t], sums[i][t]);
            }
        }
        for (size_t i = 0; i < step && row + i < last; i++) {
            for (int t = 0; t < n_tokens; t++) {
                v16f sum = sums[i][t];
                if (left) {
                    const v16f x = load_part(in->x + (size_t)t * in->stride + whole, left);
                    sum = fma16(weights_part(type, rows[i] + whole * size, left), x, sum);
                }
                y[(size_t)t * y_stride + row + i] = sum16(sum);
            }
        }
    }
}

/* Rows that are copied at a time: FLOAT_BLOCK weights, a multiple of FLOAT_ROWS, KERN_ROW_BLOCK at most. */
static size_t float_rows(size_t runs) {
    const size_t fit = FLOAT_BLOCK / FLOAT_RUN / (runs ? runs : 1) / FLOAT_ROWS * FLOAT_ROWS;
    const size_t most = KERN_ROW_BLOCK / FLOAT_ROWS * FLOAT_ROWS;
    return fit < FLOAT_ROWS ? FLOAT_ROWS : fit > most ? most : fit;
}

static size_t float_runs(size_t columns) { return (columns + FLOAT_RUN - 1) / FLOAT_RUN; }

/* For matrices of up to so many columns: a narrower one has more rows in a block, and may take more. */
static size_t float_scratch_bytes(size_t columns) {
    size_t most = 0;
    for (size_t runs = 1; runs <= float_runs(columns); runs++) {
        const size_t rows = float_rows(runs);
        const size_t floats = (runs * rows + FLOAT_TOKENS) * FLOAT_STRIDE + rows * FLOAT_TOKENS * LANES;
        if (floats > most) most = floats;
    }
    return most * sizeof(float);
}

/* One run of columns, of which the tokens' part begins at x[0], x[1], ...; `sums` holds the tile's partial sums. */
INLINE void float_tile(const float *w, const float *const *x, size_t n, v16f *sums, bool resume) {
    v16f s[FLOAT_ROWS][FLOAT_TOKENS];
    UNROLL for (int i = 0; i < FLOAT_ROWS; i++) {
        UNROLL for (int t = 0; t < FLOAT_TOKENS; t++) s[i][t] = resume ? sums[i * FLOAT_TOKENS + t] : (v16f)0.0f;
    }
    for (size_t k = 0; k < n; k += LANES) {
        v16f a[FLOAT_ROWS];
        UNROLL for (int i = 0; i < FLOAT_ROWS; i++) a[i] = load16(w + i * FLOAT_STRIDE + k);
        UNROLL for (int t = 0; t < FLOAT_TOKENS; t++) {
            const v16f b = load16(x[t] + k);
            UNROLL for (int i = 0; i < FLOAT_ROWS; i++) s[i][t] = fma16(a[i], b, s[i][t]);
        }
    }
    UNROLL for (int i = 0; i < FLOAT_ROWS; i++) {
        UNROLL for (int t = 0; t < FLOAT_TOKENS; t++) sums[i * FLOAT_TOKENS + t] = s[i][t];
    }
}

/* Sixteen numbers of row i, columns k ..., go to `copy + run_offset(k, rows) + i * FLOAT_STRIDE`: run after run, row after row. */
INLINE size_t run_offset(size_t k, size_t rows) { return k / FLOAT_RUN * rows * FLOAT_STRIDE + k % FLOAT_RUN; }

INLINE void prefill_float(int type, const kern_matrix *m, size_t first, size_t last, const kern_inputs *in, float *y, size_t y_stride,
                          float *scratch) {
    const size_t left = m->columns % LANES, whole = m->columns - left, size = weight_bytes(type);
    const size_t runs = float_runs(m->columns), block = float_rows(runs), padded = (m->columns + LANES - 1) / LANES * LANES;
    v16f *sums = (v16f *)(void *)scratch;
    float *weights = scratch + block * FLOAT_TOKENS * LANES, *ends = weights + runs * block * FLOAT_STRIDE;
    for (size_t row = first; row < last; row += block) {
        const size_t rows = last - row < block ? last - row : block, tiles = (rows + FLOAT_ROWS - 1) / FLOAT_ROWS;
        for (size_t i = 0; i < tiles * FLOAT_ROWS; i++) {
            const uint8_t *from = (const uint8_t *)m->base + (i < rows ? row + i : last - 1) * m->row_bytes;
            float *to = weights + i * FLOAT_STRIDE;
            for (size_t k = 0; k < whole; k += LANES) store16(to + run_offset(k, block), weights16(type, from + k * size));
            if (left) store16(to + run_offset(whole, block), weights_part(type, from + whole * size, left));
        }
        for (size_t token = 0; token < in->n_tokens; token += FLOAT_TOKENS) {
            const size_t tokens = in->n_tokens - token < FLOAT_TOKENS ? in->n_tokens - token : FLOAT_TOKENS;
            for (size_t k = 0; k < padded; k += FLOAT_RUN) {
                const size_t n = padded - k < FLOAT_RUN ? padded - k : FLOAT_RUN;
                const float *x[FLOAT_TOKENS];
                for (size_t t = 0; t < FLOAT_TOKENS; t++) {
                    x[t] = in->x + (t < tokens ? token + t : in->n_tokens - 1) * in->stride + k;
                    if (k + n <= whole) continue;
                    float *copy = ends + t * FLOAT_STRIDE; /* the last run: padded */
                    for (size_t j = 0; j + LANES < n; j += LANES) store16(copy + j, load16(x[t] + j));
                    store16(copy + n - LANES, load_part(x[t] + n - LANES, left));
                    x[t] = copy;
                }
                for (size_t i = 0; i < tiles; i++) {
                    float_tile(weights + run_offset(k, block) + i * FLOAT_ROWS * FLOAT_STRIDE, x, n, sums + i * FLOAT_ROWS * FLOAT_TOKENS,
                               k > 0);
                }
            }
            for (size_t t = 0; t < tokens; t++) {
                for (size_t i = 0; i < rows; i++) {
                    y[(token + t) * y_stride + row + i] =
                        sum16(sums[i / FLOAT_ROWS * FLOAT_ROWS * FLOAT_TOKENS + i % FLOAT_ROWS * FLOAT_TOKENS + t]);
                }
            }
        }
    }
}

#endif
