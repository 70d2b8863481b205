/* Q4_0: sum over blocks of float(sum (q - 8) a) * (d * d_a). Weight j is the low nibble of byte j, weight j + 16 the high one. */
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
