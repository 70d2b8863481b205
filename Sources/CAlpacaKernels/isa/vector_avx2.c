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

enum { TILE_ROWS = 6, TILE_VECTORS = 1, ACCUMULATORS = 4, STREAM_ROWS = 1 };

#define VECTOR_TABLE_NAME kern_vector_avx2
extern const kern_vector_table kern_vector_avx2;
#include "../core/vector_table.h"
#pragma clang attribute pop
#endif
