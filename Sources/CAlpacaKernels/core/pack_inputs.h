/* Inputs to int8, in blocks of 32 with one float scale, laid out for the loop that will read them.
 *
 * Few tokens, up to FEW_TOKENS (decode): token after token, a token_block for each 32 inputs. The loop takes AT_ONCE of them at once:
 * beyond, registers and the first cache are too small. Where there are more, rows that are near already meet the others in a second turn.
 * Some tokens, where the path has a loop for them (middle.h): parts of up to PART_TOKENS tokens, each as a group is, by its own width.
 * Many (prefill): groups of TILE_TOKENS tokens, interleaved so that a tile reads one forward stream. A group is, for each block,
 *   q[8][TILE_TOKENS][4]   words of four inputs, the tokens side by side
 *   d, d_sum               scale; scale * sum
 *   start                  minus the sum of the inputs (see below)
 * and then, for each block, what only some types read: start of the first and of the second sixteen, and the two half sums in 16 bits
 * each. Where a tile sums in 16 bits (LANE_SUMS), `start` is two numbers of 16 bits: minus the sums of the inputs 4j, 4j + 1
 * and of 4j + 2, 4j + 3, as they meet in the tile's lanes. A tile shifts it left by the type's offset_bits and so begins each block
 * with what the offset of the weights takes away. */
#ifndef ALPACA_PACK_INPUTS_H
#define ALPACA_PACK_INPUTS_H
#include "quant_vectors.h"
#include "token_block.h"

enum { AT_ONCE = 8, FEW_TOKENS = KERN_FEW_TOKENS, GROUP_ALIGNMENT = 64 };
enum { STREAM_OF_TOKEN = 44, SIDE_OF_TOKEN = 12, STREAM_BYTES = STREAM_OF_TOKEN * TILE_TOKENS, SIDE_BYTES = SIDE_OF_TOKEN * TILE_TOKENS };

/* Tokens for which core/middle.h is the fastest loop, on the paths that have it. */
enum { LEAST_MIDDLE = 5, MOST_MIDDLE = 48 };
INLINE bool is_middle(size_t n_tokens) { return HAS_MIDDLE && n_tokens >= LEAST_MIDDLE && n_tokens <= MOST_MIDDLE; }

/* Its parts: as few as PART_TOKENS allows, of nearly the same size, the longer ones first. From LEAST_MIDDLE tokens on each has three or
 * more. */
enum { PART_TOKENS = 6 };

typedef struct token_parts {
    size_t count, least, longer; /* parts; tokens of each; the first `longer` have one more */
} token_parts;

INLINE token_parts parts_of(size_t n_tokens) {
    const size_t count = (n_tokens + PART_TOKENS - 1) / PART_TOKENS;
    return (token_parts){count, n_tokens / count, n_tokens % count};
}

INLINE size_t part_tokens(const token_parts *p, size_t part) { return p->least + (part < p->longer); }
INLINE size_t part_begin(const token_parts *p, size_t part) { return part * p->least + (part < p->longer ? part : p->longer); }

/* The part that a token is in. */
INLINE size_t part_of(const token_parts *p, size_t token) {
    const size_t of_longer = p->longer * (p->least + 1);
    return token < of_longer ? token / (p->least + 1) : p->longer + (token - of_longer) / p->least;
}

INLINE size_t part_bytes(size_t blocks, size_t tokens) { return blocks * tokens * (STREAM_OF_TOKEN + SIDE_OF_TOKEN); }


static size_t group_bytes(size_t blocks) {
    return (blocks * (STREAM_BYTES + SIDE_BYTES) + GROUP_ALIGNMENT - 1) / GROUP_ALIGNMENT * GROUP_ALIGNMENT;
}

static size_t pack_group(size_t n_tokens) { return n_tokens <= FEW_TOKENS || is_middle(n_tokens) ? 1 : TILE_TOKENS; }

/* Room for this number of tokens is room for fewer: whichever way they are laid out. */
static size_t packed_bytes(size_t columns, size_t n_tokens) {
    const size_t blocks = columns / 32, few = n_tokens < FEW_TOKENS ? n_tokens : FEW_TOKENS;
    const size_t one_by_one = blocks * few * sizeof(token_block);
    if (n_tokens <= FEW_TOKENS) return one_by_one;
    const size_t groups = (n_tokens + TILE_TOKENS - 1) / TILE_TOKENS * group_bytes(blocks);
    return groups > one_by_one ? groups : one_by_one;
}

typedef int16_t s16x8 __attribute__((ext_vector_type(8)));
typedef int16_t s16x4 __attribute__((ext_vector_type(4)));

/* Of sixteen inputs, sums of those at 4j, at 4j + 1, ... */
INLINE s16x4 sums_by_four(s8x16 q) {
    const s16x16 wide = __builtin_convertvector(q, s16x16);
    const s16x8 eight = wide.lo + wide.hi;
    return eight.lo + eight.hi;
}

/* Minus the sum of sixteen inputs, as a tile's lanes meet it. */
INLINE int32_t start_of(s16x4 sums) {
#if LANE_SUMS
    return (int32_t)((uint32_t)(-sums.x - sums.y) & 0xFFFF) | (int32_t)((uint32_t)(-sums.z - sums.w) << 16);
#else
    return -(sums.x + sums.y + sums.z + sums.w);
#endif
}

INLINE int32_t add_starts(int32_t a, int32_t b) {
#if LANE_SUMS
    return (int32_t)(((uint32_t)a + (uint32_t)b) & 0xFFFF) | (int32_t)(((uint32_t)a & 0xFFFF0000) + ((uint32_t)b & 0xFFFF0000));
#else
    return a + b;
#endif
}

/* scale = amax / 127, each input to the nearest multiple, ties to even. A block that is all but zero counts as zero (its scale's
 * inverse would overflow); one with an infinity or NaN has no integers, but a scale of NaN. */
INLINE void quantize_block(const float *x, token_block *out) {
    const v16f a = load16(x), b = load16(x + LANES);
    const v16i abs_a = __builtin_bit_cast(v16i, a) & 0x7FFFFFFF, abs_b = __builtin_bit_cast(v16i, b) & 0x7FFFFFFF;
    const int32_t most = __builtin_reduce_max(abs_a > abs_b ? abs_a : abs_b);
    const float amax = __builtin_bit_cast(float, most);
    const bool usable = amax >= 0x1p-120f && most < 0x7F800000;
    const float inverse = usable ? 127.0f / amax : 0.0f;
    out->d = usable ? amax / 127.0f : most < 0x7F800000 ? 0.0f : __builtin_nanf("");
    /* Adding 1.5 * 2^23 rounds to an integer and leaves it in the low bits. */
    v16i qa = __builtin_bit_cast(v16i, a * inverse + 0x1.8p23f) - 0x4B400000;
    v16i qb = __builtin_bit_cast(v16i, b * inverse + 0x1.8p23f) - 0x4B400000;
    if (!usable) qa = 0, qb = 0;
    const s8x16 low = __builtin_convertvector(qa, s8x16), high = __builtin_convertvector(qb, s8x16);
    *(s8x16_unaligned *)out->q = low;
    *(s8x16_unaligned *)(out->q + 16) = high;
    const s16x4 sums_low = sums_by_four(low), sums_high = sums_by_four(high);
    const int32_t sum_low = sums_low.x + sums_low.y + sums_low.z + sums_low.w;
    const int32_t sum_high = sums_high.x + sums_high.y + sums_high.z + sums_high.w;
    out->sum = sum_low + sum_high;
    out->halves = (int32_t)((uint32_t)sum_low & 0xFFFF) | (int32_t)((uint32_t)sum_high << 16);
    out->d_sum = out->d * (float)out->sum;
    out->half_starts[0] = start_of(sums_low), out->half_starts[1] = start_of(sums_high);
    out->start = add_starts(out->half_starts[0], out->half_starts[1]);
}

/* One token's block into its column of those of `width` tokens. */
INLINE void interleave(const token_block *from, size_t width, uint8_t *stream, uint8_t *side, size_t column) {
    for (size_t j = 0; j < 8; j++) __builtin_memcpy(stream + (j * width + column) * 4, from->q + 4 * j, 4);
    float *d = (float *)(void *)(stream + 32 * width) + column;
    int32_t *start = (int32_t *)(void *)(stream + 40 * width) + column, *rare = (int32_t *)(void *)side + column;
    d[0] = from->d, d[width] = from->d_sum;
    start[0] = from->start;
    rare[0] = from->half_starts[0], rare[width] = from->half_starts[1], rare[2 * width] = from->halves;
}

/* One token into its column of `width`; x NULL: zeros. */
INLINE void pack_token(const float *x, size_t blocks, size_t width, uint8_t *stream, uint8_t *side, size_t column) {
    for (size_t b = 0; b < blocks; b++, stream += STREAM_OF_TOKEN * width, side += SIDE_OF_TOKEN * width) {
        token_block block = {0};
        if (x) quantize_block(x + 32 * b, &block);
        interleave(&block, width, stream, side, column);
    }
}

static void pack_inputs(const kern_inputs *in, size_t first, size_t last) {
    const size_t blocks = in->columns / 32;
    if (is_middle(in->n_tokens)) {
        const token_parts parts = parts_of(in->n_tokens);
        for (size_t t = first; t < last; t++) {
            const size_t part = part_of(&parts, t), begin = part_begin(&parts, part), width = part_tokens(&parts, part);
            uint8_t *stream = (uint8_t *)in->packed + part_bytes(blocks, begin);
            pack_token(in->x + t * in->stride, blocks, width, stream, stream + blocks * STREAM_OF_TOKEN * width, t - begin);
        }
        return;
    }
    if (in->n_tokens <= FEW_TOKENS) {
        for (size_t t = first; t < last; t++) {
            token_block *out = (token_block *)in->packed + t * blocks;
            for (size_t b = 0; b < blocks; b++) quantize_block(in->x + t * in->stride + 32 * b, out + b);
        }
        return;
    }
    for (size_t t = first; t < last; t += TILE_TOKENS) {
        uint8_t *group = (uint8_t *)in->packed + t / TILE_TOKENS * group_bytes(blocks);
        for (size_t column = 0; column < TILE_TOKENS; column++) {
            const float *x = t + column < in->n_tokens ? in->x + (t + column) * in->stride : NULL;
            pack_token(x, blocks, TILE_TOKENS, group, group + blocks * STREAM_BYTES, column);
        }
    }
}

#endif
