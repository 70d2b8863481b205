/* What matmul_neon.c and matmul_i8mm.c share. */
#include <arm_neon.h>
#include "../core/quant_vectors.h"

typedef _Float16 f16x8 __attribute__((ext_vector_type(8)));
typedef _Float16 f16x16 __attribute__((ext_vector_type(16)));
typedef f16x16 f16x16_unaligned __attribute__((aligned(2)));
typedef uint16_t u16x8 __attribute__((ext_vector_type(8)));

INLINE f32xr fma_rows(f32xr a, f32xr b, f32xr c) { return __builtin_elementwise_fma(a, b, c); }
INLINE v16f fma16(v16f a, v16f b, v16f c) { return __builtin_elementwise_fma(a, b, c); }
INLINE v16f load_f16(const uint16_t *p) { return __builtin_convertvector(*(const f16x16_unaligned *)(const void *)p, v16f); }

INLINE f32xr f32_from_f16_rows(u32xr bits) {
    return __builtin_convertvector(__builtin_bit_cast(f16x8, __builtin_convertvector(bits, u16x8)), f32xr);
}

INLINE f32xr f16_of_rows(const row_set *r, size_t at) {
    u16x8 halves;
    UNROLL for (int i = 0; i < 8; i++) {
        uint16_t half;
        __builtin_memcpy(&half, in_row(r, i, at), 2);
        halves[i] = half;
    }
    return __builtin_convertvector(__builtin_bit_cast(f16x8, halves), f32xr);
}

INLINE i32xr madd16(i32xr a, i32xr b) { return (a << 16 >> 16) * (b << 16 >> 16) + (a >> 16) * (b >> 16); }

/* A vector of eight lanes as the two registers that it lies in. */
typedef struct { int8x16_t half[2]; } signed_bytes;
typedef struct { uint8x16_t half[2]; } unsigned_bytes;
typedef struct { int32x4_t half[2]; } integers;

INLINE u8xr lookup16(u8xr i, const uint8_t table[16]) {
    unsigned_bytes x = __builtin_bit_cast(unsigned_bytes, i);
    x.half[0] = vqtbl1q_u8(vld1q_u8(table), x.half[0]);
    x.half[1] = vqtbl1q_u8(vld1q_u8(table), x.half[1]);
    return __builtin_bit_cast(u8xr, x);
}

INLINE u32xr gather(const uint32_t *table, u32xr i) {
    UNROLL for (int k = 0; k < ROWS; k++) i[k] = table[i[k]];
    return i;
}

INLINE u8xr spread_byte(u32xr x, int k) {
    static const uint8_t from[16] = {0, 0, 0, 0, 4, 4, 4, 4, 8, 8, 8, 8, 12, 12, 12, 12};
    const uint8x16_t of_lanes = vaddq_u8(vld1q_u8(from), vdupq_n_u8((uint8_t)k));
    unsigned_bytes y = __builtin_bit_cast(unsigned_bytes, x);
    y.half[0] = vqtbl1q_u8(y.half[0], of_lanes);
    y.half[1] = vqtbl1q_u8(y.half[1], of_lanes);
    return __builtin_bit_cast(u8xr, y);
}
