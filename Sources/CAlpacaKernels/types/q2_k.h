/* Q2_K: sixteen scales (low nibble, times d) and minimums (high nibble, times dmin) of 16 weights. Each 32 bytes of qs hold four runs
 * of 32 weights, two bits each, lowest bits first. */
typedef struct { uint8_t scales[16]; uint8_t qs[64]; uint16_t d, dmin; } kern_q2_k;

INLINE void block_q2_k(const kern_q2_k *b, float *out) {
    const float d = f32_from_f16(b->d), dmin = f32_from_f16(b->dmin);
    for (int run = 0; run < 16; run++) {
        const uint8_t *q = b->qs + run / 8 * 32 + run % 2 * 16;
        const float scale = d * (float)(b->scales[run] & 15), minimum = dmin * (float)(b->scales[run] >> 4);
        for (int j = 0; j < 16; j++) *out++ = scale * (float)(q[j] >> run % 8 / 2 * 2 & 3) - minimum;
    }
}

#ifdef ALPACA_DECODE_H
/* For each 32 weights + float(scale0 * sum q a + scale1 * sum' q a) * (d * d_a), then
 * + float(minimum0 * sum a + minimum1 * sum' a) * (-dmin * d_a); sum is over the first sixteen, sum' over the others. */
static const quant_traits q2_k_traits = {
    .block_bytes = sizeof(kern_q2_k), .sub_blocks = 8, .minimums = true, .halves = true, .foldable = true};

INLINE void q2_k_scales(const row_set *r, row_scales *s) {
    u32xr words[4];
    words_of_rows(r, 0, words);
    const u32xr both = word_of_rows(r, offsetof(kern_q2_k, d));
    const f32xr d = f32_from_f16_rows(both & 0xFFFF), minimum = -f32_from_f16_rows(both >> 16);
    UNROLL for (int k = 0; k < 8; k++) {
        const u32xr two = words[k / 2] >> (k % 2 * 16);
        s[k].d = d, s[k].minimum = minimum;
        s[k].scale[0] = (i32xr)(two & 15), s[k].scale[1] = (i32xr)(two >> 8 & 15);
        s[k].minimums = (i32xr)((two >> 4 & 15) | (two << 4 & 0xF0000));
    }
}

INLINE void q2_k_load(const row_set *r, int sub, u32xr *raw) {
    if (sub % 4 == 0) words32_of_rows(r, offsetof(kern_q2_k, qs) + (size_t)sub / 4 * 32, raw);
}

INLINE u32xr q2_k_word(const u32xr *raw, int sub, int j) { return raw[j] >> (sub % 4 * 2) & 0x03030303; }
#endif
