/* binary16 and bfloat16 as bits, in integer arithmetic and plain float operations: for scales of blocks on every path, and for whole
 * vectors where the CPU has no conversion. Gives exactly what F16C gives, NaN payloads included. Written once as a macro body, since
 * C has no generics: the same lines for one number and for sixteen. */
#ifndef ALPACA_FLOAT16_H
#define ALPACA_FLOAT16_H
#include "vector_types.h"

/* Biased exponent 31 is infinity or NaN (made quiet), 0 is mantissa * 2^-24, the rest moves its exponent from bias 15 to 127. */
INLINE float f32_from_f16(uint16_t half) {
    const uint32_t magnitude = half & 0x7FFFu, sign = (uint32_t)(half & 0x8000u) << 16;
    const uint32_t tiny = __builtin_bit_cast(uint32_t, (float)(int32_t)magnitude * 0x1p-24f);
    const uint32_t special = 0x7F800000u | magnitude << 13 | (magnitude > 0x7C00u ? 0x400000u : 0);
    const uint32_t normal = (magnitude << 13) + (112u << 23);
    return __builtin_bit_cast(float, sign | (magnitude < 0x400u ? tiny : magnitude < 0x7C00u ? normal : special));
}

INLINE float f32_from_bf16(uint16_t half) { return __builtin_bit_cast(float, (uint32_t)half << 16); }

INLINE v16f f32_from_bf16_vector(v16s halves) { return __builtin_bit_cast(v16f, __builtin_convertvector(halves, v16u) << 16); }

/* To nearest even, overflow to infinity; NaN stays one. */
INLINE uint16_t bf16_from_f32(float x) {
    const uint32_t bits = __builtin_bit_cast(uint32_t, x);
    if ((bits & 0x7FFFFFFFu) > 0x7F800000u) return (uint16_t)(bits >> 16 | 64u);
    return (uint16_t)((bits + 0x7FFFu + (bits >> 16 & 1u)) >> 16);
}

INLINE v16s bf16_from_f32_vector(v16f x) {
    const v16u bits = __builtin_bit_cast(v16u, x);
    const v16u rounded = (bits + 0x7FFFu + (bits >> 16 & 1u)) >> 16, nan = bits >> 16 | 64u;
    return __builtin_convertvector((bits & 0x7FFFFFFFu) > 0x7F800000u ? nan : rounded, v16s);
}

INLINE v16f f32_from_f16_vector(v16s halves) {
    const v16u bits = __builtin_convertvector(halves, v16u);
    const v16u magnitude = bits & 0x7FFFu, sign = (bits & 0x8000u) << 16;
    const v16u tiny = __builtin_bit_cast(v16u, __builtin_convertvector(__builtin_bit_cast(v16i, magnitude), v16f) * 0x1p-24f);
    const v16u quiet = magnitude > 0x7C00u ? (v16u)0x400000u : (v16u)0u;
    const v16u special = magnitude << 13 | 0x7F800000u | quiet;
    const v16u normal = (magnitude << 13) + (112u << 23);
    const v16u finite = magnitude < 0x400u ? tiny : normal;
    return __builtin_bit_cast(v16f, sign | (magnitude < 0x7C00u ? finite : special));
}

/* To nearest even. Below 2^-14 adding 0.5 does the rounding, since 0.5's last bit is 2^-24; from 65520 on it is infinity. */
INLINE v16s f16_from_f32_vector(v16f x) {
    const v16u bits = __builtin_bit_cast(v16u, x);
    const v16u magnitude = bits & 0x7FFFFFFFu, sign = bits >> 16 & 0x8000u;
    const v16u tiny = __builtin_bit_cast(v16u, __builtin_bit_cast(v16f, magnitude) + 0.5f) - 0x3F000000u;
    const v16u normal = (magnitude + 0xFFFu + (magnitude >> 13 & 1u) - (112u << 23)) >> 13;
    const v16u nan = (magnitude >> 13 & 0x3FFu) | 0x7E00u;
    v16u half = magnitude < 0x38800000u ? tiny : normal;
    half = magnitude >= 0x477FF000u ? (v16u)0x7C00u : half;
    half = magnitude > 0x7F800000u ? nan : half;
    return __builtin_convertvector(half | sign, v16s);
}

#endif
