/* What both stores do alike with usage records. Knows no SQL. */
#include "repositories/usage.h"

#include <stdlib.h>
#include <string.h>

static int compare_keys(const void *left, const void *right)
{
    conv_bytes a = ((const conv_usage_total *)left)->key;
    conv_bytes b = ((const conv_usage_total *)right)->key;
    if (a.data == NULL || b.data == NULL) return (a.data == NULL) - (b.data == NULL);
    size_t common = a.size < b.size ? a.size : b.size;
    int order = memcmp(a.data, b.data, common);
    if (order != 0) return order;
    return (a.size > b.size) - (a.size < b.size);
}

void conv__usage_totals_sort(conv__usage_total_list *list)
{
    if (list->count > 1) qsort(list->rows, list->count, sizeof *list->rows, compare_keys);
}
