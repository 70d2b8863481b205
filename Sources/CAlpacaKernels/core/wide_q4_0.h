/* Q4_0, one token, sixteen rows, four blocks of a row at a time (72 bytes). Needs VBMI: a permutation of bytes brings the quants of
 * block b of a row into quarter b of a register. Three insertions in its place take 94 cycles where this takes 51, no gain over decode.h:
 * without VBMI that loop stays. */
#ifndef ALPACA_WIDE_Q4_0_H
#define ALPACA_WIDE_Q4_0_H
#include "../types/types.h"
#include "wide_rows.h"

enum { Q4_0_STEP = 4 * sizeof(kern_q4_0) };

/* Where the quants of four blocks are: in the 64 bytes from the beginning, and, numbered from 64 on, in the 64 bytes from byte 8 on. So
 * no byte behind the four blocks is read. */
static _Alignas(64) const uint8_t wide_q4_0_quants[64] = {
    2,  3,  4,  5,  6,  7,  8,  9,  10, 11, 12, 13, 14,  15,  16,  17,
    20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32,  33,  34,  35,
    38, 39, 40, 41, 42, 43, 44, 45, 46, 47, 48, 49, 50,  51,  52,  53,
    56, 57, 58, 59, 60, 61, 62, 63, 120, 121, 122, 123, 124, 125, 126, 127,
};

/* For row r of eight: the scale of block b (words 0, 9, 18, 27 of the row's 64 bytes) to place 8 * b + r. */
#define SCALES_TO(r) {[r] = 0, [8 + r] = 9, [16 + r] = 18, [24 + r] = 27}
static _Alignas(64) const uint16_t wide_q4_0_scales[8][32] = {
    SCALES_TO(0), SCALES_TO(1), SCALES_TO(2), SCALES_TO(3), SCALES_TO(4), SCALES_TO(5), SCALES_TO(6), SCALES_TO(7),
};
#undef SCALES_TO

/* The inputs of four blocks: a block in each quarter. */
typedef struct wide_q4_0_inputs {
    __m512i low, high, start; /* for the low nibbles, for the high ones, and what each block begins with, in its quarter's first lane */
} wide_q4_0_inputs;

INLINE wide_q4_0_inputs wide_q4_0_inputs_of(const token_block *a) {
    const __m512i starts = four_quarters(&a[0].start, &a[1].start, &a[2].start, &a[3].start);
    return (wide_q4_0_inputs){
        .low = four_quarters(a[0].q, a[1].q, a[2].q, a[3].q),
        .high = four_quarters(a[0].q + 16, a[1].q + 16, a[2].q + 16, a[3].q + 16),
        .start = _mm512_maskz_slli_epi32(0x1111, starts, 3 /* weights stand for q - 8 */),
    };
}

/* Four rows, of which the first is row `which` of eight: in quarter b their integer sums of block b, a lane a row. Their scales join
 * `halves`: those of eight rows by four blocks. */
INLINE __m512i wide_q4_0_rows(const uint8_t *p, size_t stride, const wide_q4_0_inputs *in, int which, __m512i *halves, row_stream *s) {
    const __m512i quants = _mm512_load_si512(wide_q4_0_quants), nibble = _mm512_set1_epi8(15);
    __m512i sums[4];
    UNROLL for (int r = 0; r < 4; r++, p += stride) {
        fetch_line(s);
        const __m512i x = _mm512_loadu_si512(p), v = _mm512_permutex2var_epi8(x, quants, _mm512_loadu_si512(p + 8));
        const __m512i scales = _mm512_load_si512(wide_q4_0_scales[which + r]);
        *halves = _mm512_mask_permutexvar_epi16(*halves, 0x01010101u << (which + r), scales, x);
        sums[r] = _mm512_dpbusd_epi32(in->start, _mm512_and_si512(v, nibble), in->low);
        sums[r] = _mm512_dpbusd_epi32(sums[r], _mm512_and_si512(_mm512_srli_epi16(v, 4), nibble), in->high);
    }
    /* The four lanes of each quarter are added: a row's sum in its own lane. */
    const __m512i ab = _mm512_add_epi32(_mm512_unpacklo_epi32(sums[0], sums[1]), _mm512_unpackhi_epi32(sums[0], sums[1]));
    const __m512i cd = _mm512_add_epi32(_mm512_unpacklo_epi32(sums[2], sums[3]), _mm512_unpackhi_epi32(sums[2], sums[3]));
    return _mm512_add_epi32(_mm512_unpacklo_epi64(ab, cd), _mm512_unpackhi_epi64(ab, cd));
}

/* Four blocks onto the sums of sixteen rows. */
INLINE __m512 wide_q4_0_step(const uint8_t *p, size_t stride, const token_block *a, row_stream *s, __m512 sum) {
    const wide_q4_0_inputs in = wide_q4_0_inputs_of(a);
    __m512i parts[4], dots[4], halves[2] = {_mm512_setzero_si512(), _mm512_setzero_si512()};
    UNROLL for (int g = 0; g < 4; g++) {
        parts[g] = wide_q4_0_rows(p + (size_t)g * 4 * stride, stride, &in, g % 2 * 4, &halves[g / 2], s);
        if (g < 2) fetch_line(s); /* 18 lines for 16 rows of 72 bytes */
        FINISHED(parts[g]);
        FINISHED(halves[g / 2]);
    }
    transpose_quarters(parts, dots);
    /* The scales of blocks 0 and 1, and of 2 and 3: rows 0 ..< 8 and 8 ..< 16 come together. */
    const __m512i scales01 = _mm512_permutex2var_epi64(halves[0], _mm512_set_epi64(11, 10, 3, 2, 9, 8, 1, 0), halves[1]);
    const __m512i scales23 = _mm512_permutex2var_epi64(halves[0], _mm512_set_epi64(15, 14, 7, 6, 13, 12, 5, 4), halves[1]);
    const __m256i scales[4] = {_mm512_castsi512_si256(scales01), _mm512_extracti64x4_epi64(scales01, 1),
                               _mm512_castsi512_si256(scales23), _mm512_extracti64x4_epi64(scales23, 1)};
    UNROLL for (int b = 0; b < 4; b++) {
        const __m512 d = _mm512_mul_ps(_mm512_cvtph_ps(scales[b]), _mm512_set1_ps(a[b].d));
        sum = _mm512_fmadd_ps(_mm512_cvtepi32_ps(dots[b]), d, sum);
    }
    return sum;
}

/* Rows first ..< last: whole sixteens of them, of a number of blocks that four divides. */
static void wide_q4_0(const kern_matrix *w, size_t first, size_t last, const kern_inputs *in, kern_ahead ahead, float *y) {
    const size_t stride = w->row_bytes;
    for (size_t row = first; row < last; row += WIDE_ROWS) {
        const uint8_t *p = (const uint8_t *)w->base + row * stride;
        row_stream next = stream_behind(p + WIDE_ROWS * stride, row + WIDE_ROWS >= last, ahead, stride);
        const token_block *a = in->packed;
        __m512 sum = _mm512_setzero_ps();
        for (const uint8_t *end = p + stride; p < end; p += Q4_0_STEP, a += 4) sum = wide_q4_0_step(p, stride, a, &next, sum);
        _mm512_storeu_ps(y + row, sum);
    }
}

#endif
