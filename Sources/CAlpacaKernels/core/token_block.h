/* Thirty-two inputs of one token, as the loops for few tokens read them (pack_inputs.h). */
#ifndef ALPACA_TOKEN_BLOCK_H
#define ALPACA_TOKEN_BLOCK_H
#include <stdint.h>

typedef struct token_block {
    int8_t q[32];
    float d, d_sum;                /* scale; scale * sum */
    int32_t sum, halves;           /* halves: sums of the first and second sixteen, 16 bits each */
    int32_t start, half_starts[2]; /* as in a group */
    int32_t unused;
} token_block;

#endif
