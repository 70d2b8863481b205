/* AArch64: NEON with fused multiply-add and binary16 conversion is part of the base architecture; a v16f takes four registers. */
#if defined(__aarch64__)
#include "../core/vector_types.h"

typedef _Float16 v16half __attribute__((ext_vector_type(16)));
typedef v16half v16half_unaligned __attribute__((aligned(2)));

INLINE v16f fma16(v16f a, v16f b, v16f c) { return __builtin_elementwise_fma(a, b, c); }
INLINE v16f load_f16(const uint16_t *p) { return __builtin_convertvector(*(const v16half_unaligned *)p, v16f); }
INLINE void store_f16(uint16_t *p, v16f x) { *(v16half_unaligned *)p = __builtin_convertvector(x, v16half); }

INLINE v32h high_products(v32h a, v32h b) {
    return __builtin_convertvector(__builtin_convertvector(a, v32i) * __builtin_convertvector(b, v32i) >> 16, v32h);
}

INLINE v16i add_pair_products(v16i c, v32h a, v32h b) {
    const v32i products = __builtin_convertvector(a, v32i) * __builtin_convertvector(b, v32i);
    return c + products.even + products.odd;
}

enum { TILE_ROWS = 4, TILE_VECTORS = 1, ACCUMULATORS = 4, STREAM_ROWS = 1 };

#define VECTOR_TABLE_NAME kern_vector_neon
extern const kern_vector_table kern_vector_neon;
#include "../core/vector_table.h"
#endif
