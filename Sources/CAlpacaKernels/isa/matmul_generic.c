/* The path for any CPU: no instruction beyond the base architecture. Where that has no fused multiply-add, fmaf() computes it. */
#define UNROLL
#include "../core/float16.h"
#include "../core/quant_vectors.h"
#include <math.h>

#if defined(__FP_FAST_FMAF) || defined(__FMA__) || defined(__aarch64__)
INLINE f32xr fma_rows(f32xr a, f32xr b, f32xr c) { return __builtin_elementwise_fma(a, b, c); }
INLINE v16f fma16(v16f a, v16f b, v16f c) { return __builtin_elementwise_fma(a, b, c); }
#else
INLINE f32xr fma_rows(f32xr a, f32xr b, f32xr c) {
    float x[8], y[8], z[8];
    store_rows(x, a), store_rows(y, b), store_rows(z, c);
    for (int i = 0; i < 8; i++) z[i] = fmaf(x[i], y[i], z[i]);
    return load_rows(z);
}

INLINE v16f fma16(v16f a, v16f b, v16f c) {
    v16f x;
    x.lo = (v8f)fma_rows((f32xr)a.lo, (f32xr)b.lo, (f32xr)c.lo);
    x.hi = (v8f)fma_rows((f32xr)a.hi, (f32xr)b.hi, (f32xr)c.hi);
    return x;
}
#endif

INLINE v16f load_f16(const uint16_t *p) { return f32_from_f16_vector(*(const v16s_unaligned *)p); }

INLINE f32xr f32_from_f16_rows(u32xr bits) {
    f32xr x;
    for (int i = 0; i < 8; i++) x[i] = f32_from_f16((uint16_t)bits[i]);
    return x;
}

INLINE f32xr f16_of_rows(const row_set *r, size_t at) {
    f32xr x;
    for (int i = 0; i < 8; i++) {
        uint16_t half;
        __builtin_memcpy(&half, in_row(r, i, at), 2);
        x[i] = f32_from_f16(half);
    }
    return x;
}

typedef int16_t s16x32 __attribute__((ext_vector_type(32)));
typedef int32_t i32x16 __attribute__((ext_vector_type(16)));

/* A product of 255 and 127 fits 16 bits; the rest is summed in 32. */
INLINE i32xr dot4(i32xr sum, u8xr w, s8xr a) {
    const s16x32 p = __builtin_convertvector(w, s16x32) * __builtin_convertvector(a, s16x32);
    const s16x16 even = __builtin_shufflevector(p, p, 0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
    const s16x16 odd = __builtin_shufflevector(p, p, 1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31);
    const i32x16 pairs = __builtin_convertvector(even, i32x16) + __builtin_convertvector(odd, i32x16);
    return sum + __builtin_shufflevector(pairs, pairs, 0, 2, 4, 6, 8, 10, 12, 14) +
           __builtin_shufflevector(pairs, pairs, 1, 3, 5, 7, 9, 11, 13, 15);
}

INLINE i32xr dot4_wide(i32xr sum, u8xr w, s8xr a) { return dot4(sum, w, a); }

INLINE i32xr madd16(i32xr a, i32xr b) { return (a << 16 >> 16) * (b << 16 >> 16) + (a >> 16) * (b >> 16); }

INLINE u8xr lookup16(u8xr i, const uint8_t table[16]) {
    for (int k = 0; k < 4 * ROWS; k++) i[k] = table[i[k]];
    return i;
}

INLINE u32xr gather(const uint32_t *table, u32xr i) {
    for (int k = 0; k < ROWS; k++) i[k] = table[i[k]];
    return i;
}

INLINE u8xr spread_byte(u32xr x, int k) { return (u8xr)((x >> (uint32_t)(8 * k) & 255) * 0x01010101); }

enum { TILE_TOKENS = 4, WIDE_OFFSET_BITS = 7, FLOAT_ROWS = 2, FLOAT_TOKENS = 2 };
#define SPECIALIZED 0
#define LANE_SUMS 0
#define HAS_MIDDLE 0
#define FOLDS 0
#define NIBBLES 0
#define WORDS_HEADER "words_dot4.h"
#define TILE_HEADER "tile_dot4.h"
#define MATMUL_TABLE_NAME kern_matmul_generic
extern const kern_matmul_table kern_matmul_generic;
#include "../core/matmul_table.h"
