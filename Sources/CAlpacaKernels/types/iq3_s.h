/* IQ3_S: for each four weights the low byte of an index, its ninth bit in qh; a bit of sign for each weight; for each 32 weights a scale of
 * four bits. */
typedef struct { uint16_t d; uint8_t qs[64]; uint8_t qh[8]; uint8_t signs[32]; uint8_t scales[4]; } kern_iq3_s;

INLINE void block_iq3_s(const kern_iq3_s *b, float *out) {
    const float d = f32_from_f16(b->d);
    for (int g = 0; g < 8; g++) {
        const float scale = d * (float)(1 + 2 * (b->scales[g / 2] >> g % 2 * 4 & 15));
        for (int k = 0; k < 8; k++, out += 4) {
            const int index = b->qs[8 * g + k] | (b->qh[g] >> k & 1) << 8;
            signed_weights(kern_grid_iq3_s[index], IQ3_S_OFFSET, scale, b->signs[4 * g + k / 2] >> k % 2 * 4, out);
        }
    }
}

#ifdef ALPACA_DECODE_H
/* For each 32 weights + float(sum T a) * ((d * (2 s + 1)) * d_a). */
static const quant_traits iq3_s_traits = {.block_bytes = sizeof(kern_iq3_s), .sub_blocks = 8, .offset_bits = 4};

INLINE void iq3_s_scales(const row_set *r, row_scales *s) {
    const f32xr d = f16_of_rows(r, 0);
    const u32xr scales = word_of_rows(r, offsetof(kern_iq3_s, scales));
    UNROLL for (int k = 0; k < 8; k++) s[k].d = d * to_float((i32xr)(scales >> (uint32_t)(4 * k) & 15) * 2 + 1);
}

INLINE void iq3_s_load(const row_set *r, int sub, u32xr *raw) {
    if (sub == 0) words_of_rows(r, offsetof(kern_iq3_s, qh), raw + 8); /* the eight bytes of qh, and some signs */
    if (sub % 2 == 0) words_of_rows(r, offsetof(kern_iq3_s, qs) + (size_t)sub * 8, raw);
    if (sub % 4 == 0) words_of_rows(r, offsetof(kern_iq3_s, signs) + (size_t)sub * 4, raw + 4);
}

INLINE u32xr iq3_s_word(const u32xr *raw, int sub, int j) {
    /* The ninth bit from where it is to bit 8. */
    const u32xr high = shifted_right(raw[8 + sub / 4], sub % 4 * 8 + j - 8) & 256;
    const u32xr index = (raw[sub % 2 * 2 + j / 4] >> (uint32_t)(j % 4 * 8) & 255) | high;
    return with_signs(gather(kern_grid_iq3_s, index), raw[4 + sub % 4], j / 2, j, IQ3_S_OFFSET);
}
#endif
