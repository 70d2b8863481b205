/* What the compiler wrote down of the files that it compiled: who declares what, and who names it. */
#ifndef INDEX_STORE_READER_H
#define INDEX_STORE_READER_H

#include <stdint.h>

/* One place of a file where a symbol is declared or named. The texts are valid during the call. */
typedef struct {
    const char *file;
    /* The symbol's name for the compiler, the same in all files. */
    const char *symbol;
    const char *name;
    /* A sum of INDEX_...; other bits may be set. */
    uint64_t roles;
    uint32_t line;
} index_occurrence;

enum { INDEX_DEFINITION = 1 << 1, INDEX_REFERENCE = 1 << 2 };

/* Calls `found` with each occurrence in files whose path begins with `prefix`.
 *
 * @param library libIndexStore.so of the toolchain that compiled.
 * @param store   the folder that was given to the compiler as -index-store-path.
 * @return NULL, or what went wrong; to be freed. */
char *index_store_read(const char *library, const char *store, const char *prefix, void *context,
                       void (*found)(void *context, const index_occurrence *occurrence));

#endif
