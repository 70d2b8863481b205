/* Words of ROWS rows times a token's, for paths whose dot product sums in 32 bits. */
INLINE i32xr panel_scale(i32xr scale) { return scale; }

INLINE s8xr four_inputs(const void *p) {
    int32_t word;
    __builtin_memcpy(&word, p, 4);
    return (s8xr)((i32xr)word);
}

/* What all the integers of a block come to: the sum of its products, times the scales of its halves where it has them. Two sums, so that
 * the additions, each of which waits for the one before, are not what a block waits for. */
INLINE i32xr dots_by_words(quant_traits T, const u32xr *words, const i32xr *scale, const token_block *a) {
    const int offset_bits = T.wide ? WIDE_OFFSET_BITS : T.offset_bits;
    i32xr first = 0, second = 0;
    if (offset_bits) first = (i32xr)scaled(T.halves ? a->half_starts[0] : a->start, offset_bits);
    if (offset_bits && T.halves) second = (i32xr)scaled(a->half_starts[1], offset_bits);
    UNROLL for (int j = 0; j < 8; j++) {
        const s8xr inputs = four_inputs(a->q + 4 * j);
        i32xr *sum = j >= 4 ? &second : &first;
        *sum = T.wide ? dot4_wide(*sum, (u8xr)words[j], inputs) : dot4(*sum, (u8xr)words[j], inputs);
    }
    return T.halves ? first * scale[0] + second * scale[1] : first + second;
}
