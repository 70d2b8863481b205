/* Q4_0: d * (q - 8). Weight j is the low nibble of byte j, weight j + 16 the high one. */
typedef struct { uint16_t d; uint8_t qs[16]; } kern_q4_0;

INLINE void block_q4_0(const kern_q4_0 *b, float *out) {
    const float d = f32_from_f16(b->d);
    for (int j = 0; j < 16; j++) {
        out[j] = d * (float)((b->qs[j] & 15) - 8);
        out[j + 16] = d * (float)((b->qs[j] >> 4) - 8);
    }
}

#ifdef ALPACA_DECODE_H
/* Sum over blocks of float(sum (q - 8) a) * (d * d_a). */
static const quant_traits q4_0_traits = {.block_bytes = sizeof(kern_q4_0), .sub_blocks = 1, .offset_bits = 3};

INLINE void q4_0_scales(const row_set *r, row_scales *s) { s->d = f16_of_rows(r, 0); }

INLINE void q4_0_load(const row_set *r, int sub, u32xr *raw) {
    (void)sub;
    words_of_rows(r, offsetof(kern_q4_0, qs), raw);
}

INLINE u32xr q4_0_word(const u32xr *raw, int sub, int j) {
    (void)sub;
    return (j < 4 ? raw[j] : raw[j - 4] >> 4) & 0x0F0F0F0F;
}
#endif
