/* The path for any CPU, and the reference of the others: no instruction beyond the base architecture, no library. */
#include "../core/float16.h"

INLINE v16f load_f16(const uint16_t *p) { return f32_from_f16_vector(*(const v16s_unaligned *)p); }
INLINE void store_f16(uint16_t *p, v16f x) { *(v16s_unaligned *)p = f16_from_f32_vector(x); }

#if defined(__FP_FAST_FMAF) || defined(__FMA__) || defined(__aarch64__)
INLINE v16f fma16(v16f a, v16f b, v16f c) { return __builtin_elementwise_fma(a, b, c); }
#else
typedef double v16d __attribute__((ext_vector_type(16)));
typedef int64_t v16l __attribute__((ext_vector_type(16)));

/* Fused multiply-add without the instruction, several times faster than a C library's fmaf() on such a CPU. The product of two floats
 * is exact in double. The sum is rounded to odd (Boldo and Melquiond 2008): if anything was lost (Knuth's two-sum says what) and the
 * last bit is 0, take the neighbour on the side of the loss. With 53 >= 24 + 2 bits, rounding that to float is rounding once. */
static __attribute__((noinline)) void fused_multiply_add(const v16f *a, const v16f *b, v16f *c) {
    const v16d product = __builtin_convertvector(*a, v16d) * __builtin_convertvector(*b, v16d);
    const v16d addend = __builtin_convertvector(*c, v16d);
    const v16d sum = product + addend, part = sum - product;
    const v16d lost = (product - (sum - part)) + (addend - part);
    const v16l bits = __builtin_bit_cast(v16l, sum), even = (bits & 1) - 1;
    const v16l away = 1 + 2 * ((sum < 0.0) ^ (lost < 0.0)); /* 1: to greater magnitude, -1: to less */
    const v16l odd = bits + (away & even & ((lost < 0.0) | (lost > 0.0))); /* NaN: infinities stay */
    *c = __builtin_convertvector(__builtin_bit_cast(v16d, odd), v16f);
}

INLINE v16f fma16(v16f a, v16f b, v16f c) {
    fused_multiply_add(&a, &b, &c);
    return c;
}
#endif

INLINE v32h high_products(v32h a, v32h b) {
    return __builtin_convertvector(__builtin_convertvector(a, v32i) * __builtin_convertvector(b, v32i) >> 16, v32h);
}

INLINE v16i add_pair_products(v16i c, v32h a, v32h b) {
    const v32i products = __builtin_convertvector(a, v32i) * __builtin_convertvector(b, v32i);
    return c + products.even + products.odd;
}

enum { TILE_ROWS = 4, TILE_VECTORS = 1, ACCUMULATORS = 4, STREAM_ROWS = 1 };

#define VECTOR_TABLE_NAME kern_vector_generic
extern const kern_vector_table kern_vector_generic;
#include "../core/vector_table.h"
