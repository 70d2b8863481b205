/* The tile for AVX-512 VNNI: a word of sixteen rows is one register. One panel by twelve tokens, or two panels by six: then each input is
 * broadcast once for both, where the other form waits for a load of an input at each product. Sums and running sums stay in registers. */
enum { PAIR_TOKENS = TILE_TOKENS / 2 };
#define TILE_PAIRS 1

INLINE __m512i bcast(const void *p) {
    int32_t word;
    __builtin_memcpy(&word, p, 4);
    return _mm512_set1_epi32(word);
}

/* Sums of P panels, 1 or 2, by up to TILE_TOKENS tokens. */
typedef __m512i integer_sums[2][TILE_TOKENS];

/* Words begin ..< end of a block; `width` tokens lie side by side in the stream. */
INLINE void tile_words(int P, const uint8_t *const *panel, const uint8_t *stream, int width, int begin, int end, int tokens,
                       integer_sums sums) {
    UNROLL for (int j = begin; j < end; j++) {
        __m512i w[2];
        UNROLL for (int p = 0; p < P; p++) w[p] = _mm512_load_si512(panel[p] + 64 * j);
        UNROLL for (int c = 0; c < tokens; c++) {
            const __m512i a = bcast(stream + (j * width + c) * 4);
            UNROLL for (int p = 0; p < P; p++) sums[p][c] = _mm512_dpbusd_epi32(sums[p][c], w[p], a);
        }
    }
}

INLINE __m512i started(const int32_t *start, int offset_bits) {
    if (!offset_bits) return _mm512_setzero_si512();
    /* The compiler would shift first and then spread the result, which takes the products' pipes twice: a load spreads for nothing. */
    __m512i x = bcast(start);
    __asm__("" : "+v"(x));
    return _mm512_slli_epi32(x, offset_bits);
}

/* The integers of a block: with the scales of its halves (`scales`: of the first, then of the second) where the panel has them. */
INLINE void tile_dots(quant_traits T, int P, const uint8_t *const *panel, size_t scales, const uint8_t *stream, const uint8_t *side,
                      int width, int tokens, integer_sums dots) {
    const int32_t *start = (const int32_t *)(const void *)(stream + 40 * width), *rare = (const int32_t *)(const void *)side;
    if (!T.halves || folded(T)) {
        const int offset_bits = folded(T) && T.offset_bits ? 7 : T.offset_bits;
        UNROLL for (int c = 0; c < tokens; c++) {
            __m512i s = started(start + c, offset_bits);
            if (folded(T) && T.offset_bits) s = _mm512_sub_epi32(s, bcast(start + c)); /* 127, not 128 */
            UNROLL for (int p = 0; p < P; p++) dots[p][c] = s;
        }
        tile_words(P, panel, stream, width, 0, 8, tokens, dots);
        return;
    }
    integer_sums first;
    UNROLL for (int c = 0; c < tokens; c++) {
        UNROLL for (int p = 0; p < P; p++) dots[p][c] = started(rare + c, T.offset_bits);
    }
    tile_words(P, panel, stream, width, 0, 4, tokens, dots);
    UNROLL for (int p = 0; p < P; p++) {
        const __m512i scale = _mm512_load_si512(panel[p] + scales);
        UNROLL for (int c = 0; c < tokens; c++) {
            first[p][c] = _mm512_mullo_epi32(dots[p][c], scale);
            dots[p][c] = started(rare + width + c, T.offset_bits);
        }
    }
    tile_words(P, panel, stream, width, 4, 8, tokens, dots);
    UNROLL for (int p = 0; p < P; p++) {
        const __m512i scale = _mm512_load_si512(panel[p] + scales + 64);
        UNROLL for (int c = 0; c < tokens; c++) dots[p][c] = _mm512_add_epi32(first[p][c], _mm512_mullo_epi32(dots[p][c], scale));
    }
}

/* P panels, `panel_bytes` apart, by `tokens` tokens of `width` that lie side by side. With each block `bytes` of `next` are fetched. */
INLINE void tiles(quant_traits T, int P, const uint8_t *panels, size_t panel_bytes, const uint8_t *stream, const uint8_t *side, size_t n,
                  int width, int tokens, row_stream *next, size_t bytes, float *y, size_t y_stride, bool resume) {
    const uint8_t *panel[2] = {panels, panels + (P - 1) * panel_bytes};
    const size_t scale = 512, minimum = 576, integer_minimums = 640, scales_of_halves = T.minimums ? 704 : 576;
    __m512 sums[2][TILE_TOKENS];
    UNROLL for (int p = 0; p < P; p++) {
        UNROLL for (int c = 0; c < tokens; c++) {
            sums[p][c] = resume ? _mm512_loadu_ps(y + (size_t)c * y_stride + p * PANEL_ROWS) : _mm512_setzero_ps();
        }
    }
    for (size_t b = 0; b < n; b++, stream += STREAM_OF_TOKEN * width, side += SIDE_OF_TOKEN * width) {
        const float *d = (const float *)(const void *)(stream + 32 * width), *d_sum = d + width;
        const uint8_t *half_sums = side + 2 * (size_t)width * sizeof(int32_t);
        if (bytes) fetch_bytes(next, bytes);
        integer_sums dots;
        tile_dots(T, P, panel, scales_of_halves, stream, side, width, tokens, dots);
        UNROLL for (int c = 0; c < tokens; c++) {
            const __m512 input_d = _mm512_set1_ps(d[c]);
            UNROLL for (int p = 0; p < P; p++) {
                const __m512 both = _mm512_mul_ps(_mm512_load_ps(panel[p] + scale), input_d);
                sums[p][c] = _mm512_fmadd_ps(_mm512_cvtepi32_ps(dots[p][c]), both, sums[p][c]);
                if (T.minimums && T.halves) {
                    const __m512i integers = _mm512_load_si512(panel[p] + integer_minimums);
                    const __m512i products = _mm512_madd_epi16(integers, bcast(half_sums + c * sizeof(int32_t)));
                    const __m512 factor = _mm512_mul_ps(_mm512_load_ps(panel[p] + minimum), input_d);
                    sums[p][c] = _mm512_fmadd_ps(_mm512_cvtepi32_ps(products), factor, sums[p][c]);
                } else if (T.minimums) {
                    sums[p][c] = _mm512_fmadd_ps(_mm512_load_ps(panel[p] + minimum), _mm512_set1_ps(d_sum[c]), sums[p][c]);
                }
            }
        }
        UNROLL for (int p = 0; p < P; p++) panel[p] += panel_block_bytes(T);
    }
    UNROLL for (int p = 0; p < P; p++) {
        UNROLL for (int c = 0; c < tokens; c++) _mm512_storeu_ps(y + (size_t)c * y_stride + p * PANEL_ROWS, sums[p][c]);
    }
}

INLINE void tile(quant_traits T, const uint8_t *panel, const uint8_t *stream, const uint8_t *side, size_t n, int tokens, float *y,
                 size_t y_stride, bool resume) {
    tiles(T, 1, panel, 0, stream, side, n, TILE_TOKENS, tokens, NULL, 0, y, y_stride, resume);
}

/* Two panels by a whole group of tokens. */
INLINE void tile_pair(quant_traits T, const uint8_t *panels, size_t panel_bytes, const uint8_t *stream, const uint8_t *side, size_t n,
                      float *y, size_t y_stride, bool resume) {
    for (size_t c = 0; c < TILE_TOKENS; c += PAIR_TOKENS) {
        tiles(T, 2, panels, panel_bytes, stream + 4 * c, side + 4 * c, n, TILE_TOKENS, PAIR_TOKENS, NULL, 0, y + c * y_stride, y_stride,
              resume);
    }
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

/* Two panels by a part of the tokens (core/middle.h), which lie side by side. */
INLINE void tile_of_part(quant_traits T, const uint8_t *panels, size_t panel_bytes, const uint8_t *stream, const uint8_t *side, size_t n,
                         size_t tokens, row_stream *next, size_t bytes, float *y, size_t y_stride, bool resume) {
#define PART(count)                                                                                                                    \
    case count: tiles(T, 2, panels, panel_bytes, stream, side, n, count, count, next, bytes, y, y_stride, resume); break
    switch (tokens) {
        PART(3);
        PART(4);
        PART(5);
        PART(6);
    }
#undef PART
}
