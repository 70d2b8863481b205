/* Q5_K: as Q4_K with a fifth bit: bit i of qh[j]. */
typedef struct { uint16_t d, dmin; uint8_t scales[12]; uint8_t qh[32]; uint8_t qs[128]; } kern_q5_k;

INLINE void block_q5_k(const kern_q5_k *b, float *out) {
    const float d = f32_from_f16(b->d), dmin = f32_from_f16(b->dmin);
    for (int i = 0; i < 8; i++) {
        const uint8_t *q = b->qs + i / 2 * 32;
        int scale, minimum;
        scale_and_minimum(b->scales, i, &scale, &minimum);
        const float s = d * (float)scale, m = dmin * (float)minimum;
        for (int j = 0; j < 32; j++) *out++ = s * (float)((q[j] >> i % 2 * 4 & 15) + (b->qh[j] >> i & 1) * 16) - m;
    }
}

#ifdef ALPACA_DECODE_H
/* The formula of Q4_K. */
static const quant_traits q5_k_traits = {.block_bytes = sizeof(kern_q5_k), .sub_blocks = 8, .minimums = true, .five_bits = true};

INLINE void q5_k_scales(const row_set *r, row_scales *s) { q4_k_scales(r, s); }

INLINE void q5_k_load(const row_set *r, int sub, u32xr *raw) {
    if (sub % 2 == 0) words32_of_rows(r, offsetof(kern_q5_k, qs) + (size_t)sub / 2 * 32, raw);
    if (sub == 0) words32_of_rows(r, offsetof(kern_q5_k, qh), raw + 8);
}

INLINE u32xr q5_k_word(const u32xr *raw, int sub, int j) {
    return (raw[j] >> (sub % 2 * 4) & 0x0F0F0F0F) | (shifted_right(raw[8 + j], sub - 4) & 0x10101010);
}
#endif
