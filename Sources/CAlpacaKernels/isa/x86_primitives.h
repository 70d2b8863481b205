/* What AVX2, AVX-VNNI and AVX-512 share. Included inside the region that says what the functions may use. */
#include "../core/quant_vectors.h"

INLINE f32x8 fma8(f32x8 a, f32x8 b, f32x8 c) { return __builtin_elementwise_fma(a, b, c); }
INLINE v16f fma16(v16f a, v16f b, v16f c) { return __builtin_elementwise_fma(a, b, c); }
INLINE i32x8 madd16(i32x8 a, i32x8 b) { return (i32x8)_mm256_madd_epi16((__m256i)a, (__m256i)b); }

INLINE f32x8 f32_from_f16x8(u32x8 bits) {
    const __m256i packed = _mm256_permute4x64_epi64(_mm256_packus_epi32((__m256i)bits, (__m256i)bits), 0x08);
    return (f32x8)_mm256_cvtph_ps(_mm256_castsi256_si128(packed));
}

INLINE short half_at(const uint8_t *p) {
    short x;
    __builtin_memcpy(&x, p, 2);
    return x;
}

INLINE f32x8 f16_of_rows(const rows8 *r, size_t at) {
    const uint8_t *const *p = r->row;
    const __m128i halves = _mm_set_epi16(half_at(p[7] + at), half_at(p[6] + at), half_at(p[5] + at), half_at(p[4] + at), half_at(p[3] + at),
                                         half_at(p[2] + at), half_at(p[1] + at), half_at(p[0] + at));
    return (f32x8)_mm256_cvtph_ps(halves);
}
