/* Storing one token's keys and values. Rounding happens here and nowhere else, so a token's place in the cache does not depend on the
 * batch it came in. Keys: the components of a position lie a block of keys apart. */
#ifndef ALPACA_VECTOR_CACHE_H
#define ALPACA_VECTOR_CACHE_H
#include "float16.h"
#include "vector_elementwise.h"
#include <stdbool.h>

/* 32 floats to int8 and a binary16 scale (its bits are returned): the greatest magnitude becomes 127, halves go to even. A NaN or
 * infinity makes the scale NaN. */
INLINE uint16_t quantize_32(const float *x, int8_t *quants) {
    const v16f a = load16(x), b = load16(x + LANES);
    const float most = max_lane(max16(max16(a, -a), max16(b, -b)));
    uint16_t halves[LANES];
    const bool finite = sum16(a * 0.0f + b * 0.0f) == 0.0f;
    store_f16(halves, (v16f)(finite ? most / 127.0f + 0.0f : __builtin_nanf(""))); /* never -0 */
    const float scale = f32_from_f16(halves[0]), inverse = scale == 0.0f ? 0.0f : 1.0f / scale;
    for (int i = 0; i < 2; i++) {
        v16f q = (i == 0 ? a : b) * inverse;
        q = q > -127.0f ? q : (v16f)-127.0f; /* the rounded scale may be a little too small; NaN must become some number */
        q = q < 127.0f ? q : (v16f)127.0f;
        const v16u integer = __builtin_bit_cast(v16u, q + 0x1.8p+23f); /* in the low bits */
        *(v16c_unaligned *)(quants + i * LANES) = __builtin_convertvector(integer, v16c);
    }
    return halves[0];
}

static void store_key(int kind, const float *k, size_t head_dim, size_t lane, char *block) {
    if (kind == KERN_F32) {
        for (size_t d = 0; d < head_dim; d++) ((float *)block)[d * KERN_KEY_BLOCK + lane] = k[d];
    } else if (kind == KERN_F16) {
        uint16_t halves[LANES];
        for (size_t d = 0; d < head_dim; d += LANES) {
            const size_t n = head_dim - d < LANES ? head_dim - d : LANES;
            store_f16(halves, n < LANES ? load_part(k + d, n) : load16(k + d));
            for (size_t i = 0; i < n; i++) ((uint16_t *)block)[(d + i) * KERN_KEY_BLOCK + lane] = halves[i];
        }
    } else {
        int8_t quants[KERN_KV_SCALED];
        for (size_t d = 0; d < head_dim; d += KERN_KV_SCALED, block += KERN_KEY_BLOCK * (sizeof(uint16_t) + KERN_KV_SCALED)) {
            ((uint16_t *)block)[lane] = quantize_32(k + d, quants);
            char *to = block + KERN_KEY_BLOCK * sizeof(uint16_t) + lane;
            for (size_t i = 0; i < KERN_KV_SCALED; i++) to[i * KERN_KEY_BLOCK] = quants[i];
        }
    }
}

static void store_value(int kind, const float *v, size_t head_dim, size_t lane, char *block) {
    if (kind == KERN_F32) {
        for (size_t d = 0; d < head_dim; d++) ((float *)block)[lane * head_dim + d] = v[d];
    } else if (kind == KERN_F16) {
        f32_to_f16(v, head_dim, (uint16_t *)block + lane * head_dim);
    } else {
        uint16_t *scales = (uint16_t *)block;
        int8_t *quants = (int8_t *)(scales + head_dim / KERN_KV_SCALED * KERN_KEY_BLOCK) + lane * head_dim;
        for (size_t d = 0; d < head_dim; d += KERN_KV_SCALED) {
            scales[d / KERN_KV_SCALED * KERN_KEY_BLOCK + lane] = quantize_32(v + d, quants + d);
        }
    }
}

static void kv_store(const kern_kv *kv, size_t position, const float *k, const float *v) {
    const size_t head_dim = kv->head_dim, lane = position % KERN_KEY_BLOCK;
    const size_t key_bytes = kern_kv_block_bytes(kv->key_kind, head_dim), value_bytes = kern_kv_block_bytes(kv->value_kind, head_dim);
    char *keys = (char *)kv->pages[position / KERN_KEY_BLOCK] + kv->layer, *values = keys + kv->n_head_kv * key_bytes;
    for (size_t h = 0; h < kv->n_head_kv; h++, k += head_dim, v += head_dim) {
        store_key(kv->key_kind, k, head_dim, lane, keys + h * key_bytes);
        store_value(kv->value_kind, v, head_dim, lane, values + h * value_bytes);
    }
}

#endif
