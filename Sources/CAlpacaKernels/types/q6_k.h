/* Q6_K: for each 32 weights + float(scale0 * sum (q - 32) a + scale1 * sum' (q - 32) a) * (d * d_a), signed scales of eight bits.
 * Each half (128 weights) has 64 bytes of ql and 32 of qh: runs of 32 weights take the low nibbles of the first and second 32 bytes,
 * then the high ones, and two bits of qh each. */
static const quant_traits q6_k_traits = {.block_bytes = sizeof(kern_q6_k), .sub_blocks = 8, .offset_bits = 5, .halves = true};

INLINE void q6_k_scales(const rows8 *r, size_t at, scales8 *s) {
    u32x8 words[4];
    words_of_rows(r, at + offsetof(kern_q6_k, scales), words);
    const f32x8 d = f16_of_rows(r, at + offsetof(kern_q6_k, d));
    UNROLL for (int k = 0; k < 8; k++) {
        s[k].d = d;
        s[k].scale[0] = (i32x8)(words[k / 2] << (24 - k % 2 * 16)) >> 24;
        s[k].scale[1] = (i32x8)(words[k / 2] << (16 - k % 2 * 16)) >> 24;
    }
}

INLINE void q6_k_weights(const rows8 *r, size_t at, int sub, weights8 *w) {
    const int half = sub / 4, quarter = sub % 4;
    const size_t ql = at + (size_t)half * 64 + (size_t)quarter % 2 * 32, qh = at + offsetof(kern_q6_k, qh) + (size_t)half * 32;
    UNROLL for (int i = 0; i < 4; i++) {
        w->low[i] = (shifted_right(bytes_of_rows(r, i, ql), quarter / 2 * 4) & 15) |
                    (shifted_right(bytes_of_rows(r, i, qh), quarter * 2 - 4) & 48);
        w->high[i] = (shifted_right(bytes_of_rows(r, i, ql + 16), quarter / 2 * 4) & 15) |
                     (shifted_right(bytes_of_rows(r, i, qh + 16), quarter * 2 - 4) & 48);
    }
}
