/* Words of eight rows times a token's, for paths whose dot product sums in 32 bits. */
INLINE i32x8 panel_scale(i32x8 scale) { return scale; }

INLINE s8x32 four_inputs(const void *p) {
    int32_t word;
    __builtin_memcpy(&word, p, 4);
    return (s8x32)((i32x8)word);
}

/* What all the integers of a block come to: the sum of its products, times the scales of its halves where it has them. Two sums, so that
 * the additions, each of which waits for the one before, are not what a block waits for. */
INLINE i32x8 dots_by_words(quant_traits T, const u32x8 *words, const i32x8 *scale, const token_block *a) {
    const int offset_bits = T.wide ? WIDE_OFFSET_BITS : T.offset_bits;
    i32x8 first = 0, second = 0;
    if (offset_bits) first = (i32x8)scaled(T.halves ? a->half_starts[0] : a->start, offset_bits);
    if (offset_bits && T.halves) second = (i32x8)scaled(a->half_starts[1], offset_bits);
    UNROLL for (int j = 0; j < 8; j++) {
        const s8x32 inputs = four_inputs(a->q + 4 * j);
        i32x8 *sum = j >= 4 ? &second : &first;
        *sum = T.wide ? dot4_wide(*sum, (u8x32)words[j], inputs) : dot4(*sum, (u8x32)words[j], inputs);
    }
    return T.halves ? first * scale[0] + second * scale[1] : first + second;
}
