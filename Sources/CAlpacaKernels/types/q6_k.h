/* Q6_K: each half (128 weights) has 64 bytes of ql and 32 of qh: runs of 32 weights take the low nibbles of the first and second 32 bytes,
 * then the high ones, and two bits of qh each. A signed scale for 16 weights. */
typedef struct { uint8_t ql[128]; uint8_t qh[64]; int8_t scales[16]; uint16_t d; } kern_q6_k;

INLINE void block_q6_k(const kern_q6_k *b, float *out) {
    const float d = f32_from_f16(b->d);
    for (int run = 0; run < 16; run++) {
        const int quarter = run % 8 / 2, from = run % 2 * 16;
        const uint8_t *low = b->ql + run / 8 * 64 + quarter % 2 * 32 + from, *high = b->qh + run / 8 * 32 + from;
        const float scale = d * (float)b->scales[run];
        for (int j = 0; j < 16; j++) {
            *out++ = scale * (float)((low[j] >> quarter / 2 * 4 & 15) + (high[j] >> quarter * 2 & 3) * 16 - 32);
        }
    }
}

#ifdef ALPACA_DECODE_H
/* For each 32 weights + float(scale0 * sum (q - 32) a + scale1 * sum' (q - 32) a) * (d * d_a), signed scales of eight bits. */
static const quant_traits q6_k_traits = {.block_bytes = sizeof(kern_q6_k), .sub_blocks = 8, .offset_bits = 5, .halves = true};

INLINE void q6_k_scales(const row_set *r, row_scales *s) {
    u32xr words[4];
    words_of_rows(r, offsetof(kern_q6_k, scales), words);
    const f32xr d = f16_of_rows(r, offsetof(kern_q6_k, d));
    UNROLL for (int k = 0; k < 8; k++) {
        s[k].d = d;
        s[k].scale[0] = (i32xr)(words[k / 2] << (24 - k % 2 * 16)) >> 24;
        s[k].scale[1] = (i32xr)(words[k / 2] << (16 - k % 2 * 16)) >> 24;
    }
}

INLINE void q6_k_load(const row_set *r, int sub, u32xr *raw) {
    const size_t ql = (size_t)sub / 4 * 64, qh = offsetof(kern_q6_k, qh) + (size_t)sub / 4 * 32;
    if (sub % 4 == 0) words32_of_rows(r, qh, raw), words32_of_rows(r, ql, raw + 8);
    if (sub % 4 == 1) words32_of_rows(r, ql + 32, raw + 16);
}

INLINE u32xr q6_k_word(const u32xr *raw, int sub, int j) {
    const int quarter = sub % 4;
    return (raw[8 + quarter % 2 * 8 + j] >> (quarter / 2 * 4) & 0x0F0F0F0F) | (shifted_right(raw[j], quarter * 2 - 4) & 0x30303030);
}
#endif
