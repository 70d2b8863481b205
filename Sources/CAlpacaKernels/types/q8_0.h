/* Q8_0: sum over blocks of float(sum q a) * (d * d_a). The weights are handed on as q + 128. */
static const quant_traits q8_0_traits = {.block_bytes = sizeof(kern_q8_0), .sub_blocks = 1, .offset_bits = 7, .wide = true};

INLINE void q8_0_scales(const rows8 *r, size_t at, scales8 *s) { s->d = f16_of_rows(r, at); }

INLINE void q8_0_load(const rows8 *r, size_t at, int sub, u32x8 *raw) {
    (void)sub;
    words_of_rows(r, at + offsetof(kern_q8_0, qs), raw);
    words_of_rows(r, at + offsetof(kern_q8_0, qs) + 16, raw + 4);
}

INLINE u32x8 q8_0_word(const u32x8 *raw, int sub, int j) {
    (void)sub;
    return raw[j] ^ 0x80808080;
}
