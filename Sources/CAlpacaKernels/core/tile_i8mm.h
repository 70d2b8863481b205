/* The tile for AArch64's products of matrices of bytes: an instruction takes eight weights of two rows and eight inputs of two tokens,
 * and adds to four sums. So the panel has words 2p and 2p + 1 of a row side by side (PAIRS), 128 bytes for each p: rows 0-3, 8-11, 4-7,
 * 12-15. A block's inputs, paired too, and all running sums stay in registers while four rows after four pass. */
#define PAIRS

/* Pairs of words begin ..< end of four rows times four tokens: for each token a vector of its rows. */
INLINE void four_rows(const uint8_t *rows, const int8x16_t inputs[4][2], int begin, int end, const int32_t *start, int offset_bits,
                      int32x4_t dots[TILE_TOKENS]) {
    int32x4_t sums[2][2]; /* two rows, two tokens each */
    UNROLL for (int t = 0; t < 2; t++) {
        const int32x2_t of_tokens = vld1_s32(start + 2 * t) * (1 << offset_bits);
        sums[0][t] = sums[1][t] = offset_bits ? vcombine_s32(of_tokens, of_tokens) : vdupq_n_s32(0);
    }
    UNROLL for (int p = begin; p < end; p++) {
        UNROLL for (int i = 0; i < 2; i++) {
            const uint8x16_t w = vld1q_u8(rows + 128 * p + 16 * i);
            UNROLL for (int t = 0; t < 2; t++) sums[i][t] = vusmmlaq_s32(sums[i][t], w, inputs[p][t]);
        }
    }
    UNROLL for (int t = 0; t < 2; t++) {
        dots[2 * t] = vuzp1q_s32(sums[0][t], sums[1][t]);
        dots[2 * t + 1] = vuzp2q_s32(sums[0][t], sums[1][t]);
    }
}

INLINE void tile(quant_traits T, const uint8_t *panel, const uint8_t *stream, const uint8_t *side, size_t n, int tokens, float *y,
                 size_t y_stride, bool resume) {
    (void)tokens; /* always all four */
    float32x4_t sums[TILE_TOKENS][4];
    UNROLL for (int c = 0; c < TILE_TOKENS; c++) {
        UNROLL for (int g = 0; g < 4; g++) sums[c][g] = resume ? vld1q_f32(y + (size_t)c * y_stride + 4 * g) : vdupq_n_f32(0);
    }
    for (size_t b = 0; b < n; b++, panel += panel_block_bytes(T), stream += STREAM_BYTES, side += SIDE_BYTES) {
        const float *d = (const float *)(const void *)(stream + 32 * TILE_TOKENS), *d_sum = d + TILE_TOKENS;
        const int32_t *start = (const int32_t *)(const void *)(stream + 40 * TILE_TOKENS), *rare = (const int32_t *)(const void *)side;
        const float *weight_d = (const float *)(const void *)(panel + 512), *minimum = weight_d + PANEL_ROWS;
        const int32_t *minimums = (const int32_t *)(const void *)(panel + 640);
        const int32_t *scale = (const int32_t *)(const void *)(panel + 512 + (T.minimums ? 192 : 64));
        int8x16_t inputs[4][2];
        UNROLL for (int p = 0; p < 4; p++) {
            const int32x4_t even = vreinterpretq_s32_u8(vld1q_u8(stream + 32 * p));
            const int32x4_t odd = vreinterpretq_s32_u8(vld1q_u8(stream + 32 * p + 16));
            inputs[p][0] = vreinterpretq_s8_s32(vzip1q_s32(even, odd));
            inputs[p][1] = vreinterpretq_s8_s32(vzip2q_s32(even, odd));
        }
        UNROLL for (int g = 0; g < 4; g++) {
            const uint8_t *rows = panel + g % 2 * 64 + g / 2 * 32;
            int32x4_t dots[TILE_TOKENS], second[TILE_TOKENS];
            if (T.halves) {
                four_rows(rows, inputs, 0, 2, rare, T.offset_bits, dots);
                four_rows(rows, inputs, 2, 4, rare + TILE_TOKENS, T.offset_bits, second);
            } else {
                four_rows(rows, inputs, 0, 4, start, T.offset_bits, dots);
            }
            UNROLL for (int c = 0; c < TILE_TOKENS; c++) {
                if (T.halves) dots[c] = dots[c] * vld1q_s32(scale + 4 * g) + second[c] * vld1q_s32(scale + PANEL_ROWS + 4 * g);
                sums[c][g] = vfmaq_f32(sums[c][g], vcvtq_f32_s32(dots[c]), vld1q_f32(weight_d + 4 * g) * d[c]);
                if (T.minimums && T.halves) {
                    const int32x4_t both = vld1q_s32(minimums + 4 * g);
                    const int32x4_t products = (both << 16 >> 16) * (int32_t)(int16_t)rare[2 * TILE_TOKENS + c] +
                                               (both >> 16) * (rare[2 * TILE_TOKENS + c] >> 16);
                    sums[c][g] = vfmaq_f32(sums[c][g], vcvtq_f32_s32(products), vld1q_f32(minimum + 4 * g) * d[c]);
                } else if (T.minimums) {
                    sums[c][g] = vfmaq_f32(sums[c][g], vld1q_f32(minimum + 4 * g), vdupq_n_f32(d_sum[c]));
                }
            }
        }
    }
    UNROLL for (int c = 0; c < TILE_TOKENS; c++) {
        UNROLL for (int g = 0; g < 4; g++) vst1q_f32(y + (size_t)c * y_stride + 4 * g, sums[c][g]);
    }
}

INLINE void tile_part(quant_traits T, const uint8_t *panel, const uint8_t *stream, const uint8_t *side, size_t n, size_t tokens, float *y,
                      size_t y_stride, bool resume) {
    tile(T, panel, stream, side, n, (int)tokens, y, y_stride, resume);
}
