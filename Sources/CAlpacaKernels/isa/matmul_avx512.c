/* AVX-512 F, BW, DQ, VL and VNNI. */
#if defined(__x86_64__)
#define ROWS 16
#include <immintrin.h>
#pragma clang attribute push(__attribute__((target("avx2,fma,f16c,avx512f,avx512bw,avx512dq,avx512vl,avx512vnni"))), apply_to = function)
#include "x86_primitives.h"

INLINE v16f load_f16(const uint16_t *p) { return (v16f)_mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)p)); }

INLINE i32xr dot4(i32xr sum, u8xr w, s8xr a) { return (i32xr)_mm512_dpbusd_epi32((__m512i)sum, (__m512i)w, (__m512i)a); }
INLINE i32xr dot4_wide(i32xr sum, u8xr w, s8xr a) { return dot4(sum, w, a); }
INLINE i32xr madd16(i32xr a, i32xr b) { return (i32xr)_mm512_madd_epi16((__m512i)a, (__m512i)b); }

INLINE u8xr lookup16(u8xr i, const uint8_t table[16]) {
    return (u8xr)_mm512_shuffle_epi8(_mm512_broadcast_i32x4(_mm_loadu_si128((const __m128i *)(const void *)table)), (__m512i)i);
}

INLINE u32xr gather(const uint32_t *table, u32xr i) { return (u32xr)_mm512_i32gather_epi32((__m512i)i, (const void *)table, 4); }

INLINE u8xr spread_byte(u32xr x, int k) {
    const __m128i from = _mm_setr_epi8(0, 0, 0, 0, 4, 4, 4, 4, 8, 8, 8, 8, 12, 12, 12, 12);
    return (u8xr)_mm512_shuffle_epi8((__m512i)x, _mm512_broadcast_i32x4(_mm_add_epi8(from, _mm_set1_epi8((char)k))));
}

INLINE f32xr f32_from_f16_rows(u32xr bits) { return (f32xr)_mm512_cvtph_ps(_mm512_cvtepi32_epi16((__m512i)bits)); }

INLINE f32xr f16_of_rows(const row_set *r, size_t at) {
    return (f32xr)_mm512_cvtph_ps(_mm256_set_m128i(halves_of_rows(r, 8, at), halves_of_rows(r, 0, at)));
}

enum { TILE_TOKENS = 12, WIDE_OFFSET_BITS = 7, FLOAT_ROWS = 4, FLOAT_TOKENS = 4 };
#define SPECIALIZED 1
#define LANE_SUMS 0
#define HAS_MIDDLE 1
#define FOLDS 1
#define NIBBLES 0
#define WORDS_HEADER "words_dot4.h"
#define TILE_HEADER "tile_vnni512.h"
#define MATMUL_TABLE_NAME kern_matmul_avx512
extern const kern_matmul_table kern_matmul_avx512;
#include "../core/matmul_table.h"
#pragma clang attribute pop
#endif
