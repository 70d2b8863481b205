/* What an AArch64 CPU has beyond the base architecture: bits of the words that the kernel hands to each program. */
#ifndef ALPACA_ARM_FEATURES_H
#define ALPACA_ARM_FEATURES_H
#include <sys/auxv.h>

static inline int has_sha256(void) { return (getauxval(AT_HWCAP) >> 6 & 1) != 0; }
static inline int has_crc32(void) { return (getauxval(AT_HWCAP) >> 7 & 1) != 0; }
static inline int has_dot_product(void) { return (getauxval(AT_HWCAP) >> 20 & 1) != 0; }
static inline int has_matrix_product(void) { return (getauxval(AT_HWCAP2) >> 13 & 1) != 0; }
#endif
