/* AVX-VNNI: AVX2 with a dot product of bytes that sums in 32 bits. */
#if defined(__x86_64__)
#include <immintrin.h>
#pragma clang attribute push(__attribute__((target("avx2,fma,f16c,avxvnni"))), apply_to = function)
#include "x86_primitives.h"

INLINE v16f load_f16(const uint16_t *p) {
    v16f x;
    x.lo = (v8f)_mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)p));
    x.hi = (v8f)_mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)(p + 8)));
    return x;
}

INLINE i32xr dot4(i32xr sum, u8xr w, s8xr a) { return (i32xr)_mm256_dpbusd_avx_epi32((__m256i)sum, (__m256i)w, (__m256i)a); }
INLINE i32xr dot4_wide(i32xr sum, u8xr w, s8xr a) { return dot4(sum, w, a); }

enum { TILE_TOKENS = 4, WIDE_OFFSET_BITS = 7, FLOAT_ROWS = 2, FLOAT_TOKENS = 3 };
#define SPECIALIZED 1
#define LANE_SUMS 0
#define HAS_MIDDLE 0
#define FOLDS 1
#define NIBBLES 0
#define WORDS_HEADER "words_dot4.h"
#define TILE_HEADER "tile_dot4.h"
#define MATMUL_TABLE_NAME kern_matmul_avxvnni
extern const kern_matmul_table kern_matmul_avxvnni;
#include "../core/matmul_table.h"
#pragma clang attribute pop
#endif
