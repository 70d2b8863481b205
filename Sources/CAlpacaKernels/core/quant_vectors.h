/* The vector types that types/ and core/ are written in, and the operations that need no instruction of their own.
 *
 * ROWS rows are worked on together, side by side, a lane for each: a u32xr (eight rows: one ymm, two NEON registers; sixteen: one zmm) holds
 * a word of four weights of each. Rows are read sixteen bytes at a time, rows i, i + 4, ... into a quarter or a half of a register each, so
 * that transposing within 128 bits gives words; transposed are the bytes of the file, before their bits are taken apart. An isa/matmul_*.c
 * file may define ROWS as 16, includes this, defines the primitives that differ between CPUs, and then includes core/matmul_table.h:
 *   f32xr fma_rows(f32xr a, f32xr b, f32xr c)          a * b + c, rounded once
 *   f32xr f32_from_f16_rows(u32xr bits)                a binary16 number in the lower half of each lane
 *   f32xr f16_of_rows(const row_set *r, size_t at)     the binary16 number `at` bytes into each row
 *   i32xr dot4(i32xr sum, u8xr w, s8xr a)              adds four products to each lane; w < 128
 *   i32xr dot4_wide(i32xr sum, u8xr w, s8xr a)         the same for any w, or for w - 128: WIDE_OFFSET_BITS says which
 *   i32xr madd16(i32xr a, i32xr b)                     products of the lower and upper 16 bits of each lane, added
 *   u8xr lookup16(u8xr i, const uint8_t table[16])     table[i] for each byte i < 16
 *   u32xr gather(const uint32_t *table, u32xr i)       table[i] for each lane
 *   u8xr spread_byte(u32xr x, int k)                   byte k of each lane, in all four of its bytes
 * and a tile: core/tile_dot4.h (by dot4), core/tile_i8mm.h, core/tile_maddubs.h or core/tile_vnni512.h. */
#ifndef ALPACA_QUANT_VECTORS_H
#define ALPACA_QUANT_VECTORS_H
#include "vector_types.h"
#include <stdbool.h>

#ifndef ROWS
#define ROWS 8
#endif

typedef uint8_t u8x16 __attribute__((ext_vector_type(16)));
typedef int8_t s8x16 __attribute__((ext_vector_type(16)));
typedef int16_t s16x16 __attribute__((ext_vector_type(16)));
typedef uint8_t u8xr __attribute__((ext_vector_type(4 * ROWS)));
typedef int8_t s8xr __attribute__((ext_vector_type(4 * ROWS)));
typedef int16_t s16xr __attribute__((ext_vector_type(2 * ROWS)));
typedef uint32_t u32xr __attribute__((ext_vector_type(ROWS)));
typedef int32_t i32xr __attribute__((ext_vector_type(ROWS)));
typedef float f32xr __attribute__((ext_vector_type(ROWS)));

typedef u8x16 u8x16_unaligned __attribute__((aligned(1)));
typedef s8x16 s8x16_unaligned __attribute__((aligned(1)));
typedef f32xr f32xr_unaligned __attribute__((aligned(4)));

#ifndef UNROLL /* the plain C path leaves it empty: unrolled without the instructions for it, the code would be large, not fast */
#define UNROLL _Pragma("clang loop unroll(full)")
#endif

/* The same block of ROWS rows, which lie `stride` bytes apart. That and three multiples of it are all that addresses need: a pointer for each
 * row would not leave the registers that the loops need. */
typedef struct row_set {
    const uint8_t *base;
    size_t stride, stride3, stride5, stride7;
} row_set;

/* `at` bytes into the block of row i, a constant. */
INLINE const uint8_t *in_row(const row_set *r, int i, size_t at) {
    const uint8_t *p = r->base + (size_t)(i & 8) * r->stride + at;
    switch (i & 7) {
    case 0: return p;
    case 3: return p + r->stride3;
    case 5: return p + r->stride5;
    case 6: return p + 2 * r->stride3;
    case 7: return p + r->stride7;
    default: return p + (size_t)(i & 7) * r->stride;
    }
}

/* The scales of 32 weights of each row. `minimum` is what is added, so the K types store its negative. In types with a scale for 16
 * weights scale[0] and scale[1] are the integer scales of the two halves, and minimums holds two integers, 16 bits each. */
typedef struct row_scales {
    f32xr d, minimum;
    i32xr scale[2], minimums;
} row_scales;

/* What the loops must know of a quantization type. */
typedef struct quant_traits {
    size_t block_bytes;
    int sub_blocks;  /* runs of 32 weights in a block: 1 or 8 */
    int offset_bits; /* the weights stand for w - (1 << offset_bits); 0: for w */
    bool minimums;   /* a float minimum for 32 weights (or, with halves, an integer one for 16) */
    bool halves;     /* an integer scale for 16 weights */
    bool five_bits;  /* weights of 5 bits without an offset: their sums over 32 need more than 16 bits */
    bool wide;       /* weights of 8 bits */
    bool broad;      /* weights of 7 bits: sums of 8 of them need more than 16 bits */
    bool foldable;   /* with halves: a weight times its integer scale, plus 127 if there is an offset, fits 8 bits */
} quant_traits;

INLINE f32xr load_rows(const float *p) { return *(const f32xr_unaligned *)p; }
INLINE void store_rows(float *p, f32xr x) { *(f32xr_unaligned *)p = x; }
INLINE f32xr to_float(i32xr x) { return __builtin_convertvector(x, f32xr); }

INLINE uint32_t word_at(const uint8_t *p) {
    uint32_t x;
    __builtin_memcpy(&x, p, 4);
    return x;
}

/* x shifted left, for negative x too. */
INLINE int32_t scaled(int32_t x, int bits) { return x * (1 << bits); }

/* Sixteen bytes of rows i, i + 4, ... */
INLINE u8xr bytes_of_rows(const row_set *r, int i, size_t at) {
    u8x16 part[ROWS / 4];
    UNROLL for (int k = 0; k < ROWS / 4; k++) part[k] = *(const u8x16_unaligned *)in_row(r, i + 4 * k, at);
    return __builtin_bit_cast(u8xr, part);
}

/* To the right, for negative n to the left; of bytes, it lets bits of the neighbours in: to be masked. */
INLINE u32xr shifted_right(u32xr x, int n) { return n >= 0 ? x >> (uint32_t)n : x << (uint32_t)-n; }

/* Within each 128 bits, the 4 x 4 transposition of 32-bit words: word j of all rows side by side in out[j]. */
#if ROWS == 8
#define IN_QUARTERS(a, b, w, x, y, z) __builtin_shufflevector(a, b, w, x, y, z, w + 4, x + 4, y + 4, z + 4)
#else
#define IN_QUARTERS(a, b, w, x, y, z)                                                                                                  \
    __builtin_shufflevector(a, b, w, x, y, z, w + 4, x + 4, y + 4, z + 4, w + 8, x + 8, y + 8, z + 8, w + 12, x + 12, y + 12, z + 12)
#endif

INLINE void transpose4(const u8xr in[4], u32xr out[4]) {
    const u32xr a = (u32xr)in[0], b = (u32xr)in[1], c = (u32xr)in[2], d = (u32xr)in[3];
    const u32xr ab = IN_QUARTERS(a, b, 0, ROWS, 1, ROWS + 1), AB = IN_QUARTERS(a, b, 2, ROWS + 2, 3, ROWS + 3);
    const u32xr cd = IN_QUARTERS(c, d, 0, ROWS, 1, ROWS + 1), CD = IN_QUARTERS(c, d, 2, ROWS + 2, 3, ROWS + 3);
    out[0] = IN_QUARTERS(ab, cd, 0, 1, ROWS, ROWS + 1);
    out[1] = IN_QUARTERS(ab, cd, 2, 3, ROWS + 2, ROWS + 3);
    out[2] = IN_QUARTERS(AB, CD, 0, 1, ROWS, ROWS + 1);
    out[3] = IN_QUARTERS(AB, CD, 2, 3, ROWS + 2, ROWS + 3);
}

/* Sixteen bytes of each row as words: word j of all rows in out[j]. */
INLINE void words_of_rows(const row_set *r, size_t at, u32xr out[4]) {
    const u8xr in[4] = {bytes_of_rows(r, 0, at), bytes_of_rows(r, 1, at), bytes_of_rows(r, 2, at), bytes_of_rows(r, 3, at)};
    transpose4(in, out);
}

/* 32 bytes of each row as words. */
INLINE void words32_of_rows(const row_set *r, size_t at, u32xr out[8]) {
    words_of_rows(r, at, out);
    words_of_rows(r, at + 16, out + 4);
}

/* One word of each row. */
INLINE u32xr word_of_rows(const row_set *r, size_t at) {
    u32xr words = 0;
    UNROLL for (int i = 0; i < ROWS; i++) words[i] = word_at(in_row(r, i, at));
    return words;
}

#endif
