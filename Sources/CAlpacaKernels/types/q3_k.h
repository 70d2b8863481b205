/* Q3_K: as Q2_K without minimums; a third bit per weight, inverted, in hmask: bit run / 2 of byte j. Scales have six bits, less 32: scale
 * s has its low four in a nibble of scales[s % 8] and its top two in scales[8 + s % 4]. */
typedef struct { uint8_t hmask[32]; uint8_t qs[64]; uint8_t scales[12]; uint16_t d; } kern_q3_k;

INLINE void block_q3_k(const kern_q3_k *b, float *out) {
    const float d = f32_from_f16(b->d);
    for (int run = 0; run < 16; run++) {
        const uint8_t *q = b->qs + run / 8 * 32 + run % 2 * 16, *high = b->hmask + run % 2 * 16;
        const int low = b->scales[run % 8] >> run / 8 * 4 & 15, top = b->scales[8 + run % 4] >> run / 4 * 2 & 3;
        const float scale = d * (float)((low | top << 4) - 32);
        for (int j = 0; j < 16; j++) {
            *out++ = scale * (float)((q[j] >> run % 8 / 2 * 2 & 3) + (high[j] >> run / 2 & 1) * 4 - 4);
        }
    }
}

#ifdef ALPACA_DECODE_H
/* For each 32 weights + float(scale0 * sum (q - 4) a + scale1 * sum' (q - 4) a) * (d * d_a). */
static const quant_traits q3_k_traits = {
    .block_bytes = sizeof(kern_q3_k), .sub_blocks = 8, .offset_bits = 2, .halves = true, .foldable = true};

INLINE void q3_k_scales(const row_set *r, row_scales *s) {
    /* The last sixteen bytes of a block: two of qs, twelve of scales, d. */
    u32xr words[4];
    words_of_rows(r, sizeof(kern_q3_k) - 16, words);
    const u32xr a = words[0] >> 16 | words[1] << 16, b = words[1] >> 16 | words[2] << 16, top = words[2] >> 16 | words[3] << 16;
    const u32xr low[4] = {a & 0x0F0F0F0F, b & 0x0F0F0F0F, a >> 4 & 0x0F0F0F0F, b >> 4 & 0x0F0F0F0F};
    const f32xr d = f32_from_f16_rows(words[3] >> 16);
    UNROLL for (int k = 0; k < 8; k++) {
        const u32xr four = low[k / 2] | (top >> (k / 2 * 2) & 0x03030303) << 4, two = four >> (k % 2 * 16);
        s[k].d = d;
        s[k].scale[0] = (i32xr)(two & 63) - 32, s[k].scale[1] = (i32xr)(two >> 8 & 63) - 32;
    }
}

INLINE void q3_k_load(const row_set *r, int sub, u32xr *raw) {
    if (sub % 4 == 0) words32_of_rows(r, offsetof(kern_q3_k, qs) + (size_t)sub / 4 * 32, raw);
    if (sub == 0) words32_of_rows(r, offsetof(kern_q3_k, hmask), raw + 8);
}

INLINE u32xr q3_k_word(const u32xr *raw, int sub, int j) {
    return (raw[j] >> (sub % 4 * 2) & 0x03030303) | (shifted_right(raw[8 + j], sub - 2) & 0x04040404);
}
#endif
