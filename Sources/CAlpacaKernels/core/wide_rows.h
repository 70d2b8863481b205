/* What the loops of AVX-512 share that multiply one token by sixteen rows and read 64 bytes of a row at a time (wide_q4_0.h,
 * wide_q4_k.h).
 *
 * The loop for any number of tokens (decode.h) reads sixteen bytes of each row, so each line of memory is touched four or five times;
 * here it is once or twice, which brings the memory closer to its roof (Zen 5, two cores: from 83-87 % to 91-97 %). The order of the
 * float operations is the one that alpaca_kernels.h states, so the bits are those of every other loop. */
#ifndef ALPACA_WIDE_ROWS_H
#define ALPACA_WIDE_ROWS_H
#include "fetch.h"
#include "token_block.h"

enum { WIDE_ROWS = 16 };

/* Sixteen bytes from each of four places, one in each quarter of the register. */
INLINE __m512i four_quarters(const void *a, const void *b, const void *c, const void *d) {
    __m512i x = _mm512_castsi128_si512(_mm_loadu_si128(a));
    x = _mm512_inserti32x4(x, _mm_loadu_si128(b), 1);
    x = _mm512_inserti32x4(x, _mm_loadu_si128(c), 2);
    return _mm512_inserti32x4(x, _mm_loadu_si128(d), 3);
}

/* Four registers of four quarters each: quarter k of v[i] becomes quarter i of out[k]. */
INLINE void transpose_quarters(const __m512i v[4], __m512i out[4]) {
    const __m512i even01 = _mm512_shuffle_i32x4(v[0], v[1], 0x88), odd01 = _mm512_shuffle_i32x4(v[0], v[1], 0xDD);
    const __m512i even23 = _mm512_shuffle_i32x4(v[2], v[3], 0x88), odd23 = _mm512_shuffle_i32x4(v[2], v[3], 0xDD);
    out[0] = _mm512_shuffle_i32x4(even01, even23, 0x88);
    out[1] = _mm512_shuffle_i32x4(odd01, odd23, 0x88);
    out[2] = _mm512_shuffle_i32x4(even01, even23, 0xDD);
    out[3] = _mm512_shuffle_i32x4(odd01, odd23, 0xDD);
}

/* The compiler takes x for changed here, so what makes it is done before. Left alone it mixes the work of several groups of rows and runs
 * out of registers (86 cycles for sixteen rows by four blocks of Q4_0, where 65 do). */
#define FINISHED(x) __asm__ volatile("" : "+v"(x))

#endif
