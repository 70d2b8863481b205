/* The vector types that core/vector_*.h is written in, and the operations that need no instruction of their own.
 *
 * A v16f is one zmm register, two ymm or four NEON registers: the compiler splits it, and because every operation is lane by lane
 * (or one of the two fixed trees below), the bits do not depend on how. An isa/vector_*.c file includes this, defines the five
 * primitives that differ between CPUs, and then includes the rest:
 *   v16f fma16(v16f a, v16f b, v16f c)      a * b + c, rounded once
 *   v16f load_f16(const uint16_t *p)        16 binary16 numbers to floats
 *   void store_f16(uint16_t *p, v16f x)     rounded to nearest even, overflow to infinity
 *   v32h high_products(v32h a, v32h b)      the upper 16 bits of each product
 *   v16i add_pair_products(v16i c, v32h a, v32h b)   c[i] + a[2i] b[2i] + a[2i + 1] b[2i + 1] */
#ifndef ALPACA_VECTOR_TYPES_H
#define ALPACA_VECTOR_TYPES_H
#include "alpaca_kernels.h"

/* Every function that takes or returns a vector is inlined, so how one would be passed does not matter. */
#pragma clang diagnostic ignored "-Wpsabi"
#define INLINE static inline __attribute__((always_inline))

typedef float v16f __attribute__((ext_vector_type(16)));
typedef float v8f __attribute__((ext_vector_type(8)));
typedef float v4f __attribute__((ext_vector_type(4)));
typedef float v2f __attribute__((ext_vector_type(2)));
typedef int32_t v16i __attribute__((ext_vector_type(16)));
typedef uint32_t v16u __attribute__((ext_vector_type(16)));
typedef uint16_t v16s __attribute__((ext_vector_type(16)));
typedef int8_t v16c __attribute__((ext_vector_type(16)));
typedef int32_t v8i __attribute__((ext_vector_type(8)));
typedef int16_t v16h __attribute__((ext_vector_type(16)));
typedef int16_t v32h __attribute__((ext_vector_type(32)));
typedef int32_t v32i __attribute__((ext_vector_type(32)));
typedef v16f v16f_unaligned __attribute__((aligned(4)));
typedef v8f v8f_unaligned __attribute__((aligned(4)));
typedef v16s v16s_unaligned __attribute__((aligned(2)));
typedef v16c v16c_unaligned __attribute__((aligned(1)));

enum { LANES = 16 };

INLINE v16f load16(const float *p) { return *(const v16f_unaligned *)p; }
INLINE void store16(float *p, v16f x) { *(v16f_unaligned *)p = x; }

INLINE v16f load_s8(const int8_t *p) { return __builtin_convertvector(*(const v16c_unaligned *)p, v16f); }

/* The first n (< 16) of 16 numbers; nothing behind them is touched. Absent lanes are zero. */
INLINE v16f load_part(const float *p, size_t n) {
    float lanes[LANES] = {0};
    for (size_t i = 0; i < n; i++) lanes[i] = p[i];
    return load16(lanes);
}

INLINE void store_part(float *p, size_t n, v16f x) {
    float lanes[LANES];
    store16(lanes, x);
    for (size_t i = 0; i < n; i++) p[i] = lanes[i];
}

/* The canonical tree: 16 -> 8 -> 4 -> 2 -> 1 by adding lane i + n/2 to lane i. */
INLINE float sum16(v16f x) {
    v8f a = x.lo + x.hi;
    v4f b = a.lo + a.hi;
    v2f c = b.lo + b.hi;
    return c.x + c.y;
}

/* Of two numbers the greater; b where either is NaN (as x86's maxps has it). */
INLINE v16f max16(v16f a, v16f b) { return a > b ? a : b; }

INLINE float max_lane(v16f x) {
    v8f a = x.lo > x.hi ? x.lo : x.hi;
    v4f b = a.lo > a.hi ? a.lo : a.hi;
    v2f c = b.lo > b.hi ? b.lo : b.hi;
    return c.x > c.y ? c.x : c.y;
}

#endif
