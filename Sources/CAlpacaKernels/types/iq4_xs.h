/* IQ4_XS: IQ4_NL's values, with a scale of six bits, less 32, for 32 weights: its low four in a nibble of l, its top two in h. */
typedef struct { uint16_t d, h; uint8_t l[4]; uint8_t qs[128]; } kern_iq4_xs;

INLINE void block_iq4_xs(const kern_iq4_xs *b, float *out) {
    const float d = f32_from_f16(b->d);
    for (int g = 0; g < 8; g++, out += 32) {
        const float scale = d * (float)(((b->l[g / 2] >> g % 2 * 4 & 15) | (b->h >> 2 * g & 3) << 4) - 32);
        for (int j = 0; j < 16; j++) {
            out[j] = scale * (float)iq4_nl_values[b->qs[16 * g + j] & 15];
            out[j + 16] = scale * (float)iq4_nl_values[b->qs[16 * g + j] >> 4];
        }
    }
}

#ifdef ALPACA_DECODE_H
/* For each 32 weights + float(sum value a) * ((d * (s - 32)) * d_a). */
static const quant_traits iq4_xs_traits = {.block_bytes = sizeof(kern_iq4_xs), .sub_blocks = 8, .offset_bits = 7, .wide = true};

INLINE void iq4_xs_scales(const row_set *r, row_scales *s) {
    const u32xr first = word_of_rows(r, 0), low = word_of_rows(r, offsetof(kern_iq4_xs, l)), high = first >> 16;
    const f32xr d = f32_from_f16_rows(first & 0xFFFF);
    UNROLL for (int k = 0; k < 8; k++) {
        s[k].d = d * to_float((i32xr)((low >> (uint32_t)(4 * k) & 15) | (high >> (uint32_t)(2 * k) & 3) << 4) - 32);
    }
}

INLINE void iq4_xs_load(const row_set *r, int sub, u32xr *raw) { words_of_rows(r, offsetof(kern_iq4_xs, qs) + (size_t)sub * 16, raw); }

INLINE u32xr iq4_xs_word(const u32xr *raw, int sub, int j) { return iq4_nl_word(raw, sub, j); }
#endif
