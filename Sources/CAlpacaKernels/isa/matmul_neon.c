/* AArch64 with the dot product of signed bytes (ARMv8.2 and later). */
#if defined(__aarch64__)
#pragma clang attribute push(__attribute__((target("dotprod"))), apply_to = function)
#include "neon_primitives.h"

INLINE i32xr dot4(i32xr sum, u8xr w, s8xr a) {
    const signed_bytes x = __builtin_bit_cast(signed_bytes, w), y = __builtin_bit_cast(signed_bytes, a);
    integers s = __builtin_bit_cast(integers, sum);
    s.half[0] = vdotq_s32(s.half[0], x.half[0], y.half[0]);
    s.half[1] = vdotq_s32(s.half[1], x.half[1], y.half[1]);
    return __builtin_bit_cast(i32xr, s);
}

INLINE i32xr dot4_wide(i32xr sum, u8xr w, s8xr a) { return dot4(sum, w ^ 128, a); }

enum { TILE_TOKENS = 4, WIDE_OFFSET_BITS = 0, FLOAT_ROWS = 2, FLOAT_TOKENS = 3 };
#define SPECIALIZED 1
#define LANE_SUMS 0
#define HAS_MIDDLE 0
#define FOLDS 0
#define NIBBLES 0
#define WORDS_HEADER "words_dot4.h"
#define TILE_HEADER "tile_dot4.h"
#define MATMUL_TABLE_NAME kern_matmul_neon
extern const kern_matmul_table kern_matmul_neon;
#include "../core/matmul_table.h"
#pragma clang attribute pop
#endif
