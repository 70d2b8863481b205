/* IQ2_XS: for each eight weights sixteen bits: nine of an index, seven signs. A scale of four bits for sixteen weights. */
typedef struct { uint16_t d; uint16_t qs[32]; uint8_t scales[8]; } kern_iq2_xs;

INLINE void block_iq2_xs(const kern_iq2_xs *b, float *out) {
    const float d = f32_from_f16(b->d);
    for (int k = 0; k < 32; k++, out += 8) {
        const float scale = d * (0.5f + (float)(b->scales[k / 4] >> k / 2 % 2 * 4 & 15)) * 0.25f;
        const uint32_t *entry = kern_grid_iq2_xs + 2 * (b->qs[k] & 511), signs = eight_signs(b->qs[k] >> 9);
        signed_weights(entry[0], IQ2_OFFSET, scale, signs, out);
        signed_weights(entry[1], IQ2_OFFSET, scale, signs >> 4, out + 4);
    }
}

#ifdef ALPACA_DECODE_H
/* For each 32 weights + float((2 s0 + 1) sum T a + (2 s1 + 1) sum' T a) * ((d / 8) * d_a). */
static const quant_traits iq2_xs_traits = {
    .block_bytes = sizeof(kern_iq2_xs), .sub_blocks = 8, .offset_bits = 6, .halves = true, .broad = true};

/* Of IQ2_XS and IQ2_S: eight bytes, a nibble for each sixteen weights. */
INLINE void iq2_half_scales(f32xr d, u32xr low, u32xr high, row_scales *s) {
    UNROLL for (int k = 0; k < 8; k++) {
        const u32xr two = (k < 4 ? low : high) >> (uint32_t)(k % 4 * 8);
        s[k].d = d * 0.125f;
        s[k].scale[0] = (i32xr)(two & 15) * 2 + 1, s[k].scale[1] = (i32xr)(two >> 4 & 15) * 2 + 1;
    }
}

INLINE void iq2_xs_scales(const row_set *r, row_scales *s) {
    const size_t scales = offsetof(kern_iq2_xs, scales);
    iq2_half_scales(f16_of_rows(r, 0), word_of_rows(r, scales), word_of_rows(r, scales + 4), s);
}

INLINE void iq2_xs_load(const row_set *r, int sub, u32xr *raw) {
    if (sub % 2) return;
    words_of_rows(r, offsetof(kern_iq2_xs, qs) + (size_t)sub * 8, raw);
    UNROLL for (int i = 0; i < 4; i++) raw[4 + i] = completed_signs(raw[i] >> 9 & 0x007F007F, 0x00010001);
}

INLINE u32xr iq2_xs_word(const u32xr *raw, int sub, int j) {
    const int from = sub % 2 * 2 + j / 4, upper = j / 2 % 2;
    const u32xr index = (raw[from] >> (uint32_t)(upper * 16) & 511) * 2 + (uint32_t)(j % 2);
    return with_signs(gather(kern_grid_iq2_xs, index), raw[4 + from], upper * 2, j, IQ2_OFFSET);
}
#endif
