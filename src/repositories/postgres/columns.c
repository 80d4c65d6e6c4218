/* Rows to columns and back. It holds no rule: absent is NULL, and what can't be read is damaged. */
#include "repositories/postgres/columns.h"

#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void damaged(conv__reader *reader)
{
    if (reader->status == CONV_OK) reader->status = CONV_BAD_DATA;
}

conv_outcome conv__postgres_next_outcome(conv__reader *reader)
{
    conv_bytes name = conv__next_bytes(reader);
    for (int i = CONV_OUTCOME_COMPLETE; i <= CONV_OUTCOME_FAILED; i++)
        if (conv_bytes_equal(name, conv_text(conv_outcome_name((conv_outcome)i))))
            return (conv_outcome)i;
    damaged(reader);
    return CONV_OUTCOME_FAILED;
}

void conv__postgres_next_hash(conv__reader *reader, uint8_t hash[CONV__CONTENT_HASH_SIZE])
{
    conv_bytes stored = conv__next_bytes(reader);
    if (stored.data != NULL && stored.size == CONV__CONTENT_HASH_SIZE)
        memcpy(hash, stored.data, stored.size);
    else
        damaged(reader);
}

void conv__postgres_read_message_row(conv__reader *reader, conv__message_row *row)
{
    conv_message *message = &row->message;
    message->message_id = conv__next_uuid(reader);
    message->role = conv_role_parse(conv__next_bytes(reader));
    message->content = conv__next_bytes(reader);
    message->parts = conv__next_json(reader);
    message->tool_calls = conv__next_json(reader);
    message->tool_call_id = conv__next_bytes(reader);
    message->name = conv__next_bytes(reader);
    message->model = conv__next_bytes(reader);
    message->status = conv__postgres_next_outcome(reader);
    message->position = conv__next_int8(reader);
    message->metadata = conv__next_json(reader);
    row->originals = conv__next_bytes(reader);
    message->created_us = conv__next_time(reader);
    if (reader->status != CONV_OK) return;
    if (message->role == CONV_ROLE_NONE || conv__message_from_row(row, NULL) != CONV_OK)
        damaged(reader);
}

static conv_status read_rows(const conv__result *result, bool parents, conv__arena *arena,
                             conv__message_list *list)
{
    size_t count = conv__result_rows(result);
    *list = (conv__message_list){.rows = conv__arena_allocate(arena, count * sizeof *list->rows)};
    if (list->rows == NULL) return CONV_NO_MEMORY;
    for (size_t i = 0; i < count; i++) {
        conv__reader reader = conv__reader_at(result, i, arena);
        conv__postgres_read_message_row(&reader, &list->rows[i]);
        if (parents) list->rows[i].parent_id = conv__next_uuid(&reader);
        if (reader.status != CONV_OK) return reader.status;
        list->count++;
    }
    return CONV_OK;
}

conv_status conv__postgres_read_messages(const conv__result *result, conv__arena *arena,
                                         conv__message_list *list)
{
    return read_rows(result, false, arena, list);
}

conv_status conv__postgres_read_history_rows(const conv__result *result, conv__arena *arena,
                                             conv__message_list *list)
{
    return read_rows(result, true, arena, list);
}

void conv__postgres_read_usage_row(conv__reader *reader, conv__usage_row *row)
{
    conv_usage *usage = &row->usage;
    usage->log_id = conv__next_uuid(reader);
    usage->created_us = conv__next_time(reader);
    row->user.id = conv__next_uuid(reader);
    usage->user_email = conv__next_bytes(reader);
    row->session_id = conv__next_uuid(reader);
    usage->service = conv__next_bytes(reader);
    usage->operation = conv__next_bytes(reader);
    usage->model = conv__next_bytes(reader);
    usage->provider = conv__next_bytes(reader);
    usage->input_tokens = conv__next_int8(reader);
    usage->output_tokens = conv__next_int8(reader);
    usage->total_tokens = conv__next_int8(reader);
    usage->cache_read_tokens = conv__next_int8(reader);
    usage->cache_write_tokens = conv__next_int8(reader);
    usage->reasoning_tokens = conv__next_int8(reader);
    usage->latency_ms = conv__next_int8(reader);
    usage->priced = conv__next_decimal(reader, &usage->cost_usd);
    usage->price = conv__next_bytes(reader);
    usage->status = conv__postgres_next_outcome(reader);
    usage->error = conv__next_bytes(reader);
    usage->raw = conv__next_json(reader);
    usage->metadata = conv__next_json(reader);
    row->originals = conv__next_bytes(reader);
    row->document_id = conv__next_uuid(reader);
    usage->processed_bytes = conv__next_int8(reader);
    row->user.external_id = conv__next_bytes(reader);
    row->user.originals = conv__next_bytes(reader);
    if (reader->status == CONV_OK && conv__usage_from_row(row, NULL) != CONV_OK) damaged(reader);
}

bool conv__postgres_has_spelling(const conv__name_row *user)
{
    return user->external_id.data != NULL || user->originals.data != NULL;
}

void conv__postgres_add_users(conv__parameters *parameters, const void *const *users, size_t count)
{
    static const conv__column columns[] = {
        {CONV__TYPE_UUID, offsetof(conv__name_row, id), NULL},
        {CONV__TYPE_TEXT, offsetof(conv__name_row, external_id), NULL},
        {CONV__TYPE_BYTEA, offsetof(conv__name_row, originals), NULL},
    };
    conv__parameter_columns(parameters, columns, COUNT(columns), users, count);
}

static void append_cost(conv__buffer *buffer, const void *row)
{
    const conv_usage *usage = &((const conv__usage_row *)row)->usage;
    if (usage->priced)
        conv__field_numeric(buffer, usage->cost_usd);
    else
        conv__field_null(buffer);
}

static void append_status(conv__buffer *buffer, const void *row)
{
    const conv_usage *usage = &((const conv__usage_row *)row)->usage;
    conv__field_bytes(buffer, conv_text(conv_outcome_name(usage->status)));
}

#define USAGE(type, member)                                                                        \
    {                                                                                              \
        CONV__TYPE_##type, offsetof(conv__usage_row, member), NULL                                 \
    }

void conv__postgres_add_usage(conv__parameters *parameters, const void *const *rows, size_t count)
{
    static const conv__column columns[CONV__POSTGRES_USAGE_PARAMETERS] = {
        USAGE(TIMESTAMPTZ, usage.created_us),
        USAGE(UUID, user.id),
        USAGE(TEXT, usage.user_email),
        USAGE(TEXT, usage.service),
        USAGE(TEXT, usage.operation),
        USAGE(TEXT, usage.model),
        USAGE(TEXT, usage.provider),
        USAGE(INT8, usage.input_tokens),
        USAGE(INT8, usage.output_tokens),
        USAGE(INT8, usage.total_tokens),
        USAGE(INT8, usage.cache_read_tokens),
        USAGE(INT8, usage.cache_write_tokens),
        USAGE(INT8, usage.reasoning_tokens),
        USAGE(INT8, usage.latency_ms),
        {CONV__TYPE_NUMERIC, 0, append_cost},
        USAGE(TEXT, usage.price),
        {CONV__TYPE_TEXT, 0, append_status},
        USAGE(TEXT, usage.error),
        USAGE(JSONB, usage.raw),
        USAGE(JSONB, usage.metadata),
        USAGE(BYTEA, originals),
        USAGE(UUID, document_id),
        USAGE(INT8, usage.processed_bytes),
    };
    conv__parameter_columns(parameters, columns, COUNT(columns), rows, count);
}
