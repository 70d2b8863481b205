/* Attention and the cache: every kind of keys with every kind of values, over more than one block of keys, after NaN and infinities. */
#include "kernels.h"
#include <math.h>
#include <string.h>

enum { HEADS = 2 };

static size_t cache_bytes(int32_t kind, size_t head_dim, size_t capacity) {
    return HEADS * capacity / KERN_KEY_BLOCK * kern_kv_block_bytes(kind, head_dim);
}

/* What an earlier conversation left. */
static void *old_memory(size_t bytes) {
    uint8_t *p = guarded(bytes, 4);
    memset(p, 0xFF, bytes);
    for (size_t i = 1; i < bytes; i += 6) p[i] = 0x7C;
    return p;
}

static void compare_kinds(const kern_table *const *tables, int n_tables, size_t head_dim, size_t group, size_t tokens, int32_t keys,
                          int32_t values, int edges) {
    const size_t capacity = (tokens + KERN_KEY_BLOCK - 1) / KERN_KEY_BLOCK * KERN_KEY_BLOCK, stride = HEADS * group * head_dim;
    const size_t width = HEADS * head_dim;
    float *q = guarded(tokens * stride * 4, 4), *k = guarded(tokens * width * 4, 4), *v = guarded(tokens * width * 4, 4);
    fill_floats(q, tokens * stride, 3), fill_floats(k, tokens * width, 2), fill_floats(v, tokens * width, 1);
    if (edges) fill_edges(k, tokens * width, edges == 2), fill_edges(v, tokens * width, edges == 2);
    const size_t key_bytes = cache_bytes(keys, head_dim, capacity), value_bytes = cache_bytes(values, head_dim, capacity);
    void *expected[3] = {NULL, NULL, NULL};
    for (int i = 0; i < n_tables; i++) {
        const kern_vector_table *f = &tables[i]->vector;
        const kern_kv kv = {.keys = old_memory(key_bytes), .values = old_memory(value_bytes), .capacity = capacity, .n_head_kv = HEADS,
                            .head_dim = head_dim, .key_kind = keys, .value_kind = values};
        for (size_t t = 0; t < tokens; t++) f->kv_store(&kv, t, k + t * width, v + t * width);
        float *out = guarded(tokens * stride * 4, 4);
        void *scratch = guarded(f->attention_scratch_bytes(group, head_dim), 64);
        /* Plain C in one call; the others one token, then seven, then the rest. */
        const size_t ends[3] = {i ? 1 : tokens, i && tokens > 8 ? 8 : tokens, tokens};
        for (size_t part = 0, first = 0; part < 3; first = ends[part++]) {
            for (size_t head = 0; head < HEADS && first < ends[part]; head++) {
                f->attention(&kv, head, group, first, ends[part] - first, q + first * stride, stride, out + first * stride, stride,
                             1.0f / sqrtf((float)head_dim), scratch);
            }
        }
        if (!i) expected[0] = kv.keys, expected[1] = kv.values, expected[2] = out;
        const char *name = tables[i]->name;
        compare(kv.keys, expected[0], key_bytes, false, name, "keys of type %d, %zu numbers, edges %d", (int)keys, head_dim, edges);
        compare(kv.values, expected[1], value_bytes, false, name, "values of type %d, %zu numbers, edges %d", (int)values, head_dim, edges);
        compare(out, expected[2], tokens * stride * 4, true, name, "attention, types %d and %d, %zu numbers, %zu heads a group, edges %d",
                (int)keys, (int)values, head_dim, group, edges);
    }
    forget_all();
}

void compare_attention(const kern_table *const *tables, int n_tables, bool brief) {
    static const int32_t kinds[] = {KERN_F16, KERN_F32, KERN_Q8_0};
    static const struct { size_t head_dim, group; } shapes[] = {{2, 1}, {18, 3}, {64, 2}, {80, 1}, {128, 4}};
    for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++) {
        const size_t n_kinds = shapes[s].head_dim % 32 ? 2 : 3;
        for (size_t key = 0; key < n_kinds; key++) {
            for (size_t value = 0; value < n_kinds; value++) {
                const size_t tokens = brief ? 67 : 131;
                if (brief && key != value) continue;
                compare_kinds(tables, n_tables, shapes[s].head_dim, shapes[s].group, tokens, kinds[key], kinds[value], 0);
                if (key != value) continue;
                compare_kinds(tables, n_tables, shapes[s].head_dim, shapes[s].group, 9, kinds[key], kinds[value], 1);
                compare_kinds(tables, n_tables, shapes[s].head_dim, shapes[s].group, 9, kinds[key], kinds[value], 2);
            }
        }
    }
}
