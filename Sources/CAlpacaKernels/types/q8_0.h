/* Q8_0: sum over blocks of float(sum q a) * (d * d_a). The weights are handed on as q + 128. */
static const quant_traits q8_0_traits = {.block_bytes = sizeof(kern_q8_0), .sub_blocks = 1, .offset_bits = 7, .wide = true};

INLINE void q8_0_scales(const rows8 *r, size_t at, scales8 *s) { s->d = f16_of_rows(r, at); }

INLINE void q8_0_weights(const rows8 *r, size_t at, int sub, weights8 *w) {
    (void)sub;
    UNROLL for (int i = 0; i < 4; i++) {
        w->low[i] = bytes_of_rows(r, i, at + 2) ^ 128;
        w->high[i] = bytes_of_rows(r, i, at + 18) ^ 128;
    }
}
