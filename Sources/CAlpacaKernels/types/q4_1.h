/* Q4_1: for each block + float(sum q a) * (d * d_a), then + m * (d_a * sum a). Nibbles as in Q4_0. */
static const quant_traits q4_1_traits = {.block_bytes = sizeof(kern_q4_1), .sub_blocks = 1, .minimums = true};

INLINE void q4_1_scales(const rows8 *r, size_t at, scales8 *s) {
    s->d = f16_of_rows(r, at);
    s->minimum = f16_of_rows(r, at + 2);
}

INLINE void q4_1_load(const rows8 *r, size_t at, int sub, u32x8 *raw) {
    (void)sub;
    words_of_rows(r, at + offsetof(kern_q4_1, qs), raw);
}

INLINE u32x8 q4_1_word(const u32x8 *raw, int sub, int j) {
    (void)sub;
    return (j < 4 ? raw[j] : raw[j - 4] >> 4) & 0x0F0F0F0F;
}
