/* What AVX2, AVX-VNNI and AVX-512 share. Included inside the region that says what the functions may use. */
#include "../core/quant_vectors.h"

INLINE f32xr fma_rows(f32xr a, f32xr b, f32xr c) { return __builtin_elementwise_fma(a, b, c); }
INLINE v16f fma16(v16f a, v16f b, v16f c) { return __builtin_elementwise_fma(a, b, c); }
INLINE short half_at(const uint8_t *p) {
    short x;
    __builtin_memcpy(&x, p, 2);
    return x;
}

/* Eight of the rows. */
INLINE __m128i halves_of_rows(const row_set *r, int i, size_t at) {
    return _mm_set_epi16(half_at(in_row(r, i + 7, at)), half_at(in_row(r, i + 6, at)), half_at(in_row(r, i + 5, at)), half_at(in_row(r, i + 4, at)), half_at(in_row(r, i + 3, at)),
                         half_at(in_row(r, i + 2, at)), half_at(in_row(r, i + 1, at)), half_at(in_row(r, i, at)));
}

#if ROWS == 8
INLINE u8xr lookup16(u8xr i, const uint8_t table[16]) {
    return (u8xr)_mm256_shuffle_epi8(_mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)(const void *)table)), (__m256i)i);
}

INLINE u32xr gather(const uint32_t *table, u32xr i) {
    return (u32xr)_mm256_i32gather_epi32((const int *)(const void *)table, (__m256i)i, 4);
}

INLINE u8xr spread_byte(u32xr x, int k) {
    const __m128i from = _mm_setr_epi8(0, 0, 0, 0, 4, 4, 4, 4, 8, 8, 8, 8, 12, 12, 12, 12);
    return (u8xr)_mm256_shuffle_epi8((__m256i)x, _mm256_broadcastsi128_si256(_mm_add_epi8(from, _mm_set1_epi8((char)k))));
}

INLINE i32xr madd16(i32xr a, i32xr b) { return (i32xr)_mm256_madd_epi16((__m256i)a, (__m256i)b); }

INLINE f32xr f32_from_f16_rows(u32xr bits) {
    const __m256i packed = _mm256_permute4x64_epi64(_mm256_packus_epi32((__m256i)bits, (__m256i)bits), 0x08);
    return (f32xr)_mm256_cvtph_ps(_mm256_castsi256_si128(packed));
}

INLINE f32xr f16_of_rows(const row_set *r, size_t at) { return (f32xr)_mm256_cvtph_ps(halves_of_rows(r, 0, at)); }
#endif
