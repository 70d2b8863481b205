/* Q4_1: for each block + float(sum q a) * (d * d_a), then + m * (d_a * sum a). Nibbles as in Q4_0. */
static const quant_traits q4_1_traits = {.block_bytes = sizeof(kern_q4_1), .sub_blocks = 1, .minimums = true};

INLINE void q4_1_scales(const rows8 *r, size_t at, scales8 *s) {
    s->d = f16_of_rows(r, at);
    s->minimum = f16_of_rows(r, at + 2);
}

INLINE void q4_1_weights(const rows8 *r, size_t at, int sub, weights8 *w) {
    (void)sub;
    UNROLL for (int i = 0; i < 4; i++) {
        const u8x32 q = bytes_of_rows(r, i, at + 4);
        w->low[i] = q & 15;
        w->high[i] = shifted_right(q, 4) & 15;
    }
}
