/* How the loops over a matrix's rows ask for the rows that come next.
 *
 * Rows lie one behind the other, so that is one forward stream. It goes into the first-level cache: into the second (prefetcht1)
 * 29.8 GB/s came where 35.9 come so (Zen 5, one core, roof 41). At an even pace, a line after each piece of work: five in a row were 5 %
 * slower. And twice: a processor that has too many lines under way drops what it is asked for, so each is asked for again a little later,
 * when it is there or is fetched now: 59.8 to 65.5 GB/s with two cores. A prefetch of what is not the program's memory does nothing. */
#ifndef ALPACA_FETCH_H
#define ALPACA_FETCH_H
#include "vector_types.h"

enum { LINE_BYTES = 64 };

/* Asks for the line at `next`, and once more for the one `again` bytes before. */
INLINE void fetch_twice(const char *next, size_t again) {
    __builtin_prefetch(next, 0, 3);
    __builtin_prefetch(next - again, 0, 3);
}

INLINE void fetch_once(const char *next) { __builtin_prefetch(next, 0, 3); }

#endif
