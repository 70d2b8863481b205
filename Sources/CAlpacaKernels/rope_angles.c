/* Angles of the rotary embedding, from our own sine and cosine in double precision. Only + - * /, so every machine and every
 * C library gives the same bits. */
#include "alpaca_kernels.h"

/* sin(r) and cos(r) for |r| <= pi / 4 (and a little more), by their Taylor series: the first term left out is below 5e-17. */
static double sine_near_zero(double r) {
    const double z = r * r;
    double sum = -1.0 / 1307674368000.0; /* 1 / 15! */
    sum = sum * z + 1.0 / 6227020800.0;
    sum = sum * z - 1.0 / 39916800.0;
    sum = sum * z + 1.0 / 362880.0;
    sum = sum * z - 1.0 / 5040.0;
    sum = sum * z + 1.0 / 120.0;
    sum = sum * z - 1.0 / 6.0;
    return r + r * (z * sum);
}

static double cosine_near_zero(double r) {
    const double z = r * r;
    double sum = 1.0 / 20922789888000.0; /* 1 / 16! */
    sum = sum * z - 1.0 / 87178291200.0;
    sum = sum * z + 1.0 / 479001600.0;
    sum = sum * z - 1.0 / 3628800.0;
    sum = sum * z + 1.0 / 40320.0;
    sum = sum * z - 1.0 / 720.0;
    sum = sum * z + 1.0 / 24.0;
    return 1.0 + z * (sum * z - 0.5);
}

void kern_rope_angles(size_t position, const double *frequency, size_t n, float scale, float *cos_sin) {
    /* pi / 2 in pieces of 22 bits, so that up to 2^31 quarter turns times each piece is exact (Cody and Waite 1980). */
    const double quarter_1 = 0x1.921fbp+0, quarter_2 = 0x1.5110bp-22, quarter_3 = 0x1.184698p-44, quarter_4 = 0x1.3198a2e037073p-69;
    const double shift = 0x1.8p+52; /* adding and taking it away rounds to an integer */
    for (size_t i = 0; i < n; i++) {
        const double angle = (double)position * frequency[i];
        double cosine = __builtin_nan(""), sine = cosine; /* beyond 2^31 radians there is no angle to speak of */
        if (angle > -0x1p+31 && angle < 0x1p+31) {
            const double turns = angle * 0x1.45f306dc9c883p-1 + shift - shift;
            const double r = ((angle - turns * quarter_1) - turns * quarter_2) - turns * quarter_3 - turns * quarter_4;
            const double s = sine_near_zero(r), c = cosine_near_zero(r);
            switch ((int64_t)turns & 3) {
            case 0: cosine = c, sine = s; break;
            case 1: cosine = -s, sine = c; break;
            case 2: cosine = -c, sine = -s; break;
            default: cosine = s, sine = -c; break;
            }
        }
        cos_sin[2 * i] = (float)(cosine * scale);
        cos_sin[2 * i + 1] = (float)(sine * scale);
    }
}
