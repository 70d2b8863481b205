/* Q5_K: as Q4_K, with bit `sub` of qh[j] as the fifth. */
static const quant_traits q5_k_traits = {.block_bytes = sizeof(kern_q5_k), .sub_blocks = 8, .minimums = true, .five_bits = true};

INLINE void q5_k_scales(const rows8 *r, size_t at, scales8 *s) { q4_k_scales(r, at, s); }

INLINE void q5_k_weights(const rows8 *r, size_t at, int sub, weights8 *w) {
    const size_t qs = at + offsetof(kern_q5_k, qs) + (size_t)sub / 2 * 32, qh = at + offsetof(kern_q5_k, qh);
    UNROLL for (int i = 0; i < 4; i++) {
        w->low[i] = (shifted_right(bytes_of_rows(r, i, qs), sub % 2 * 4) & 15) | (shifted_right(bytes_of_rows(r, i, qh), sub - 4) & 16);
        w->high[i] = (shifted_right(bytes_of_rows(r, i, qs + 16), sub % 2 * 4) & 15) |
                     (shifted_right(bytes_of_rows(r, i, qh + 16), sub - 4) & 16);
    }
}
