/* The files of all types. Each has the block as it lies in a file (little-endian, no padding; f16 is kept as its bits), block_ID (its weights
 * as floats) and, behind ALPACA_DECODE_H, what core/decode.h needs for products: ID_traits, ID_scales, ID_load, ID_word. */
#ifndef ALPACA_TYPES_H
#define ALPACA_TYPES_H
#include <stddef.h>
#include "../core/float16.h"

typedef float kern_f32;
typedef uint16_t kern_f16, kern_bf16;
#include "q4_0.h"
#include "q4_1.h"
#include "q5_0.h"
#include "q5_1.h"
#include "q8_0.h"
#include "q2_k.h"
#include "q3_k.h"
#include "q4_k.h"
#include "q5_k.h"
#include "q6_k.h"
#include "iq4_nl.h"
#include "iq4_xs.h"
#include "mxfp4.h"
#include "tq1_0.h"
#include "tq2_0.h"
#include "grids.h"
#include "iq2_xxs.h"
#include "iq2_xs.h"
#include "iq2_s.h"
#include "iq3_xxs.h"
#include "iq3_s.h"
#include "iq1_s.h"
#include "iq1_m.h"

#define TYPE(NAME, id, number, weights, bytes, ...) _Static_assert(sizeof(kern_##id) == bytes, #NAME " has other bytes than its row says");
#include "types.def"
#endif
