/* Pages of messages, as both stores read them. It must not know a store. */
#include "repositories/chat.h"

void conv__message_list_cut(conv__message_list *list, size_t limit, bool backwards)
{
    list->has_more = list->count > limit;
    if (list->has_more) list->count = limit;
    for (size_t i = 0; backwards && i < list->count / 2; i++) {
        conv__message_row row = list->rows[i];
        list->rows[i] = list->rows[list->count - 1 - i];
        list->rows[list->count - 1 - i] = row;
    }
}
