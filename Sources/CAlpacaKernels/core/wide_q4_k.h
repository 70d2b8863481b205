/* Q4_K, one token, sixteen rows, two runs of 32 bytes of a row at a time: four times 32 weights. Words are turned while their nibbles are
 * still together, and all rows meet the same words of the inputs. */
#ifndef ALPACA_WIDE_Q4_K_H
#define ALPACA_WIDE_Q4_K_H
#include "wide_rows.h"

/* Of a block of sixteen rows: scales and minimums of six bits, four in each lane's bytes (types/q4_k.h). */
typedef struct wide_q4_k_scales {
    __m512 d, minus_dmin;
    __m512i scales[2], minimums[2];
} wide_q4_k_scales;

/* Within each quarter, the 4 x 4 transposition of words. */
INLINE void transpose_words(const __m512i v[4], __m512i out[4]) {
    const __m512i a = _mm512_unpacklo_epi32(v[0], v[1]), b = _mm512_unpackhi_epi32(v[0], v[1]);
    const __m512i c = _mm512_unpacklo_epi32(v[2], v[3]), d = _mm512_unpackhi_epi32(v[2], v[3]);
    out[0] = _mm512_unpacklo_epi64(a, c), out[1] = _mm512_unpackhi_epi64(a, c);
    out[2] = _mm512_unpacklo_epi64(b, d), out[3] = _mm512_unpackhi_epi64(b, d);
}

INLINE wide_q4_k_scales wide_q4_k_scales_of(const uint8_t *p, size_t stride, row_stream *s) {
    const __m512i low4 = _mm512_set1_epi8(15), low6 = _mm512_set1_epi8(63), top2 = _mm512_set1_epi8(48);
    __m512i heads[4], words[4];
    UNROLL for (size_t i = 0; i < 4; i++) {
        const uint8_t *at = p + i * stride;
        heads[i] = four_quarters(at, at + 4 * stride, at + 8 * stride, at + 12 * stride);
        fetch_line(s);
    }
    transpose_words(heads, words);
    const __m512i scales_high = _mm512_and_si512(_mm512_srli_epi32(words[1], 2), top2);
    const __m512i minimums_high = _mm512_and_si512(_mm512_srli_epi32(words[2], 2), top2);
    wide_q4_k_scales x = {
        .d = (__m512)f32_from_f16_rows((u32xr)words[0] & 0xFFFF),
        .minus_dmin = (__m512)-f32_from_f16_rows((u32xr)words[0] >> 16),
        .scales = {_mm512_and_si512(words[1], low6), _mm512_or_si512(_mm512_and_si512(words[3], low4), scales_high)},
        .minimums = {_mm512_and_si512(words[2], low6),
                     _mm512_or_si512(_mm512_and_si512(_mm512_srli_epi32(words[3], 4), low4), minimums_high)},
    };
    UNROLL for (int i = 0; i < 2; i++) {
        FINISHED(x.scales[i]);
        FINISHED(x.minimums[i]);
    }
    return x;
}

/* Byte k of each lane as a float. */
INLINE __m512 wide_byte(__m512i bytes, unsigned k) {
    return _mm512_cvtepi32_ps(_mm512_and_si512(_mm512_srli_epi32(bytes, k * 8), _mm512_set1_epi32(63)));
}

/* The inputs of four times 32 weights: word j of the low nibbles' inputs and of the high ones', in each lane of a quarter. The quarters
 * hold the first and second sixteen of run 0 (weights 0 ..< 64), then those of run 1. */
typedef struct wide_q4_k_inputs {
    __m512i low[4], high[4];
} wide_q4_k_inputs;

INLINE __m512i two_blocks(const token_block *a, const token_block *b) {
    const __m256i first = _mm256_loadu_si256((const void *)a->q), second = _mm256_loadu_si256((const void *)b->q);
    return _mm512_inserti64x4(_mm512_castsi256_si512(first), second, 1);
}

INLINE wide_q4_k_inputs wide_q4_k_inputs_of(const token_block *a) {
    const __m512i low = two_blocks(a, a + 2), high = two_blocks(a + 1, a + 3);
    return (wide_q4_k_inputs){
        .low = {_mm512_shuffle_epi32(low, 0x00), _mm512_shuffle_epi32(low, 0x55), _mm512_shuffle_epi32(low, 0xAA),
                _mm512_shuffle_epi32(low, 0xFF)},
        .high = {_mm512_shuffle_epi32(high, 0x00), _mm512_shuffle_epi32(high, 0x55), _mm512_shuffle_epi32(high, 0xAA),
                 _mm512_shuffle_epi32(high, 0xFF)},
    };
}

/* Four rows: a lane a row, and in the quarters the integer sums of the 32s 0, 2, 1, 3. */
INLINE __m512i wide_q4_k_rows(const uint8_t *p, size_t stride, const wide_q4_k_inputs *in, row_stream *s) {
    const __m512i nibble = _mm512_set1_epi8(15);
    __m512i rows[4], words[4], low = _mm512_setzero_si512(), high = low;
    UNROLL for (size_t r = 0; r < 4; r++) {
        rows[r] = _mm512_loadu_si512(p + r * stride);
        fetch_line(s);
    }
    transpose_words(rows, words);
    UNROLL for (int j = 0; j < 4; j++) {
        low = _mm512_dpbusd_epi32(low, _mm512_and_si512(words[j], nibble), in->low[j]);
        high = _mm512_dpbusd_epi32(high, _mm512_and_si512(_mm512_srli_epi16(words[j], 4), nibble), in->high[j]);
    }
    return _mm512_add_epi32(_mm512_shuffle_i32x4(low, high, 0x88), _mm512_shuffle_i32x4(low, high, 0xDD));
}

/* Half a block, 128 weights, onto the sums of sixteen rows; p: its 64 bytes of quants in the first row. */
INLINE __m512 wide_q4_k_half(const uint8_t *p, size_t stride, const token_block *a, const wide_q4_k_scales *x, int half, row_stream *s,
                             __m512 sum) {
    const wide_q4_k_inputs in = wide_q4_k_inputs_of(a);
    __m512i groups[4], turned[4];
    UNROLL for (size_t g = 0; g < 4; g++) {
        groups[g] = wide_q4_k_rows(p + g * 4 * stride, stride, &in, s);
        FINISHED(groups[g]);
    }
    transpose_quarters(groups, turned);
    const __m512i dots[4] = {turned[0], turned[2], turned[1], turned[3]};
    UNROLL for (unsigned k = 0; k < 4; k++) {
        const __m512 scale = _mm512_mul_ps(x->d, wide_byte(x->scales[half], k));
        const __m512 minimum = _mm512_mul_ps(x->minus_dmin, wide_byte(x->minimums[half], k));
        sum = _mm512_fmadd_ps(_mm512_cvtepi32_ps(dots[k]), _mm512_mul_ps(scale, _mm512_set1_ps(a[k].d)), sum);
        sum = _mm512_fmadd_ps(minimum, _mm512_set1_ps(a[k].d_sum), sum);
    }
    return sum;
}

/* Rows first ..< last: whole sixteens of them. */
static void wide_q4_k(const kern_matrix *w, size_t first, size_t last, const kern_inputs *in, kern_ahead ahead, float *y) {
    const size_t stride = w->row_bytes;
    for (size_t row = first; row < last; row += WIDE_ROWS) {
        const uint8_t *p = (const uint8_t *)w->base + row * stride;
        row_stream next = stream_behind(p + WIDE_ROWS * stride, row + WIDE_ROWS >= last, ahead, stride);
        const token_block *a = in->packed;
        __m512 sum = _mm512_setzero_ps();
        for (const uint8_t *end = p + stride; p < end; p += sizeof(kern_q4_k), a += 8) {
            const wide_q4_k_scales scales = wide_q4_k_scales_of(p, stride, &next);
            sum = wide_q4_k_half(p + offsetof(kern_q4_k, qs), stride, a, &scales, 0, &next, sum);
            sum = wide_q4_k_half(p + offsetof(kern_q4_k, qs) + 64, stride, a + 4, &scales, 1, &next, sum);
        }
        _mm512_storeu_ps(y + row, sum);
    }
}

#endif
