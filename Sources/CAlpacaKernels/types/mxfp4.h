/* MXFP4: 2^(e - 128) times sixteen values, nibbles as in Q4_0. The values are twice those of the standard's E2M1. */
typedef struct { uint8_t e; uint8_t qs[16]; } kern_mxfp4;

static const int8_t mxfp4_values[16] = {0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12};

/* 2^(e - 128): of the two least exponents a subnormal number. */
INLINE float mxfp4_scale(uint32_t e) { return __builtin_bit_cast(float, e < 2 ? 0x00200000u << e : (e - 1) << 23); }

INLINE void block_mxfp4(const kern_mxfp4 *b, float *out) {
    const float d = mxfp4_scale(b->e);
    for (int j = 0; j < 16; j++) {
        out[j] = d * (float)mxfp4_values[b->qs[j] & 15];
        out[j + 16] = d * (float)mxfp4_values[b->qs[j] >> 4];
    }
}

#ifdef ALPACA_DECODE_H
/* Sum over blocks of float(sum value a) * (d * d_a). The weights are handed on as value + 16. */
static const quant_traits mxfp4_traits = {.block_bytes = sizeof(kern_mxfp4), .sub_blocks = 1, .offset_bits = 4};

static const uint8_t mxfp4_unsigned[16] = {16, 17, 18, 19, 20, 22, 24, 28, 16, 15, 14, 13, 12, 10, 8, 4};

INLINE void mxfp4_scales(const row_set *r, row_scales *s) {
    const u32xr e = word_of_rows(r, 0) & 255, least = ((u32xr){0} + 0x00200000u) << (e & 1);
    s->d = (f32xr)(e < 2 ? least : (e - 1) << 23);
}

INLINE void mxfp4_load(const row_set *r, int sub, u32xr *raw) {
    (void)sub;
    words_of_rows(r, offsetof(kern_mxfp4, qs), raw);
}

INLINE u32xr mxfp4_word(const u32xr *raw, int sub, int j) {
    (void)sub;
    return (u32xr)lookup16((u8xr)((j < 4 ? raw[j] : raw[j - 4] >> 4) & 0x0F0F0F0F), mxfp4_unsigned);
}
#endif
