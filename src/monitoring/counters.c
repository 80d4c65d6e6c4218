/* Rows of counters. */
#include "monitoring/counters.h"

#include "core/memory.h"

static _Atomic unsigned rows_dealt;
static _Thread_local unsigned own_row; /* from 1; 0: none yet */

size_t conv__counter_row(void)
{
    if (own_row == 0)
        own_row =
            atomic_fetch_add_explicit(&rows_dealt, 1, memory_order_relaxed) % CONV__COUNTER_ROWS +
            1;
    return own_row - 1;
}

bool conv__counters_create(conv__counters *counters, size_t cells)
{
    size_t line_cells = CONV__CACHE_LINE / sizeof *counters->cells;
    counters->row_cells = (cells + line_cells - 1) / line_cells * line_cells;
    size_t size = counters->row_cells * CONV__COUNTER_ROWS * sizeof *counters->cells;
    counters->block = conv__allocate(size + CONV__CACHE_LINE);
    if (counters->block == NULL) return false;
    uintptr_t start = (uintptr_t)counters->block;
    size_t skip = (CONV__CACHE_LINE - start % CONV__CACHE_LINE) % CONV__CACHE_LINE;
    counters->cells = (void *)((char *)counters->block + skip);
    return true;
}

void conv__counters_free(conv__counters *counters)
{
    conv__release(counters->block);
    *counters = (conv__counters){0};
}

uint64_t conv__counters_read(const conv__counters *counters, size_t cell)
{
    uint64_t sum = 0;
    for (size_t row = 0; row < CONV__COUNTER_ROWS; row++)
        sum += atomic_load_explicit(&counters->cells[row * counters->row_cells + cell],
                                    memory_order_relaxed);
    return sum;
}
