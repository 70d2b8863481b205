/* IQ2_XXS: for each 32 weights four indices of entries of eight, then a word of four times seven signs and, in its top four bits, a scale. */
typedef struct { uint16_t d; struct { uint8_t index[4], signs[4]; } qs[8]; } kern_iq2_xxs;

INLINE void block_iq2_xxs(const kern_iq2_xxs *b, float *out) {
    const float d = f32_from_f16(b->d);
    for (int g = 0; g < 8; g++) {
        const uint32_t word = bytes4(b->qs[g].signs);
        const float scale = d * (0.5f + (float)(word >> 28)) * 0.25f;
        for (int k = 0; k < 4; k++, out += 8) {
            const uint32_t *entry = kern_grid_iq2_xxs + 2 * b->qs[g].index[k], signs = eight_signs(word >> 7 * k & 127);
            signed_weights(entry[0], IQ2_OFFSET, scale, signs, out);
            signed_weights(entry[1], IQ2_OFFSET, scale, signs >> 4, out + 4);
        }
    }
}

#ifdef ALPACA_DECODE_H
/* For each 32 weights + float(sum T a) * ((d * (2 s + 1) / 8) * d_a). */
static const quant_traits iq2_xxs_traits = {.block_bytes = sizeof(kern_iq2_xxs), .sub_blocks = 8, .offset_bits = 6, .broad = true};

INLINE void iq2_xxs_scales(const row_set *r, row_scales *s) {
    const f32xr d = f16_of_rows(r, 0) * 0.125f;
    UNROLL for (int k = 0; k < 8; k += 2) {
        u32xr words[4];
        words_of_rows(r, offsetof(kern_iq2_xxs, qs) + (size_t)k * 8, words);
        s[k].d = d * to_float((i32xr)(words[1] >> 28) * 2 + 1);
        s[k + 1].d = d * to_float((i32xr)(words[3] >> 28) * 2 + 1);
    }
}

INLINE void iq2_xxs_load(const row_set *r, int sub, u32xr *raw) {
    if (sub % 2) return;
    words_of_rows(r, offsetof(kern_iq2_xxs, qs) + (size_t)sub * 8, raw);
    raw[1] = four_signs(raw[1]), raw[3] = four_signs(raw[3]);
}

INLINE u32xr iq2_xxs_word(const u32xr *raw, int sub, int j) {
    const u32xr index = (raw[sub % 2 * 2] >> (uint32_t)(j / 2 * 8) & 255) * 2 + (uint32_t)(j % 2);
    return with_signs(gather(kern_grid_iq2_xxs, index), raw[sub % 2 * 2 + 1], j / 2, j, IQ2_OFFSET);
}
#endif
