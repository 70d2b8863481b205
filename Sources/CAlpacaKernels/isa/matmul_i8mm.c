/* AArch64 with products of matrices of bytes (ARMv8.6, Neoverse V1 and N2, Apple M2): unsigned weights times signed inputs. */
#if defined(__aarch64__)
#pragma clang attribute push(__attribute__((target("dotprod,i8mm"))), apply_to = function)
#include "neon_primitives.h"

INLINE i32xr dot4(i32xr sum, u8xr w, s8xr a) {
    const unsigned_bytes x = __builtin_bit_cast(unsigned_bytes, w);
    const signed_bytes y = __builtin_bit_cast(signed_bytes, a);
    integers s = __builtin_bit_cast(integers, sum);
    s.half[0] = vusdotq_s32(s.half[0], x.half[0], y.half[0]);
    s.half[1] = vusdotq_s32(s.half[1], x.half[1], y.half[1]);
    return __builtin_bit_cast(i32xr, s);
}

INLINE i32xr dot4_wide(i32xr sum, u8xr w, s8xr a) { return dot4(sum, w, a); }

enum { TILE_TOKENS = 4, WIDE_OFFSET_BITS = 7, FLOAT_ROWS = 2, FLOAT_TOKENS = 3 };
#define SPECIALIZED 1
#define LANE_SUMS 0
#define HAS_MIDDLE 0
#define FOLDS 0
#define NIBBLES 0
#define WORDS_HEADER "words_dot4.h"
#define TILE_HEADER "tile_i8mm.h"
#define MATMUL_TABLE_NAME kern_matmul_i8mm
extern const kern_matmul_table kern_matmul_i8mm;
#include "../core/matmul_table.h"
#pragma clang attribute pop
#endif
