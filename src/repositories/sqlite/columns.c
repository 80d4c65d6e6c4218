/* The columns of messages and usage records. Holds no rule: absent is NULL, and what can't be read
 * is damaged. */
#include "repositories/sqlite/columns.h"

#include <string.h>

#include "core/error.h"

void *conv__sqlite_grow(conv__arena *arena, void **elements, size_t count, size_t *capacity,
                        size_t size)
{
    if (count == *capacity) {
        size_t larger = *capacity == 0 ? 8 : *capacity * 2;
        void *moved = larger > SIZE_MAX / size ? NULL : conv__arena_allocate(arena, larger * size);
        if (moved == NULL) return NULL;
        if (count > 0) memcpy(moved, *elements, count * size);
        *elements = moved;
        *capacity = larger;
    }
    return (char *)*elements + count * size;
}

conv_bytes conv__sqlite_copy(conv__sqlite_query *query, int column, conv__arena *arena)
{
    conv_bytes bytes = conv__sqlite_bytes(query, column);
    if (conv__arena_copy(arena, bytes, &bytes) != CONV_OK) conv__sqlite_no_memory(query);
    return bytes;
}

conv_outcome conv__sqlite_outcome(conv__sqlite_query *query, int column)
{
    conv_bytes name = conv__sqlite_bytes(query, column);
    for (int i = CONV_OUTCOME_COMPLETE; i <= CONV_OUTCOME_FAILED; i++)
        if (conv_bytes_equal(name, conv_text(conv_outcome_name((conv_outcome)i))))
            return (conv_outcome)i;
    conv__sqlite_damaged(query);
    return CONV_OUTCOME_FAILED;
}

void conv__sqlite_hash(conv__sqlite_query *query, int column, uint8_t hash[CONV__CONTENT_HASH_SIZE])
{
    conv_bytes stored = conv__sqlite_bytes(query, column);
    if (stored.data == NULL || stored.size != CONV__CONTENT_HASH_SIZE)
        conv__sqlite_damaged(query);
    else
        memcpy(hash, stored.data, stored.size);
}

enum { PARENT = 13 }; /* column behind those of the message */

static void read_message(conv__sqlite_query *query, conv__arena *arena, conv__message_row *row)
{
    conv_message *message = &row->message;
    message->message_id = conv__sqlite_uuid(query, 0);
    message->role = conv_role_parse(conv__sqlite_bytes(query, 1));
    if (message->role == CONV_ROLE_NONE) conv__sqlite_damaged(query);
    message->content = conv__sqlite_copy(query, 2, arena);
    message->parts = conv__sqlite_copy(query, 3, arena);
    message->tool_calls = conv__sqlite_copy(query, 4, arena);
    message->tool_call_id = conv__sqlite_copy(query, 5, arena);
    message->name = conv__sqlite_copy(query, 6, arena);
    message->model = conv__sqlite_copy(query, 7, arena);
    message->metadata = conv__sqlite_copy(query, 8, arena);
    message->status = conv__sqlite_outcome(query, 9);
    message->position = conv__sqlite_integer(query, 10);
    row->originals = conv__sqlite_copy(query, 11, arena);
    message->created_us = conv__sqlite_time(query, 12);
    if (conv__message_from_row(row, NULL) != CONV_OK) conv__sqlite_damaged(query);
}

void conv__sqlite_append_message(conv__sqlite_query *query, conv__arena *arena,
                                 conv__message_list *list, size_t *capacity)
{
    void *rows = list->rows;
    conv__message_row *row =
        conv__sqlite_grow(arena, &rows, list->count, capacity, sizeof *list->rows);
    if (row == NULL) {
        conv__sqlite_no_memory(query);
        return;
    }
    list->rows = rows;
    read_message(query, arena, row);
    list->count++;
}

void conv__sqlite_append_history(conv__sqlite_query *query, conv__arena *arena,
                                 conv__message_list *list, size_t *capacity)
{
    size_t before = list->count;
    conv__sqlite_append_message(query, arena, list, capacity);
    if (list->count > before) list->rows[before].parent_id = conv__sqlite_uuid(query, PARENT);
}

conv_bytes conv__sqlite_copy_name(conv__sqlite_query *query, int id, int external,
                                  conv__arena *arena)
{
    conv_bytes spelling = conv_text(NULL);
    conv__name_row name = {.id = conv__sqlite_uuid(query, id),
                           .external_id = conv__sqlite_bytes(query, external),
                           .originals = conv__sqlite_bytes(query, external + 1)};
    conv_status status = conv__name_from_row(arena, &name, &spelling, NULL);
    if (status == CONV_OK) status = conv__arena_copy(arena, spelling, &spelling);
    if (status == CONV_NO_MEMORY)
        conv__sqlite_no_memory(query);
    else if (status != CONV_OK)
        conv__sqlite_damaged(query);
    return spelling;
}

void conv__sqlite_bind_usage(conv__sqlite_query *query, const conv__usage_row *row)
{
    const conv_usage *usage = &row->usage;
    conv__sqlite_bind_uuid(query, usage->log_id);
    conv__sqlite_bind_time(query, usage->created_us);
    conv__sqlite_bind_uuid(query, row->user.id);
    conv__sqlite_bind_text(query, usage->user_email);
    conv__sqlite_bind_uuid_or_nil(query, row->session_id);
    conv__sqlite_bind_text(query, usage->service);
    conv__sqlite_bind_text(query, usage->operation);
    conv__sqlite_bind_text(query, usage->model);
    conv__sqlite_bind_text(query, usage->provider);
    conv__sqlite_bind_count(query, usage->input_tokens);
    conv__sqlite_bind_count(query, usage->output_tokens);
    conv__sqlite_bind_count(query, usage->total_tokens);
    conv__sqlite_bind_count(query, usage->cache_read_tokens);
    conv__sqlite_bind_count(query, usage->cache_write_tokens);
    conv__sqlite_bind_count(query, usage->reasoning_tokens);
    conv__sqlite_bind_count(query, usage->latency_ms);
    conv__sqlite_bind_decimal(query, usage->priced ? &usage->cost_usd : NULL);
    conv__sqlite_bind_text(query, usage->price);
    conv__sqlite_bind_text(query, conv_text(conv_outcome_name(usage->status)));
    conv__sqlite_bind_text(query, usage->error);
    conv__sqlite_bind_text(query, usage->raw);
    conv__sqlite_bind_text(query, usage->metadata);
    conv__sqlite_bind_blob(query, row->originals);
    conv__sqlite_bind_uuid(query, row->document_id);
    conv__sqlite_bind_count(query, usage->processed_bytes);
}

void conv__sqlite_read_usage_row(conv__sqlite_query *query, conv__arena *arena,
                                 conv__usage_row *row)
{
    conv_usage *usage = &row->usage;
    usage->log_id = conv__sqlite_uuid(query, 0);
    usage->created_us = conv__sqlite_time(query, 1);
    row->user.id = conv__sqlite_uuid(query, 2);
    usage->user_email = conv__sqlite_copy(query, 3, arena);
    row->session_id = conv__sqlite_uuid(query, 4);
    usage->service = conv__sqlite_copy(query, 5, arena);
    usage->operation = conv__sqlite_copy(query, 6, arena);
    usage->model = conv__sqlite_copy(query, 7, arena);
    usage->provider = conv__sqlite_copy(query, 8, arena);
    usage->input_tokens = conv__sqlite_count(query, 9);
    usage->output_tokens = conv__sqlite_count(query, 10);
    usage->total_tokens = conv__sqlite_count(query, 11);
    usage->cache_read_tokens = conv__sqlite_count(query, 12);
    usage->cache_write_tokens = conv__sqlite_count(query, 13);
    usage->reasoning_tokens = conv__sqlite_count(query, 14);
    usage->latency_ms = conv__sqlite_count(query, 15);
    usage->priced = conv__sqlite_decimal(query, 16, &usage->cost_usd);
    usage->price = conv__sqlite_copy(query, 17, arena);
    usage->status = conv__sqlite_outcome(query, 18);
    usage->error = conv__sqlite_copy(query, 19, arena);
    usage->raw = conv__sqlite_copy(query, 20, arena);
    usage->metadata = conv__sqlite_copy(query, 21, arena);
    row->originals = conv__sqlite_copy(query, 22, arena);
    row->document_id = conv__sqlite_uuid(query, 23);
    usage->processed_bytes = conv__sqlite_count(query, 24);
    row->user.external_id = conv__sqlite_copy(query, 25, arena);
    row->user.originals = conv__sqlite_copy(query, 26, arena);
    if (conv__usage_from_row(row, NULL) != CONV_OK) conv__sqlite_damaged(query);
}

conv_status conv__sqlite_insert_user(conv__sqlite *connection,
                                     const conv__sqlite_statement *statement, const char *action,
                                     const conv__name_row *user, int64_t created_us,
                                     conv_error *error)
{
    /* An id that is its own spelling needs no row. */
    if (user->external_id.data == NULL && user->originals.data == NULL) return CONV_OK;
    conv__sqlite_query query;
    conv__sqlite_prepare(&query, connection, statement, action);
    conv__sqlite_bind_uuid(&query, user->id);
    conv__sqlite_bind_text(&query, user->external_id);
    conv__sqlite_bind_blob(&query, user->originals);
    conv__sqlite_bind_time(&query, created_us);
    return conv__sqlite_execute(&query, NULL, error);
}
