/* The vector types that types/ and core/ are written in, and the operations that need no instruction of their own.
 *
 * Eight rows are worked on together, side by side: a u32x8 (one ymm, two NEON registers) holds a word of four weights of each. Rows are
 * read sixteen bytes at a time, row i into the lower half of a register and row i + 4 into the upper one, so that transposing within
 * halves gives words; transposed are the bytes of the file, before their bits are taken apart. An isa/matmul_*.c file includes this,
 * defines the primitives that differ between CPUs, and then includes core/matmul_table.h:
 *   f32x8 fma8(f32x8 a, f32x8 b, f32x8 c)              a * b + c, rounded once
 *   f32x8 f32_from_f16x8(u32x8 bits)                   eight binary16 numbers, one in the lower half of each lane
 *   f32x8 f16_of_rows(const rows8 *r, size_t at)       the binary16 number `at` bytes into each of eight rows
 *   i32x8 dot4(i32x8 sum, u8x32 w, s8x32 a)            adds four products to each lane; w < 128
 *   i32x8 dot4_wide(i32x8 sum, u8x32 w, s8x32 a)       the same for any w, or for w - 128: WIDE_OFFSET_BITS says which
 *   i32x8 madd16(i32x8 a, i32x8 b)                     products of the lower and upper 16 bits of each lane, added
 * and a tile: core/tile_dot4.h (by dot4), core/tile_i8mm.h, core/tile_maddubs.h or core/tile_vnni512.h. */
#ifndef ALPACA_QUANT_VECTORS_H
#define ALPACA_QUANT_VECTORS_H
#include "vector_types.h"
#include <stdbool.h>

typedef uint8_t u8x16 __attribute__((ext_vector_type(16)));
typedef uint8_t u8x32 __attribute__((ext_vector_type(32)));
typedef int8_t s8x16 __attribute__((ext_vector_type(16)));
typedef int8_t s8x32 __attribute__((ext_vector_type(32)));
typedef uint16_t u16x16 __attribute__((ext_vector_type(16)));
typedef int16_t s16x16 __attribute__((ext_vector_type(16)));
typedef int16_t s16x32 __attribute__((ext_vector_type(32)));
typedef uint32_t u32x8 __attribute__((ext_vector_type(8)));
typedef int32_t i32x8 __attribute__((ext_vector_type(8)));
typedef int32_t i32x16 __attribute__((ext_vector_type(16)));
typedef float f32x8 __attribute__((ext_vector_type(8)));

typedef u8x16 u8x16_unaligned __attribute__((aligned(1)));
typedef s8x16 s8x16_unaligned __attribute__((aligned(1)));
typedef f32x8 f32x8_unaligned __attribute__((aligned(4)));

#ifndef UNROLL /* the plain C path leaves it empty: unrolled without the instructions for it, the code would be large, not fast */
#define UNROLL _Pragma("clang loop unroll(full)")
#endif

/* The same block of eight rows. */
typedef struct rows8 {
    const uint8_t *row[8];
} rows8;

/* The scales of 32 weights of eight rows. `minimum` is what is added, so the K types store its negative. In types with a scale for 16
 * weights scale[0] and scale[1] are the integer scales of the two halves, and minimums holds two integers, 16 bits each. */
typedef struct scales8 {
    f32x8 d, minimum;
    i32x8 scale[2], minimums;
} scales8;

/* What the loops must know of a quantization type. */
typedef struct quant_traits {
    size_t block_bytes;
    int sub_blocks;  /* runs of 32 weights in a block: 1 or 8 */
    int offset_bits; /* the weights stand for w - (1 << offset_bits); 0: for w */
    bool minimums;   /* a float minimum for 32 weights (or, with halves, an integer one for 16) */
    bool halves;     /* an integer scale for 16 weights */
    bool five_bits;  /* weights of 5 bits without an offset: their sums over 32 need more than 16 bits */
    bool wide;       /* weights of 8 bits */
    bool foldable;   /* with halves: a weight times its integer scale, plus 127 if there is an offset, fits 8 bits */
} quant_traits;

INLINE f32x8 load8(const float *p) { return *(const f32x8_unaligned *)p; }
INLINE void store8(float *p, f32x8 x) { *(f32x8_unaligned *)p = x; }
INLINE f32x8 to_float(i32x8 x) { return __builtin_convertvector(x, f32x8); }

INLINE uint32_t word_at(const uint8_t *p) {
    uint32_t x;
    __builtin_memcpy(&x, p, 4);
    return x;
}

/* x shifted left, for negative x too. */
INLINE int32_t scaled(int32_t x, int bits) { return x * (1 << bits); }

/* Sixteen bytes of rows i and i + 4. */
INLINE u8x32 bytes_of_rows(const rows8 *r, int i, size_t at) {
    const u8x16 a = *(const u8x16_unaligned *)(r->row[i] + at), b = *(const u8x16_unaligned *)(r->row[i + 4] + at);
    return __builtin_shufflevector(a, b, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25,
                                   26, 27, 28, 29, 30, 31);
}

/* To the right, for negative n to the left; of bytes, it lets bits of the neighbours in: to be masked. */
INLINE u32x8 shifted_right(u32x8 x, int n) { return n >= 0 ? x >> (uint32_t)n : x << (uint32_t)-n; }

/* Within each half, the 4 x 4 transposition of 32-bit words: word j of all eight rows side by side in out[j]. */
INLINE void transpose4(const u8x32 in[4], u32x8 out[4]) {
    const u32x8 a = (u32x8)in[0], b = (u32x8)in[1], c = (u32x8)in[2], d = (u32x8)in[3];
    const u32x8 ab = __builtin_shufflevector(a, b, 0, 8, 1, 9, 4, 12, 5, 13);
    const u32x8 AB = __builtin_shufflevector(a, b, 2, 10, 3, 11, 6, 14, 7, 15);
    const u32x8 cd = __builtin_shufflevector(c, d, 0, 8, 1, 9, 4, 12, 5, 13);
    const u32x8 CD = __builtin_shufflevector(c, d, 2, 10, 3, 11, 6, 14, 7, 15);
    out[0] = __builtin_shufflevector(ab, cd, 0, 1, 8, 9, 4, 5, 12, 13);
    out[1] = __builtin_shufflevector(ab, cd, 2, 3, 10, 11, 6, 7, 14, 15);
    out[2] = __builtin_shufflevector(AB, CD, 0, 1, 8, 9, 4, 5, 12, 13);
    out[3] = __builtin_shufflevector(AB, CD, 2, 3, 10, 11, 6, 7, 14, 15);
}

/* Sixteen bytes of each of eight rows as words: word j of all rows in out[j]. */
INLINE void words_of_rows(const rows8 *r, size_t at, u32x8 out[4]) {
    const u8x32 in[4] = {bytes_of_rows(r, 0, at), bytes_of_rows(r, 1, at), bytes_of_rows(r, 2, at), bytes_of_rows(r, 3, at)};
    transpose4(in, out);
}

/* 32 bytes of each of eight rows as words. */
INLINE void words32_of_rows(const rows8 *r, size_t at, u32x8 out[8]) {
    words_of_rows(r, at, out);
    words_of_rows(r, at + 16, out + 4);
}

/* One word of each row. */
INLINE u32x8 word_of_rows(const rows8 *r, size_t at) {
    return (u32x8){word_at(r->row[0] + at), word_at(r->row[1] + at), word_at(r->row[2] + at), word_at(r->row[3] + at),
                   word_at(r->row[4] + at), word_at(r->row[5] + at), word_at(r->row[6] + at), word_at(r->row[7] + at)};
}

#endif
