/* The engine's hot loops. Pure functions on pointers: no allocation, no I/O, no threads, no state but the chosen table.
 *
 * The engine (Sources/AlpacaEngine/Tensor/Kernels.swift) checks all shapes once, at load, and is the only caller. Threads are the
 * caller's: a function works on the rows, tokens or heads it is given, and any split gives the same bits.
 *
 * The same bits everywhere. Every table (plain C, AVX2, AVX-512, NEON) gives results that are bit-identical, for any number of
 * threads and any number of tokens in a batch, because the order of every float operation is fixed:
 *   - quantized matrices: the integer sum of a block is exact; the float sum over blocks is one fused multiply-add per block in
 *     block order, a lane per row, in decode and in prefill alike (types/ states each type's formula);
 *   - float reductions (norms, F16/BF16/F32 matrices): 16 partial sums, lane i takes the elements i, i+16, ..., each by fused
 *     multiply-add, then one fixed tree: 16 -> 8 -> 4 -> 2 -> 1 by adding lane i + n/2 to lane i; a tail shorter than 16 enters
 *     lanes 0.. as if padded with zeros;
 *   - attention walks its keys in blocks of KERN_KEY_BLOCK from position 0, whatever the batch;
 *   - exp, sin and cos are our own polynomials. The plain C table computes a fused operation where the others have an instruction. */
#ifndef ALPACA_KERNELS_H
#define ALPACA_KERNELS_H
#include <stddef.h>
#include <stdint.h>

/* Tells the processor that this is a loop that waits. */
static inline void kern_pause(void) {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ __volatile__("isb");
#endif
}

/* ---- Tensor types: types.def. The numbers are ggml's, as stored in GGUF files. ---- */
enum {
#define TYPE(NAME, id, number, ...) KERN_##NAME = number,
#include "../types/types.def"
    /* One more than the greatest number: the size of tables by number. */
    KERN_TYPE_COUNT = sizeof(union {
#define TYPE(NAME, id, number, ...) char NAME[number + 1];
#include "../types/types.def"
    })
};

/* The columns `decode` and `encode` of types.def. */
enum { KERN_DECODE_FLOAT, KERN_DECODE_LINEAR, KERN_DECODE_LOOKUP16, KERN_DECODE_EXPONENT16, KERN_DECODE_GRID, KERN_DECODE_GRID_SPREAD };
enum { KERN_ENCODE_NONE, KERN_ENCODE_FLOAT, KERN_ENCODE_ROUNDED, KERN_ENCODE_WEIGHTED, KERN_ENCODE_SEARCHED }; /* importance is heeded from WEIGHTED on */

/* A row of types.def. fallback: a number, -1 for none. */
typedef struct kern_type {
    const char *name;
    int32_t number, weights, bytes, scale, second_scale, decode, encode, fallback, file_type;
} kern_type;

/* All rows, in the order of types.def. */
const kern_type *kern_types(size_t *count);

/* A weight matrix as it lies in the file: `rows` outputs of `columns` inputs each, row after row, `row_bytes` apart. The base is
 * aligned to the type's natural unit only (2 bytes; F32: 4). Whoever makes one has checked that the bytes are there. */
typedef struct kern_matrix {
    const void *base;
    size_t rows, columns, row_bytes;
    int32_t type;
    int32_t reserved;
} kern_matrix;

/* Inputs of a matrix product: n_tokens vectors of `columns` floats, `stride` floats apart, and their quantized form in `packed`
 * (written by pack_inputs; NULL when only float matrices are multiplied). */
typedef struct kern_inputs {
    const float *x;
    size_t stride, columns, n_tokens;
    void *packed;
} kern_inputs;

/* What a product asks the memory for while it computes: the rows that follow, and while it computes its last rows those at `then`, which
 * the same thread is to multiply next; NULL: there too the rows that follow. `level`: that of the table in use. */
typedef struct kern_ahead {
    const void *then;
    int32_t level;
} kern_ahead;

#define KERN_FEW_TOKENS 16  /* up to so many take weights straight from the file: then long ranges of rows are read fastest */
#define KERN_ROW_BLOCK 64   /* split rows between threads at multiples of this; the last block may be shorter */
#define KERN_KV_SCALED 32   /* components that share a scale in a Q8_0 cache */
#define KERN_KEY_BLOCK 64   /* attention's block of keys, side by side in the key cache; a page's positions */

enum { KERN_ROPE_INTERLEAVED = 0, KERN_ROPE_HALVES = 1 };

/* The matrix products. types/ and core/; one table per CPU path. */
typedef struct kern_matmul_table {
    /* Bytes that `packed` needs for n_tokens vectors of `columns` inputs; 64-byte aligned. */
    size_t (*packed_bytes)(size_t columns, size_t n_tokens);
    /* Tokens in a group: threads may pack token ranges that begin at multiples of it. */
    size_t (*pack_group)(size_t n_tokens);
    /* Quantizes tokens first ..< last of `in` to int8 in blocks of 32 (scale = amax / 127, rounded to nearest even) and writes
     * them where in->packed wants them. columns % 32 == 0. */
    void (*pack_inputs)(const kern_inputs *in, size_t first, size_t last);
    /* y[t * y_stride + r] = dot(row r, token t) for r in first_row ..< last_row, all tokens. `scratch` holds scratch_bytes(). */
    void (*matmul)(const kern_matrix *w, size_t first_row, size_t last_row, const kern_inputs *in, kern_ahead ahead, float *y,
                   size_t y_stride, void *scratch);
    size_t (*scratch_bytes)(size_t columns, size_t n_tokens); /* per thread, 64-byte aligned; columns: the widest matrix. Enough for narrower ones. */
} kern_matmul_table;

/* Keys and values of one layer, all KV heads, of one sequence, in pages of KERN_KEY_BLOCK positions. Pages lie anywhere; a page holds all
 * layers. In a page a layer has n_head_kv blocks of keys, then n_head_kv blocks of values, kern_kv_block_bytes each:
 * F16 (kind 1) and F32 (kind 0):
 *   keys:   (head_dim, 64): a block's keys side by side, so that scores need no horizontal sums and memory sees one forward stream
 *   values: (64, head_dim)
 * Q8_0 (kind 8; head_dim % 32 == 0): 32 components of a position share a scale, as in the tensor type, but the scales of a block lie
 * together:
 *   keys:   (head_dim / 32) of { f16 scales[64]; int8 quants[32][64] }
 *   values: { f16 scales[head_dim / 32][64]; int8 quants[64][head_dim] } */
typedef struct kern_kv {
    void *const *pages; /* page p holds positions 64 p ... 64 p + 63 */
    size_t layer;       /* bytes from a page's beginning to this layer's keys */
    size_t n_head_kv, head_dim;
    int32_t key_kind, value_kind;
    int32_t fetch_level; /* that of the table in use: speed only */
} kern_kv;

static inline size_t kern_kv_block_bytes(int32_t kind, size_t head_dim) {
    return KERN_KEY_BLOCK * (kind == KERN_Q8_0 ? head_dim + head_dim / KERN_KV_SCALED * 2 : kind == KERN_F16 ? head_dim * 2 : head_dim * 4);
}

/* A low-rank update of rows of a matrix: scale * B A, with A (rank, columns) and B (rows, rank). `rounding` is the type that the update
 * is rounded to before it is added: that of the adapter's numbers where PEFT has it so, KERN_F32 for not at all. */
typedef struct kern_lora {
    const float *a; /* the whole of A, written by lora_pack */
    const float *b; /* the first row of B that this call is about; others are b_stride floats apart */
    size_t b_stride, rank, columns;
    float scale;
    int32_t rounding; /* KERN_F32, KERN_F16 or KERN_BF16 */
} kern_lora;

/* Flags of stored_numbers: an infinity or NaN; a scale that is the greatest number of binary16, to which quantize_row cuts greater ones. */
enum kern_stored { KERN_NOT_FINITE = 1, KERN_SCALE_FULL = 2 };

/* Everything on vectors: written once with vector types, compiled for each CPU path. */
typedef struct kern_vector_table {
    /* out[i] = x[i] / sqrt(mean(x^2) + eps) * weight[i], n elements. out may be x. */
    void (*rms_norm)(const float *x, const float *weight, float eps, size_t n, float *out);
    void (*add)(float *x, const float *y, size_t n);                               /* x += y */
    void (*silu_mul)(float *gate, const float *up, size_t n);                      /* gate = gate * sigmoid(gate) * up */
    /* Rotates n_heads vectors of head_dim in place; cos_sin: (rope_dim / 2, 2) of this position. Pair i is the components 2i and 2i+1, or
     * with KERN_ROPE_HALVES i and i + rope_dim / 2: the same bits for the same pairs. Components from rope_dim on stay as they are. */
    void (*rope)(float *x, size_t n_heads, size_t head_dim, size_t rope_dim, const float *cos_sin, int32_t pairing);
    /* Stores keys and values (n_head_kv * head_dim floats each) of one token at `position`. */
    void (*kv_store)(const kern_kv *kv, size_t position, const float *k, const float *v);
    /* Causal attention of the query heads that share KV head `kv_head`, for n_tokens tokens at positions first_position ... : token
     * t sees positions 0 ... first_position + t. q and out: all n_head heads of token t, head_dim floats each, begin at t * stride;
     * heads kv_head * n_group ..< (kv_head + 1) * n_group are read and written, n_group = n_head / n_head_kv. Softmax of scale * q.k,
     * online, in blocks of KERN_KEY_BLOCK keys; what the cache holds behind the last position does not matter. window: a token sees only
     * the last so many positions, its own included; 0: all. Blocks that no token sees are not read. head_dim: any even number. Fastest
     * with many tokens in a call, so split by KV head first. */
    void (*attention)(const kern_kv *kv, size_t kv_head, size_t n_group, size_t first_position, size_t n_tokens, size_t window,
                      const float *q, size_t q_stride, float *out, size_t out_stride, float scale, void *scratch);
    size_t (*attention_scratch_bytes)(size_t n_group, size_t head_dim);            /* per thread, 64-byte aligned */
    /* One row of any type to floats; exact. n is a multiple of the type's block. */
    void (*dequantize_row)(int32_t type, const void *row, size_t n, float *out);
    void (*f32_to_f16)(const float *x, size_t n, uint16_t *out);                   /* round to nearest even, overflow to inf */
    void (*f32_to_bf16)(const float *x, size_t n, uint16_t *out);                  /* the same */
    /* Floats that a packed A takes. */
    size_t (*lora_packed_count)(size_t rank, size_t columns);
    /* Writes row k of A where lora_merge wants it; any order, any thread. */
    void (*lora_pack)(const float *row, size_t k, size_t rank, size_t columns, float *packed);
    /* out = round(w + update) for n_rows rows, as numbers of out_type; w is of `type`, strides are in bytes (multiples of the type's
     * size). Types: KERN_F32, KERN_F16, KERN_BF16. Each element of the update is ((0 + b0 a0) + b1 a1) + ..., fused, times scale. out may
     * be w if the types and strides are the same. w NULL: out is the update itself. Fastest with 32 to 256 rows in a call. */
    void (*lora_merge)(const kern_lora *lora, size_t n_rows, int32_t type, const void *w, size_t w_stride, int32_t out_type, void *out,
                       size_t out_stride);
    /* n floats to blocks of any type (n is a multiple of its block). importance: NULL, or n weights >= 0 of the squared errors, which
     * types heed whose column `encode` says so. Returns 0 for a type that can't be written (NONE in that column), and, if the type is
     * quantized, where a number is infinite or NaN, or 2^127 or more; out is then unspecified. */
    int (*quantize_row)(int32_t type, const float *x, size_t n, const float *importance, void *out);
    /* What is among n stored weights of any type (a multiple of its block): kern_stored, or 0. Of blocks the scales are looked at. */
    int (*stored_numbers)(int32_t type, const void *row, size_t n);
} kern_vector_table;

typedef struct kern_table {
    const char *name; /* "generic", "avx2", "avxvnni", "avx512", "avx512vbmi", "neon", "i8mm" */
    kern_matmul_table matmul;
    kern_vector_table vector;
    int32_t fetch_level; /* the cache that weights are fetched into ahead of their use, 1 or 2: what this kind of CPU is fastest with */
} kern_table;

/* cos and sin of position * frequency for n frequencies: cos_sin = (n, 2). Double precision inside, rounded once. */
void kern_rope_angles(size_t position, const double *frequency, size_t n, float scale, float *cos_sin);

/* The best table that this CPU can run, or the one that ALPACA_CPU names if it can run it. Chosen once; thread-safe. */
const kern_table *kern_best(void);
/* Table by name, NULL if unknown or not runnable here: for tests and benchmarks. */
const kern_table *kern_named(const char *name);

/* ---- What the machine can do at most, for benchmarks (isa/measure.c). ---- */

/* Fills memory with numbers that do not repeat; each seed gives others. bytes % 8 == 0, aligned. */
void kern_measure_fill(void *base, size_t bytes, uint64_t seed);
/* Ways to read memory once: a word of each line, forward; all bytes, forward; a word of each line of sixteen rows of 2048 bytes side by side,
 * which is how the matrix products go over a file. Processors differ in which is the fastest. */
enum kern_read { KERN_READ_LINES, KERN_READ_BYTES, KERN_READ_ROWS };
enum { KERN_READ_UNIT = 16 * 2048 };
/* Brings every line of memory to the processor once, and fetches it `ahead` bytes before its use (0: leaves that to the processor; what
 * lies behind the end is fetched too, which no memory minds). Returns what depends on all that was loaded. bytes % KERN_READ_UNIT == 0. */
uint64_t kern_measure_read(enum kern_read way, const void *base, size_t bytes, size_t ahead);
/* Runs the instruction of the table's matrix products on registers alone for `rounds` rounds of some hundred operations. Returns the
 * operations done: a multiplication and an addition count as two. */
uint64_t kern_measure_products(const kern_table *table, size_t rounds);

/* ---- SHA-256: takes `blocks` blocks of 64 bytes into the eight words of the state. ---- */
void kern_sha256(uint32_t state[8], const uint8_t *data, size_t blocks);
void kern_sha256_generic(uint32_t state[8], const uint8_t *data, size_t blocks); /* the plain C path, for tests */
const char *kern_sha256_name(void);                                              /* "sha" or "generic": what kern_sha256 uses */

/* ---- CRC-32 of zip files: the checksum of n more bytes, after those whose checksum is crc (0: none). ---- */
uint32_t kern_crc32(uint32_t crc, const uint8_t *data, size_t n);
uint32_t kern_crc32_generic(uint32_t crc, const uint8_t *data, size_t n);        /* the plain C path, for tests */
const char *kern_crc32_name(void);                                               /* "pclmul", "crc32" or "generic" */

#endif
