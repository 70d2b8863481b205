/* The path for any CPU, and the reference of the others: no instruction beyond the base architecture. Where that has no fused
 * multiply-add, fmaf() computes it. */
#include "../core/float16.h"
#include <math.h>

INLINE v16f load_f16(const uint16_t *p) { return f32_from_f16_vector(*(const v16s_unaligned *)p); }
INLINE void store_f16(uint16_t *p, v16f x) { *(v16s_unaligned *)p = f16_from_f32_vector(x); }

#if defined(__FP_FAST_FMAF) || defined(__FMA__) || defined(__aarch64__)
INLINE v16f fma16(v16f a, v16f b, v16f c) { return __builtin_elementwise_fma(a, b, c); }
#else
INLINE v16f fma16(v16f a, v16f b, v16f c) {
    float x[LANES], y[LANES], z[LANES];
    store16(x, a), store16(y, b), store16(z, c);
    for (int i = 0; i < LANES; i++) z[i] = fmaf(x[i], y[i], z[i]);
    return load16(z);
}
#endif

enum { TILE_ROWS = 4, TILE_VECTORS = 1, ACCUMULATORS = 4, STREAM_ROWS = 1 };

#define VECTOR_TABLE_NAME kern_vector_generic
extern const kern_vector_table kern_vector_generic;
#include "../core/vector_table.h"
