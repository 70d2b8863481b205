/* Q5_0: d * (q - 16). Nibbles as in Q4_0; bit j of the 32 bits `qh` is weight j's fifth. */
typedef struct { uint16_t d; uint8_t qh[4]; uint8_t qs[16]; } kern_q5_0;

INLINE uint32_t high_bits(const uint8_t *qh) {
    return (uint32_t)qh[0] | (uint32_t)qh[1] << 8 | (uint32_t)qh[2] << 16 | (uint32_t)qh[3] << 24;
}

INLINE void block_q5_0(const kern_q5_0 *b, float *out) {
    const float d = f32_from_f16(b->d);
    const uint32_t high = high_bits(b->qh);
    for (int j = 0; j < 16; j++) {
        out[j] = d * (float)((int)((b->qs[j] & 15) | (high >> j & 1) << 4) - 16);
        out[j + 16] = d * (float)((int)((b->qs[j] >> 4) | (high >> (j + 16) & 1) << 4) - 16);
    }
}

#ifdef ALPACA_DECODE_H
/* Sum over blocks of float(sum (q - 16) a) * (d * d_a). */
static const quant_traits q5_0_traits = {.block_bytes = sizeof(kern_q5_0), .sub_blocks = 1, .offset_bits = 4};

INLINE void q5_0_scales(const row_set *r, row_scales *s) { s->d = f16_of_rows(r, 0); }

/* 16 in each byte of word j whose bit in `high` is set: the product puts four bits at the fifth of a byte each (and nothing carries). */
INLINE u32xr fifth_bits(u32xr high, int j) { return (high >> (uint32_t)(4 * j) & 15) * 0x02040810 & 0x10101010; }

INLINE void q5_0_load(const row_set *r, int sub, u32xr *raw) {
    (void)sub;
    words_of_rows(r, offsetof(kern_q5_0, qs), raw);
    raw[4] = word_of_rows(r, offsetof(kern_q5_0, qh));
}

INLINE u32xr q5_0_word(const u32xr *raw, int sub, int j) {
    (void)sub;
    return ((j < 4 ? raw[j] : raw[j - 4] >> 4) & 0x0F0F0F0F) | fifth_bits(raw[4], j);
}
#endif
