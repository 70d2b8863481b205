/* The tile for CPUs whose dot product sums in 32 bits (AVX-VNNI), and in plain C. */
/* Words begin ..< end of a block's eight, onto sums[token][half of the rows]. */
INLINE void tile_words(bool wide, const uint8_t *panel, const uint8_t *stream, int begin, int end, int tokens, i32xr sums[][2]) {
    UNROLL for (int j = begin; j < end; j++) {
        const u8xr w0 = *(const u8xr *)(panel + 64 * j), w1 = *(const u8xr *)(panel + 64 * j + 32);
        UNROLL for (int c = 0; c < tokens; c++) {
            const s8xr a = four_inputs(stream + (j * TILE_TOKENS + c) * 4);
            sums[c][0] = wide ? dot4_wide(sums[c][0], w0, a) : dot4(sums[c][0], w0, a);
            sums[c][1] = wide ? dot4_wide(sums[c][1], w1, a) : dot4(sums[c][1], w1, a);
        }
    }
}

INLINE void tile(quant_traits T, const uint8_t *panel, const uint8_t *stream, const uint8_t *side, size_t n, int tokens, float *y,
                 size_t y_stride, bool resume) {
    f32xr sums[TILE_TOKENS][2];
    for (int c = 0; c < tokens; c++) {
        for (int h = 0; h < 2; h++) sums[c][h] = resume ? load_rows(y + (size_t)c * y_stride + 8 * h) : (f32xr)0.0f;
    }
    for (size_t b = 0; b < n; b++, panel += panel_block_bytes(T), stream += STREAM_BYTES, side += SIDE_BYTES) {
        const float *d = (const float *)(const void *)(stream + 32 * TILE_TOKENS), *d_sum = d + TILE_TOKENS;
        const int32_t *start = (const int32_t *)(const void *)(stream + 40 * TILE_TOKENS), *rare = (const int32_t *)(const void *)side;
        const uint8_t *more = panel + 512;
        const f32xr *weight_d = (const f32xr *)more, *minimum = (const f32xr *)(more + 64);
        const i32xr *minimums = (const i32xr *)(more + 128), *scale = (const i32xr *)(more + (T.minimums ? 192 : 64));
        i32xr dots[TILE_TOKENS][2];
        __asm__ volatile("" : "+m"(sums)); /* in memory: sixteen registers are full of the sums of a block */
        if (T.halves && !folded(T)) {
            i32xr second[TILE_TOKENS][2];
            for (int c = 0; c < tokens; c++) {
                dots[c][0] = dots[c][1] = T.offset_bits ? (i32xr)scaled(rare[c], T.offset_bits) : (i32xr)0;
                second[c][0] = second[c][1] = T.offset_bits ? (i32xr)scaled(rare[TILE_TOKENS + c], T.offset_bits) : (i32xr)0;
            }
            tile_words(false, panel, stream, 0, 4, tokens, dots);
            tile_words(false, panel, stream, 4, 8, tokens, second);
            for (int c = 0; c < tokens; c++) {
                for (int h = 0; h < 2; h++) dots[c][h] = dots[c][h] * scale[h] + second[c][h] * scale[2 + h];
            }
        } else {
            /* Folded weights with an offset have 127 added. */
            const int factor = folded(T) && T.offset_bits ? 127 : T.wide ? 1 << WIDE_OFFSET_BITS : 1 << T.offset_bits;
            for (int c = 0; c < tokens; c++) dots[c][0] = dots[c][1] = factor > 1 ? (i32xr)(start[c] * factor) : (i32xr)0;
            tile_words(T.wide || folded(T), panel, stream, 0, 8, tokens, dots);
        }
        for (int c = 0; c < tokens; c++) {
            for (int h = 0; h < 2; h++) {
                sums[c][h] = fma_rows(to_float(dots[c][h]), weight_d[h] * d[c], sums[c][h]);
                if (T.minimums && T.halves) {
                    const i32xr both = (i32xr)rare[2 * TILE_TOKENS + c];
                    sums[c][h] = fma_rows(to_float(madd16(minimums[h], both)), minimum[h] * d[c], sums[c][h]);
                } else if (T.minimums) {
                    sums[c][h] = fma_rows(minimum[h], (f32xr)d_sum[c], sums[c][h]);
                }
            }
        }
    }
    for (int c = 0; c < tokens; c++) {
        for (int h = 0; h < 2; h++) store_rows(y + (size_t)c * y_stride + 8 * h, sums[c][h]);
    }
}

INLINE void tile_part(quant_traits T, const uint8_t *panel, const uint8_t *stream, const uint8_t *side, size_t n, size_t tokens, float *y,
                      size_t y_stride, bool resume) {
    if (tokens <= 2) {
        tile(T, panel, stream, side, n, 2, y, y_stride, resume);
    } else {
        tile(T, panel, stream, side, n, TILE_TOKENS, y, y_stride, resume);
    }
}
