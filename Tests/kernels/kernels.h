/* What the parts of the comparison share: repeatable numbers, memory that notices being overrun, and how a difference is told. */
#ifndef KERNELS_TEST_H
#define KERNELS_TEST_H
#include "alpaca_kernels.h"
#include <stdbool.h>

/* xorshift64. */
uint64_t random_bits(void);
/* Uniform in -bound ... bound. */
float random_float(float bound);
void fill_floats(float *x, size_t n, float bound);
/* The same, with zeros of both signs, subnormals and huge numbers here and there; `infinite`: infinities and NaN too. */
void fill_edges(float *x, size_t n, bool infinite);

/* Memory whose end, up to the alignment, is followed by a page that may not be touched. Never given back before forget_all(). */
void *guarded(size_t bytes, size_t alignment);
void forget_all(void);

/* A tensor type, in the order of types.def: its block, and where the block has binary16 scales. */
typedef struct format {
    const char *name;
    int32_t type;
    size_t weights, bytes, scale, second_scale;
    int decode; /* KERN_DECODE_... */
} format;
enum {
    FORMATS = 0
#define TYPE(...) +1
#include "../types/types.def"
};
extern const format formats[FORMATS];

/* Random blocks with finite scales, some zero, some subnormal. */
void fill_blocks(const format *f, uint8_t *p, size_t blocks);

/* Compares what a path gave with what plain C gave, byte for byte; the message says what it is about. The first table to come is plain C
 * (expected == got): then the bytes go into the digest, so that two machines can be compared. `floats`: NaNs are alike, whatever their
 * sign and payload, which a C compiler is free to choose by exchanging operands. */
void compare(const void *got, const void *expected, size_t bytes, bool floats, const char *path, const char *format, ...)
    __attribute__((format(printf, 6, 7)));

void compare_matmul(const kern_table *const *tables, int n_tables, bool brief);
void compare_vectors(const kern_table *const *tables, int n_tables, bool brief);
void compare_attention(const kern_table *const *tables, int n_tables, bool brief);
void compare_encoders(const kern_table *const *tables, int n_tables, bool brief);
void compare_checksums(const kern_table *const *tables, int n_tables, bool brief);

#endif
