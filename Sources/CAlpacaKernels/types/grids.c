/* The tables of grids.h from their packed digits. */
#include "grids.h"
#include "grids_packed.h"

_Alignas(64) uint32_t kern_grid_iq2_xxs[2 * 256], kern_grid_iq2_xs[2 * 512], kern_grid_iq2_s[2 * 1024];
_Alignas(64) uint32_t kern_grid_iq3_xxs[256], kern_grid_iq3_s[512];
_Alignas(64) uint32_t kern_grid_iq1[2 * 2048];

/* `bits` a digit; values[digit] is the byte. */
static void expand(const uint16_t *packed, int entries, int weights, int bits, const uint8_t *values, uint32_t *out) {
    for (int i = 0; i < entries; i++) {
        for (int word = 0; word < weights / 4; word++) {
            uint32_t bytes = 0;
            for (int k = 0; k < 4; k++) {
                bytes |= (uint32_t)values[packed[i] >> (4 * word + k) * bits & ((1 << bits) - 1)] << 8 * k;
            }
            *out++ = bytes;
        }
    }
}

void kern_expand_grids(void) {
    static const uint8_t iq2[4] = {IQ2_OFFSET + 8, IQ2_OFFSET + 25, IQ2_OFFSET + 43, IQ2_OFFSET};
    static const uint8_t iq1[4] = {IQ1_OFFSET - 8, IQ1_OFFSET, IQ1_OFFSET + 8, IQ1_OFFSET};
    uint8_t iq3_xxs[8], iq3_s[8];
    for (int i = 0; i < 8; i++) {
        iq3_xxs[i] = (uint8_t)(IQ3_XXS_OFFSET + (i < 7 ? 4 + 8 * i : 62));
        iq3_s[i] = (uint8_t)(IQ3_S_OFFSET + 1 + 2 * i);
    }
    expand(packed_iq2_xxs, 256, 8, 2, iq2, kern_grid_iq2_xxs);
    expand(packed_iq2_xs, 512, 8, 2, iq2, kern_grid_iq2_xs);
    expand(packed_iq2_s, 1024, 8, 2, iq2, kern_grid_iq2_s);
    expand(packed_iq3_xxs, 256, 4, 3, iq3_xxs, kern_grid_iq3_xxs);
    expand(packed_iq3_s, 512, 4, 3, iq3_s, kern_grid_iq3_s);
    expand(packed_iq1_s, 2048, 8, 2, iq1, kern_grid_iq1);
}
