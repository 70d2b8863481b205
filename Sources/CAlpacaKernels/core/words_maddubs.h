/* Words of eight rows times a token's, for AVX2. Sums of 16 bits, by the rules of tile_maddubs.h. Scales of weights of seven bits are
 * positive. */
INLINE i32xr panel_scale(i32xr scale) { return (scale & 0xFFFF) | scale << 16; }

INLINE __m256i bcast(const void *p) {
    int32_t word;
    __builtin_memcpy(&word, p, 4);
    return _mm256_set1_epi32(word);
}

/* What all the integers of a block come to: the sum of its products, times the scales of its halves where it has them. */
INLINE i32xr dots_by_words(quant_traits T, const u32xr *words, const i32xr *scale, const token_block *a) {
    if (T.wide) {
        i32xr sum = 0;
        UNROLL for (int j = 0; j < 8; j++) sum = dot4_wide(sum, (u8xr)words[j], (s8xr)bcast(a->q + 4 * j));
        return sum;
    }
    if (T.broad) {
        i32xr sums[2] = {0, 0};
        UNROLL for (int j = 0; j < 8; j++) sums[j / 4] = dot4(sums[j / 4], (u8xr)words[j], (s8xr)bcast(a->q + 4 * j));
        if (!T.halves) return sums[0] + sums[1] - scaled(a->sum, T.offset_bits);
        const i32xr first = sums[0] - scaled((int16_t)a->halves, T.offset_bits), second = sums[1] - scaled(a->halves >> 16, T.offset_bits);
        return first * (scale[0] & 0xFFFF) + second * (scale[1] & 0xFFFF);
    }
    const int offset_bits = T.five_bits ? 4 : T.offset_bits;
    __m256i first = _mm256_slli_epi16(bcast(T.halves ? &a->half_starts[0] : &a->start), offset_bits);
    __m256i second = _mm256_slli_epi16(bcast(&a->half_starts[1]), offset_bits);
    if (!offset_bits) first = second = _mm256_setzero_si256();
    UNROLL for (int j = 0; j < 8; j++) {
        const __m256i products = _mm256_maddubs_epi16((__m256i)words[j], bcast(a->q + 4 * j));
        __m256i *sum = T.halves && j >= 4 ? &second : &first;
        *sum = _mm256_add_epi16(*sum, products);
    }
    if (T.halves) return (i32xr)_mm256_madd_epi16(first, (__m256i)scale[0]) + (i32xr)_mm256_madd_epi16(second, (__m256i)scale[1]);
    const i32xr sum = (i32xr)_mm256_madd_epi16(first, _mm256_set1_epi16(1));
    return T.five_bits ? sum + scaled(a->sum, 4) : sum;
}
