/* CRC-32 as zip files have it (IEEE 802.3's polynomial, bits reflected): by carry-less multiplication on x86 and by the instruction for it
 * on AArch64 where the CPU has them, and by tables of sixteen bytes a step in plain C. */
#include "alpaca_kernels.h"
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define POLYNOMIAL 0xEDB88320u

/* tables[k][b]: what byte b contributes when k more bytes follow it in the same step. */
static uint32_t tables[16][256];

static void make_tables(void) {
    for (uint32_t i = 0; i < 256; i++) {
        uint32_t rest = i;
        for (int bit = 0; bit < 8; bit++) rest = rest >> 1 ^ (rest & 1 ? POLYNOMIAL : 0);
        tables[0][i] = rest;
    }
    for (int k = 1; k < 16; k++) {
        for (int i = 0; i < 256; i++) tables[k][i] = tables[k - 1][i] >> 8 ^ tables[0][tables[k - 1][i] & 255];
    }
}

static pthread_once_t tables_made = PTHREAD_ONCE_INIT;

static uint32_t little_endian(const uint8_t *p) { return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24; }

static uint32_t four(uint32_t word, uint32_t (*t)[256]) {
    return t[3][word & 255] ^ t[2][word >> 8 & 255] ^ t[1][word >> 16 & 255] ^ t[0][word >> 24];
}

/* Works on the inverted checksum. */
static uint32_t by_tables(uint32_t state, const uint8_t *p, size_t n) {
    pthread_once(&tables_made, make_tables);
    for (; n >= 16; n -= 16, p += 16) {
        state = four(little_endian(p) ^ state, tables + 12) ^ four(little_endian(p + 4), tables + 8) ^
                four(little_endian(p + 8), tables + 4) ^ four(little_endian(p + 12), tables);
    }
    for (; n; n--, p++) state = state >> 8 ^ tables[0][(state ^ *p) & 255];
    return state;
}

uint32_t kern_crc32_generic(uint32_t crc, const uint8_t *data, size_t n) { return ~by_tables(~crc, data, n); }

typedef uint32_t (*update)(uint32_t state, const uint8_t *data, size_t n);
static update chosen = by_tables;
static const char *chosen_name = "generic";

#if defined(__x86_64__)
#include <cpuid.h>
#include <immintrin.h>

/* Folding (Gopal et al., "Fast CRC computation for generic polynomials using PCLMULQDQ", Intel 2009): 128 bits of a polynomial, D bits
 * ahead of others, may be replaced by their product with x^D mod P, which is added to those. With bits reflected, the low half is the
 * one further ahead: constants are x^(D + 32) for it and x^(D - 32) for the high one, reflected and shifted left by one. */
#define FOLD(a, k, next) _mm_xor_si128(_mm_xor_si128(_mm_clmulepi64_si128(a, k, 0x00), _mm_clmulepi64_si128(a, k, 0x11)), next)

__attribute__((target("pclmul,sse4.1"))) static uint32_t by_folding(uint32_t state, const uint8_t *p, size_t n) {
    if (n < 256) return by_tables(state, p, n);
    const __m128i by_8 = _mm_set_epi64x(0x14A7FE880, 0x1E88EF372), by_1 = _mm_set_epi64x(0x0CCAA009E, 0x1751997D0); /* D = 1024, 128 */
    __m128i a[8];
    for (int i = 0; i < 8; i++) a[i] = _mm_loadu_si128((const __m128i *)(p + 16 * i));
    a[0] = _mm_xor_si128(a[0], _mm_cvtsi32_si128((int)state));
    for (p += 128, n -= 128; n >= 128; p += 128, n -= 128) {
#pragma clang loop unroll(full)
        for (int i = 0; i < 8; i++) a[i] = FOLD(a[i], by_8, _mm_loadu_si128((const __m128i *)(p + 16 * i)));
    }
    for (int i = 1; i < 8; i++) a[0] = FOLD(a[0], by_1, a[i]);
    for (; n >= 16; p += 16, n -= 16) a[0] = FOLD(a[0], by_1, _mm_loadu_si128((const __m128i *)p));
    /* What is left stands for itself: sixteen bytes whose checksum, from nothing, is the state here. */
    uint8_t rest[16];
    _mm_storeu_si128((__m128i *)rest, a[0]);
    return by_tables(by_tables(0, rest, 16), p, n);
}

static void choose(void) {
    uint32_t a, b, c, d;
    const char *forced = getenv("ALPACA_CPU");
    if (forced && !strcmp(forced, "generic")) return;
    if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & 1u << 1) || !(c & 1u << 19)) return; /* PCLMULQDQ, SSE4.1 */
    chosen = by_folding;
    chosen_name = "pclmul";
}
#elif defined(__aarch64__)
#include "arm_features.h"
#include <arm_acle.h>

__attribute__((target("crc"))) static uint32_t by_instruction(uint32_t state, const uint8_t *p, size_t n) {
    for (; n >= 8; n -= 8, p += 8) {
        uint64_t word;
        memcpy(&word, p, 8);
        state = __crc32d(state, word);
    }
    for (; n; n--, p++) state = __crc32b(state, *p);
    return state;
}

static void choose(void) {
    const char *forced = getenv("ALPACA_CPU");
    if ((forced && !strcmp(forced, "generic")) || !has_crc32()) return;
    chosen = by_instruction;
    chosen_name = "crc32";
}
#else
static void choose(void) {}
#endif

static pthread_once_t once = PTHREAD_ONCE_INIT;

uint32_t kern_crc32(uint32_t crc, const uint8_t *data, size_t n) {
    pthread_once(&once, choose);
    return ~chosen(~crc, data, n);
}

const char *kern_crc32_name(void) {
    pthread_once(&once, choose);
    return chosen_name;
}
