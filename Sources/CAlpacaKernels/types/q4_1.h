/* Q4_1: for each block + float(sum q a) * (d * d_a), then + m * (d_a * sum a). Nibbles as in Q4_0. */
static const quant_traits q4_1_traits = {.block_bytes = sizeof(kern_q4_1), .sub_blocks = 1, .minimums = true};

INLINE void q4_1_scales(const row_set *r, row_scales *s) {
    s->d = f16_of_rows(r, 0);
    s->minimum = f16_of_rows(r, 2);
}

INLINE void q4_1_load(const row_set *r, int sub, u32xr *raw) {
    (void)sub;
    words_of_rows(r, offsetof(kern_q4_1, qs), raw);
}

INLINE u32xr q4_1_word(const u32xr *raw, int sub, int j) {
    (void)sub;
    return (j < 4 ? raw[j] : raw[j - 4] >> 4) & 0x0F0F0F0F;
}
