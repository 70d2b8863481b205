/* Q5_0: sum over blocks of float(sum (q - 16) a) * (d * d_a). As Q4_0, with bit j of the 32 bits `qh` as weight j's fifth. */
static const quant_traits q5_0_traits = {.block_bytes = sizeof(kern_q5_0), .sub_blocks = 1, .offset_bits = 4};

INLINE void q5_0_scales(const rows8 *r, size_t at, scales8 *s) { s->d = f16_of_rows(r, at); }

/* Byte b of each lane four times. */
INLINE u8x32 spread(u8x32 x, int b) {
#define SPREAD(b)                                                                                                                      \
    __builtin_shufflevector(x, x, b, b, b, b, b + 4, b + 4, b + 4, b + 4, b + 8, b + 8, b + 8, b + 8, b + 12, b + 12, b + 12, b + 12,  \
                            b + 16, b + 16, b + 16, b + 16, b + 20, b + 20, b + 20, b + 20, b + 24, b + 24, b + 24, b + 24, b + 28,    \
                            b + 28, b + 28, b + 28)
    return b == 0 ? SPREAD(0) : b == 1 ? SPREAD(1) : b == 2 ? SPREAD(2) : SPREAD(3);
#undef SPREAD
}

/* 16 in each byte of word j whose bit in `high` is set. */
INLINE u32x8 fifth_bits(u32x8 high, int j) {
    const u8x32 bits = (u8x32)((u32x8)(j % 2 ? 0x80402010 : 0x08040201));
    return (u32x8)((spread((u8x32)high, j / 2) & bits) == bits) & 0x10101010;
}

INLINE void q5_0_load(const rows8 *r, size_t at, int sub, u32x8 *raw) {
    (void)sub;
    words_of_rows(r, at + offsetof(kern_q5_0, qs), raw);
    raw[4] = word_of_rows(r, at + offsetof(kern_q5_0, qh));
}

INLINE u32x8 q5_0_word(const u32x8 *raw, int sub, int j) {
    (void)sub;
    return ((j < 4 ? raw[j] : raw[j - 4] >> 4) & 0x0F0F0F0F) | fifth_bits(raw[4], j);
}
