/* Q5_0: sum over blocks of float(sum (q - 16) a) * (d * d_a). As Q4_0, with bit j of the 32 bits `qh` as weight j's fifth. */
static const quant_traits q5_0_traits = {.block_bytes = sizeof(kern_q5_0), .sub_blocks = 1, .offset_bits = 4};

/* 16 where the bit of a weight is set, from bytes that hold, for each eight weights, the eight bits. */
INLINE u8x32 fifth_bits(u8x32 eights) {
    const u8x32 bit = {1, 2, 4, 8, 16, 32, 64, 128, 1, 2, 4, 8, 16, 32, 64, 128, 1, 2, 4, 8, 16, 32, 64, 128, 1, 2, 4, 8, 16, 32, 64, 128};
    return (u8x32)((eights & bit) == bit) & 16;
}

/* Adds the fifth bits to nibbles; sixteen bytes of each row from `at` on hold the 32 bits at their bytes 2 ..< 6 or 4 ..< 8. */
#define SPREAD(x, b)                                                                                                                   \
    __builtin_shufflevector(x, x, b, b, b, b, b, b, b, b, b + 1, b + 1, b + 1, b + 1, b + 1, b + 1, b + 1, b + 1, b + 16, b + 16,      \
                            b + 16, b + 16, b + 16, b + 16, b + 16, b + 16, b + 17, b + 17, b + 17, b + 17, b + 17, b + 17, b + 17,    \
                            b + 17)

INLINE void q5_0_scales(const rows8 *r, size_t at, scales8 *s) { s->d = f16_of_rows(r, at); }

INLINE void q5_0_weights(const rows8 *r, size_t at, int sub, weights8 *w) {
    (void)sub;
    UNROLL for (int i = 0; i < 4; i++) {
        const u8x32 q = bytes_of_rows(r, i, at + 6), head = bytes_of_rows(r, i, at);
        w->low[i] = (q & 15) | fifth_bits(SPREAD(head, 2));
        w->high[i] = (shifted_right(q, 4) & 15) | fifth_bits(SPREAD(head, 4));
    }
}
