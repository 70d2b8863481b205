/* Every kernel of every CPU path against plain C, bit for bit. For machines other than the one that the Swift tests run on: C alone, so
 * that a cross compiler and an emulator do (scripts/test-arm.sh). The Swift tests say that plain C is right.
 *
 *   kernels [--brief] PATH...   PATHs: what this CPU must have, and nothing else; none: whatever there is
 *   kernels --best              the path that is chosen, and the instructions for checksums
 *
 * The digests are of everything that plain C gave so far: they are the same on every machine. */
#include "kernels.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

const format formats[FORMATS] = {
#define TYPE(NAME, id, number, weights, bytes, scale, second_scale, decode, ...)                                                       \
    {#NAME, number, weights, bytes, scale, second_scale, KERN_DECODE_##decode},
#include "../types/types.def"
};

uint64_t random_bits(void) {
    static uint64_t x = 88172645463325252u;
    x ^= x << 13, x ^= x >> 7, x ^= x << 17;
    return x;
}

float random_float(float bound) { return (float)(int32_t)(random_bits() >> 16) * 0x1p-31f * bound; }

void fill_floats(float *x, size_t n, float bound) {
    for (size_t i = 0; i < n; i++) x[i] = random_float(bound);
}

void fill_edges(float *x, size_t n, bool infinite) {
    for (size_t i = 0; i < n; i++) {
        const uint64_t which = random_bits() >> 40;
        x[i] = random_float(4);
        switch (which % (infinite ? 24 : 20)) {
        case 0: x[i] = 0.0f; break;
        case 1: x[i] = -0.0f; break;
        case 2: x[i] *= 0x1p-130f; break;
        case 3: x[i] *= 0x1p-149f; break;
        case 4: x[i] *= 0x1p+40f; break;
        case 5: x[i] *= 0x1p+100f; break;
        case 6: x[i] *= 0x1p-14f; break; /* about where binary16 becomes subnormal, and below */
        case 7: x[i] *= 0x1p-24f; break;
        case 8: x[i] *= 0x1p+14f; break; /* about where it becomes infinite */
        case 20: x[i] = __builtin_inff(); break;
        case 21: x[i] = -__builtin_inff(); break;
        case 22: x[i] = __builtin_nanf(""); break;
        default: break;
        }
    }
}

/* As many as a case takes: each path of this CPU makes some of its own. */
typedef struct mapping { void *start; size_t bytes; } mapping;
static mapping *mappings;
static size_t n_mappings, room;

static void remember(void *start, size_t bytes) {
    if (n_mappings == room) {
        mapping *larger = realloc(mappings, (2 * room + 64) * sizeof *larger);
        if (!larger) {
            fprintf(stderr, "error: no memory to remember %zu mappings\n", 2 * room + 64);
            exit(2);
        }
        mappings = larger, room = 2 * room + 64;
    }
    mappings[n_mappings++] = (mapping){start, bytes};
}

void *guarded(size_t bytes, size_t alignment) {
    const size_t page = (size_t)sysconf(_SC_PAGESIZE), rounded = (bytes + alignment - 1) / alignment * alignment;
    const size_t usable = (rounded + page - 1) / page * page;
    uint8_t *start = mmap(NULL, usable + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (start == MAP_FAILED || mprotect(start + usable, page, PROT_NONE)) {
        fprintf(stderr, "error: no memory for %zu bytes\n", bytes);
        exit(2);
    }
    remember(start, usable + page);
    return start + usable - rounded;
}

void forget_all(void) {
    while (n_mappings) n_mappings--, munmap(mappings[n_mappings].start, mappings[n_mappings].bytes);
}

void fill_blocks(const format *f, uint8_t *p, size_t blocks) {
    for (size_t b = 0; b < blocks; b++, p += f->bytes) {
        for (size_t i = 0; i < f->bytes; i++) p[i] = (uint8_t)(random_bits() >> 24);
        if (f->type == KERN_F32 || f->type == KERN_BF16) {
            const float x = random_float(2);
            memcpy(p, (const uint8_t *)&x + (f->type == KERN_BF16 ? 2 : 0), f->bytes);
            continue;
        }
        if (f->decode == KERN_DECODE_EXPONENT16) {
            const uint64_t which = random_bits() >> 40;
            p[0] = which % 10 == 0 ? (uint8_t)(which >> 8 & 1) : which % 10 == 1 ? (uint8_t)(252 + (which >> 8 & 3)) : (uint8_t)(100 + p[0] % 50);
            continue;
        }
        const size_t at[2] = {f->scale, f->second_scale};
        for (int i = 0; i < 2; i++) {
            const uint64_t bits = random_bits() >> 20;
            uint16_t half = (uint16_t)((bits & 0x8FFF) | 0x2000);
            if ((bits >> 20) % 10 == 0) half = (uint16_t)(bits & 0x8000);
            if ((bits >> 20) % 10 == 1) half = (uint16_t)(bits & 0x83FF);
            if (f->decode == KERN_DECODE_GRID_SPREAD) {
                for (int k = 0; k < 4; k++) p[at[i] + 2 * k + 1] = (uint8_t)((p[at[i] + 2 * k + 1] & 15) | (half >> 4 * k & 15) << 4);
            } else {
                memcpy(p + at[i], &half, 2);
            }
        }
    }
}

static uint64_t digest = 0xCBF29CE484222325u;
static size_t comparisons, differences;

/* FNV-1a by words of four bytes. */
static void digest_word(uint32_t word) { digest = (digest ^ word) * 0x100000001B3u; }

static bool is_nan(uint32_t bits) { return (bits & 0x7FFFFFFF) > 0x7F800000; }

void compare(const void *got, const void *expected, size_t bytes, bool floats, const char *path, const char *format, ...) {
    const uint8_t *a = got, *b = expected;
    const bool reference = got == expected;
    size_t at = 0;
    if (!reference) comparisons++;
    if (!reference && !memcmp(a, b, bytes)) return;
    for (; at < bytes; at += 4) {
        uint32_t x = 0, y = 0;
        const size_t n = bytes - at < 4 ? bytes - at : 4;
        memcpy(&x, a + at, n), memcpy(&y, b + at, n);
        if (reference) digest_word(floats && is_nan(x) ? 0x7FC00000 : x);
        else if (x != y && !(floats && is_nan(x) && is_nan(y))) break;
    }
    if (reference || at >= bytes) return;
    if (differences++ >= 40) return;
    va_list arguments;
    va_start(arguments, format);
    printf("DIFFERS: %s: ", path);
    vprintf(format, arguments);
    uint32_t x = 0, y = 0;
    memcpy(&x, a + at, bytes - at < 4 ? bytes - at : 4), memcpy(&y, b + at, bytes - at < 4 ? bytes - at : 4);
    printf(": byte %zu of %zu: %08x, plain C %08x\n", at, bytes, x, y);
    va_end(arguments);
}

int main(int count, char **arguments) {
    if (count == 2 && !strcmp(arguments[1], "--best")) {
        printf("%s, CRC-32 %s, SHA-256 %s\n", kern_best()->name, kern_crc32_name(), kern_sha256_name());
        return 0;
    }
    const bool brief = count > 1 && !strcmp(arguments[1], "--brief");
    const int first = brief ? 2 : 1;
    static const char *const names[] = {"avx2", "avxvnni", "avx512", "avx512vbmi", "neon", "i8mm"};
    enum { NAMES = sizeof names / sizeof *names };
    const kern_table *tables[1 + NAMES] = {kern_named("generic")};
    int n_tables = 1;
    for (int i = 0; i < NAMES; i++) {
        const kern_table *table = kern_named(names[i]);
        bool wanted = false;
        for (int a = first; a < count; a++) wanted |= !strcmp(arguments[a], names[i]);
        if (count > first && wanted != (table != NULL)) {
            printf("error: %s is %s\n", names[i], table ? "there, and shouldn't be" : "not there");
            return 1;
        }
        if (table) tables[n_tables++] = table;
    }
    for (int i = first; i < count; i++) {
        if (strcmp(arguments[i], "generic") && !kern_named(arguments[i])) return printf("error: %s is not there\n", arguments[i]), 1;
    }
    static const struct { const char *name; void (*compare)(const kern_table *const *tables, int n_tables, bool brief); } parts[] = {
        {"matrix products", compare_matmul}, {"vectors", compare_vectors},     {"attention", compare_attention},
        {"encoders", compare_encoders},      {"checksums", compare_checksums},
    };
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        parts[i].compare(tables, n_tables, brief);
        printf("digest %016llx of %s\n", (unsigned long long)digest, parts[i].name);
    }
    for (int i = 0; i < n_tables; i++) printf("%s ", tables[i]->name);
    printf("(CRC-32 %s, SHA-256 %s): %zu comparisons, %zu differences\n", kern_crc32_name(), kern_sha256_name(), comparisons, differences);
    return differences != 0;
}
