/* Up to AT_ONCE tokens: straight from the file's layout, ROWS rows at a time, each weight read once for all tokens.
 *
 * Bound by memory. While ROWS rows are computed, what comes next is fetched (fetch.h), in order, as many bytes a step as the step
 * consumes. */
#ifndef ALPACA_DECODE_H
#define ALPACA_DECODE_H
#include "fetch.h"
#include "pack_inputs.h"
#include WORDS_HEADER

/* What each type gives; `sub`: which 32 weights of the block.
 *   scales   of all 32s of the block, into s[0 ..< sub_blocks]
 *   load     the packed bits of the rows, transposed, into raw: called for each `sub` in order, it adds what is not there yet
 *   word     from raw, weights 4j ..< 4j + 4 of these 32 */
typedef void scales_function(const row_set *r, row_scales *s);
typedef void load_function(const row_set *r, int sub, u32xr *raw);
typedef u32xr word_function(const u32xr *raw, int sub, int j);
enum { MOST_RAW_WORDS = 24 };

enum { MOST_BYTES = 34 }; /* that 32 weights take in a quantized type (Q8_0) */

/* What rows_at may need: ROWS rows of the type with the longest ones. */
static size_t spare_bytes(size_t columns) { return ROWS * (columns / 32 * MOST_BYTES + 64) / 64 * 64; }

/* Rows `row` ... of a matrix. Where it does not have ROWS more, they are copied to `spare`, the last one as often as it takes. */
INLINE row_set rows_at(const kern_matrix *w, size_t row, uint8_t *spare) {
    const size_t stride = w->row_bytes;
    const uint8_t *base = w->base, *first = base + row * stride;
    if (row + ROWS > w->rows) {
        for (size_t i = 0; i < ROWS; i++) {
            __builtin_memcpy(spare + i * stride, base + (row + i < w->rows ? row + i : w->rows - 1) * stride, stride);
        }
        first = spare;
    }
    return (row_set){first, stride, 3 * stride, 5 * stride, 7 * stride};
}

/* To the next block. The compiler must not see how: it would keep a pointer for each row. */
INLINE void advance(row_set *r, size_t bytes) {
    r->base += bytes;
    __asm__("" : "+r"(r->base));
}

/* The float part of a step: 32 weights of each row onto the rows' running sums. */
INLINE f32xr decode_step(quant_traits T, i32xr dots, const row_scales *s, const token_block *a, f32xr sum) {
    sum = fma_rows(to_float(dots), s->d * a->d, sum);
    if (T.minimums && T.halves) return fma_rows(to_float(madd16(s->minimums, (i32xr)a->halves)), s->minimum * a->d, sum);
    if (T.minimums) return fma_rows(s->minimum, (f32xr)a->d_sum, sum);
    return sum;
}

INLINE void decode(quant_traits T, scales_function *scales, load_function *load, word_function *word, int n_tokens,
                   const kern_matrix *m, size_t first, size_t last, const kern_inputs *in, kern_ahead ahead, float *y, size_t y_stride,
                   uint8_t *spare) {
    const size_t blocks = m->columns / 32 / (size_t)T.sub_blocks, step = ROWS * T.block_bytes / (size_t)T.sub_blocks;
    const size_t pieces = 4 + (size_t)n_tokens; /* unpacking, and each token */
    for (size_t row = first; row < last; row += ROWS) {
        row_set r = rows_at(m, row, spare);
        const token_block *a = in->packed;
        row_stream next = stream_behind((const char *)m->base + (row + ROWS) * m->row_bytes, row + ROWS >= last, ahead, m->row_bytes);
        f32xr sums[AT_ONCE];
        for (int t = 0; t < n_tokens; t++) sums[t] = 0;
        for (size_t b = 0; b < blocks; b++, advance(&r, T.block_bytes)) {
            row_scales s[8];
            u32xr raw[MOST_RAW_WORDS];
            scales(&r, s);
            UNROLL for (int sub = 0; sub < T.sub_blocks; sub++, a++, next.next += step) {
                load(&r, sub, raw);
                u32xr words[8];
                UNROLL for (int j = 0; j < 8; j++) {
                    words[j] = word(raw, sub, j);
                    if (j % 2) fetch_piece(&next, step, (size_t)j / 2, pieces);
                }
                const i32xr scale[2] = {panel_scale(s[sub].scale[0]), panel_scale(s[sub].scale[1])};
                UNROLL for (int t = 0; t < n_tokens; t++) {
                    fetch_piece(&next, step, 4 + (size_t)t, pieces);
                    const token_block *of_token = a + (size_t)t * (m->columns / 32);
                    sums[t] = decode_step(T, dots_by_words(T, words, scale, of_token), &s[sub], of_token, sums[t]);
                }
            }
        }
        for (int t = 0; t < n_tokens; t++) {
            float *out = y + (size_t)t * y_stride + row;
            if (last - row >= ROWS) {
                store_rows(out, sums[t]);
            } else {
                for (size_t i = 0; i < last - row; i++) out[i] = sums[t][i];
            }
        }
    }
}

#endif
