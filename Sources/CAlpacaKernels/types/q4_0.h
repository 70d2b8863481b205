/* Q4_0: sum over blocks of float(sum (q - 8) a) * (d * d_a). Weight j is the low nibble of byte j, weight j + 16 the high one. */
static const quant_traits q4_0_traits = {.block_bytes = sizeof(kern_q4_0), .sub_blocks = 1, .offset_bits = 3};

INLINE void q4_0_scales(const rows8 *r, size_t at, scales8 *s) { s->d = f16_of_rows(r, at); }

INLINE void q4_0_weights(const rows8 *r, size_t at, int sub, weights8 *w) {
    (void)sub;
    UNROLL for (int i = 0; i < 4; i++) {
        const u8x32 q = bytes_of_rows(r, i, at + 2);
        w->low[i] = q & 15;
        w->high[i] = shifted_right(q, 4) & 15;
    }
}
