/* Storing one token's keys and values. Rounding to F16 happens here and nowhere else, so a token's cache lines do not depend on the
 * batch it came in. */
#ifndef ALPACA_VECTOR_CACHE_H
#define ALPACA_VECTOR_CACHE_H
#include "vector_elementwise.h"

/* Component d of a key lies a block of keys behind component d - 1: `to` points at the first. */
static void scatter_f16(const float *k, size_t head_dim, uint16_t *to) {
    uint16_t halves[LANES];
    for (size_t d = 0; d < head_dim; d += LANES) {
        const size_t n = head_dim - d < LANES ? head_dim - d : LANES;
        store_f16(halves, n < LANES ? load_part(k + d, n) : load16(k + d));
        for (size_t i = 0; i < n; i++) to[(d + i) * KERN_KEY_BLOCK] = halves[i];
    }
}

static void kv_store(const kern_kv *kv, size_t position, const float *k, const float *v) {
    const size_t head_dim = kv->head_dim;
    const size_t block = position / KERN_KEY_BLOCK, lane = position % KERN_KEY_BLOCK;
    for (size_t h = 0; h < kv->n_head_kv; h++, k += head_dim, v += head_dim) {
        const size_t key = (h * (kv->capacity / KERN_KEY_BLOCK) + block) * head_dim * KERN_KEY_BLOCK + lane;
        if (kv->key_kind == KERN_F16) {
            scatter_f16(k, head_dim, (uint16_t *)kv->keys + key);
        } else {
            float *to = (float *)kv->keys + key;
            for (size_t d = 0; d < head_dim; d++) to[d * KERN_KEY_BLOCK] = k[d];
        }
        const size_t value = (h * kv->capacity + position) * head_dim;
        if (kv->value_kind == KERN_F16) {
            f32_to_f16(v, head_dim, (uint16_t *)kv->values + value);
        } else {
            float *to = (float *)kv->values + value;
            for (size_t d = 0; d < head_dim; d++) to[d] = v[d];
        }
    }
}

#endif
