/* Many tokens: sixteen rows at a time are unpacked into a panel that one inner loop (the tile) reads for all types and tokens.
 *
 * A panel is, for each 32 weights: eight words of four weights of sixteen rows side by side, 512 bytes, and then what of the following
 * the type has, sixteen numbers each: d, minimum, integer minimums, the integer scales of the two halves.
 * Blocking: up to four panels of PANELS_BYTES are packed (they stay in the second-level cache); then each group of
 * tokens, which stays in the first, meets all of them. Sums are carried over from one run of blocks to the next in the results. */
#ifndef ALPACA_PREFILL_H
#define ALPACA_PREFILL_H
#include "decode.h"

enum { PANEL_ROWS = 16, PANELS = KERN_ROW_BLOCK / PANEL_ROWS, PANELS_BYTES = 320 << 10 };

INLINE size_t quants_bytes(quant_traits T) { return T.wide && NIBBLES ? 1024 : 512; }

/* Whether the panel holds weights times their integer scales: then the tile needs no scales of halves. FOLDS: the tile can do that. */
INLINE bool folded(quant_traits T) { return T.foldable && FOLDS; }

INLINE size_t panel_block_bytes(quant_traits T) {
    const size_t scales = T.halves && !folded(T) ? 128 : 0, minimums = (T.minimums ? 64 : 0) + (T.minimums && T.halves ? 64 : 0);
    return quants_bytes(T) + 64 + minimums + scales;
}

/* A tile: PANEL_ROWS rows by up to TILE_TOKENS tokens. */
#include TILE_HEADER

#ifdef PAIRS /* of a tile's header: words 2p and 2p + 1 of a row lie side by side in its panel (ROWS 8) */
INLINE void arrange(u32xr *words) {
    UNROLL for (int j = 0; j < 8; j += 2) {
        const u32xr even = words[j], odd = words[j + 1];
        words[j] = __builtin_shufflevector(even, odd, 0, 8, 1, 9, 2, 10, 3, 11);
        words[j + 1] = __builtin_shufflevector(even, odd, 4, 12, 5, 13, 6, 14, 7, 15);
    }
}
#else
INLINE void arrange(u32xr *words) { (void)words; }
#endif

/* Each byte times its lane's scale; less the offset, plus 127, if there is one. */
INLINE u32xr folded_word(quant_traits T, u32xr word, i32xr scale) {
    const s16xr factor = (s16xr)((scale & 0xFFFF) | scale << 16);
    const s16xr shift = T.offset_bits ? 127 - (factor << (int16_t)T.offset_bits) : (s16xr)0;
    const s16xr even = (s16xr)(word & 0x00FF00FF) * factor + shift, odd = (s16xr)(word >> 8 & 0x00FF00FF) * factor + shift;
    return (u32xr)even | (u32xr)odd << 8;
}

/* ROWS rows of a block into a panel's block; h tells which of the sixteen. */
INLINE void pack_block(quant_traits T, const u32xr *words, const row_scales *s, size_t h, uint8_t *out) {
    UNROLL for (size_t j = 0; j < 8; j++) {
        if (T.wide && NIBBLES) {
            uint8_t *q = out + h * 512 + j * 64; /* ROWS 8 */
            *(u32xr *)q = words[j] & 0x0F0F0F0F, *(u32xr *)(q + 32) = words[j] >> 4 & 0x0F0F0F0F;
        } else {
            *(u32xr *)(out + j * 64 + h * sizeof(u32xr)) = folded(T) ? folded_word(T, words[j], s->scale[j / 4]) : words[j];
        }
    }
    uint8_t *more = out + quants_bytes(T) + h * sizeof(u32xr);
    *(f32xr *)more = s->d, more += 64;
    if (T.minimums) *(f32xr *)more = s->minimum, more += 64;
    if (T.minimums && T.halves) *(i32xr *)more = s->minimums, more += 64;
    if (T.halves && !folded(T)) *(i32xr *)more = panel_scale(s->scale[0]), *(i32xr *)(more + 64) = panel_scale(s->scale[1]);
}

/* Blocks begin ..< begin + n (each of 32 weights) of sixteen rows. With each block `bytes` of `next` are fetched. */
INLINE void pack_panel(quant_traits T, scales_function *scales, load_function *load, word_function *word, const kern_matrix *m,
                       size_t row, size_t begin, size_t n, row_stream *next, size_t bytes, uint8_t *panel, uint8_t *spare) {
    for (size_t h = 0; h < PANEL_ROWS / ROWS; h++) {
        row_set r = rows_at(m, row + ROWS * h, spare);
        uint8_t *out = panel;
        r.base += begin / (size_t)T.sub_blocks * T.block_bytes;
        for (size_t b = 0; b < n; b += (size_t)T.sub_blocks, advance(&r, T.block_bytes)) {
            row_scales s[8];
            u32xr raw[MOST_RAW_WORDS];
            scales(&r, s);
            UNROLL for (int sub = 0; sub < T.sub_blocks; sub++, out += panel_block_bytes(T)) {
                u32xr words[8];
                fetch_bytes(next, bytes);
                load(&r, sub, raw);
                UNROLL for (int j = 0; j < 8; j++) words[j] = word(raw, sub, j);
                arrange(words);
                pack_block(T, words, &s[sub], h, out);
            }
        }
    }
}

/* A tile into y; what lies behind the last row or token is kept from it. */
INLINE void run_tile(quant_traits T, const uint8_t *panel, const uint8_t *stream, const uint8_t *side, size_t n, size_t rows,
                     size_t tokens, float *y, size_t y_stride, bool resume) {
    if (rows >= PANEL_ROWS && tokens >= TILE_TOKENS) {
        tile(T, panel, stream, side, n, TILE_TOKENS, y, y_stride, resume);
        return;
    }
    _Alignas(64) float local[TILE_TOKENS * PANEL_ROWS] = {0};
    const size_t n_rows = rows < PANEL_ROWS ? rows : PANEL_ROWS, n_tokens = tokens < TILE_TOKENS ? tokens : TILE_TOKENS;
    for (size_t t = 0; resume && t < n_tokens; t++) {
        for (size_t i = 0; i < n_rows; i++) local[t * PANEL_ROWS + i] = y[t * y_stride + i];
    }
    tile_part(T, panel, stream, side, n, n_tokens, local, PANEL_ROWS, resume);
    for (size_t t = 0; t < n_tokens; t++) {
        for (size_t i = 0; i < n_rows; i++) y[t * y_stride + i] = local[t * PANEL_ROWS + i];
    }
}

/* A group of tokens meets all panels of a block of rows. */
INLINE void run_group(quant_traits T, const uint8_t *panels, size_t panel_bytes, const uint8_t *stream, const uint8_t *side, size_t n,
                      size_t rows, size_t tokens, float *y, size_t y_stride, bool resume) {
    size_t i = 0;
#ifdef TILE_PAIRS /* of a tile's header: it can take two panels at once */
    for (; tokens >= TILE_TOKENS && i + 2 * PANEL_ROWS <= rows; i += 2 * PANEL_ROWS) {
        tile_pair(T, panels + i / PANEL_ROWS * panel_bytes, panel_bytes, stream, side, n, y + i, y_stride, resume);
    }
#endif
    for (; i < rows; i += PANEL_ROWS) {
        run_tile(T, panels + i / PANEL_ROWS * panel_bytes, stream, side, n, rows - i, tokens, y + i, y_stride, resume);
    }
}

INLINE void prefill(quant_traits T, scales_function *scales, load_function *load, word_function *word, const kern_matrix *m,
                    size_t first, size_t last, const kern_inputs *in, kern_ahead ahead, float *y, size_t y_stride, uint8_t *scratch) {
    /* Runs of equal length: multiples of eight blocks, the K types' unit, as many as fit. */
    const size_t block_bytes = panel_block_bytes(T), most = PANELS_BYTES / PANELS / block_bytes / 8 * 8, blocks = m->columns / 32;
    const size_t runs = (blocks + most - 1) / most, run = ((blocks + runs - 1) / runs + 7) / 8 * 8, panel_bytes = run * block_bytes;
    const size_t fetched = ROWS * T.block_bytes / (size_t)T.sub_blocks;
    for (size_t row = first; row < last; row += KERN_ROW_BLOCK) {
        const size_t rows = last - row < KERN_ROW_BLOCK ? last - row : KERN_ROW_BLOCK;
        for (size_t begin = 0; begin < blocks; begin += run) {
            const size_t n = blocks - begin < run ? blocks - begin : run;
            for (size_t i = 0; i < rows; i += PANEL_ROWS) {
                const uint8_t *end = (const uint8_t *)m->base + (row + i + PANEL_ROWS) * m->row_bytes;
                row_stream next = stream_behind(end + begin / (size_t)T.sub_blocks * T.block_bytes, false, ahead, m->row_bytes);
                pack_panel(T, scales, load, word, m, row + i, begin, n, &next, fetched, scratch + i / PANEL_ROWS * panel_bytes,
                           scratch + PANELS_BYTES);
            }
            for (size_t t = 0; t < in->n_tokens; t += TILE_TOKENS) {
                const uint8_t *group = (const uint8_t *)in->packed + t / TILE_TOKENS * group_bytes(blocks);
                const uint8_t *stream = group + begin * STREAM_BYTES, *side = group + blocks * STREAM_BYTES + begin * SIDE_BYTES;
                run_group(T, scratch, panel_bytes, stream, side, n, rows, in->n_tokens - t, y + t * y_stride + row, y_stride, begin > 0);
            }
        }
    }
}

#endif
