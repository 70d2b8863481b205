/* AArch64 with the dot product of signed bytes (ARMv8.2 and later). */
#if defined(__aarch64__)
#include <arm_neon.h>
#pragma clang attribute push(__attribute__((target("dotprod"))), apply_to = function)
#include "../core/quant_vectors.h"

typedef _Float16 f16x8 __attribute__((ext_vector_type(8)));
typedef _Float16 f16x16 __attribute__((ext_vector_type(16)));
typedef f16x16 f16x16_unaligned __attribute__((aligned(2)));
typedef uint16_t u16x8 __attribute__((ext_vector_type(8)));

INLINE f32x8 fma8(f32x8 a, f32x8 b, f32x8 c) { return __builtin_elementwise_fma(a, b, c); }
INLINE v16f fma16(v16f a, v16f b, v16f c) { return __builtin_elementwise_fma(a, b, c); }
INLINE v16f load_f16(const uint16_t *p) { return __builtin_convertvector(*(const f16x16_unaligned *)(const void *)p, v16f); }

INLINE f32x8 f32_from_f16x8(u32x8 bits) {
    return __builtin_convertvector(__builtin_bit_cast(f16x8, __builtin_convertvector(bits, u16x8)), f32x8);
}

INLINE f32x8 f16_of_rows(const rows8 *r, size_t at) {
    u16x8 halves;
    UNROLL for (int i = 0; i < 8; i++) {
        uint16_t half;
        __builtin_memcpy(&half, r->row[i] + at, 2);
        halves[i] = half;
    }
    return __builtin_convertvector(__builtin_bit_cast(f16x8, halves), f32x8);
}

INLINE i32x8 dot4(i32x8 sum, u8x32 w, s8x32 a) {
    typedef struct { int8x16_t half[2]; } bytes;
    typedef struct { int32x4_t half[2]; } sums;
    const bytes x = __builtin_bit_cast(bytes, w), y = __builtin_bit_cast(bytes, a);
    sums s = __builtin_bit_cast(sums, sum);
    s.half[0] = vdotq_s32(s.half[0], x.half[0], y.half[0]);
    s.half[1] = vdotq_s32(s.half[1], x.half[1], y.half[1]);
    return __builtin_bit_cast(i32x8, s);
}

INLINE i32x8 dot4_wide(i32x8 sum, u8x32 w, s8x32 a) { return dot4(sum, w ^ 128, a); }
INLINE i32x8 madd16(i32x8 a, i32x8 b) { return (a << 16 >> 16) * (b << 16 >> 16) + (a >> 16) * (b >> 16); }

enum { TILE_TOKENS = 4, WIDE_OFFSET_BITS = 0, FLOAT_ROWS = 2, FLOAT_TOKENS = 3 };
#define SPECIALIZED 1
#define LANE_SUMS 0
#define FOLDS 0
#define NIBBLES 0
#define WORDS_HEADER "words_dot4.h"
#define TILE_HEADER "tile_dot4.h"
#define MATMUL_TABLE_NAME kern_matmul_neon
extern const kern_matmul_table kern_matmul_neon;
#include "../core/matmul_table.h"
#pragma clang attribute pop
#endif
