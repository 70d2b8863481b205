/* The tile for AVX-512 VNNI: a word of sixteen rows is one register, and twelve tokens' sums and running sums stay in registers. */
INLINE __m512i bcast(const void *p) {
    int32_t word;
    __builtin_memcpy(&word, p, 4);
    return _mm512_set1_epi32(word);
}

INLINE void tile_words(const uint8_t *panel, const uint8_t *stream, int begin, int end, int tokens, __m512i sums[]) {
    UNROLL for (int j = begin; j < end; j++) {
        const __m512i w = _mm512_load_si512(panel + 64 * j);
        UNROLL for (int c = 0; c < tokens; c++) sums[c] = _mm512_dpbusd_epi32(sums[c], w, bcast(stream + (j * TILE_TOKENS + c) * 4));
    }
}

INLINE __m512i started(const int32_t *start, int offset_bits) {
    return offset_bits ? _mm512_slli_epi32(bcast(start), offset_bits) : _mm512_setzero_si512();
}

INLINE void tile(quant_traits T, const uint8_t *panel, const uint8_t *stream, const uint8_t *side, size_t n, int tokens, float *y,
                 size_t y_stride, bool resume) {
    __m512 sums[TILE_TOKENS];
    UNROLL for (int c = 0; c < tokens; c++) sums[c] = resume ? _mm512_loadu_ps(y + (size_t)c * y_stride) : _mm512_setzero_ps();
    for (size_t b = 0; b < n; b++, panel += panel_block_bytes(T), stream += STREAM_BYTES, side += SIDE_BYTES) {
        const float *d = (const float *)(const void *)(stream + 32 * TILE_TOKENS), *d_sum = d + TILE_TOKENS;
        const int32_t *start = (const int32_t *)(const void *)(stream + 40 * TILE_TOKENS), *rare = (const int32_t *)(const void *)side;
        const uint8_t *more = panel + 512;
        const __m512 weight_d = _mm512_load_ps(more);
        more += 64;
        __m512i dots[TILE_TOKENS];
        if (T.halves && !folded(T)) {
            const uint8_t *scales = more + (T.minimums ? 128 : 0);
            const __m512i scale0 = _mm512_load_si512(scales), scale1 = _mm512_load_si512(scales + 64);
            UNROLL for (int c = 0; c < tokens; c++) dots[c] = started(rare + c, T.offset_bits);
            tile_words(panel, stream, 0, 4, tokens, dots);
            __m512i first[TILE_TOKENS];
            UNROLL for (int c = 0; c < tokens; c++) {
                first[c] = _mm512_mullo_epi32(dots[c], scale0);
                dots[c] = started(rare + TILE_TOKENS + c, T.offset_bits);
            }
            tile_words(panel, stream, 4, 8, tokens, dots);
            UNROLL for (int c = 0; c < tokens; c++) dots[c] = _mm512_add_epi32(first[c], _mm512_mullo_epi32(dots[c], scale1));
        } else {
            const int offset_bits = folded(T) && T.offset_bits ? 7 : T.offset_bits;
            UNROLL for (int c = 0; c < tokens; c++) {
                dots[c] = started(start + c, offset_bits);
                if (folded(T) && T.offset_bits) dots[c] = _mm512_sub_epi32(dots[c], bcast(start + c)); /* 127, not 128 */
            }
            tile_words(panel, stream, 0, 8, tokens, dots);
        }
        UNROLL for (int c = 0; c < tokens; c++) {
            sums[c] = _mm512_fmadd_ps(_mm512_cvtepi32_ps(dots[c]), _mm512_mul_ps(weight_d, _mm512_set1_ps(d[c])), sums[c]);
            if (T.minimums && T.halves) {
                const __m512i products = _mm512_madd_epi16(_mm512_load_si512(more + 64), bcast(rare + 2 * TILE_TOKENS + c));
                sums[c] = _mm512_fmadd_ps(_mm512_cvtepi32_ps(products), _mm512_mul_ps(_mm512_load_ps(more), _mm512_set1_ps(d[c])), sums[c]);
            } else if (T.minimums) {
                sums[c] = _mm512_fmadd_ps(_mm512_load_ps(more), _mm512_set1_ps(d_sum[c]), sums[c]);
            }
        }
    }
    UNROLL for (int c = 0; c < tokens; c++) _mm512_storeu_ps(y + (size_t)c * y_stride, sums[c]);
}

INLINE void tile_part(quant_traits T, const uint8_t *panel, const uint8_t *stream, const uint8_t *side, size_t n, size_t tokens, float *y,
                      size_t y_stride, bool resume) {
    if (tokens <= 4) {
        tile(T, panel, stream, side, n, 4, y, y_stride, resume);
    } else if (tokens <= 8) {
        tile(T, panel, stream, side, n, 8, y, y_stride, resume);
    } else {
        tile(T, panel, stream, side, n, TILE_TOKENS, y, y_stride, resume);
    }
}
