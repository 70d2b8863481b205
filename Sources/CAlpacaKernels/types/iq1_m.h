/* IQ1_M: for each eight weights the low byte of an index and four bits: its three high bits, and whether an eighth is taken from the weights
 * or added. A scale of three bits for sixteen weights, four in sixteen bits, whose top four are a part of the block's binary16 scale. */
typedef struct { uint8_t qs[32]; uint8_t qh[16]; uint8_t scales[8]; } kern_iq1_m;

INLINE uint16_t iq1_m_d(const uint8_t *scales) {
    return (uint16_t)(scales[1] >> 4 | (scales[3] & 0xF0) | (scales[5] & 0xF0) << 4 | (scales[7] & 0xF0) << 8);
}

INLINE void block_iq1_m(const kern_iq1_m *b, float *out) {
    const float d = f32_from_f16(iq1_m_d(b->scales));
    for (int k = 0; k < 32; k++, out += 8) {
        const int h = b->qh[k / 2] >> k % 2 * 4, four = b->scales[k / 8 * 2] | b->scales[k / 8 * 2 + 1] << 8;
        const float scale = d * (float)(2 * (four >> k / 2 % 4 * 3 & 7) + 1);
        const uint32_t *entry = kern_grid_iq1 + 2 * (b->qs[k] | (h & 7) << 8);
        shifted_weights(entry[0], h & 8 ? -1 : 1, scale, out);
        shifted_weights(entry[1], h & 8 ? -1 : 1, scale, out + 4);
    }
}

#ifdef ALPACA_DECODE_H
/* For each 32 weights + float((2 s0 + 1) sum (8 T +- 1) a + (2 s1 + 1) sum' (8 T +- 1) a) * ((d / 8) * d_a). */
static const quant_traits iq1_m_traits = {.block_bytes = sizeof(kern_iq1_m), .sub_blocks = 8, .offset_bits = 4, .halves = true};

INLINE void iq1_m_scales(const row_set *r, row_scales *s) {
    const u32xr a = word_of_rows(r, offsetof(kern_iq1_m, scales)), b = word_of_rows(r, offsetof(kern_iq1_m, scales) + 4);
    const f32xr d = f32_from_f16_rows((a >> 12 & 0xF) | (a >> 24 & 0xF0) | (b >> 4 & 0xF00) | (b >> 16 & 0xF000)) * 0.125f;
    UNROLL for (int k = 0; k < 8; k++) {
        const u32xr two = (k < 4 ? a : b) >> (uint32_t)(k / 2 % 2 * 16 + k % 2 * 6);
        s[k].d = d;
        s[k].scale[0] = (i32xr)(two & 7) * 2 + 1, s[k].scale[1] = (i32xr)(two >> 3 & 7) * 2 + 1;
    }
}

INLINE void iq1_m_load(const row_set *r, int sub, u32xr *raw) {
    if (sub == 0) words_of_rows(r, offsetof(kern_iq1_m, qh), raw + 4);
    if (sub % 4 == 0) words_of_rows(r, offsetof(kern_iq1_m, qs) + (size_t)sub * 4, raw);
}

INLINE u32xr iq1_m_word(const u32xr *raw, int sub, int j) {
    const int at = sub % 2 * 16 + j / 2 * 4;
    const u32xr high = raw[4 + sub / 2], shift = eighths(high, at + 3);
    const u32xr index = ((raw[sub % 4] >> (uint32_t)(j / 2 * 8) & 255) | (high >> (uint32_t)at & 7) << 8) * 2 + (uint32_t)(j % 2);
    return (u32xr)((u8xr)gather(kern_grid_iq1, index) + (u8xr)shift);
}
#endif
