/* The rows of types.def, for whoever isn't C. */
#include "alpaca_kernels.h"

enum { KERN_NONE = -1 };

static const kern_type rows[] = {
#define TYPE(NAME, id, number_, weights_, bytes_, scale_, second_scale_, decode_, encode_, fallback_, file_type_)                      \
    {.name = #NAME, .number = number_, .weights = weights_, .bytes = bytes_, .scale = scale_, .second_scale = second_scale_,           \
     .decode = KERN_DECODE_##decode_, .encode = KERN_ENCODE_##encode_, .fallback = KERN_##fallback_, .file_type = file_type_},
#include "types/types.def"
};

const kern_type *kern_types(size_t *count) {
    *count = sizeof rows / sizeof *rows;
    return rows;
}
