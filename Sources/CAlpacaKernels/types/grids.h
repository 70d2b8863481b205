/* The tables of the types whose weights are entries of one: IQ2 and IQ1 take eight weights with an index, IQ3 four. A word is four weights,
 * a byte each, plus what makes them unsigned: the words of an entry lie one behind the other. Filled by kern_expand_grids from the packed
 * digits (grids_packed.h). */
#ifndef ALPACA_GRIDS_H
#define ALPACA_GRIDS_H
#include "../core/float16.h"

extern uint32_t kern_grid_iq2_xxs[2 * 256], kern_grid_iq2_xs[2 * 512], kern_grid_iq2_s[2 * 1024];
extern uint32_t kern_grid_iq3_xxs[256], kern_grid_iq3_s[512];
extern uint32_t kern_grid_iq1[2 * 2048];

/* What the bytes of a table have more than the weights. IQ1's are eight times the weights, so that an eighth may be added. */
enum { IQ2_OFFSET = 64, IQ3_XXS_OFFSET = 64, IQ3_S_OFFSET = 16, IQ1_OFFSET = 16 };

/* Once, before any table of loops is used. */
void kern_expand_grids(void);

/* Four weights of an entry as floats; the signs are the lowest bits. */
INLINE void signed_weights(uint32_t word, int offset, float scale, uint32_t signs, float *out) {
    for (int i = 0; i < 4; i++) {
        const float x = scale * (float)((int)(word >> 8 * i & 255) - offset);
        out[i] = signs >> i & 1 ? -x : x;
    }
}

/* The same of IQ1, each a little more or less. */
INLINE void shifted_weights(uint32_t word, int eighth, float scale, float *out) {
    for (int i = 0; i < 4; i++) out[i] = scale * ((float)((int)(word >> 8 * i & 255) - IQ1_OFFSET + eighth) * 0.125f);
}

/* Seven stored signs and the eighth, which makes the number of minus signs even. */
INLINE uint32_t eight_signs(uint32_t seven) { return seven | (uint32_t)(__builtin_popcount(seven) & 1) << 7; }

INLINE uint32_t bytes4(const uint8_t *p) { return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24; }

#ifdef ALPACA_DECODE_H
/* Those weights of a word whose bits are set in byte `byte` of `signs` become negative: for j even its low four bits, for j odd the high
 * ones. */
INLINE u32xr with_signs(u32xr word, u32xr signs, int byte, int j, int offset) {
    const u8xr pattern = (u8xr)((u32xr){0} + (j % 2 ? 0x80402010 : 0x08040201)), w = (u8xr)word;
    return (u32xr)((spread_byte(signs, byte) & pattern) != 0 ? (u8xr)(2 * offset) - w : w);
}

/* The eighth sign of each seven: of four in a word's bytes (mask 0x01010101), of two in its halves (0x00010001). */
INLINE u32xr completed_signs(u32xr seven, uint32_t mask) {
    u32xr parity = seven ^ seven >> 4;
    parity ^= parity >> 2;
    parity ^= parity >> 1;
    return seven | (parity & mask) << 7;
}

/* Four times seven signs, as IQ2_XXS and IQ3_XXS pack them below a scale, a byte each. */
INLINE u32xr four_signs(u32xr x) {
    const u32xr bytes = (x & 0x7F) | (x << 1 & 0x7F00) | (x << 2 & 0x7F0000) | (x << 3 & 0x7F000000);
    return completed_signs(bytes, 0x01010101);
}
#endif
#endif
