/* Low-rank updates: W + scale * B A, a panel of rows of one matrix at a time.
 *
 * An element of the product is one sum over the rank, left to right from zero, a fused multiply-add a term, then one product with the
 * scale: what PEFT's F32 product gives for the goldens, and independent of how rows and columns are split. A tile of TILE_ROWS x
 * TILE_VECTORS vectors is summed in registers and added to W while it is hot. A lies packed in panels of LORA_COLUMNS columns, each
 * (rank, LORA_COLUMNS), padded with zeros: a panel stays in the first-level cache while all rows of the call pass it. */
#ifndef ALPACA_VECTOR_LORA_H
#define ALPACA_VECTOR_LORA_H
#include "float16.h"

enum { LORA_COLUMNS = TILE_VECTORS * LANES, LORA_RUN = 64 /* a multiple of it */ };

#define UNROLL _Pragma("clang loop unroll(full)")

INLINE size_t float_bytes(int32_t type) { return type == KERN_F32 ? 4 : 2; }

INLINE v16f read_floats(int32_t type, const void *p) {
    switch (type) {
    case KERN_F32: return load16(p);
    case KERN_F16: return load_f16(p);
    default: return f32_from_bf16_vector(*(const v16s_unaligned *)p);
    }
}

INLINE void write_floats(int32_t type, void *p, v16f x) {
    switch (type) {
    case KERN_F32: store16(p, x); break;
    case KERN_F16: store_f16(p, x); break;
    default: *(v16s_unaligned *)p = bf16_from_f32_vector(x); break;
    }
}

INLINE v16f rounded_to(int32_t type, v16f x) {
    uint16_t halves[LANES];
    if (type == KERN_F32) return x;
    write_floats(type, halves, x);
    return read_floats(type, halves);
}

static size_t lora_packed_count(size_t rank, size_t columns) { return (columns + LORA_COLUMNS - 1) / LORA_COLUMNS * LORA_COLUMNS * rank; }

static void lora_pack(const float *row, size_t k, size_t rank, size_t columns, float *packed) {
    for (size_t c = 0; c < columns; c += LORA_COLUMNS, packed += rank * LORA_COLUMNS) {
        const size_t n = columns - c < LORA_COLUMNS ? columns - c : LORA_COLUMNS;
        float *to = packed + k * LORA_COLUMNS;
        for (size_t i = 0; i < n; i++) to[i] = row[c + i];
        for (size_t i = n; i < LORA_COLUMNS; i++) to[i] = 0.0f;
    }
}

/* One row of a tile: whole vectors, or the n < LORA_COLUMNS columns at the right edge by way of a buffer. */
INLINE void add_row(int32_t type, int32_t rounding, int32_t out_type, const v16f *update, const void *w, void *out, size_t n) {
    uint8_t from[LORA_COLUMNS * sizeof(float)], to[LORA_COLUMNS * sizeof(float)];
    const int whole = n == LORA_COLUMNS;
    if (!whole && w) {
        __builtin_memset(from, 0, sizeof from);
        __builtin_memcpy(from, w, n * float_bytes(type));
    }
    const uint8_t *source = whole ? w : from;
    uint8_t *target = whole ? out : to;
    UNROLL for (size_t v = 0; v < TILE_VECTORS; v++) {
        v16f x = rounded_to(rounding, update[v]);
        if (w) x += read_floats(type, source + v * LANES * float_bytes(type));
        write_floats(out_type, target + v * LANES * float_bytes(out_type), x);
    }
    if (!whole) __builtin_memcpy(out, to, n * float_bytes(out_type));
}

/* The product of one tile, scaled; `rows` say where its rows of B begin. */
INLINE void multiply_tile(const kern_lora *lora, const float *const rows[TILE_ROWS], const float *panel, v16f update[][TILE_VECTORS]) {
    v16f sum[TILE_ROWS][TILE_VECTORS];
    UNROLL for (int r = 0; r < TILE_ROWS; r++) {
        UNROLL for (int v = 0; v < TILE_VECTORS; v++) sum[r][v] = 0.0f;
    }
    for (size_t k = 0; k < lora->rank; k++, panel += LORA_COLUMNS) {
        v16f a[TILE_VECTORS];
        UNROLL for (int v = 0; v < TILE_VECTORS; v++) a[v] = load16(panel + v * LANES);
        UNROLL for (int r = 0; r < TILE_ROWS; r++) {
            const v16f b = rows[r][k];
            UNROLL for (int v = 0; v < TILE_VECTORS; v++) sum[r][v] = fma16(b, a[v], sum[r][v]);
        }
    }
    UNROLL for (int r = 0; r < TILE_ROWS; r++) {
        UNROLL for (int v = 0; v < TILE_VECTORS; v++) update[r][v] = sum[r][v] * lora->scale;
    }
}

INLINE void fetch(const uint8_t *p, size_t bytes) {
    for (size_t i = 0; i < bytes; i += 64) __builtin_prefetch(p + i);
}

/* Panels beside each other, LORA_RUN columns, take turns on each tile's rows, so that whole cache lines of W are used at once. Rows behind
 * the last are computed as that one again and not stored, so that every tile is a full one. */
INLINE void merge_tiles(const kern_lora *lora, size_t n_rows, int32_t type, const uint8_t *w, size_t w_stride, int32_t out_type,
                        uint8_t *out, size_t out_stride) {
    for (size_t left = 0; left < lora->columns; left += LORA_RUN) {
        const size_t right = lora->columns - left < LORA_RUN ? lora->columns : left + LORA_RUN;
        for (size_t first = 0; first < n_rows; first += TILE_ROWS) {
            const size_t count = n_rows - first < TILE_ROWS ? n_rows - first : TILE_ROWS;
            const float *rows[TILE_ROWS];
            for (size_t r = 0; r < TILE_ROWS; r++) {
                const size_t row = r < count ? first + r : n_rows - 1;
                rows[r] = lora->b + row * lora->b_stride;
                if (w) fetch(w + row * w_stride + left * float_bytes(type), (right - left) * float_bytes(type));
            }
            for (size_t c = left; c < right; c += LORA_COLUMNS) {
                const size_t n = right - c < LORA_COLUMNS ? right - c : LORA_COLUMNS;
                v16f update[TILE_ROWS][TILE_VECTORS];
                multiply_tile(lora, rows, lora->a + c * lora->rank, update);
                for (size_t r = 0; r < count; r++) {
                    const uint8_t *source = w ? w + (first + r) * w_stride + c * float_bytes(type) : 0;
                    add_row(type, lora->rounding, out_type, update[r], source,
                            out + (first + r) * out_stride + c * float_bytes(out_type), n);
                }
            }
        }
    }
}

static void lora_merge(const kern_lora *lora, size_t n_rows, int32_t type, const void *w, size_t w_stride, int32_t out_type, void *out,
                       size_t out_stride) {
    merge_tiles(lora, n_rows, type, w, w_stride, out_type, out, out_stride);
}

#undef UNROLL
#endif
