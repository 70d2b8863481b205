/* The table of one CPU path. An isa/matmul_*.c file defines MATMUL_TABLE_NAME, its primitives and its sizes:
 *   TILE_TOKENS, TILE_HEADER   tokens of a quantized tile, and the file that has it
 *   WORDS_HEADER               the file that multiplies words of eight rows, in decode
 *   LANE_SUMS, NIBBLES         1 for the tile that sums in 16 bits, else 0
 *   FOLDS                      1 for a tile that takes weights with their integer scales multiplied in
 *   WIDE_OFFSET_BITS           what dot4_wide leaves to be taken away from weights of eight bits: 7 for 128, 0 for nothing
 *   FLOAT_ROWS, FLOAT_TOKENS   of a float tile
 *   SPECIALIZED                1: a copy of each decode loop for each number of tokens up to AT_ONCE
 * and includes this last. */
#include "float_matmul.h"
#include "prefill.h"
#include "../types/types.h"

#define ARGUMENTS const kern_matrix *w, size_t first, size_t last, const kern_inputs *in, float *y, size_t y_stride, void *scratch
#define SEPARATE static __attribute__((noinline)) void

/* Each loop is compiled for each type; the decode loops once for each number of tokens, or, on the path that gains nothing by that
 * (SPECIALIZED 0), once for all. */
#define DECODE(type, n) decode(type##_traits, type##_scales, type##_load, type##_word, n, w, first, last, in, y, y_stride, scratch)
#define DECODE_FLOAT(type, n) decode_float(type##_id, n, w, first, last, in, y, y_stride)
#define PREFILL(type) prefill(type##_traits, type##_scales, type##_load, type##_word, w, first, last, in, y, y_stride, scratch)
#define PREFILL_FLOAT(type) prefill_float(type##_id, w, first, last, in, y, y_stride, scratch)

#if SPECIALIZED
#define LOOPS(type, few, many)                                                                                                         \
    SEPARATE type##_1(ARGUMENTS) { few(type, 1); }                                                                                     \
    SEPARATE type##_2(ARGUMENTS) { few(type, 2); }                                                                                     \
    SEPARATE type##_3(ARGUMENTS) { few(type, 3); }                                                                                     \
    SEPARATE type##_4(ARGUMENTS) { few(type, 4); }                                                                                     \
    SEPARATE type##_5(ARGUMENTS) { few(type, 5); }                                                                                     \
    SEPARATE type##_6(ARGUMENTS) { few(type, 6); }                                                                                     \
    SEPARATE type##_7(ARGUMENTS) { few(type, 7); }                                                                                     \
    SEPARATE type##_8(ARGUMENTS) { few(type, 8); }                                                                                     \
    SEPARATE type##_many(ARGUMENTS) { many(type); }
#define ONE(type) type##_1
#define MORE(type) type##_2, type##_3, type##_4, type##_5, type##_6, type##_7, type##_8, type##_many
#else
#define LOOPS(type, few, many)                                                                                                         \
    SEPARATE type##_few(ARGUMENTS) { few(type, (int)in->n_tokens); }                                                                   \
    SEPARATE type##_many(ARGUMENTS) { many(type); }
#define ONE(type) type##_few
#define MORE(type) type##_few, type##_few, type##_few, type##_few, type##_few, type##_few, type##_few, type##_many
#endif
#define LOOPS_OF(type) {ONE(type), MORE(type)}

/* By the column `decode` of types.def. */
#define LOOPS_FLOAT(type) LOOPS(type, DECODE_FLOAT, PREFILL_FLOAT)
#define LOOPS_LINEAR(type) LOOPS(type, DECODE, PREFILL)
#define LOOPS_LOOKUP16(type) LOOPS(type, DECODE, PREFILL)
#define LOOPS_EXPONENT16(type) LOOPS(type, DECODE, PREFILL)
#define LOOPS_GRID(type) LOOPS(type, DECODE, PREFILL)
#define LOOPS_GRID_SPREAD(type) LOOPS(type, DECODE, PREFILL)

#define TYPE(NAME, id, ...) enum { id##_id = KERN_##NAME };
#include "../types/types.def"

/* decode.h makes room for rows of that size. */
#define TYPE(NAME, id, number, weights, bytes, ...) _Static_assert(weights == 1 || 32 * bytes <= MOST_BYTES * weights, #NAME);
#include "../types/types.def"

#pragma clang diagnostic push
#pragma clang diagnostic ignored "-Wunused-parameter"
#define TYPE(NAME, id, number, weights, bytes, scale, second_scale, decode, ...) LOOPS_##decode(id)
#include "../types/types.def"
#pragma clang diagnostic pop

#if ROWS == 16
#include "wide_q4_k.h"

/* One token: what is left of the rows goes the common way. */
SEPARATE q4_k_wide(ARGUMENTS) {
    const size_t whole = first + (last - first) / WIDE_ROWS * WIDE_ROWS;
    wide_q4_k(w, first, whole, in, y);
    if (whole < last) q4_k_1(w, whole, last, in, y, y_stride, scratch);
}
#endif

/* By number of tokens: 1 ... AT_ONCE, and last the loop for more than FEW_TOKENS. What follows the rows takes the place of one loop. */
typedef void product(ARGUMENTS);
#pragma clang diagnostic push
#pragma clang diagnostic ignored "-Winitializer-overrides"
static product *const products[KERN_TYPE_COUNT][AT_ONCE + 1] = {
#define TYPE(NAME, id, ...) [KERN_##NAME] = LOOPS_OF(id),
#include "../types/types.def"
#if ROWS == 16
    [KERN_Q4_K][0] = q4_k_wide,
#endif
};
#pragma clang diagnostic pop

/* More than AT_ONCE tokens, but too few to be worth a panel: the rows, once they are near, meet them in equal parts. */
static void in_parts(product *const *loops, ARGUMENTS) {
    const size_t n = in->n_tokens, parts = (n + AT_ONCE - 1) / AT_ONCE, most = (n + parts - 1) / parts;
    for (size_t row = first; row < last; row += ROWS) {
        const size_t end = row + ROWS < last ? row + ROWS : last;
        for (size_t t = 0; t < n; t += most) {
            kern_inputs part = *in;
            part.n_tokens = n - t < most ? n - t : most;
            part.x += t * in->stride;
            if (in->packed) part.packed = (token_block *)in->packed + t * (in->columns / 32); /* floats have none */
            loops[part.n_tokens - 1](w, row, end, &part, y + t * y_stride, y_stride, scratch);
        }
    }
}

static void matmul(ARGUMENTS) {
    const size_t n = in->n_tokens;
    if (first >= last || n == 0 || w->type < 0 || w->type >= KERN_TYPE_COUNT) return;
    product *const *loops = products[w->type];
    if (!loops[0]) return;
    if (n > FEW_TOKENS) loops[AT_ONCE](w, first, last, in, y, y_stride, scratch);
    else if (n > AT_ONCE) in_parts(loops, w, first, last, in, y, y_stride, scratch);
    else loops[n - 1](w, first, last, in, y, y_stride, scratch);
}

static size_t scratch_bytes(size_t columns, size_t n_tokens) {
    if (n_tokens <= FEW_TOKENS) return spare_bytes(columns);
    const size_t floats = float_scratch_bytes(columns), panels = PANELS_BYTES + spare_bytes(columns);
    return floats > panels ? floats : panels;
}

const kern_matmul_table MATMUL_TABLE_NAME = {
    .packed_bytes = packed_bytes,
    .pack_group = pack_group,
    .pack_inputs = pack_inputs,
    .matmul = matmul,
    .scratch_bytes = scratch_bytes,
};
