/* IQ3_XXS: 64 indices of entries of four weights; then for each 32 weights a word of four times seven signs and a scale, as in IQ2_XXS. */
typedef struct { uint16_t d; uint8_t qs[64]; uint8_t signs[8][4]; } kern_iq3_xxs;

INLINE void block_iq3_xxs(const kern_iq3_xxs *b, float *out) {
    const float d = f32_from_f16(b->d);
    for (int g = 0; g < 8; g++) {
        const uint32_t word = bytes4(b->signs[g]);
        const float scale = d * (0.5f + (float)(word >> 28)) * 0.5f;
        for (int k = 0; k < 8; k++, out += 4) {
            const uint32_t signs = eight_signs(word >> k / 2 * 7 & 127) >> k % 2 * 4;
            signed_weights(kern_grid_iq3_xxs[b->qs[8 * g + k]], IQ3_XXS_OFFSET, scale, signs, out);
        }
    }
}

#ifdef ALPACA_DECODE_H
/* For each 32 weights + float(sum T a) * ((d * (2 s + 1) / 4) * d_a). */
static const quant_traits iq3_xxs_traits = {.block_bytes = sizeof(kern_iq3_xxs), .sub_blocks = 8, .offset_bits = 6, .broad = true};

INLINE void iq3_xxs_scales(const row_set *r, row_scales *s) {
    const f32xr d = f16_of_rows(r, 0) * 0.25f;
    u32xr words[8];
    words32_of_rows(r, offsetof(kern_iq3_xxs, signs), words);
    UNROLL for (int k = 0; k < 8; k++) s[k].d = d * to_float((i32xr)(words[k] >> 28) * 2 + 1);
}

INLINE void iq3_xxs_load(const row_set *r, int sub, u32xr *raw) {
    if (sub % 2 == 0) words_of_rows(r, offsetof(kern_iq3_xxs, qs) + (size_t)sub * 8, raw);
    if (sub % 4) return;
    words_of_rows(r, offsetof(kern_iq3_xxs, signs) + (size_t)sub * 4, raw + 4);
    UNROLL for (int i = 4; i < 8; i++) raw[i] = four_signs(raw[i]);
}

INLINE u32xr iq3_xxs_word(const u32xr *raw, int sub, int j) {
    const u32xr index = raw[sub % 2 * 2 + j / 4] >> (uint32_t)(j % 4 * 8) & 255;
    return with_signs(gather(kern_grid_iq3_xxs, index), raw[4 + sub % 4], j / 2, j, IQ3_XXS_OFFSET);
}
#endif
