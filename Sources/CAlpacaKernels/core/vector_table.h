/* The table of one CPU path. An isa file defines VECTOR_TABLE_NAME, its primitives and tile sizes, and includes this last. */
#include "vector_attention.h"
#include "vector_cache.h"
#include "vector_dequantize.h"
#include "vector_elementwise.h"
#include "vector_lora.h"
#include "quantize.h"
#include "stored_numbers.h"

const kern_vector_table VECTOR_TABLE_NAME = {
    .rms_norm = rms_norm,
    .add = add,
    .silu_mul = silu_mul,
    .rope = rope,
    .kv_store = kv_store,
    .attention = attention,
    .attention_scratch_bytes = attention_scratch_bytes,
    .dequantize_row = dequantize_row,
    .f32_to_f16 = f32_to_f16,
    .f32_to_bf16 = f32_to_bf16,
    .lora_packed_count = lora_packed_count,
    .lora_pack = lora_pack,
    .lora_merge = lora_merge,
    .quantize_row = quantize_row,
    .stored_numbers = stored_numbers,
};
