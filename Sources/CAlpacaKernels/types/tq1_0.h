/* TQ1_0: d * t, t of -1, 0, 1, five to a byte as the digits of a fraction of 256 to the base of three, the first one highest: digit n of a
 * byte is what comes before the point once it is multiplied by 3^n and, without what then is before it, by three. Weights 0 ..< 160 are the
 * five digits of bytes 0 ..< 32, 160 ..< 240 those of bytes 32 ..< 48, and 240 ..< 256 four of the four bytes qh. */
typedef struct { uint8_t qs[48]; uint8_t qh[4]; uint16_t d; } kern_tq1_0;

INLINE float *trits_of_bytes(const uint8_t *bytes, int count, int digits, float d, float *out) {
    for (uint32_t n = 0, power = 1; n < (uint32_t)digits; n++, power *= 3) {
        for (int i = 0; i < count; i++) *out++ = d * (float)((int)((bytes[i] * power & 255) * 3 >> 8) - 1);
    }
    return out;
}

INLINE void block_tq1_0(const kern_tq1_0 *b, float *out) {
    const float d = f32_from_f16(b->d);
    out = trits_of_bytes(b->qs, 32, 5, d, out);
    out = trits_of_bytes(b->qs + 32, 16, 5, d, out);
    trits_of_bytes(b->qh, 4, 4, d, out);
}

#ifdef ALPACA_DECODE_H
/* For each 32 weights + float(sum t a) * (d * d_a). The weights are handed on as t + 2. */
static const quant_traits tq1_0_traits = {.block_bytes = sizeof(kern_tq1_0), .sub_blocks = 8, .offset_bits = 1};

INLINE void tq1_0_scales(const row_set *r, row_scales *s) {
    const f32xr d = f16_of_rows(r, offsetof(kern_tq1_0, d));
    UNROLL for (int k = 0; k < 8; k++) s[k].d = d;
}

INLINE u32xr tripled(u32xr bytes) { return (u32xr)((u8xr)bytes + (u8xr)bytes + (u8xr)bytes); }

/* raw: bytes whose first digits are these 32 weights. Bytes 32 ..< 48 have 16 weights to a digit: two digits for each 32. */
INLINE void tq1_0_load(const row_set *r, int sub, u32xr *raw) {
    if (sub == 0) words32_of_rows(r, offsetof(kern_tq1_0, qs), raw);
    if (sub > 0 && sub < 5) {
        UNROLL for (int j = 0; j < 8; j++) raw[j] = tripled(raw[j]);
    }
    if (sub == 5) words_of_rows(r, offsetof(kern_tq1_0, qs) + 32, raw);
    if (sub > 5) {
        UNROLL for (int j = 0; j < 4; j++) raw[j] = tripled(raw[j + 4]);
    }
    if (sub == 5 || sub == 6) {
        UNROLL for (int j = 0; j < 4; j++) raw[j + 4] = tripled(raw[j]);
    }
    if (sub == 7) {
        raw[4] = word_of_rows(r, offsetof(kern_tq1_0, qh));
        UNROLL for (int j = 5; j < 8; j++) raw[j] = tripled(raw[j - 1]);
    }
}

INLINE u32xr tq1_0_word(const u32xr *raw, int sub, int j) {
    (void)sub;
    const u8xr x = (u8xr)raw[j], none = 0, one = 1;
    return (u32xr)(one + (x >= 86 ? one : none) + (x >= 171 ? one : none));
}
#endif
