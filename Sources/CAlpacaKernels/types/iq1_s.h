/* IQ1_S: for each eight weights the low byte of an index; for each 32 weights sixteen bits: the three high bits of four indices, a scale of
 * three bits, and whether an eighth is taken from the weights or added. */
typedef struct { uint16_t d; uint8_t qs[32]; uint16_t qh[8]; } kern_iq1_s;

INLINE void block_iq1_s(const kern_iq1_s *b, float *out) {
    const float d = f32_from_f16(b->d);
    for (int g = 0; g < 8; g++) {
        const uint32_t h = b->qh[g];
        const float scale = d * (float)(2 * (h >> 12 & 7) + 1);
        for (int k = 0; k < 4; k++, out += 8) {
            const uint32_t *entry = kern_grid_iq1 + 2 * (b->qs[4 * g + k] | (h >> 3 * k & 7) << 8);
            shifted_weights(entry[0], h >> 15 ? -1 : 1, scale, out);
            shifted_weights(entry[1], h >> 15 ? -1 : 1, scale, out + 4);
        }
    }
}

#ifdef ALPACA_DECODE_H
/* For each 32 weights + float(sum (8 T +- 1) a) * ((d * (2 s + 1) / 8) * d_a). */
static const quant_traits iq1_s_traits = {.block_bytes = sizeof(kern_iq1_s), .sub_blocks = 8, .offset_bits = 4};

INLINE void iq1_s_scales(const row_set *r, row_scales *s) {
    const f32xr d = f16_of_rows(r, 0) * 0.125f;
    u32xr words[4];
    words_of_rows(r, offsetof(kern_iq1_s, qh), words);
    UNROLL for (int k = 0; k < 8; k++) s[k].d = d * to_float((i32xr)(words[k / 2] >> (uint32_t)(k % 2 * 16 + 12) & 7) * 2 + 1);
}

/* In each byte 1, or -1 where the bit is set. */
INLINE u32xr eighths(u32xr x, int bit) { return (x & 1u << bit) != 0 ? (u32xr){0} + 0xFFFFFFFF : (u32xr){0} + 0x01010101; }

INLINE void iq1_s_load(const row_set *r, int sub, u32xr *raw) {
    if (sub == 0) words_of_rows(r, offsetof(kern_iq1_s, qh), raw + 4);
    if (sub % 4 == 0) words_of_rows(r, offsetof(kern_iq1_s, qs) + (size_t)sub * 4, raw);
    raw[8] = eighths(raw[4 + sub / 2], sub % 2 * 16 + 15);
}

INLINE u32xr iq1_s_word(const u32xr *raw, int sub, int j) {
    const u32xr high = raw[4 + sub / 2] >> (uint32_t)(sub % 2 * 16 + j / 2 * 3) & 7;
    const u32xr index = ((raw[sub % 4] >> (uint32_t)(j / 2 * 8) & 255) | high << 8) * 2 + (uint32_t)(j % 2);
    return (u32xr)((u8xr)gather(kern_grid_iq1, index) + (u8xr)raw[8]);
}
#endif
