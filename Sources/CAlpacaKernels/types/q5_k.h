/* Q5_K: as Q4_K, with bit `sub` of qh[j] as the fifth. */
static const quant_traits q5_k_traits = {.block_bytes = sizeof(kern_q5_k), .sub_blocks = 8, .minimums = true, .five_bits = true};

INLINE void q5_k_scales(const row_set *r, row_scales *s) { q4_k_scales(r, s); }

INLINE void q5_k_load(const row_set *r, int sub, u32xr *raw) {
    if (sub % 2 == 0) words32_of_rows(r, offsetof(kern_q5_k, qs) + (size_t)sub / 2 * 32, raw);
    if (sub == 0) words32_of_rows(r, offsetof(kern_q5_k, qh), raw + 8);
}

INLINE u32xr q5_k_word(const u32xr *raw, int sub, int j) {
    return (raw[j] >> (sub % 2 * 4) & 0x0F0F0F0F) | (shifted_right(raw[8 + j], sub - 4) & 0x10101010);
}
