/* Q5_1: for each block + float(sum q a) * (d * d_a), then + m * (d_a * sum a). Bits as in Q5_0. */
static const quant_traits q5_1_traits = {.block_bytes = sizeof(kern_q5_1), .sub_blocks = 1, .minimums = true, .five_bits = true};

INLINE void q5_1_scales(const rows8 *r, size_t at, scales8 *s) {
    s->d = f16_of_rows(r, at);
    s->minimum = f16_of_rows(r, at + 2);
}

INLINE void q5_1_weights(const rows8 *r, size_t at, int sub, weights8 *w) {
    (void)sub;
    UNROLL for (int i = 0; i < 4; i++) {
        const u8x32 q = bytes_of_rows(r, i, at + 8), head = bytes_of_rows(r, i, at);
        w->low[i] = (q & 15) | fifth_bits(SPREAD(head, 4));
        w->high[i] = (shifted_right(q, 4) & 15) | fifth_bits(SPREAD(head, 6));
    }
}
