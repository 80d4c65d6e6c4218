/* Gathering session ids page by page, without any text. 24 bytes a session are held. */
#include "cli/session_list.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#define PAGE           1000
#define CLOCK_SLACK_US INT64_C(60000000)

static bool add(cli_session_keys *list, const conv_session *session)
{
    if (list->count == list->capacity) {
        size_t capacity = list->capacity == 0 ? PAGE : list->capacity * 2;
        cli_session_key *keys = realloc(list->keys, capacity * sizeof *keys);
        if (keys == NULL) return false;
        list->keys = keys;
        list->capacity = capacity;
    }
    list->keys[list->count++] = (cli_session_key){session->created_us, session->session_id};
    return true;
}

static conv_status out_of_memory(conv_error *error)
{
    *error = (conv_error){.status = CONV_NO_MEMORY};
    snprintf(error->action, sizeof error->action, "list sessions");
    snprintf(error->message, sizeof error->message, "out of memory");
    return CONV_NO_MEMORY;
}

/* Walks from the newest change back to `until_us`; `newest_us` receives the first change seen. */
static conv_status walk(conv_client *client, conv_bytes user_id, int64_t until_us,
                        cli_session_keys *list, int64_t *newest_us, conv_error *error)
{
    conv_session_filter filter = CONV_SESSION_FILTER_INIT;
    filter.user_id = user_id;
    filter.limit = PAGE;
    filter.archived = CONV_ARCHIVED_TOO;
    for (bool first = true, more = true; more; first = false) {
        conv_session_page *page = NULL;
        conv_status status = conv_session_list(client, &filter, &page, error);
        if (status != CONV_OK) return status;
        size_t count = conv_session_page_count(page);
        bool kept = true;
        more = conv_session_page_has_more(page);
        for (size_t i = 0; i < count && kept; i++) {
            const conv_session *session = conv_session_page_session(page, i);
            if (first && i == 0) *newest_us = session->updated_us;
            kept = add(list, session);
            filter.after_us = session->updated_us;
            filter.after_id = session->session_id;
            if (session->updated_us < until_us) more = false;
        }
        conv_session_page_free(page);
        if (!kept) return out_of_memory(error);
        if (count == 0) more = false;
    }
    return CONV_OK;
}

static int compare(const void *left, const void *right)
{
    const cli_session_key *a = left;
    const cli_session_key *b = right;
    if (a->created_us != b->created_us) return a->created_us < b->created_us ? -1 : 1;
    return conv_uuid_compare(a->session_id, b->session_id);
}

static void sort_once_each(cli_session_keys *list)
{
    if (list->count == 0) return;
    qsort(list->keys, list->count, sizeof *list->keys, compare);
    size_t kept = 1;
    for (size_t i = 1; i < list->count; i++)
        if (compare(&list->keys[i], &list->keys[kept - 1]) != 0) list->keys[kept++] = list->keys[i];
    list->count = kept;
}

conv_status cli_session_keys_read(conv_client *client, conv_bytes user_id, cli_session_keys *list,
                                  conv_error *error)
{
    *list = (cli_session_keys){0};
    int64_t newest_us = 0;
    conv_status status = walk(client, user_id, 0, list, &newest_us, error);
    if (status != CONV_OK || list->count == 0) return status;
    /* A session that was written to during the walk jumped to the front, perhaps past the walker: a
     * second look at what changed since then finds it. Clocks of writers may differ a little. */
    int64_t ignored = 0;
    status = walk(client, user_id, newest_us - CLOCK_SLACK_US, list, &ignored, error);
    if (status == CONV_OK) sort_once_each(list);
    return status;
}

void cli_session_keys_free(cli_session_keys *list)
{
    free(list->keys);
    *list = (cli_session_keys){0};
}
