/* Up to four tokens: straight from the file's layout, eight rows at a time, each weight read once for all tokens.
 *
 * Bound by memory. While eight rows are computed, the next eight are prefetched in order, as many bytes a step as the step consumes:
 * rows lie one behind the other, so that is one forward stream. */
#ifndef ALPACA_DECODE_H
#define ALPACA_DECODE_H
#include "pack_inputs.h"
#include WORDS_HEADER

typedef void scales_function(const rows8 *r, size_t at, scales8 *s);
typedef void weights_function(const rows8 *r, size_t at, int sub, weights8 *w);

INLINE rows8 rows_at(const kern_matrix *w, size_t row) {
    rows8 r;
    for (size_t i = 0; i < 8; i++) {
        const size_t known = row + i < w->rows ? row + i : w->rows - 1;
        r.row[i] = (const uint8_t *)w->base + known * w->row_bytes;
    }
    return r;
}

INLINE s8x32 in_both_halves(const int8_t *q) {
    const s8x16 x = *(const s8x16_unaligned *)q;
    return __builtin_shufflevector(x, x, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12,
                                   13, 14, 15);
}

/* One token: each row's products side by side, then a transposing tree of sums. */
INLINE i32x8 dots_by_rows(quant_traits T, const weights8 *w, const scales8 *s, const token_block *a) {
    const s8x32 low = in_both_halves(a->q), high = in_both_halves(a->q + 16);
    const i32x8 zero = {0};
    if (T.halves) {
        i32x8 first[4], second[4];
        UNROLL for (int i = 0; i < 4; i++) first[i] = dot4(zero, w->low[i], low), second[i] = dot4(zero, w->high[i], high);
        const i32x8 x = sum_of_rows(first) - scaled((int16_t)a->halves, T.offset_bits);
        const i32x8 y = sum_of_rows(second) - scaled(a->halves >> 16, T.offset_bits);
        return T.offset_bits ? x * s->scale[0] + y * s->scale[1] : sum_of_rows(first) * s->scale[0] + sum_of_rows(second) * s->scale[1];
    }
    i32x8 parts[4];
    UNROLL for (int i = 0; i < 4; i++) {
        parts[i] = T.wide ? dot4_wide(dot4_wide(zero, w->low[i], low), w->high[i], high) : dot8(w->low[i], low, w->high[i], high);
    }
    const int offset_bits = T.wide ? WIDE_OFFSET_BITS : T.offset_bits;
    return offset_bits ? sum_of_rows(parts) - scaled(a->sum, offset_bits) : sum_of_rows(parts);
}

/* The float part of a step: 32 weights of eight rows onto the rows' running sums. */
INLINE f32x8 decode_step(quant_traits T, i32x8 dots, const scales8 *s, const token_block *a, f32x8 sum) {
    sum = fma8(to_float(dots), s->d * a->d, sum);
    if (T.minimums && T.halves) return fma8(to_float(madd16(s->minimums, (i32x8)a->halves)), s->minimum * a->d, sum);
    if (T.minimums) return fma8(s->minimum, (f32x8)a->d_sum, sum);
    return sum;
}

INLINE void decode(quant_traits T, scales_function *scales, weights_function *weights, int n_tokens, const kern_matrix *m, size_t first,
                   size_t last, const kern_inputs *in, float *y, size_t y_stride) {
    const size_t blocks = m->columns / 32 / (size_t)T.sub_blocks, ahead = 8 * T.block_bytes / (size_t)T.sub_blocks;
    for (size_t row = first; row < last; row += 8) {
        const rows8 r = rows_at(m, row);
        const token_block *a = in->packed;
        const char *next = (const char *)r.row[0] + 8 * m->row_bytes;
        f32x8 sums[FEW_TOKENS];
        for (int t = 0; t < n_tokens; t++) sums[t] = 0;
        for (size_t b = 0; b < blocks; b++) {
            scales8 s[8];
            scales(&r, b * T.block_bytes, s);
            UNROLL for (int sub = 0; sub < T.sub_blocks; sub++, a++, next += ahead) {
                weights8 w;
                for (size_t i = 0; i < ahead; i += 64) __builtin_prefetch(next + i);
                weights(&r, b * T.block_bytes, sub, &w);
                if (n_tokens == 1 && (!T.halves || HALVES_BY_ROWS)) {
                    sums[0] = decode_step(T, dots_by_rows(T, &w, &s[sub], a), &s[sub], a, sums[0]);
                    continue;
                }
                u32x8 words[8];
                transpose4(w.low, words);
                transpose4(w.high, words + 4);
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
