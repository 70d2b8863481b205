/* The matrix products: decode (1 to 8 tokens at once, in parts up to 16), the middle (5 to 48) and prefill, with rows, tokens and columns that fill no tile, and K
 * in several runs. */
#include "kernels.h"
#include <string.h>

typedef struct shape { size_t rows, columns; } shape;

/* Results as (token, y_stride), of row blocks from the last to the first; behind each token's rows is a gap that must stay as it is. */
static uint32_t *product(const kern_table *table, const kern_matrix *w, const float *x, size_t stride, size_t tokens, size_t y_stride) {
    const kern_matmul_table *m = &table->matmul;
    kern_inputs in = {.x = x, .stride = stride, .columns = w->columns, .n_tokens = tokens};
    if (w->type != KERN_F32 && w->type != KERN_F16 && w->type != KERN_BF16) {
        in.packed = guarded(m->packed_bytes(w->columns, tokens), 64);
        const size_t group = m->pack_group(tokens), groups = (tokens + group - 1) / group;
        for (size_t g = groups; g-- > 0;) m->pack_inputs(&in, g * group, (g + 1) * group < tokens ? (g + 1) * group : tokens);
    }
    void *scratch = guarded(m->scratch_bytes(w->columns, tokens), 64);
    uint32_t *y = guarded(tokens * y_stride * 4, 4);
    memset(y, 0xAA, tokens * y_stride * 4);
    for (size_t blocks = (w->rows + KERN_ROW_BLOCK - 1) / KERN_ROW_BLOCK; blocks-- > 0;) {
        const size_t first = blocks * KERN_ROW_BLOCK, last = first + KERN_ROW_BLOCK < w->rows ? first + KERN_ROW_BLOCK : w->rows;
        const kern_ahead ahead = {blocks % 2 ? w->base : NULL, (int32_t)(blocks / 2 % 2) + 1};
        m->matmul(w, first, last, &in, ahead, (float *)(void *)y, y_stride, scratch);
    }
    return y;
}

static void compare_shape(const kern_table *const *tables, int n_tables, const format *f, shape s, size_t tokens, int kind) {
    static const char *const kinds[] = {"numbers", "edges", "infinities"};
    const size_t stride = s.columns + 3, y_stride = s.rows + 5, row_bytes = s.columns / f->weights * f->bytes;
    uint8_t *blocks = guarded(s.rows * row_bytes, f->type == KERN_F32 ? 4 : 2);
    float *x = guarded((stride * (tokens - 1) + s.columns) * 4, 4);
    fill_blocks(f, blocks, s.rows * s.columns / f->weights);
    fill_floats(x, stride * (tokens - 1) + s.columns, 3);
    if (kind) fill_edges(x, stride * (tokens - 1) + s.columns, kind == 2);
    const kern_matrix w = {.base = blocks, .rows = s.rows, .columns = s.columns, .row_bytes = row_bytes, .type = f->type};
    const uint32_t *expected = product(tables[0], &w, x, stride, tokens, y_stride);
    for (int i = 0; i < n_tables; i++) {
        const uint32_t *y = i ? product(tables[i], &w, x, stride, tokens, y_stride) : expected;
        compare(y, expected, tokens * y_stride * 4, true, tables[i]->name, "%s, %zu x %zu, %zu tokens, %s", f->name, s.rows,
                s.columns, tokens, kinds[kind]);
    }
    forget_all();
}

void compare_matmul(const kern_table *const *tables, int n_tables, bool brief) {
    static const shape of_floats[] = {{1, 5}, {17, 37}, {70, 1040}}, of_32[] = {{1, 32}, {17, 288}, {70, 2336}, {17, 4352}};
    static const shape of_256[] = {{1, 256}, {17, 768}, {70, 2304}, {17, 4352}};
    static const size_t numbers[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 13, 16, 17, 24, 25, 36, 37, 48, 49, 60, 61};
    for (int i = 0; i < FORMATS; i++) {
        const format *f = &formats[i];
        const shape *shapes = f->weights == 1 ? of_floats : f->weights == 32 ? of_32 : of_256;
        for (size_t n = 0; n < sizeof numbers / sizeof *numbers; n++) {
            if (brief && n % 2 && numbers[n] > 9 && numbers[n] != 49) continue;
            compare_shape(tables, n_tables, f, shapes[0], numbers[n], 0);
            compare_shape(tables, n_tables, f, shapes[1], numbers[n], 0);
            compare_shape(tables, n_tables, f, shapes[1], numbers[n], 1);
            compare_shape(tables, n_tables, f, shapes[1], numbers[n], 2);
        }
        compare_shape(tables, n_tables, f, shapes[2], 1, 0);
        compare_shape(tables, n_tables, f, shapes[2], 5, 0);
        compare_shape(tables, n_tables, f, shapes[2], brief ? 25 : 38, 0);
        compare_shape(tables, n_tables, f, shapes[2], brief ? 49 : 62, 0);
        /* So long that the columns take several runs of panels. */
        if (f->weights > 1) compare_shape(tables, n_tables, f, shapes[3], 13, 0);
        if (f->weights > 1) compare_shape(tables, n_tables, f, shapes[3], brief ? 49 : 62, 0);
    }
}
