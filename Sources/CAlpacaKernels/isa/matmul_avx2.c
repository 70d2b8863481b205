/* AVX2, FMA, F16C: products of bytes in 16-bit lanes. */
#if defined(__x86_64__)
#include <immintrin.h>
#pragma clang attribute push(__attribute__((target("avx2,fma,f16c"))), apply_to = function)
#include "x86_primitives.h"

INLINE v16f load_f16(const uint16_t *p) {
    v16f x;
    x.lo = (v8f)_mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)p));
    x.hi = (v8f)_mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)(p + 8)));
    return x;
}

/* Weights of up to seven bits: no pair of products leaves 16 bits. */
INLINE i32xr dot4(i32xr sum, u8xr w, s8xr a) {
    return sum + (i32xr)_mm256_madd_epi16(_mm256_maddubs_epi16((__m256i)w, (__m256i)a), _mm256_set1_epi16(1));
}

/* w - 128 as sign and amount, the sign given to the input: two products of 128 * 127 stay in 16 bits. */
INLINE i32xr dot4_wide(i32xr sum, u8xr w, s8xr a) {
    const __m256i q = (__m256i)(w ^ 128);
    return dot4(sum, (u8xr)_mm256_abs_epi8(q), (s8xr)_mm256_sign_epi8((__m256i)a, q));
}

enum { TILE_TOKENS = 4, WIDE_OFFSET_BITS = 0, FLOAT_ROWS = 2, FLOAT_TOKENS = 3 };
#define SPECIALIZED 1
#define LANE_SUMS 1
#define HAS_MIDDLE 0
#define FOLDS 0
#define NIBBLES 1
#define WORDS_HEADER "words_maddubs.h"
#define TILE_HEADER "tile_maddubs.h"
#define MATMUL_TABLE_NAME kern_matmul_avx2
extern const kern_matmul_table kern_matmul_avx2;
#include "../core/matmul_table.h"
#pragma clang attribute pop
#endif
