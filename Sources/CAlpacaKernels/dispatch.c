/* Which of the compiled tables this CPU can run, and which one is used. Asked once, by whichever thread comes first. */
#include "types/grids.h"
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

extern const kern_matmul_table kern_matmul_generic;
extern const kern_vector_table kern_vector_generic;

/* Those of this architecture, from plain to best. A table that can't run here is not in the list. */
#if defined(__x86_64__)
enum { GENERIC, AVX2, AVXVNNI, AVX512, AVX512VBMI, MOST_TABLES };
#elif defined(__aarch64__)
enum { GENERIC, NEON, I8MM, MOST_TABLES };
#else
enum { GENERIC, MOST_TABLES };
#endif
static kern_table tables[MOST_TABLES];
static int n_tables;
static const kern_table *best;

static int32_t fetch_level(void);

static void add_table(const char *name, const kern_matmul_table *matmul, const kern_vector_table *vector) {
    tables[n_tables++] = (kern_table){.name = name, .matmul = *matmul, .vector = *vector, .fetch_level = fetch_level()};
}

#if defined(__x86_64__)
#include <cpuid.h>

/* By measurement (core/fetch.h): Zen 5 (family 1Ah) is fastest with the first level, Zen 4 and Intel's server cores of the Golden Cove line
 * with the second. What was not measured gets the first. */
static int32_t fetch_level(void) {
    uint32_t a, b, c, d;
    if (!__get_cpuid(0, &a, &b, &c, &d)) return 1;
    const int is_intel = b == signature_INTEL_ebx, is_amd = b == signature_AMD_ebx;
    if (!__get_cpuid(1, &a, &b, &c, &d)) return 1;
    const uint32_t family = (a >> 8 & 15) + (a >> 20 & 255), model = (a >> 4 & 15) | (a >> 12 & 0xF0);
    const int is_zen4 = is_amd && family == 0x19 && ((model >= 0x10 && model <= 0x1F) || model >= 0x60);
    return is_zen4 || (is_intel && family == 6) ? 2 : 1;
}

extern const kern_matmul_table kern_matmul_avx2, kern_matmul_avxvnni, kern_matmul_avx512, kern_matmul_avx512vbmi;
extern const kern_vector_table kern_vector_avx2, kern_vector_avx512;

/* Register states that the operating system saves: bits 1, 2 for xmm and ymm, 5 to 7 for zmm and masks. */
static uint64_t saved_states(void) {
    uint32_t low, high;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return (uint64_t)high << 32 | low;
}

static int all(uint32_t word, uint32_t bits) { return (word & bits) == bits; }

static void add_tables_of_cpu(void) {
    uint32_t a, b, c, d;
    const uint32_t fma_osxsave_avx_f16c = 1u << 12 | 1u << 27 | 1u << 28 | 1u << 29;
    if (!__get_cpuid(1, &a, &b, &c, &d) || !all(c, fma_osxsave_avx_f16c)) return;
    const uint64_t saved = saved_states();
    if ((saved & 0x06) != 0x06) return;

    if (!__get_cpuid_count(7, 0, &a, &b, &c, &d) || !all(b, 1u << 5)) return;
    const int vbmi = all(c, 1u << 1);
    const int avx512 = all(b, 1u << 16 | 1u << 17 | 1u << 30 | 1u << 31) /* F, DQ, BW, VL */ && all(c, 1u << 11) /* VNNI */;
    add_table("avx2", &kern_matmul_avx2, &kern_vector_avx2);
    if (a >= 1 && __get_cpuid_count(7, 1, &a, &b, &c, &d) && all(a, 1u << 4)) {
        add_table("avxvnni", &kern_matmul_avxvnni, &kern_vector_avx2);
    }
    if (!avx512 || (saved & 0xE6) != 0xE6) return;
    add_table("avx512", &kern_matmul_avx512, &kern_vector_avx512);
    if (vbmi) add_table("avx512vbmi", &kern_matmul_avx512vbmi, &kern_vector_avx512);
}
#elif defined(__aarch64__)
#include "isa/arm_features.h"

static int32_t fetch_level(void) { return 1; }

extern const kern_matmul_table kern_matmul_neon, kern_matmul_i8mm;
extern const kern_vector_table kern_vector_neon;

/* NEON itself is part of the architecture; the dot product of bytes came later, their matrix product later still. */
static void add_tables_of_cpu(void) {
    if (!has_dot_product()) return;
    add_table("neon", &kern_matmul_neon, &kern_vector_neon);
    if (has_matrix_product()) add_table("i8mm", &kern_matmul_i8mm, &kern_vector_neon);
}
#else
static int32_t fetch_level(void) { return 1; }
static void add_tables_of_cpu(void) {}
#endif

static const kern_table *find(const char *name) {
    for (int i = 0; name && i < n_tables; i++) {
        if (!strcmp(tables[i].name, name)) return &tables[i];
    }
    return NULL;
}

static void choose(void) {
    kern_expand_grids();
    add_table("generic", &kern_matmul_generic, &kern_vector_generic);
    add_tables_of_cpu();
    best = find(getenv("ALPACA_CPU"));
    if (!best) best = &tables[n_tables - 1];
}

static pthread_once_t chosen = PTHREAD_ONCE_INIT;

const kern_table *kern_best(void) {
    pthread_once(&chosen, choose);
    return best;
}

const kern_table *kern_named(const char *name) {
    pthread_once(&chosen, choose);
    return find(name);
}
