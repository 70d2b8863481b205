/* Some tokens: more than a loop over the file's rows (decode.h) has registers for, too few to be worth panels in the second-level cache
 * (prefill.h).
 *
 * Two panels of sixteen rows by MIDDLE_BLOCKS blocks are unpacked into the first-level cache and meet all tokens there, up to PART_TOKENS at
 * a time; then the next blocks take their place. So every weight is read once, in the file's order, and what comes next is fetched all
 * the while, at an even pace. The rows' running sums wait beside the panels. */
#ifndef ALPACA_MIDDLE_H
#define ALPACA_MIDDLE_H
#include "prefill.h"

#if HAS_MIDDLE
enum { MIDDLE_ROWS = 2 * PANEL_ROWS, MIDDLE_BLOCKS = 16 /* whole blocks of the K types */ };

/* All tokens meet the panels of blocks begin ..< begin + n. */
INLINE void middle_parts(quant_traits T, const uint8_t *panels, const kern_inputs *in, const token_parts *parts, size_t begin, size_t n,
                         row_stream *next, size_t bytes, float *sums) {
    const size_t blocks = in->columns / 32, panel_bytes = MIDDLE_BLOCKS * panel_block_bytes(T);
    for (size_t part = 0; part < parts->count; part++) {
        const size_t first = part_begin(parts, part), tokens = part_tokens(parts, part);
        const uint8_t *stream = (const uint8_t *)in->packed + part_bytes(blocks, first), *side = stream + blocks * STREAM_OF_TOKEN * tokens;
        tile_of_part(T, panels, panel_bytes, stream + begin * STREAM_OF_TOKEN * tokens, side + begin * SIDE_OF_TOKEN * tokens, n, tokens,
                     next, bytes, sums + first * MIDDLE_ROWS, MIDDLE_ROWS, begin > 0);
    }
}

INLINE void middle(quant_traits T, scales_function *scales, load_function *load, word_function *word, const kern_matrix *m, size_t first,
                   size_t last, const kern_inputs *in, kern_ahead ahead, float *y, size_t y_stride, uint8_t *scratch) {
    const size_t blocks = m->columns / 32, panel_bytes = MIDDLE_BLOCKS * panel_block_bytes(T);
    const token_parts parts = parts_of(in->n_tokens);
    /* What each piece of work fetches with every block: unpacking of either panel, and each part. */
    const size_t pieces = 2 + parts.count, bytes = (MIDDLE_ROWS * T.block_bytes / (size_t)T.sub_blocks + pieces - 1) / pieces;
    float *sums = (float *)(void *)(scratch + PANELS_BYTES) - MOST_MIDDLE * MIDDLE_ROWS;
    for (size_t row = first; row < last; row += MIDDLE_ROWS) {
        const size_t rows = last - row < MIDDLE_ROWS ? last - row : MIDDLE_ROWS;
        row_stream next = stream_behind((const char *)m->base + (row + MIDDLE_ROWS) * m->row_bytes, row + MIDDLE_ROWS >= last, ahead, m->row_bytes);
        for (size_t begin = 0; begin < blocks; begin += MIDDLE_BLOCKS) {
            const size_t n = blocks - begin < MIDDLE_BLOCKS ? blocks - begin : MIDDLE_BLOCKS;
            for (size_t p = 0; p < 2; p++) {
                pack_panel(T, scales, load, word, m, row + p * PANEL_ROWS, begin, n, &next, bytes, scratch + p * panel_bytes,
                           scratch + PANELS_BYTES);
            }
            middle_parts(T, scratch, in, &parts, begin, n, &next, bytes, sums);
        }
        for (size_t t = 0; t < in->n_tokens; t++) {
            __builtin_memcpy(y + t * y_stride + row, sums + t * MIDDLE_ROWS, rows * sizeof *y);
        }
    }
}
#endif

#endif
