/* AVX2, FMA, F16C: sixteen ymm registers, a v16f takes two. */
#if defined(__x86_64__)
#include <immintrin.h>
#pragma clang attribute push(__attribute__((target("avx2,fma,f16c"))), apply_to = function)
#include "../core/vector_types.h"

INLINE v16f fma16(v16f a, v16f b, v16f c) { return __builtin_elementwise_fma(a, b, c); }

INLINE v16f load_f16(const uint16_t *p) {
    v16f x;
    x.lo = (v8f)_mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)p));
    x.hi = (v8f)_mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)(p + 8)));
    return x;
}

INLINE void store_f16(uint16_t *p, v16f x) {
    _mm_storeu_si128((__m128i *)p, _mm256_cvtps_ph((__m256)x.lo, _MM_FROUND_TO_NEAREST_INT));
    _mm_storeu_si128((__m128i *)(p + 8), _mm256_cvtps_ph((__m256)x.hi, _MM_FROUND_TO_NEAREST_INT));
}

INLINE v32h high_products(v32h a, v32h b) {
    v32h x;
    x.lo = (v16h)_mm256_mulhi_epi16((__m256i)a.lo, (__m256i)b.lo);
    x.hi = (v16h)_mm256_mulhi_epi16((__m256i)a.hi, (__m256i)b.hi);
    return x;
}

INLINE v16i add_pair_products(v16i c, v32h a, v32h b) {
    v16i x;
    x.lo = (v8i)_mm256_madd_epi16((__m256i)a.lo, (__m256i)b.lo);
    x.hi = (v8i)_mm256_madd_epi16((__m256i)a.hi, (__m256i)b.hi);
    return c + x;
}

enum { TILE_ROWS = 6, TILE_VECTORS = 1, ACCUMULATORS = 4, STREAM_ROWS = 1 };

#define VECTOR_TABLE_NAME kern_vector_avx2
extern const kern_vector_table kern_vector_avx2;
#include "../core/vector_table.h"
#pragma clang attribute pop
#endif
