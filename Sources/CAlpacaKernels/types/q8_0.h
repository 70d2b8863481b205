/* Q8_0: d * q. */
typedef struct { uint16_t d; int8_t qs[32]; } kern_q8_0;

INLINE void block_q8_0(const kern_q8_0 *b, float *out) {
    const float d = f32_from_f16(b->d);
    for (int j = 0; j < 32; j++) out[j] = d * (float)b->qs[j];
}

#ifdef ALPACA_DECODE_H
/* Sum over blocks of float(sum q a) * (d * d_a). The weights are handed on as q + 128. */
static const quant_traits q8_0_traits = {.block_bytes = sizeof(kern_q8_0), .sub_blocks = 1, .offset_bits = 7, .wide = true};

INLINE void q8_0_scales(const row_set *r, row_scales *s) { s->d = f16_of_rows(r, 0); }

INLINE void q8_0_load(const row_set *r, int sub, u32xr *raw) {
    (void)sub;
    words_of_rows(r, offsetof(kern_q8_0, qs), raw);
    words_of_rows(r, offsetof(kern_q8_0, qs) + 16, raw + 4);
}

INLINE u32xr q8_0_word(const u32xr *raw, int sub, int j) {
    (void)sub;
    return raw[j] ^ 0x80808080;
}
#endif
