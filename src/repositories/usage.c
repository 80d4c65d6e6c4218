/* What both stores do alike with usage records. Knows no SQL. */
#include "repositories/usage.h"

#include <stdlib.h>
#include <string.h>

void conv__usage_row_hide(conv__usage_row *row, conv_uuid nobody)
{
    row->user = (conv__name_row){.id = nobody};
    row->usage.user_email = conv_text(NULL);
    row->originals = conv_text(NULL);
}

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

conv_status conv__differences_join(conv__arena *arena, const conv__difference_list *lists,
                                   size_t count, conv__difference_list *joined)
{
    size_t total = 0;
    *joined = (conv__difference_list){0};
    for (size_t i = 0; i < count; i++) {
        total += lists[i].count;
        joined->has_more = joined->has_more || lists[i].has_more;
    }
    joined->differences = conv__arena_allocate(arena, total * sizeof *joined->differences);
    if (joined->differences == NULL) return CONV_NO_MEMORY;
    for (size_t i = 0; i < count; i++)
        for (size_t k = 0; k < lists[i].count; k++)
            joined->differences[joined->count++] = lists[i].differences[k];
    return CONV_OK;
}
