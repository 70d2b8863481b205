/* AArch64: NEON with fused multiply-add and binary16 conversion is part of the base architecture; a v16f takes four registers. */
#if defined(__aarch64__)
#include "../core/vector_types.h"

typedef _Float16 v16h __attribute__((ext_vector_type(16)));
typedef v16h v16h_unaligned __attribute__((aligned(2)));

INLINE v16f fma16(v16f a, v16f b, v16f c) { return __builtin_elementwise_fma(a, b, c); }
INLINE v16f load_f16(const uint16_t *p) { return __builtin_convertvector(*(const v16h_unaligned *)p, v16f); }
INLINE void store_f16(uint16_t *p, v16f x) { *(v16h_unaligned *)p = __builtin_convertvector(x, v16h); }

enum { TILE_ROWS = 4, TILE_VECTORS = 1, ACCUMULATORS = 4, STREAM_ROWS = 1 };

#define VECTOR_TABLE_NAME kern_vector_neon
extern const kern_vector_table kern_vector_neon;
#include "../core/vector_table.h"
#endif
