/* IQ4_NL: d * values[q]. Nibbles as in Q4_0; the sixteen values lie closer together near zero, where most weights are. */
typedef struct { uint16_t d; uint8_t qs[16]; } kern_iq4_nl;

static const int8_t iq4_nl_values[16] = {-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113};

INLINE void block_iq4_nl(const kern_iq4_nl *b, float *out) {
    const float d = f32_from_f16(b->d);
    for (int j = 0; j < 16; j++) {
        out[j] = d * (float)iq4_nl_values[b->qs[j] & 15];
        out[j + 16] = d * (float)iq4_nl_values[b->qs[j] >> 4];
    }
}

#ifdef ALPACA_DECODE_H
/* Sum over blocks of float(sum value a) * (d * d_a). The weights are handed on as value + 128, as Q8_0's. */
static const quant_traits iq4_nl_traits = {.block_bytes = sizeof(kern_iq4_nl), .sub_blocks = 1, .offset_bits = 7, .wide = true};

static const uint8_t iq4_nl_unsigned[16] = {1, 24, 45, 63, 79, 93, 106, 118, 129, 141, 153, 166, 181, 197, 217, 241};

INLINE void iq4_nl_scales(const row_set *r, row_scales *s) { s->d = f16_of_rows(r, 0); }

INLINE void iq4_nl_load(const row_set *r, int sub, u32xr *raw) {
    (void)sub;
    words_of_rows(r, offsetof(kern_iq4_nl, qs), raw);
}

INLINE u32xr iq4_nl_word(const u32xr *raw, int sub, int j) {
    (void)sub;
    return (u32xr)lookup16((u8xr)((j < 4 ? raw[j] : raw[j - 4] >> 4) & 0x0F0F0F0F), iq4_nl_unsigned);
}
#endif
