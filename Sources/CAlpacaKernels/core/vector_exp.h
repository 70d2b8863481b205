/* e^x, the same bits on every path.
 *
 * x = n ln 2 + f with n the nearest integer and |f| <= ln 2 / 2; ln 2 is split so that n times its first part is exact. e^f is
 * 1 + f + f^2 Q(f), Q of degree 4 by the Remez algorithm for the relative error (3.1e-9, a twentieth of an ulp), 1 at f = 0 exactly.
 * Over all floats the result is within 1.03 ulp (every float in range measured against double).
 *
 *   x < -87.33  0: results below the smallest normal number are flushed, so no denormal is ever made
 *   x > 88.37   infinity (the last half octave below the largest float is given up for a plain multiplication by 2^n)
 *   NaN         NaN */
#ifndef ALPACA_VECTOR_EXP_H
#define ALPACA_VECTOR_EXP_H
#include "vector_types.h"

INLINE v16f exp16(v16f x) {
    const float lowest = -0x1.5d589ep+6f;    /* ln 2^-126, rounded up */
    const float highest = 0x1.62e42ep+6f;    /* ln 2^128, rounded down: n becomes 128 and 2^n infinity */
    const float shift = 0x1.8p+23f;          /* adding it rounds to an integer, which is then in the low bits */
    v16i vanishes = x < (v16f)lowest;
    x = (v16f)highest < x ? (v16f)highest : x; /* keeps NaN */
    v16f shifted = fma16(x, (v16f)0x1.715476p+0f, (v16f)shift);
    v16f n = shifted - (v16f)shift;
    v16f f = fma16(n, (v16f)-0x1.62ep-1f, x);
    f = fma16(n, (v16f)-0x1.0bfbe8p-15f, f);
    v16f q = fma16(f, (v16f)0x1.6a23d0p-10f, (v16f)0x1.123a20p-7f);
    q = fma16(q, f, (v16f)0x1.5558f2p-5f);
    q = fma16(q, f, (v16f)0x1.555492p-3f);
    q = fma16(q, f, (v16f)0x1.fffffcp-2f);
    q = fma16(q * f, f, f) + 1.0f;
    v16u power = (__builtin_bit_cast(v16u, shifted) + 127u) << 23; /* 2^n; a NaN's is arbitrary, the product is NaN all the same */
    v16f e = q * __builtin_bit_cast(v16f, power);
    return __builtin_bit_cast(v16f, __builtin_bit_cast(v16i, e) & ~vanishes);
}

#endif
