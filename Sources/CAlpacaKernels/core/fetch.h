/* How the loops over a matrix's rows ask for the rows that come next.
 *
 * Rows lie one behind the other, so that is one forward stream, at an even pace: a line after each piece of work (five in a row were 5 %
 * slower on Zen 5). Which cache it goes into is measured for each kind of CPU (dispatch.c):
 *   1  the first level. Zen 5, one core, roof 41 GB/s: 35.9 GB/s where the second level gives 29.8. Each line twice: a processor that has too
 *      many lines under way drops what it is asked for; asked for again a little later it is there, or is fetched now: 59.8 to 65.5 GB/s
 *      with two cores.
 *   2  the second level, where far more requests fit. Emerald Rapids, two cores, roof 32 to 38 GB/s: 97 to 103 % of it, where the first
 *      level gives 85 to 92 % and no prefetch 65 to 90 %.
 * A prefetch of what is not the program's memory does nothing. */
#ifndef ALPACA_FETCH_H
#define ALPACA_FETCH_H
#include "vector_types.h"
#include <stdbool.h>

enum { LINE_BYTES = 64 };

/* The stream of what comes next. */
typedef struct row_stream {
    const char *next;
    size_t again; /* bytes behind `next` where a line is asked for once more */
    bool near;
    size_t owed; /* bytes that fetch_bytes was asked for and that made no whole line yet */
} row_stream;

/* What follows rows that end at `end`: the rows behind them, or, where they are the item's last, those of the next item. */
INLINE row_stream stream_behind(const void *end, bool is_last, kern_ahead ahead, size_t row_bytes) {
    return (row_stream){is_last && ahead.then ? ahead.then : end, 2 * row_bytes, ahead.level < 2, 0};
}

/* The line `at` bytes further on. The branch goes the same way in the whole run of a program. */
INLINE void fetch_at(const row_stream *s, size_t at) {
    const char *line = s->next + at;
    if (s->near) {
        __builtin_prefetch(line, 0, 3);
        __builtin_prefetch(line - s->again, 0, 3);
    } else {
        __builtin_prefetch(line, 0, 2);
    }
}

/* Of the next `bytes` those lines that are piece `piece`'s, of `pieces` pieces of work. */
INLINE void fetch_piece(const row_stream *s, size_t bytes, size_t piece, size_t pieces) {
    const size_t lines = (bytes + LINE_BYTES - 1) / LINE_BYTES;
    for (size_t i = piece * lines / pieces; i < (piece + 1) * lines / pieces; i++) fetch_at(s, i * LINE_BYTES);
}

/* The next line. */
INLINE void fetch_line(row_stream *s) {
    fetch_at(s, 0);
    s->next += LINE_BYTES;
}

/* The next `bytes`, of which the last ones may wait for the next call. */
INLINE void fetch_bytes(row_stream *s, size_t bytes) {
    for (s->owed += bytes; s->owed >= LINE_BYTES; s->owed -= LINE_BYTES) fetch_line(s);
}

#endif
