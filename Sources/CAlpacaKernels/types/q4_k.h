/* Q4_K: each 32 bytes of qs: 32 weights in the low nibbles, the next 32 in the high ones. Eight scales and minimums of six bits in twelve
 * bytes: 0 ..< 4 in the low bits of bytes 0 ..< 4 and 4 ..< 8, whose top two bits complete the nibbles of bytes 8 ..< 12. */
typedef struct { uint16_t d, dmin; uint8_t scales[12]; uint8_t qs[128]; } kern_q4_k;

/* Scale and minimum of sub-block i (of eight) of Q4_K and Q5_K. */
INLINE void scale_and_minimum(const uint8_t *scales, int i, int *scale, int *minimum) {
    *scale = i < 4 ? scales[i] & 63 : (scales[i + 4] & 15) | scales[i - 4] >> 6 << 4;
    *minimum = i < 4 ? scales[i + 4] & 63 : scales[i + 4] >> 4 | scales[i] >> 6 << 4;
}

INLINE void block_q4_k(const kern_q4_k *b, float *out) {
    const float d = f32_from_f16(b->d), dmin = f32_from_f16(b->dmin);
    for (int i = 0; i < 8; i++) {
        const uint8_t *q = b->qs + i / 2 * 32;
        int scale, minimum;
        scale_and_minimum(b->scales, i, &scale, &minimum);
        const float s = d * (float)scale, m = dmin * (float)minimum;
        for (int j = 0; j < 32; j++) *out++ = s * (float)(q[j] >> i % 2 * 4 & 15) - m;
    }
}

#ifdef ALPACA_DECODE_H
/* For each 32 weights + float(sum q a) * ((d * scale) * d_a), then + -(dmin * minimum) * (d_a * sum a). */
static const quant_traits q4_k_traits = {.block_bytes = sizeof(kern_q4_k), .sub_blocks = 8, .minimums = true};

/* d, dmin and the scales and minimums are all in the first sixteen bytes of the block. */
INLINE void q4_k_scales(const row_set *r, row_scales *s) {
    u32xr words[4];
    words_of_rows(r, 0, words);
    const f32xr d = f32_from_f16_rows(words[0] & 0xFFFF), dmin = -f32_from_f16_rows(words[0] >> 16);
    const u32xr scales[2] = {words[1] & 0x3F3F3F3F, (words[3] & 0x0F0F0F0F) | (words[1] >> 2 & 0x30303030)};
    const u32xr minimums[2] = {words[2] & 0x3F3F3F3F, (words[3] >> 4 & 0x0F0F0F0F) | (words[2] >> 2 & 0x30303030)};
    UNROLL for (int k = 0; k < 8; k++) {
        s[k].d = d * to_float((i32xr)(scales[k / 4] >> (k % 4 * 8) & 63));
        s[k].minimum = dmin * to_float((i32xr)(minimums[k / 4] >> (k % 4 * 8) & 63));
    }
}

INLINE void q4_k_load(const row_set *r, int sub, u32xr *raw) {
    if (sub % 2 == 0) words32_of_rows(r, offsetof(kern_q4_k, qs) + (size_t)sub / 2 * 32, raw);
}

INLINE u32xr q4_k_word(const u32xr *raw, int sub, int j) { return raw[j] >> (sub % 2 * 4) & 0x0F0F0F0F; }
#endif
