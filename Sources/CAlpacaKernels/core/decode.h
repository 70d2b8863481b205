/* Up to four tokens: straight from the file's layout, eight rows at a time, each weight read once for all tokens.
 *
 * Bound by memory. While eight rows are computed, the next eight are prefetched, in order, as many bytes a step as the step
 * consumes: rows lie one behind the other, so that is one forward stream. Into the second-level cache: the first is too small to wait in
 * (measured with eight bits on one core: 16 GB/s with a prefetch into the first, 35 into the second). */
#ifndef ALPACA_DECODE_H
#define ALPACA_DECODE_H
#include "pack_inputs.h"
#include WORDS_HEADER

/* What each type gives. `at`: where in a row its block begins; `sub`: which 32 weights of it.
 *   scales   of all 32s of the block, into s[0 ..< sub_blocks]
 *   load     the packed bits of the rows, transposed, into raw: called for each `sub` in order, it adds what is not there yet
 *   word     from raw, weights 4j ..< 4j + 4 of these 32 */
typedef void scales_function(const rows8 *r, size_t at, scales8 *s);
typedef void load_function(const rows8 *r, size_t at, int sub, u32x8 *raw);
typedef u32x8 word_function(const u32x8 *raw, int sub, int j);
enum { MOST_RAW_WORDS = 24 };

INLINE rows8 rows_at(const kern_matrix *w, size_t row) {
    rows8 r;
    for (size_t i = 0; i < 8; i++) {
        const size_t known = row + i < w->rows ? row + i : w->rows - 1;
        r.row[i] = (const uint8_t *)w->base + known * w->row_bytes;
    }
    return r;
}

/* The float part of a step: 32 weights of eight rows onto the rows' running sums. */
INLINE f32x8 decode_step(quant_traits T, i32x8 dots, const scales8 *s, const token_block *a, f32x8 sum) {
    sum = fma8(to_float(dots), s->d * a->d, sum);
    if (T.minimums && T.halves) return fma8(to_float(madd16(s->minimums, (i32x8)a->halves)), s->minimum * a->d, sum);
    if (T.minimums) return fma8(s->minimum, (f32x8)a->d_sum, sum);
    return sum;
}

INLINE void decode(quant_traits T, scales_function *scales, load_function *load, word_function *word, int n_tokens,
                   const kern_matrix *m, size_t first, size_t last, const kern_inputs *in, float *y, size_t y_stride) {
    const size_t blocks = m->columns / 32 / (size_t)T.sub_blocks, ahead = 8 * T.block_bytes / (size_t)T.sub_blocks;
    for (size_t row = first; row < last; row += 8) {
        const rows8 r = rows_at(m, row);
        const token_block *a = in->packed;
        const char *next = (const char *)r.row[0] + 8 * m->row_bytes;
        f32x8 sums[FEW_TOKENS];
        for (int t = 0; t < n_tokens; t++) sums[t] = 0;
        for (size_t b = 0; b < blocks; b++) {
            scales8 s[8];
            u32x8 raw[MOST_RAW_WORDS];
            scales(&r, b * T.block_bytes, s);
            UNROLL for (int sub = 0; sub < T.sub_blocks; sub++, a++, next += ahead) {
                for (size_t i = 0; i < ahead; i += 64) __builtin_prefetch(next + i, 0, 2);
                load(&r, b * T.block_bytes, sub, raw);
                u32x8 words[8];
                UNROLL for (int j = 0; j < 8; j++) words[j] = word(raw, sub, j);
                const i32x8 scale[2] = {panel_scale(s[sub].scale[0]), panel_scale(s[sub].scale[1])};
                UNROLL for (int t = 0; t < n_tokens; t++) {
                    const token_block *of_token = a + (size_t)t * (m->columns / 32);
                    sums[t] = decode_step(T, dots_by_words(T, words, scale, of_token), &s[sub], of_token, sums[t]);
                }
            }
        }
        for (int t = 0; t < n_tokens; t++) {
            float *out = y + (size_t)t * y_stride + row;
            if (last - row >= 8) {
                store8(out, sums[t]);
            } else {
                for (size_t i = 0; i < last - row; i++) out[i] = sums[t][i];
            }
        }
    }
}

#endif
