/* AVX-512 F, BW, DQ, VL, VNNI: thirty-two zmm registers, a v16f is one. */
#if defined(__x86_64__)
#include <immintrin.h>
#pragma clang attribute push(__attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma,f16c"))), apply_to = function)
#include "../core/vector_types.h"

INLINE v16f fma16(v16f a, v16f b, v16f c) { return __builtin_elementwise_fma(a, b, c); }
INLINE v16f load_f16(const uint16_t *p) { return (v16f)_mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)p)); }

INLINE void store_f16(uint16_t *p, v16f x) {
    _mm256_storeu_si256((__m256i *)p, _mm512_cvtps_ph((__m512)x, _MM_FROUND_TO_NEAREST_INT));
}

INLINE v32h high_products(v32h a, v32h b) { return (v32h)_mm512_mulhi_epi16((__m512i)a, (__m512i)b); }
INLINE v16i add_pair_products(v16i c, v32h a, v32h b) { return (v16i)_mm512_dpwssd_epi32((__m512i)c, (__m512i)a, (__m512i)b); }

enum { TILE_ROWS = 8, TILE_VECTORS = 2, ACCUMULATORS = 16, STREAM_ROWS = 2 };

#define VECTOR_TABLE_NAME kern_vector_avx512
extern const kern_vector_table kern_vector_avx512;
#include "../core/vector_table.h"
#pragma clang attribute pop
#endif
