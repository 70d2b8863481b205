/* What the machine can do at most: how fast memory is read, how fast the matrix products' own instruction runs on registers alone. What
 * a model reaches is told as a share of these. Nothing here takes part in computing. */
#include "alpaca_kernels.h"
#include <string.h>

/* The compiler must take a register for changed, and so compute with it again. */
#define CHANGED(x) __asm__ volatile("" : REGISTER(x))
#define LOOP _Pragma("clang loop unroll(full)")

/* ---- Memory */

typedef uint64_t words __attribute__((vector_size(16), aligned(8)));

enum { LINE = 64, STEP = 4 * LINE };

/* SplitMix64. */
void kern_measure_fill(void *base, size_t bytes, uint64_t seed) {
    uint64_t *p = base, state = seed << 32;
    for (size_t i = 0; i < bytes / 8; i++) {
        uint64_t z = state += 0x9E3779B97F4A7C15u;
        z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
        z = (z ^ z >> 27) * 0x94D049BB133111EBu;
        p[i] = z ^ z >> 31;
    }
}

/* The fewest loads that bring all lines, so that the most of them are under way. */
static uint64_t read_lines(const char *p, size_t bytes, size_t ahead) {
    uint64_t sums[4] = {0};
    for (size_t at = 0; at + STEP <= bytes; at += STEP) {
        LOOP for (int i = 0; i < 4; i++) {
            if (ahead) __builtin_prefetch(p + at + ahead + LINE * i);
            sums[i] ^= *(const uint64_t *)(const void *)(p + at + LINE * i);
        }
    }
    return (sums[0] ^ sums[1]) ^ (sums[2] ^ sums[3]);
}

static uint64_t read_bytes(const char *p, size_t bytes, size_t ahead) {
    words sums[4] = {{0}};
    for (size_t at = 0; at + STEP <= bytes; at += STEP) {
        LOOP for (int i = 0; i < STEP; i += LINE) {
            if (ahead) __builtin_prefetch(p + at + ahead + i);
            LOOP for (int j = 0; j < 4; j++) sums[j] ^= *(const words *)(const void *)(p + at + i + 16 * j);
        }
    }
    const words all = (sums[0] ^ sums[1]) ^ (sums[2] ^ sums[3]);
    return all[0] ^ all[1];
}

/* A line of each of sixteen rows in turn; what is fetched meanwhile is one forward stream. */
static uint64_t read_rows(const char *p, size_t bytes, size_t ahead) {
    enum { ROWS = 16, ROW = KERN_READ_UNIT / ROWS };
    uint64_t sums[4] = {0};
    for (size_t at = 0; at + KERN_READ_UNIT <= bytes; at += KERN_READ_UNIT) {
        const char *next = p + at + ahead;
        for (size_t i = 0; i < ROW; i += LINE) {
            LOOP for (int k = 0; k < ROWS; k++, next += LINE) {
                if (ahead) __builtin_prefetch(next);
                sums[k % 4] ^= *(const uint64_t *)(const void *)(p + at + k * ROW + i);
            }
        }
    }
    return (sums[0] ^ sums[1]) ^ (sums[2] ^ sums[3]);
}

uint64_t kern_measure_read(enum kern_read way, const void *base, size_t bytes, size_t ahead) {
    switch (way) {
    case KERN_READ_LINES: return read_lines(base, bytes, ahead);
    case KERN_READ_BYTES: return read_bytes(base, bytes, ahead);
    case KERN_READ_ROWS: return read_rows(base, bytes, ahead);
    }
    return 0;
}

/* ---- Arithmetic. Each function does `rounds` rounds of independent sums, enough of them to hide an instruction's latency, and returns
 * the operations of a round. */

/* `count` sums of type `sum`, each of which takes in the products of two registers of bytes: `add` of sum, w and a. */
#define PRODUCTS(path, features, sum, zero, bytes, add, count)                         \
    __attribute__((target(features))) static uint64_t products_##path(size_t rounds) { \
        sum sums[count];                                                               \
        __typeof__(bytes(3)) w = bytes(3), a = bytes(5);                               \
        LOOP for (int i = 0; i < count; i++) sums[i] = zero;                           \
        CHANGED(w);                                                                    \
        for (size_t r = 0; r < rounds; r++) {                                          \
            LOOP for (int i = 0; i < count; i++) {                                     \
                CHANGED(a);                                                            \
                sums[i] = add;                                                         \
            }                                                                          \
        }                                                                              \
        LOOP for (int i = 0; i < count; i++) CHANGED(sums[i]);                         \
        return count * OPERATIONS;                                                     \
    }

#if defined(__x86_64__)
#include <immintrin.h>
#define REGISTER(x) "+v"(x)
#define OPERATIONS (2 * sizeof w)

/* Products of bytes in 16-bit lanes: a multiplication of bytes and an addition. */
PRODUCTS(avx2, "avx2", __m256i, _mm256_setzero_si256(), _mm256_set1_epi8, _mm256_add_epi16(sums[i], _mm256_maddubs_epi16(w, a)), 10)
PRODUCTS(avxvnni, "avx2,avxvnni", __m256i, _mm256_setzero_si256(), _mm256_set1_epi8, _mm256_dpbusd_avx_epi32(sums[i], w, a), 12)
PRODUCTS(avx512, "avx512f,avx512bw,avx512vl,avx512vnni", __m512i, _mm512_setzero_si512(), _mm512_set1_epi8,
         _mm512_dpbusd_epi32(sums[i], w, a), 24)

#elif defined(__aarch64__)
#include <arm_neon.h>
#define REGISTER(x) "+w"(x)
#define OPERATIONS (2 * sizeof w)

PRODUCTS(neon, "dotprod", int32x4_t, vdupq_n_s32(0), vdupq_n_s8, vdotq_s32(sums[i], w, a), 16)

/* Two rows of eight bytes by two columns: each byte is used twice. */
#undef OPERATIONS
#define OPERATIONS (4 * sizeof w)
PRODUCTS(i8mm, "i8mm", int32x4_t, vdupq_n_s32(0), vdupq_n_s8, vmmlaq_s32(sums[i], w, a), 16)
#else
#define REGISTER(x) "+m"(x)
#endif

/* Any CPU: products of 16 bits, summed in 16 bits. */
static uint64_t products_generic(size_t rounds) {
    enum { SUMS = 6 };
    typedef uint16_t lanes __attribute__((vector_size(16)));
    lanes sums[SUMS] = {{0}}, w = {3, 3, 3, 3, 3, 3, 3, 3}, a = {5, 5, 5, 5, 5, 5, 5, 5};
    CHANGED(w);
    for (size_t r = 0; r < rounds; r++) {
        LOOP for (int i = 0; i < SUMS; i++) {
            CHANGED(a);
            sums[i] += w * a;
        }
    }
    LOOP for (int i = 0; i < SUMS; i++) CHANGED(sums[i]);
    return SUMS * 8 * 2;
}

uint64_t kern_measure_products(const kern_table *table, size_t rounds) {
    uint64_t (*products)(size_t) = products_generic;
#if defined(__x86_64__)
    if (!strcmp(table->name, "avx2")) products = products_avx2;
    if (!strcmp(table->name, "avxvnni")) products = products_avxvnni;
    if (!strcmp(table->name, "avx512") || !strcmp(table->name, "avx512vbmi")) products = products_avx512;
#elif defined(__aarch64__)
    if (!strcmp(table->name, "neon")) products = products_neon;
    if (!strcmp(table->name, "i8mm")) products = products_i8mm;
#endif
    return products(rounds) * rounds;
}
