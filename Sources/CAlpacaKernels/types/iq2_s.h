/* IQ2_S: for each eight weights the low byte of an index, its two high bits in qh, and a byte of signs. Scales as in IQ2_XS. */
typedef struct { uint16_t d; uint8_t qs[32]; uint8_t signs[32]; uint8_t qh[8]; uint8_t scales[8]; } kern_iq2_s;

INLINE void block_iq2_s(const kern_iq2_s *b, float *out) {
    const float d = f32_from_f16(b->d);
    for (int k = 0; k < 32; k++, out += 8) {
        const float scale = d * (0.5f + (float)(b->scales[k / 4] >> k / 2 % 2 * 4 & 15)) * 0.25f;
        const uint32_t *entry = kern_grid_iq2_s + 2 * (b->qs[k] | (b->qh[k / 4] >> k % 4 * 2 & 3) << 8);
        signed_weights(entry[0], IQ2_OFFSET, scale, b->signs[k], out);
        signed_weights(entry[1], IQ2_OFFSET, scale, b->signs[k] >> 4, out + 4);
    }
}

#ifdef ALPACA_DECODE_H
/* The formula of IQ2_XS. */
static const quant_traits iq2_s_traits = {
    .block_bytes = sizeof(kern_iq2_s), .sub_blocks = 8, .offset_bits = 6, .halves = true, .broad = true};

INLINE void iq2_s_scales(const row_set *r, row_scales *s) {
    const size_t scales = offsetof(kern_iq2_s, scales);
    iq2_half_scales(f16_of_rows(r, 0), word_of_rows(r, scales), word_of_rows(r, scales + 4), s);
}

INLINE void iq2_s_load(const row_set *r, int sub, u32xr *raw) {
    if (sub == 0) words_of_rows(r, offsetof(kern_iq2_s, qh), raw + 8); /* and the scales */
    if (sub % 4) return;
    words_of_rows(r, offsetof(kern_iq2_s, qs) + (size_t)sub * 4, raw);
    words_of_rows(r, offsetof(kern_iq2_s, signs) + (size_t)sub * 4, raw + 4);
}

INLINE u32xr iq2_s_word(const u32xr *raw, int sub, int j) {
    const u32xr high = raw[8 + sub / 4] >> (uint32_t)(sub % 4 * 8 + j / 2 * 2) & 3;
    const u32xr index = ((raw[sub % 4] >> (uint32_t)(j / 2 * 8) & 255) | high << 8) * 2 + (uint32_t)(j % 2);
    return with_signs(gather(kern_grid_iq2_s, index), raw[4 + sub % 4], j / 2, j, IQ2_OFFSET);
}
#endif
