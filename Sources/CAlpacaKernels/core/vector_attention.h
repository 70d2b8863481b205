/* Causal attention over the key-value cache, softmax kept online (Milakov and Gimelshein 2018; Rabe and Staats 2021).
 *
 * One order for every float, so that a query gets the same bits alone (decode) or among many (prefill). For each query:
 *   score of a key   q' = scale * q; fused multiply-adds over d = 0 ..., a lane per key
 *   block of 64 keys m' = max(m, scores), c = e^(m - m'), p = e^(score - m'); keys the query may not see: p = 0, never multiplied
 *                    l = l * c + ((p0 + p1) + (p2 + p3)) fused, 16 lanes; p0 ... p3 are the block's groups of 16 keys
 *                    o = o * c + b fused, where b is the block's own sum of p * value by fused multiply-adds in key order
 *   at the end       o / (the tree sum of l)
 *
 * Rows are the queries that share a KV head: row r is head r % n_group of token r / n_group, so rows come by position. A call with
 * few rows (decode) reads keys and values straight from the cache, and prefetches what comes a block later at the pace at which it
 * consumes. With many rows, blocks of ROW_BLOCK rows go over the cache together: each key block is widened to floats once for all
 * of them, and tiles of TILE_ROWS rows by TILE_VECTORS vectors are kept in registers.
 *
 * The isa file chooses TILE_ROWS (4, 6 or 8), TILE_VECTORS and ACCUMULATORS (how many v16f its registers hold beside a step's
 * inputs): speed only, not bits. A new kind of cache needs a case in load_kind and in kv_store. */
#ifndef ALPACA_VECTOR_ATTENTION_H
#define ALPACA_VECTOR_ATTENTION_H
#include "vector_exp.h"

enum {
    BLOCK = KERN_KEY_BLOCK,
    GROUPS = BLOCK / LANES,
    ROW_BLOCK = 48, /* a multiple of every TILE_ROWS; widening a block of keys then costs some 6 % of using it */
    FEW_ROWS = 8,
};
_Static_assert(KERN_KEY_LANES == LANES && GROUPS == 4, "a block's sums are written out for four groups of one vector");

#define UNROLL _Pragma("clang loop unroll(full)")

/* What a call works with; it lies in the caller's scratch. `width` is head_dim rounded up to whole vectors. */
typedef struct attention_state {
    size_t head_dim, width;
    float *queries;     /* (rows, head_dim), scaled */
    float *outputs;     /* (rows, width): o */
    float *weights;     /* (rows, 64): scores, then p */
    float *sums;        /* (rows, 16): l */
    float *maximums;    /* (rows): m */
    float *corrections; /* (rows): c */
    float *keys;        /* (4, head_dim, 16): a block, widened */
    float *values;      /* (width / 16, 64, 16): a block, widened */
} attention_state;

/* Values of one block: vector v of key k begins at element k * key_stride + v * vector_stride. */
typedef struct value_block {
    const void *base;
    size_t key_stride, vector_stride;
} value_block;

INLINE v16f load_kind(int kind, const void *p, size_t index) {
    return kind == KERN_F16 ? load_f16((const uint16_t *)p + index) : load16((const float *)p + index);
}

INLINE size_t kind_bytes(int kind) { return kind == KERN_F16 ? 2 : 4; }

/* ---- The two tiles. kind, R <= 8 and C <= 8 are constants after inlining, and the arrays become registers. `ahead` is what to
 * prefetch meanwhile, as many bytes as are read; NULL: nothing. ---- */

/* Scores of R rows against C groups of 16 keys. */
INLINE void score_tile(int kind, int R, int C, const attention_state *s, size_t row, const void *keys, size_t group,
                       const char *ahead) {
    const size_t head_dim = s->head_dim, step = LANES * kind_bytes(kind);
    const float *q = s->queries + row * head_dim;
    v16f sum[8][8], key[8];
    UNROLL for (int r = 0; r < R; r++) {
        UNROLL for (int c = 0; c < C; c++) sum[r][c] = 0.0f;
    }
    for (size_t d = 0; d < head_dim; d++) {
        UNROLL for (int c = 0; c < C; c++) {
            key[c] = load_kind(kind, keys, ((group + c) * head_dim + d) * LANES);
            if (ahead && c * step % 64 == 0) __builtin_prefetch(ahead + (d * C + c) * step, 0, 3);
        }
        UNROLL for (int r = 0; r < R; r++) {
            const v16f query = q[r * head_dim + d];
            UNROLL for (int c = 0; c < C; c++) sum[r][c] = fma16(query, key[c], sum[r][c]);
        }
    }
    UNROLL for (int r = 0; r < R; r++) {
        UNROLL for (int c = 0; c < C; c++) store16(s->weights + (row + r) * BLOCK + (group + c) * LANES, sum[r][c]);
    }
}

/* C vectors of the outputs of R rows, all of which see the first n_keys keys of the block. */
INLINE void value_tile(int kind, int R, int C, const attention_state *s, size_t row, value_block values, size_t vector, size_t n_keys,
                       const char *ahead) {
    const size_t step = LANES * kind_bytes(kind);
    const float *p = s->weights + row * BLOCK;
    v16f sum[8][8], value[8];
    UNROLL for (int r = 0; r < R; r++) {
        UNROLL for (int c = 0; c < C; c++) sum[r][c] = 0.0f;
    }
    for (size_t k = 0; k < n_keys; k++) {
        UNROLL for (int c = 0; c < C; c++) {
            value[c] = load_kind(kind, values.base, k * values.key_stride + (vector + c) * values.vector_stride);
            if (ahead && c * step % 64 == 0) __builtin_prefetch(ahead + (k * C + c) * step, 0, 3);
        }
        UNROLL for (int r = 0; r < R; r++) {
            const v16f weight = p[r * BLOCK + k];
            UNROLL for (int c = 0; c < C; c++) sum[r][c] = fma16(weight, value[c], sum[r][c]);
        }
    }
    UNROLL for (int r = 0; r < R; r++) {
        float *out = s->outputs + (row + r) * s->width + vector * LANES;
        const v16f correction = s->corrections[row + r];
        UNROLL for (int c = 0; c < C; c++) store16(out + c * LANES, fma16(load16(out + c * LANES), correction, sum[r][c]));
    }
}

/* ---- Few rows: a tile of rows stays while it walks along the block. ---- */

INLINE void score_few_rows(int kind, int R, const attention_state *s, size_t row, const void *keys, const char *ahead) {
    const int C = R * 4 <= ACCUMULATORS ? 4 : R * 2 <= ACCUMULATORS ? 2 : 1;
    const size_t bytes = C * s->head_dim * LANES * kind_bytes(kind);
    for (size_t group = 0; group < GROUPS; group += C) {
        score_tile(kind, R, C, s, row, keys, group, ahead ? ahead + group / C * bytes : 0);
    }
}

INLINE void value_few_rows(int kind, int R, const attention_state *s, size_t row, value_block values, size_t n_keys, const char *ahead) {
    const size_t vectors = s->width / LANES, bytes = BLOCK * LANES * kind_bytes(kind);
    size_t v = 0;
    if (R * 8 <= ACCUMULATORS) {
        for (; v + 8 <= vectors; v += 8) value_tile(kind, R, 8, s, row, values, v, n_keys, ahead ? ahead + v * bytes : 0);
    }
    if (R * 4 <= ACCUMULATORS) {
        for (; v + 4 <= vectors; v += 4) value_tile(kind, R, 4, s, row, values, v, n_keys, ahead ? ahead + v * bytes : 0);
    }
    if (R * 2 <= ACCUMULATORS) {
        for (; v + 2 <= vectors; v += 2) value_tile(kind, R, 2, s, row, values, v, n_keys, ahead ? ahead + v * bytes : 0);
    }
    for (; v < vectors; v++) value_tile(kind, R, 1, s, row, values, v, n_keys, ahead ? ahead + v * bytes : 0);
}

INLINE void score_few(int kind, const attention_state *s, size_t row, size_t end, const void *keys, const char *ahead) {
    for (; row + 4 <= end; row += 4, ahead = 0) score_few_rows(kind, 4, s, row, keys, ahead);
    for (; row + 2 <= end; row += 2, ahead = 0) score_few_rows(kind, 2, s, row, keys, ahead);
    for (; row < end; row++, ahead = 0) score_few_rows(kind, 1, s, row, keys, ahead);
}

INLINE void value_few(int kind, const attention_state *s, size_t row, size_t end, value_block values, size_t n_keys, const char *ahead) {
    for (; row + 4 <= end; row += 4, ahead = 0) value_few_rows(kind, 4, s, row, values, n_keys, ahead);
    for (; row + 2 <= end; row += 2, ahead = 0) value_few_rows(kind, 2, s, row, values, n_keys, ahead);
    for (; row < end; row++, ahead = 0) value_few_rows(kind, 1, s, row, values, n_keys, ahead);
}

static void score_few_f16(const attention_state *s, size_t row, size_t end, const void *keys, const char *ahead) {
    score_few(KERN_F16, s, row, end, keys, ahead);
}
static void score_few_f32(const attention_state *s, size_t row, size_t end, const void *keys, const char *ahead) {
    score_few(KERN_F32, s, row, end, keys, ahead);
}
static void value_few_f16(const attention_state *s, size_t row, size_t end, value_block values, size_t n_keys, const char *ahead) {
    value_few(KERN_F16, s, row, end, values, n_keys, ahead);
}
static void value_few_f32(const attention_state *s, size_t row, size_t end, value_block values, size_t n_keys, const char *ahead) {
    value_few(KERN_F32, s, row, end, values, n_keys, ahead);
}

/* ---- Many rows: a strip of the widened block stays in L1 while the rows walk along it. ---- */

static void score_many(const attention_state *s, size_t first, size_t end) {
    for (size_t group = 0; group < GROUPS; group += TILE_VECTORS) {
        size_t row = first;
        for (; row + TILE_ROWS <= end; row += TILE_ROWS) score_tile(KERN_F32, TILE_ROWS, TILE_VECTORS, s, row, s->keys, group, 0);
        for (; row + 2 <= end; row += 2) score_tile(KERN_F32, 2, TILE_VECTORS, s, row, s->keys, group, 0);
        for (; row < end; row++) score_tile(KERN_F32, 1, TILE_VECTORS, s, row, s->keys, group, 0);
    }
}

INLINE void value_strip(int C, const attention_state *s, size_t row, size_t end, value_block values, size_t vector) {
    for (; row + TILE_ROWS <= end; row += TILE_ROWS) value_tile(KERN_F32, TILE_ROWS, C, s, row, values, vector, BLOCK, 0);
    for (; row + 2 <= end; row += 2) value_tile(KERN_F32, 2, C, s, row, values, vector, BLOCK, 0);
    for (; row < end; row++) value_tile(KERN_F32, 1, C, s, row, values, vector, BLOCK, 0);
}

static void value_many(const attention_state *s, size_t first, size_t end, value_block values) {
    const size_t vectors = s->width / LANES;
    size_t v = 0;
    for (; v + TILE_VECTORS <= vectors; v += TILE_VECTORS) value_strip(TILE_VECTORS, s, first, end, values, v);
    for (; v < vectors; v++) value_strip(1, s, first, end, values, v);
}

/* ---- Widening a block of the cache. Keys beyond the last position may be anything; their scores are masked. ---- */

static void widen_keys(const attention_state *s, const void *keys, int kind) {
    const size_t n = BLOCK * s->head_dim;
    if (kind == KERN_F16) {
        for (size_t i = 0; i < n; i += LANES) store16(s->keys + i, load_kind(KERN_F16, keys, i));
    } else {
        for (size_t i = 0; i < n; i += LANES) store16(s->keys + i, load_kind(KERN_F32, keys, i));
    }
}

INLINE void widen_values_of(int kind, const attention_state *s, const void *values, size_t n_keys) {
    const size_t head_dim = s->head_dim, left = head_dim % LANES, whole = head_dim - left;
    for (size_t k = 0; k < n_keys; k++) {
        const char *row = (const char *)values + k * head_dim * kind_bytes(kind);
        float *to = s->values + k * LANES;
        for (size_t d = 0; d < whole; d += LANES, to += BLOCK * LANES) store16(to, load_kind(kind, row, d));
        if (left) {
            uint16_t halves[LANES] = {0};
            for (size_t i = 0; kind == KERN_F16 && i < left; i++) halves[i] = ((const uint16_t *)row)[whole + i];
            store16(to, kind == KERN_F16 ? load_f16(halves) : load_part((const float *)row + whole, left));
        }
    }
}

static void widen_values(const attention_state *s, const void *values, size_t n_keys, int kind) {
    if (kind == KERN_F16) widen_values_of(KERN_F16, s, values, n_keys);
    else widen_values_of(KERN_F32, s, values, n_keys);
}

/* ---- Softmax of a row's block: scores to weights p, and m, c, l brought up to date. ---- */

static void softmax_block(const attention_state *s, size_t row, size_t n_keys) {
    float *weights = s->weights + row * BLOCK;
    const v16i lane = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
    v16f x[GROUPS];
    UNROLL for (int g = 0; g < GROUPS; g++) {
        const v16i seen = lane < (v16i)((int32_t)n_keys - g * LANES);
        x[g] = seen ? load16(weights + g * LANES) : (v16f)-__builtin_inff();
    }
    const float before = s->maximums[row];
    const float block = max_lane(max16(max16(x[0], x[1]), max16(x[2], x[3])));
    const float now = block > before ? block : before;
    const v16f correction = exp16((v16f)(before - now));
    UNROLL for (int g = 0; g < GROUPS; g++) {
        const v16i seen = lane < (v16i)((int32_t)n_keys - g * LANES);
        x[g] = seen ? exp16(x[g] - now) : (v16f)0.0f;
        store16(weights + g * LANES, x[g]);
    }
    float *sums = s->sums + row * LANES;
    store16(sums, fma16(load16(sums), correction, (x[0] + x[1]) + (x[2] + x[3])));
    s->maximums[row] = now;
    s->corrections[row] = correction.x;
}

/* ---- The whole. ---- */

static size_t attention_scratch_bytes(size_t n_group, size_t head_dim) {
    (void)n_group;
    const size_t width = (head_dim + LANES - 1) / LANES * LANES;
    const size_t floats = ROW_BLOCK * (width + width + BLOCK + LANES + 2) + 2 * BLOCK * width;
    return (floats * sizeof(float) + 63) / 64 * 64;
}

static attention_state lay_out(void *scratch, size_t head_dim) {
    attention_state s = {.head_dim = head_dim, .width = (head_dim + LANES - 1) / LANES * LANES};
    float *at = scratch;
    s.keys = at, at += BLOCK * s.width;
    s.values = at, at += BLOCK * s.width;
    s.queries = at, at += ROW_BLOCK * s.width;
    s.outputs = at, at += ROW_BLOCK * s.width;
    s.weights = at, at += ROW_BLOCK * BLOCK;
    s.sums = at, at += ROW_BLOCK * LANES;
    s.maximums = at, at += ROW_BLOCK;
    s.corrections = at;
    return s;
}

/* Rows begin ..< end of the call, at most ROW_BLOCK of them, against all keys they see. */
static void attend_rows(const kern_kv *kv, size_t kv_head, size_t n_group, size_t first_position, size_t begin, size_t end,
                        const float *q, size_t q_stride, float *out, size_t out_stride, float scale, const attention_state *s) {
    const size_t head_dim = s->head_dim, rows = end - begin;
    for (size_t r = 0; r < rows; r++) {
        const float *from = q + (begin + r) / n_group * q_stride + (kv_head * n_group + (begin + r) % n_group) * head_dim;
        for (size_t d = 0; d < head_dim; d++) s->queries[r * head_dim + d] = from[d] * scale;
        s->maximums[r] = -__builtin_inff();
        store16(s->sums + r * LANES, 0.0f);
        for (size_t d = 0; d < s->width; d += LANES) store16(s->outputs + r * s->width + d, 0.0f);
    }

    const int key_kind = kv->key_kind, value_kind = kv->value_kind;
    const size_t key_bytes = BLOCK * head_dim * kind_bytes(key_kind), value_bytes = BLOCK * head_dim * kind_bytes(value_kind);
    const char *keys = (const char *)kv->keys + kv_head * (kv->capacity / BLOCK) * key_bytes;
    const char *values = (const char *)kv->values + kv_head * (kv->capacity / BLOCK) * value_bytes;
    const int few = rows <= FEW_ROWS, direct = few && s->width == head_dim;
    const size_t longest = first_position + (end - 1) / n_group + 1; /* keys that the last row sees */

    for (size_t first_key = 0; first_key < longest; first_key += BLOCK, keys += key_bytes, values += value_bytes) {
        size_t active = 0; /* rows of earlier positions are done */
        while (first_position + (begin + active) / n_group < first_key) active++;
        const int more = first_key + BLOCK < longest;

        if (few) {
            if (key_kind == KERN_F16) score_few_f16(s, active, rows, keys, values);
            else score_few_f32(s, active, rows, keys, values);
        } else {
            widen_keys(s, keys, key_kind);
            score_many(s, active, rows);
        }

        value_block block = {values, head_dim, LANES};
        if (!direct) {
            widen_values(s, values, more ? BLOCK : longest - first_key, value_kind);
            block = (value_block){s->values, LANES, BLOCK * LANES};
        }
        const char *ahead = more ? keys + key_bytes : 0;
        for (size_t run = active, next; run < rows; run = next) { /* rows that see equally many keys of this block */
            const size_t seen = first_position + (begin + run) / n_group + 1 - first_key;
            const size_t n_keys = seen < BLOCK ? seen : BLOCK;
            next = run;
            while (next < rows && (n_keys == BLOCK || (begin + next) / n_group == (begin + run) / n_group)) {
                softmax_block(s, next++, n_keys);
            }
            if (n_keys == BLOCK && !few) value_many(s, run, next, block);
            else if (direct && value_kind == KERN_F16) value_few_f16(s, run, next, block, n_keys, ahead);
            else value_few_f32(s, run, next, block, n_keys, direct ? ahead : 0);
            ahead = 0;
        }
    }

    for (size_t r = 0; r < rows; r++) {
        float *to = out + (begin + r) / n_group * out_stride + (kv_head * n_group + (begin + r) % n_group) * head_dim;
        const v16f total = sum16(load16(s->sums + r * LANES));
        const float *from = s->outputs + r * s->width;
        const size_t left = head_dim % LANES, whole = head_dim - left;
        for (size_t d = 0; d < whole; d += LANES) store16(to + d, load16(from + d) / total);
        if (left) store_part(to + whole, left, load16(from + whole) / total);
    }
}

static void attention(const kern_kv *kv, size_t kv_head, size_t n_group, size_t first_position, size_t n_tokens, const float *q,
                      size_t q_stride, float *out, size_t out_stride, float scale, void *scratch) {
    const attention_state s = lay_out(scratch, kv->head_dim);
    const size_t rows = n_tokens * n_group;
    for (size_t begin = 0; begin < rows; begin += ROW_BLOCK) {
        const size_t end = begin + ROW_BLOCK < rows ? begin + ROW_BLOCK : rows;
        attend_rows(kv, kv_head, n_group, first_position, begin, end, q, q_stride, out, out_stride, scale, &s);
    }
}

#endif
