/* Which rows of the usage table are shown. It prints nothing. */
#include <stdlib.h>

#include "cli/usage_chart.h"

typedef struct ranked {
    size_t index;
    conv_decimal value;
} ranked;

/* Largest first; of equal ones the one that comes first. */
static int by_value(const void *left, const void *right)
{
    const ranked *a = left;
    const ranked *b = right;
    int order = conv_decimal_compare(b->value, a->value);
    if (order != 0) return order;
    return a->index < b->index ? -1 : a->index > b->index;
}

static int by_index(const void *left, const void *right)
{
    const ranked *a = left;
    const ranked *b = right;
    return a->index < b->index ? -1 : a->index > b->index;
}

bool cli_usage_rows_choose(const conv_usage_totals *totals, int64_t limit, bool last,
                           cli_measure measure, cli_usage_rows *rows)
{
    size_t count = conv_usage_totals_count(totals);
    size_t kept = limit > 0 && (uint64_t)limit < count ? (size_t)limit : count;
    ranked *all = malloc((count + 1) * sizeof *all);
    *rows = (cli_usage_rows){.rows = malloc((kept + 1) * sizeof *rows->rows)};
    if (all == NULL || rows->rows == NULL) {
        free(all);
        free(rows->rows);
        return false;
    }
    for (size_t i = 0; i < count; i++)
        all[i] = (ranked){i, cli_measure_of(measure, conv_usage_totals_row(totals, i))};
    ranked *first = last ? all + (count - kept) : all;
    if (!last && kept < count) {
        qsort(all, count, sizeof *all, by_value);
        qsort(all, kept, sizeof *all, by_index);
    }
    for (; rows->count < kept; rows->count++)
        rows->rows[rows->count] = conv_usage_totals_row(totals, first[rows->count].index);
    free(all);
    return true;
}
