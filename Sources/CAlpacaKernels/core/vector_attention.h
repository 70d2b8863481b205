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
 * few rows (decode) reads keys and values straight from the cache; see `tile` for how memory is kept busy. With many rows, blocks of
 * ROW_BLOCK rows go over the cache together: each key block is widened to floats once for all of them, and tiles of TILE_ROWS rows by
 * TILE_VECTORS vectors are kept in registers.
 *
 * With a window a query sees the last `window` positions alone. It begins with the block of the first of them; keys of that block before
 * it weigh 0 (they are keys of real tokens, so that what they are multiplied with is a number).
 *
 * The isa file chooses TILE_ROWS (4, 6 or 8), TILE_VECTORS, ACCUMULATORS (how many v16f its registers hold beside a step's inputs)
 * and STREAM_ROWS (with so few rows memory is slower than the core): speed only, not bits. A new kind of cache needs a case wherever KERN_Q8_0 is mentioned. */
#ifndef ALPACA_VECTOR_ATTENTION_H
#define ALPACA_VECTOR_ATTENTION_H
#include "vector_attention_tile.h"
#include "vector_exp.h"

enum {
    ROW_BLOCK = 96, /* a multiple of every TILE_ROWS; widening a block of keys then costs some 5 % of using it */
    FEW_ROWS = 8,   /* up to so many, widening does not pay */
};
_Static_assert(GROUPS == 4, "a block's sums are written out for four groups of one vector");

/* ---- Widening a block of the cache. Keys beyond the last position may be anything; their scores are masked. ---- */

INLINE void widen_keys_of(int kind, const attention_state *s, const void *keys) {
    const size_t head_dim = s->head_dim;
    for (size_t d = 0; d < head_dim; d++) {
        const char *group = scaled_group(keys, d), *quants = group + BLOCK * sizeof(uint16_t);
        UNROLL for (size_t g = 0; g < GROUPS; g++) {
            const v16f x = kind == KERN_Q8_0 ? load_s8((const int8_t *)quants + d % SCALED * BLOCK + g * LANES) *
                                                   load_f16((const uint16_t *)group + g * LANES)
                                             : load_kind(kind, keys, d * BLOCK + g * LANES);
            store16(s->keys + (g * head_dim + d) * LANES, x);
        }
    }
}

static panel widen_keys(const attention_state *s, const void *keys, int kind) {
    if (kind == KERN_F16) widen_keys_of(KERN_F16, s, keys);
    else if (kind == KERN_Q8_0) widen_keys_of(KERN_Q8_0, s, keys);
    else widen_keys_of(KERN_F32, s, keys);
    return (panel){s->keys, LANES, s->head_dim * LANES, 0};
}

INLINE void widen_values_of(int kind, const attention_state *s, const void *values, size_t n_keys) {
    const size_t head_dim = s->head_dim, left = head_dim % LANES, whole = head_dim - left;
    for (size_t k = 0; k < n_keys; k++) {
        const char *row = (const char *)values + k * head_dim * kind_bytes(kind);
        float *to = s->values + k * LANES;
        for (size_t d = 0; d < whole; d += LANES, to += BLOCK * LANES) {
            const v16f x = load_kind(kind, row, d);
            store16(to, kind == KERN_Q8_0 ? x * s->scales[d / SCALED * BLOCK + k] : x);
        }
        if (left) { /* never Q8_0 */
            uint16_t halves[LANES] = {0};
            for (size_t i = 0; kind == KERN_F16 && i < left; i++) halves[i] = ((const uint16_t *)row)[whole + i];
            store16(to, kind == KERN_F16 ? load_f16(halves) : load_part((const float *)row + whole, left));
        }
    }
}

static panel widen_values(const attention_state *s, const void *values, size_t n_keys, int kind) {
    if (kind == KERN_F16) widen_values_of(KERN_F16, s, values, n_keys);
    else if (kind == KERN_Q8_0) widen_values_of(KERN_Q8_0, s, values, n_keys);
    else widen_values_of(KERN_F32, s, values, n_keys);
    return (panel){s->values, LANES, BLOCK * LANES, 0};
}

/* A Q8_0 block of values begins with its scales, (head_dim / 32, 64). */
static const char *take_scales(const attention_state *s, const char *values) {
    const size_t n = s->head_dim / SCALED * BLOCK;
    for (size_t i = 0; i < n; i += LANES) store16(s->scales + i, load_f16((const uint16_t *)values + i));
    return values + n * sizeof(uint16_t);
}

/* ---- Softmax of a row's block: scores to weights p, and m, c, l brought up to date. ---- */

/* The row sees keys first_seen ..< n_keys of the block, at least one. */
static void softmax_block(const attention_state *s, size_t row, size_t first_seen, size_t n_keys) {
    float *weights = s->weights + row * BLOCK;
    const v16i lane = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
    v16f x[GROUPS];
    UNROLL for (int g = 0; g < GROUPS; g++) {
        const v16i seen = lane < (v16i)((int32_t)n_keys - g * LANES) & lane >= (v16i)((int32_t)first_seen - g * LANES);
        x[g] = seen ? load16(weights + g * LANES) : (v16f)-__builtin_inff();
    }
    const float before = s->maximums[row];
    const float block = max_lane(max16(max16(x[0], x[1]), max16(x[2], x[3])));
    const float now = block > before ? block : before;
    const v16f correction = exp16((v16f)(before - now));
    UNROLL for (int g = 0; g < GROUPS; g++) {
        const v16i seen = lane < (v16i)((int32_t)n_keys - g * LANES) & lane >= (v16i)((int32_t)first_seen - g * LANES);
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
    const size_t floats = ROW_BLOCK * (width + width + BLOCK + LANES + 2) + 2 * BLOCK * width + BLOCK * width / SCALED;
    return (floats * sizeof(float) + 63) / 64 * 64;
}

static attention_state lay_out(void *scratch, size_t head_dim) {
    attention_state s = {.head_dim = head_dim, .width = (head_dim + LANES - 1) / LANES * LANES};
    float *at = scratch;
    s.keys = at, at += BLOCK * s.width;
    s.values = at, at += BLOCK * s.width;
    s.scales = at, at += BLOCK * s.width / SCALED;
    s.queries = at, at += ROW_BLOCK * s.width;
    s.outputs = at, at += ROW_BLOCK * s.width;
    s.weights = at, at += ROW_BLOCK * BLOCK;
    s.sums = at, at += ROW_BLOCK * LANES;
    s.maximums = at, at += ROW_BLOCK;
    s.corrections = at;
    return s;
}

/* The first position that a query at `position` sees. */
INLINE size_t first_seen_from(size_t position, size_t window) { return window && position >= window ? position + 1 - window : 0; }

/* Rows begin ..< end of the call, at most ROW_BLOCK of them, against all keys they see. */
static void attend_rows(const kern_kv *kv, size_t kv_head, size_t n_group, size_t first_position, size_t begin, size_t end, size_t window,
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
    const size_t key_bytes = kern_kv_block_bytes(key_kind, head_dim), value_bytes = kern_kv_block_bytes(value_kind, head_dim);
    const size_t keys_at = kv->layer + kv_head * key_bytes, values_at = kv->layer + kv->n_head_kv * key_bytes + kv_head * value_bytes;
    const int is_few = rows <= FEW_ROWS, direct = is_few && s->width == head_dim;
#define POSITION(row) (first_position + (begin + (row)) / n_group)
    const size_t longest = POSITION(rows - 1) + 1; /* keys that the last row sees, if it sees all */
    size_t active = 0, until = 0;                  /* rows that see any key of the block: earlier ones are done, later ones not begun */

    for (size_t first_key = first_seen_from(POSITION(0), window) / BLOCK * BLOCK; first_key < longest; first_key += BLOCK) {
        while (POSITION(active) < first_key) active++;
        while (until < rows && first_seen_from(POSITION(until), window) < first_key + BLOCK) until++;
        const char *keys = (const char *)kv->pages[first_key / BLOCK] + keys_at;
        const char *values = (const char *)kv->pages[first_key / BLOCK] + values_at;
        const char *next = first_key + BLOCK < longest ? (const char *)kv->pages[first_key / BLOCK + 1] + keys_at : keys;
        if (is_few) few_scores(key_kind, s, active, until, (panel){keys, BLOCK, LANES, values});
        else many(SCORES, s, active, until, widen_keys(s, keys, key_kind), head_dim);

        const size_t last = longest - first_key; /* keys of this block that the last row sees */
        const char *rows_of_values = value_kind == KERN_Q8_0 ? take_scales(s, values) : values;
        const panel block = direct ? (panel){rows_of_values, head_dim, LANES, next}
                                   : widen_values(s, rows_of_values, last < BLOCK ? last : BLOCK, value_kind);
        for (size_t run = active, after; run < until; run = after) { /* rows that see equally many keys of this block */
            const size_t seen = POSITION(run) + 1 - first_key;
            const size_t n_keys = seen < BLOCK ? seen : BLOCK;
            after = run;
            while (after < until && (n_keys == BLOCK || POSITION(after) == POSITION(run))) {
                const size_t from = first_seen_from(POSITION(after), window);
                softmax_block(s, after++, from > first_key ? from - first_key : 0, n_keys);
            }
            if (n_keys == BLOCK && !is_few) many(OUTPUTS, s, run, after, block, BLOCK);
            else few_outputs(direct ? value_kind : KERN_F32, s, run, after, block, n_keys);
        }
    }
#undef POSITION

    for (size_t r = 0; r < rows; r++) {
        float *to = out + (begin + r) / n_group * out_stride + (kv_head * n_group + (begin + r) % n_group) * head_dim;
        const v16f total = sum16(load16(s->sums + r * LANES));
        const float *from = s->outputs + r * s->width;
        const size_t left = head_dim % LANES, whole = head_dim - left;
        for (size_t d = 0; d < whole; d += LANES) store16(to + d, load16(from + d) / total);
        if (left) store_part(to + whole, left, load16(from + whole) / total);
    }
}

static void attention(const kern_kv *kv, size_t kv_head, size_t n_group, size_t first_position, size_t n_tokens, size_t window,
                      const float *q, size_t q_stride, float *out, size_t out_stride, float scale, void *scratch) {
    attention_state s = lay_out(scratch, kv->head_dim);
    s.fetch_level = kv->fetch_level;
    const size_t rows = n_tokens * n_group;
    for (size_t begin = 0; begin < rows; begin += ROW_BLOCK) {
        const size_t end = begin + ROW_BLOCK < rows ? begin + ROW_BLOCK : rows;
        attend_rows(kv, kv_head, n_group, first_position, begin, end, window, q, q_stride, out, out_stride, scale, &s);
    }
}

#endif
