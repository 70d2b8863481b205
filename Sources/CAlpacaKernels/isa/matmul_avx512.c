/* AVX-512 F, BW, DQ, VL and VNNI. Decode stays with registers of 256 bits: it waits for memory, not for the arithmetic. */
#if defined(__x86_64__)
#include <immintrin.h>
#pragma clang attribute push(__attribute__((target("avx2,fma,f16c,avx512f,avx512bw,avx512dq,avx512vl,avx512vnni"))), apply_to = function)
#include "x86_primitives.h"

INLINE v16f load_f16(const uint16_t *p) { return (v16f)_mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)p)); }

INLINE i32x8 dot4(i32x8 sum, u8x32 w, s8x32 a) { return (i32x8)_mm256_dpbusd_epi32((__m256i)sum, (__m256i)w, (__m256i)a); }
INLINE i32x8 dot4_wide(i32x8 sum, u8x32 w, s8x32 a) { return dot4(sum, w, a); }

enum { TILE_TOKENS = 12, WIDE_OFFSET_BITS = 7, FLOAT_ROWS = 4, FLOAT_TOKENS = 4 };
#define SPECIALIZED 1
#define LANE_SUMS 0
#define FOLDS 1
#define NIBBLES 0
#define WORDS_HEADER "words_dot4.h"
#define TILE_HEADER "tile_vnni512.h"
#define MATMUL_TABLE_NAME kern_matmul_avx512
extern const kern_matmul_table kern_matmul_avx512;
#include "../core/matmul_table.h"
#pragma clang attribute pop
#endif
