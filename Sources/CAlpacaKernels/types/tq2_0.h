/* TQ2_0: d * (q - 1). Each 32 bytes: four runs of 32 weights, two bits each, lowest bits first. */
typedef struct { uint8_t qs[64]; uint16_t d; } kern_tq2_0;

INLINE void block_tq2_0(const kern_tq2_0 *b, float *out) {
    const float d = f32_from_f16(b->d);
    for (int run = 0; run < 8; run++) {
        for (int j = 0; j < 32; j++) *out++ = d * (float)((b->qs[run / 4 * 32 + j] >> run % 4 * 2 & 3) - 1);
    }
}

#ifdef ALPACA_DECODE_H
/* For each 32 weights + float(sum (q - 1) a) * (d * d_a). The weights are handed on as q + 1. */
static const quant_traits tq2_0_traits = {.block_bytes = sizeof(kern_tq2_0), .sub_blocks = 8, .offset_bits = 1};

INLINE void tq2_0_scales(const row_set *r, row_scales *s) {
    const f32xr d = f16_of_rows(r, offsetof(kern_tq2_0, d));
    UNROLL for (int k = 0; k < 8; k++) s[k].d = d;
}

INLINE void tq2_0_load(const row_set *r, int sub, u32xr *raw) {
    if (sub % 4 == 0) words32_of_rows(r, offsetof(kern_tq2_0, qs) + (size_t)sub * 8, raw);
}

INLINE u32xr tq2_0_word(const u32xr *raw, int sub, int j) { return (raw[j] >> (uint32_t)(sub % 4 * 2) & 0x03030303) + 0x01010101; }
#endif
