/* The tile for AVX2: products of bytes are summed in 16-bit lanes, and in 32 bits once a block (or half a block, where the halves have
 * scales of their own, which then cost nothing: they take the place of the ones that the 16-bit lanes are multiplied by).
 *
 * Why 16 bits suffice: inputs are -127 ... 127, so a lane, which takes sixteen products of a block, stays within 16 * 15 * 127 = 30480
 * for weights of four bits, and within 16 * 16 * 127 = 32512 for five bits less 16; eight products of six bits less 32 as well.
 * Sums may wrap on the way. Seven bits (`broad`) are summed in 32. Five bits without an offset are treated as if they had one, which is
 * given back at the end in 32 bits; eight bits are two weights of four (the upper one less 8), for eight rows at a time. */
/* Words begin ..< end of a block's eight, onto sums[token][half of the rows]. */
INLINE void tile_words(const uint8_t *panel, const uint8_t *stream, int begin, int end, int tokens, __m256i sums[][2]) {
    UNROLL for (int j = begin; j < end; j++) {
        const __m256i w0 = _mm256_load_si256((const __m256i *)(panel + 64 * j));
        const __m256i w1 = _mm256_load_si256((const __m256i *)(panel + 64 * j + 32));
        UNROLL for (int c = 0; c < tokens; c++) {
            const __m256i a = bcast(stream + (j * TILE_TOKENS + c) * 4);
            sums[c][0] = _mm256_add_epi16(sums[c][0], _mm256_maddubs_epi16(w0, a));
            sums[c][1] = _mm256_add_epi16(sums[c][1], _mm256_maddubs_epi16(w1, a));
        }
        /* Left alone, the compiler adds in trees, token by token, and spends its sixteen registers and its time on keeping weights. */
        UNROLL for (int c = 0; c < tokens; c += 2) {
            __asm__ volatile("" : "+x"(sums[c][0]), "+x"(sums[c][1]), "+x"(sums[c + 1][0]), "+x"(sums[c + 1][1]));
        }
    }
}

/* The same with weights of seven bits, whose products leave no room for sums of 16 bits. */
INLINE void tile_broad_words(const uint8_t *panel, const uint8_t *stream, int begin, int end, int tokens, __m256i sums[][2]) {
    UNROLL for (int j = begin; j < end; j++) {
        const u8xr w0 = *(const u8xr *)(panel + 64 * j), w1 = *(const u8xr *)(panel + 64 * j + 32);
        UNROLL for (int c = 0; c < tokens; c++) {
            const s8xr a = (s8xr)bcast(stream + (j * TILE_TOKENS + c) * 4);
            sums[c][0] = (__m256i)dot4((i32xr)sums[c][0], w0, a);
            sums[c][1] = (__m256i)dot4((i32xr)sums[c][1], w1, a);
        }
        UNROLL for (int c = 0; c < tokens; c += 2) {
            __asm__ volatile("" : "+x"(sums[c][0]), "+x"(sums[c][1]), "+x"(sums[c + 1][0]), "+x"(sums[c + 1][1]));
        }
    }
}

/* A start value of them, in 32 bits. */
INLINE __m256i broadly_started(const int32_t *start, int offset_bits) {
    return _mm256_madd_epi16(bcast(start), _mm256_set1_epi16((short)(1 << offset_bits)));
}

/* A start value, or nothing where there is no offset. */
INLINE __m256i started(const int32_t *start, int offset_bits) {
    return offset_bits ? _mm256_slli_epi16(bcast(start), offset_bits) : _mm256_setzero_si256();
}

INLINE void tile(quant_traits T, const uint8_t *panel, const uint8_t *stream, const uint8_t *side, size_t n, int tokens, float *y,
                 size_t y_stride, bool resume) {
    const __m256i ones = _mm256_set1_epi16(1);
    f32xr sums[TILE_TOKENS][2];
    UNROLL for (int c = 0; c < tokens; c++) {
        for (int h = 0; h < 2; h++) sums[c][h] = resume ? load_rows(y + (size_t)c * y_stride + 8 * h) : (f32xr)0.0f;
    }
    for (size_t b = 0; b < n; b++, panel += panel_block_bytes(T), stream += STREAM_BYTES, side += SIDE_BYTES) {
        const float *d = (const float *)(const void *)(stream + 32 * TILE_TOKENS), *d_sum = d + TILE_TOKENS;
        const int32_t *start = (const int32_t *)(const void *)(stream + 40 * TILE_TOKENS), *rare = (const int32_t *)(const void *)side;
        const uint8_t *more = panel + quants_bytes(T);
        const f32xr *weight_d = (const f32xr *)more, *minimum = (const f32xr *)(more + 64);
        const __m256i *minimums = (const __m256i *)(more + 128), *scale = (const __m256i *)(more + (T.minimums ? 192 : 64));
        __m256i dots[TILE_TOKENS][2], s[TILE_TOKENS][2];
        /* The running sums stay in memory, where the sums of a block leave no room for them; the compiler would move them about. */
        __asm__ volatile("" : "+m"(sums));
        if (T.wide) {
            UNROLL for (int h = 0; h < 2; h++) {
                UNROLL for (int c = 0; c < tokens; c++) s[c][0] = _mm256_setzero_si256(), s[c][1] = started(start + c, 3);
                tile_words(panel + 512 * h, stream, 0, 8, tokens, s);
                UNROLL for (int c = 0; c < tokens; c++) {
                    dots[c][h] = _mm256_add_epi32(_mm256_madd_epi16(s[c][0], ones), _mm256_madd_epi16(s[c][1], _mm256_set1_epi16(16)));
                }
            }
        } else if (T.broad && T.halves) {
            UNROLL for (int c = 0; c < tokens; c++) s[c][0] = s[c][1] = broadly_started(rare + c, T.offset_bits);
            tile_broad_words(panel, stream, 0, 4, tokens, s);
            UNROLL for (int c = 0; c < tokens; c++) {
                for (int h = 0; h < 2; h++) dots[c][h] = (__m256i)((i32xr)s[c][h] * ((i32xr)scale[h] & 0xFFFF));
                s[c][0] = s[c][1] = broadly_started(rare + TILE_TOKENS + c, T.offset_bits);
            }
            tile_broad_words(panel, stream, 4, 8, tokens, s);
            UNROLL for (int c = 0; c < tokens; c++) {
                for (int h = 0; h < 2; h++) dots[c][h] = (__m256i)((i32xr)dots[c][h] + (i32xr)s[c][h] * ((i32xr)scale[2 + h] & 0xFFFF));
            }
        } else if (T.broad) {
            UNROLL for (int c = 0; c < tokens; c++) dots[c][0] = dots[c][1] = broadly_started(start + c, T.offset_bits);
            tile_broad_words(panel, stream, 0, 8, tokens, dots);
        } else if (T.halves) {
            UNROLL for (int c = 0; c < tokens; c++) s[c][0] = s[c][1] = started(rare + c, T.offset_bits);
            tile_words(panel, stream, 0, 4, tokens, s);
            UNROLL for (int c = 0; c < tokens; c++) {
                for (int h = 0; h < 2; h++) dots[c][h] = _mm256_madd_epi16(s[c][h], scale[h]);
                s[c][0] = s[c][1] = started(rare + TILE_TOKENS + c, T.offset_bits);
            }
            tile_words(panel, stream, 4, 8, tokens, s);
            UNROLL for (int c = 0; c < tokens; c++) {
                for (int h = 0; h < 2; h++) dots[c][h] = _mm256_add_epi32(dots[c][h], _mm256_madd_epi16(s[c][h], scale[2 + h]));
            }
        } else {
            /* Weights of four bits stay within 16 bits without their offset, which costs least when it is given to the sum of 32. */
            const int before = T.five_bits || T.offset_bits == 4 ? 4 : 0;
            const int after = T.five_bits ? -16 : T.offset_bits && !before ? 1 << T.offset_bits : 0;
            UNROLL for (int c = 0; c < tokens; c++) s[c][0] = s[c][1] = started(start + c, before);
            tile_words(panel, stream, 0, 8, tokens, s);
            UNROLL for (int c = 0; c < tokens; c++) {
                const __m256i offset = _mm256_madd_epi16(bcast(start + c), _mm256_set1_epi16((short)after));
                for (int h = 0; h < 2; h++) {
                    dots[c][h] = _mm256_madd_epi16(s[c][h], ones);
                    if (after) dots[c][h] = _mm256_add_epi32(dots[c][h], offset);
                }
            }
        }
        UNROLL for (int c = 0; c < tokens; c++) {
            for (int h = 0; h < 2; h++) {
                sums[c][h] = fma_rows(to_float((i32xr)dots[c][h]), weight_d[h] * d[c], sums[c][h]);
                if (T.minimums && T.halves) {
                    const i32xr products = (i32xr)_mm256_madd_epi16(minimums[h], bcast(rare + 2 * TILE_TOKENS + c));
                    sums[c][h] = fma_rows(to_float(products), minimum[h] * d[c], sums[c][h]);
                } else if (T.minimums) {
                    sums[c][h] = fma_rows(minimum[h], (f32xr)d_sum[c], sums[c][h]);
                }
            }
        }
    }
    UNROLL for (int c = 0; c < tokens; c++) {
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
