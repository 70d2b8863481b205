/* The table of one CPU path. An isa/matmul_*.c file defines MATMUL_TABLE_NAME, its primitives and its sizes:
 *   TILE_TOKENS, TILE_HEADER   tokens of a quantized tile, and the file that has it
 *   WORDS_HEADER               the file that multiplies words of eight rows, in decode
 *   LANE_SUMS, NIBBLES         1 for the tile that sums in 16 bits, else 0
 *   FOLDS                      1 for a tile that takes weights with their integer scales multiplied in
 *   WIDE_OFFSET_BITS           what dot4_wide leaves to be taken away from weights of eight bits: 7 for 128, 0 for nothing
 *   FLOAT_ROWS, FLOAT_TOKENS   of a float tile
 *   HAS_MIDDLE                 1 for a tile that middle.h can use
 *   SPECIALIZED                1: a copy of each decode loop for each number of tokens up to AT_ONCE
 * and includes this last. */
#include "float_matmul.h"
#include "middle.h"
#include "../types/types.h"

#define ARGUMENTS const kern_matrix *w, size_t first, size_t last, const kern_inputs *in, kern_ahead ahead, float *y,         \
                  size_t y_stride, void *scratch
#define SEPARATE static __attribute__((noinline)) void

/* Each loop is compiled for each type; the decode loops once for each number of tokens, or, on the path that gains nothing by that
 * (SPECIALIZED 0), once for all. */
#define DECODE(type, n) decode(type##_traits, type##_scales, type##_load, type##_word, n, w, first, last, in, ahead, y, y_stride, scratch)
#define DECODE_FLOAT(type, n) decode_float(type##_id, n, w, first, last, in, ahead, y, y_stride)
#define MIDDLE(type) middle(type##_traits, type##_scales, type##_load, type##_word, w, first, last, in, ahead, y, y_stride, scratch)
#define PREFILL(type) prefill(type##_traits, type##_scales, type##_load, type##_word, w, first, last, in, ahead, y, y_stride, scratch)
#define PREFILL_FLOAT(type) prefill_float(type##_id, w, first, last, in, y, y_stride, scratch)

#define LOOP(type, few, n) SEPARATE type##_##n(ARGUMENTS) { few(type, n); }
#define LOOPS_TO_4(type, few) LOOP(type, few, 1) LOOP(type, few, 2) LOOP(type, few, 3) LOOP(type, few, 4)
#define LOOPS_TO_8(type, few) LOOPS_TO_4(type, few) LOOP(type, few, 5) LOOP(type, few, 6) LOOP(type, few, 7) LOOP(type, few, 8)
#define NAMES_TO_4(type) type##_1, type##_2, type##_3, type##_4

/* A type's loops, and their names by number of tokens: 1 ... AT_ONCE, then that of many. */
#if SPECIALIZED
#define LOOPS_FLOAT(type) LOOPS_TO_8(type, DECODE_FLOAT) SEPARATE type##_many(ARGUMENTS) { PREFILL_FLOAT(type); }
#define NAMES_FLOAT(type) {NAMES_TO_4(type), type##_5, type##_6, type##_7, type##_8, type##_many}
#else
#define LOOPS_FLOAT(type)                                                                                                              \
    SEPARATE type##_few(ARGUMENTS) { DECODE_FLOAT(type, (int)in->n_tokens); }                                                          \
    SEPARATE type##_many(ARGUMENTS) { PREFILL_FLOAT(type); }
#define NAMES_FLOAT(type) {type##_few, type##_few, type##_few, type##_few, type##_few, type##_few, type##_few, type##_few, type##_many}
#endif

#if HAS_MIDDLE
#define LOOPS_LINEAR(type)                                                                                                             \
    LOOPS_TO_4(type, DECODE)                                                                                                           \
    SEPARATE type##_middle(ARGUMENTS) { MIDDLE(type); }                                                                                \
    SEPARATE type##_many(ARGUMENTS) { PREFILL(type); }
#define NAMES_LINEAR(type) {NAMES_TO_4(type), type##_middle, type##_middle, type##_middle, type##_middle, type##_many}
#elif SPECIALIZED
#define LOOPS_LINEAR(type) LOOPS_TO_8(type, DECODE) SEPARATE type##_many(ARGUMENTS) { PREFILL(type); }
#define NAMES_LINEAR(type) NAMES_FLOAT(type)
#else
#define LOOPS_LINEAR(type)                                                                                                             \
    SEPARATE type##_few(ARGUMENTS) { DECODE(type, (int)in->n_tokens); }                                                                \
    SEPARATE type##_many(ARGUMENTS) { PREFILL(type); }
#define NAMES_LINEAR(type) NAMES_FLOAT(type)
#endif

/* By the column `decode` of types.def. */
#define LOOPS_LOOKUP16(type) LOOPS_LINEAR(type)
#define LOOPS_EXPONENT16(type) LOOPS_LINEAR(type)
#define LOOPS_GRID(type) LOOPS_LINEAR(type)
#define LOOPS_GRID_SPREAD(type) LOOPS_LINEAR(type)
#define NAMES_LOOKUP16(type) NAMES_LINEAR(type)
#define NAMES_EXPONENT16(type) NAMES_LINEAR(type)
#define NAMES_GRID(type) NAMES_LINEAR(type)
#define NAMES_GRID_SPREAD(type) NAMES_LINEAR(type)

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
    wide_q4_k(w, first, whole, in, ahead, y);
    if (whole < last) q4_k_1(w, whole, last, in, ahead, y, y_stride, scratch);
}
#endif

/* By number of tokens: 1 ... AT_ONCE, and last the loop for more than FEW_TOKENS. What follows the rows takes the place of one loop. */
typedef void product(ARGUMENTS);
#pragma clang diagnostic push
#pragma clang diagnostic ignored "-Winitializer-overrides"
static product *const products[KERN_TYPE_COUNT][AT_ONCE + 1] = {
#define TYPE(NAME, id, number, weights, bytes, scale, second_scale, decode, ...) [KERN_##NAME] = NAMES_##decode(id),
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
            /* The rows behind are fetched by all parts: the first one's requests are the ones that count. */
            loops[part.n_tokens - 1](w, row, end, &part, end < last ? (kern_ahead){NULL, ahead.level} : ahead, y + t * y_stride, y_stride,
                                     scratch);
        }
    }
}

static const bool is_float[KERN_TYPE_COUNT] = {
#define TYPE(NAME, id, number, weights, bytes, scale, second_scale, decode, ...) [KERN_##NAME] = KERN_DECODE_##decode == KERN_DECODE_FLOAT,
#include "../types/types.def"
};

static void matmul(ARGUMENTS) {
    const size_t n = in->n_tokens;
    if (first >= last || n == 0 || w->type < 0 || w->type >= KERN_TYPE_COUNT) return;
    product *const *loops = products[w->type];
    if (!loops[0]) return;
    if (n <= AT_ONCE) loops[n - 1](w, first, last, in, ahead, y, y_stride, scratch);
    else if (is_middle(n) && !is_float[w->type]) loops[AT_ONCE - 1](w, first, last, in, ahead, y, y_stride, scratch);
    else if (n <= FEW_TOKENS) in_parts(loops, w, first, last, in, ahead, y, y_stride, scratch);
    else loops[AT_ONCE](w, first, last, in, ahead, y, y_stride, scratch);
}

static size_t scratch_bytes(size_t columns, size_t n_tokens) {
    if (n_tokens <= FEW_TOKENS && !(HAS_MIDDLE && n_tokens >= LEAST_MIDDLE)) return spare_bytes(columns);
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
