/* Attention and the cache: every kind of keys with every kind of values, over more than one block of keys, after NaN and infinities. */
#include "kernels.h"
#include <math.h>
#include <string.h>

enum { HEADS = 2, MOST_PAGES = 8, LAYER = 128 };

static size_t part_bytes(int32_t kind, size_t head_dim) { return HEADS * kern_kv_block_bytes(kind, head_dim); }

/* What an earlier conversation left, in pages that end at a guard page; before the layer's part lies another layer's. */
static void old_pages(void **pages, size_t n, size_t bytes) {
    for (size_t page = 0; page < n; page++) {
        uint8_t *p = pages[page] = guarded(LAYER + bytes, 4);
        memset(p, 0xFF, LAYER + bytes);
        for (size_t i = 1; i < bytes; i += 6) p[LAYER + i] = 0x7C;
    }
}

/* The blocks of all pages side by side, head by head: keys, or values, which begin `at` bytes after the layer. */
static void *gathered(void *const *pages, size_t n, size_t at, size_t block_bytes) {
    uint8_t *all = guarded(HEADS * n * block_bytes, 4);
    for (size_t head = 0; head < HEADS; head++) {
        for (size_t page = 0; page < n; page++) {
            const uint8_t *block = (const uint8_t *)pages[page] + LAYER + at + head * block_bytes;
            memcpy(all + (head * n + page) * block_bytes, block, block_bytes);
        }
    }
    return all;
}

static void compare_kinds(const kern_table *const *tables, int n_tables, size_t head_dim, size_t group, size_t tokens, size_t window,
                          int32_t keys, int32_t values, int edges) {
    const size_t n_pages = (tokens + KERN_KEY_BLOCK - 1) / KERN_KEY_BLOCK, stride = HEADS * group * head_dim, width = HEADS * head_dim;
    float *q = guarded(tokens * stride * 4, 4), *k = guarded(tokens * width * 4, 4), *v = guarded(tokens * width * 4, 4);
    fill_floats(q, tokens * stride, 3), fill_floats(k, tokens * width, 2), fill_floats(v, tokens * width, 1);
    if (edges) fill_edges(k, tokens * width, edges == 2), fill_edges(v, tokens * width, edges == 2);
    const size_t key_bytes = part_bytes(keys, head_dim), value_bytes = part_bytes(values, head_dim);
    void *expected[3] = {NULL, NULL, NULL};
    for (int i = 0; i < n_tables; i++) {
        const kern_vector_table *f = &tables[i]->vector;
        void *pages[MOST_PAGES];
        old_pages(pages, n_pages, key_bytes + value_bytes);
        const kern_kv kv = {.pages = pages, .layer = LAYER, .n_head_kv = HEADS, .head_dim = head_dim, .key_kind = keys,
                            .value_kind = values, .fetch_level = i % 2 + 1};
        for (size_t t = 0; t < tokens; t++) f->kv_store(&kv, t, k + t * width, v + t * width);
        float *out = guarded(tokens * stride * 4, 4);
        void *scratch = guarded(f->attention_scratch_bytes(group, head_dim), 64);
        /* Plain C in one call; the others one token, then seven, then the rest. */
        const size_t ends[3] = {i ? 1 : tokens, i && tokens > 8 ? 8 : tokens, tokens};
        for (size_t part = 0, first = 0; part < 3; first = ends[part++]) {
            for (size_t head = 0; head < HEADS && first < ends[part]; head++) {
                f->attention(&kv, head, group, first, ends[part] - first, window, q + first * stride, stride, out + first * stride, stride,
                             1.0f / sqrtf((float)head_dim), scratch);
            }
        }
        void *all_keys = gathered(pages, n_pages, 0, key_bytes / HEADS), *all_values = gathered(pages, n_pages, key_bytes, value_bytes / HEADS);
        if (!i) expected[0] = all_keys, expected[1] = all_values, expected[2] = out;
        const char *name = tables[i]->name;
        compare(all_keys, expected[0], n_pages * key_bytes, false, name, "keys of type %d, %zu numbers, edges %d", (int)keys, head_dim,
                edges);
        compare(all_values, expected[1], n_pages * value_bytes, false, name, "values of type %d, %zu numbers, edges %d", (int)values,
                head_dim, edges);
        compare(out, expected[2], tokens * stride * 4, true, name,
                "attention, types %d and %d, %zu numbers, %zu heads a group, window %zu, edges %d", (int)keys, (int)values, head_dim, group,
                window, edges);
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
                compare_kinds(tables, n_tables, shapes[s].head_dim, shapes[s].group, tokens, 0, kinds[key], kinds[value], 0);
                if (key != value) continue;
                compare_kinds(tables, n_tables, shapes[s].head_dim, shapes[s].group, tokens, 33, kinds[key], kinds[value], 0);
                compare_kinds(tables, n_tables, shapes[s].head_dim, shapes[s].group, 9, 0, kinds[key], kinds[value], 1);
                compare_kinds(tables, n_tables, shapes[s].head_dim, shapes[s].group, 9, 0, kinds[key], kinds[value], 2);
            }
        }
    }
}
