/* The toolchain has no program that prints its index, but a library that reads it. It is loaded when it is needed: nothing else links it. */
#define _GNU_SOURCE
#include "index_store_reader.h"

#include <dlfcn.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A text of the library: not ended by a zero. */
typedef struct {
    const char *start;
    size_t length;
} text;

/* The functions of libIndexStore that are used, by their names there. A store has a unit a compiled file; a unit has a record a file that it
 * read; a record has the occurrences of symbols. */
#define FUNCTIONS(F)                                                                                                                  \
    F(void *, store_create, (const char *path, void **error))                                                                         \
    F(void, store_dispose, (void *store))                                                                                             \
    F(bool, store_units_apply_f, (void *store, unsigned sorted, void *context, bool (*each)(void *context, text name)))               \
    F(void *, unit_reader_create, (void *store, const char *name, void **error))                                                      \
    F(void, unit_reader_dispose, (void *unit))                                                                                        \
    F(text, unit_reader_get_main_file, (void *unit))                                                                                  \
    F(bool, unit_reader_dependencies_apply_f, (void *unit, void *context, bool (*each)(void *context, void *dependency)))             \
    F(int, unit_dependency_get_kind, (void *dependency))                                                                              \
    F(text, unit_dependency_get_name, (void *dependency))                                                                             \
    F(text, unit_dependency_get_filepath, (void *dependency))                                                                         \
    F(void *, record_reader_create, (void *store, const char *name, void **error))                                                    \
    F(void, record_reader_dispose, (void *record))                                                                                    \
    F(bool, record_reader_occurrences_apply_f, (void *record, void *context, bool (*each)(void *context, void *occurrence)))          \
    F(void *, occurrence_get_symbol, (void *occurrence))                                                                              \
    F(uint64_t, occurrence_get_roles, (void *occurrence))                                                                             \
    F(void, occurrence_get_line_col, (void *occurrence, unsigned *line, unsigned *column))                                            \
    F(text, symbol_get_usr, (void *symbol))                                                                                           \
    F(text, symbol_get_name, (void *symbol))                                                                                          \
    F(const char *, error_get_description, (void *error))                                                                             \
    F(void, error_dispose, (void *error))

enum { DEPENDENCY_IS_RECORD = 2 };

typedef struct {
#define MEMBER(result, name, parameters) result(*name) parameters;
    FUNCTIONS(MEMBER)
#undef MEMBER
} functions;

typedef struct {
    functions call;
    void *store, *unit;
    const char *prefix;
    void *context;
    void (*found)(void *context, const index_occurrence *occurrence);
    char *file;
    char *problem;
} reading;

static char *copy(text from) {
    char *to = malloc(from.length + 1);
    if (!to) abort();
    if (from.length) memcpy(to, from.start, from.length);
    to[from.length] = 0;
    return to;
}

__attribute__((format(printf, 1, 2))) static char *say(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    char *said = NULL;
    if (vasprintf(&said, format, arguments) < 0) abort();
    va_end(arguments);
    return said;
}

/* What the library says of `what`, which could not be read. */
static char *failure(const functions *call, const char *what, void *error) {
    char *said = say("%s: %s", what, error ? call->error_get_description(error) : "can't be read");
    if (error) call->error_dispose(error);
    return said;
}

static bool read_occurrence(void *context, void *occurrence) {
    reading *r = context;
    void *symbol = r->call.occurrence_get_symbol(occurrence);
    unsigned line, column;
    r->call.occurrence_get_line_col(occurrence, &line, &column);
    char *id = copy(r->call.symbol_get_usr(symbol)), *name = copy(r->call.symbol_get_name(symbol));
    r->found(r->context, &(index_occurrence){r->file, id, name, r->call.occurrence_get_roles(occurrence), line});
    free(id);
    free(name);
    return true;
}

static bool read_dependency(void *context, void *dependency) {
    reading *r = context;
    if (r->call.unit_dependency_get_kind(dependency) != DEPENDENCY_IS_RECORD) return true;
    text path = r->call.unit_dependency_get_filepath(dependency);
    if (path.length != strlen(r->file) || memcmp(path.start, r->file, path.length)) return true;
    char *name = copy(r->call.unit_dependency_get_name(dependency));
    void *error = NULL, *record = r->call.record_reader_create(r->store, name, &error);
    if (record) {
        r->call.record_reader_occurrences_apply_f(record, r, read_occurrence);
        r->call.record_reader_dispose(record);
    } else {
        r->problem = failure(&r->call, name, error);
    }
    free(name);
    return !r->problem;
}

static bool read_unit(void *context, text unit_name) {
    reading *r = context;
    char *name = copy(unit_name);
    void *error = NULL;
    r->unit = r->call.unit_reader_create(r->store, name, &error);
    if (r->unit) {
        r->file = copy(r->call.unit_reader_get_main_file(r->unit));
        if (!strncmp(r->file, r->prefix, strlen(r->prefix))) r->call.unit_reader_dependencies_apply_f(r->unit, r, read_dependency);
        free(r->file);
        r->call.unit_reader_dispose(r->unit);
    } else {
        r->problem = failure(&r->call, name, error);
    }
    free(name);
    return !r->problem;
}

char *index_store_read(const char *library, const char *store, const char *prefix, void *context,
                       void (*found)(void *context, const index_occurrence *occurrence)) {
    reading r = {.prefix = prefix, .context = context, .found = found};
    void *handle = dlopen(library, RTLD_NOW | RTLD_LOCAL);
    if (!handle) return say("%s", dlerror());
    /* Stays loaded: what it keeps for the process must not outlive it. */
#define FIND(result, name, parameters)                                                     \
    if (!(r.call.name = (result(*) parameters)dlsym(handle, "indexstore_" #name))) {       \
        return say("%s has no function indexstore_" #name " any more", library);           \
    }
    FUNCTIONS(FIND)
#undef FIND
    void *error = NULL;
    r.store = r.call.store_create(store, &error);
    if (!r.store) return failure(&r.call, store, error);
    r.call.store_units_apply_f(r.store, 0, &r, read_unit);
    r.call.store_dispose(r.store);
    return r.problem;
}
