/* Q4_1: d * q + m. Nibbles as in Q4_0. */
typedef struct { uint16_t d, m; uint8_t qs[16]; } kern_q4_1;

INLINE void block_q4_1(const kern_q4_1 *b, float *out) {
    const float d = f32_from_f16(b->d), m = f32_from_f16(b->m);
    for (int j = 0; j < 16; j++) {
        out[j] = d * (float)(b->qs[j] & 15) + m;
        out[j + 16] = d * (float)(b->qs[j] >> 4) + m;
    }
}

#ifdef ALPACA_DECODE_H
/* For each block + float(sum q a) * (d * d_a), then + m * (d_a * sum a). */
static const quant_traits q4_1_traits = {.block_bytes = sizeof(kern_q4_1), .sub_blocks = 1, .minimums = true};

INLINE void q4_1_scales(const row_set *r, row_scales *s) {
    s->d = f16_of_rows(r, 0);
    s->minimum = f16_of_rows(r, 2);
}

INLINE void q4_1_load(const row_set *r, int sub, u32xr *raw) {
    (void)sub;
    words_of_rows(r, offsetof(kern_q4_1, qs), raw);
}

INLINE u32xr q4_1_word(const u32xr *raw, int sub, int j) {
    (void)sub;
    return (j < 4 ? raw[j] : raw[j - 4] >> 4) & 0x0F0F0F0F;
}
#endif
