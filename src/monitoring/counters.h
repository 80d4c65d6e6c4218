/* Counters that many threads raise at once. Each thread has a row of cells of its own, or shares
 * one with few others; reading adds the rows up. Knows no names. */
#ifndef CONV__MONITORING_COUNTERS_H
#define CONV__MONITORING_COUNTERS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { CONV__COUNTER_ROWS = 16, CONV__CACHE_LINE = 64 };

typedef struct conv__counters {
    void *block;
    _Atomic uint64_t *cells; /* on a cache line's border */
    size_t row_cells;        /* a whole number of cache lines */
} conv__counters;

/* False when out of memory. */
bool conv__counters_create(conv__counters *counters, size_t cells);
void conv__counters_free(conv__counters *counters);

/* The row of this thread, dealt out in turn. */
size_t conv__counter_row(void);

static inline void conv__count(conv__counters *counters, size_t cell, uint64_t more)
{
    size_t at = conv__counter_row() * counters->row_cells + cell;
    atomic_fetch_add_explicit(&counters->cells[at], more, memory_order_relaxed);
}

uint64_t conv__counters_read(const conv__counters *counters, size_t cell);

#endif
