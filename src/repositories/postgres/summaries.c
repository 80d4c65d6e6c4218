/* Summaries. */
#include "core/error.h"
#include "repositories/postgres/columns.h"
#include "repositories/postgres/sessions.h"
#include "repositories/postgres/transaction.h"

#define ACTION_SAVE "save summary"
#define ACTION_READ "read summaries"

enum { LOCK, FIND_BASIS, SAVE, LIST, FIND, STATEMENTS };

#define COLUMNS                                                                                    \
    "y.summary_id, y.session_id, y.summary, y.key_points, y.last_position, y.model, y.log_id,"     \
    " y.originals, y.created_at, s.external_id, s.originals"

const conv__statement conv__postgres_summary_statements[] = {
    /* A statement of its own: the next one sees what a deletion that held the row has left. */
    [LOCK] = {"conv_summary_lock", ACTION_SAVE, 1, false,
              "SELECT FROM chat_sessions WHERE session_id = $1::uuid FOR KEY SHARE"},
    [FIND_BASIS] = {"conv_summary_basis", ACTION_SAVE, 3, false,
                    "SELECT EXISTS (SELECT FROM chat_sessions WHERE session_id = $1::uuid)"
                    " AND ($2::uuid IS NULL OR EXISTS (SELECT FROM chat_sessions_summary"
                    "  WHERE summary_id = $2::uuid AND session_id = $1::uuid))"
                    " AND NOT EXISTS (SELECT FROM unnest($3::uuid[]) AS b (message_id)"
                    "  WHERE NOT EXISTS (SELECT FROM chat_messages m"
                    "   WHERE m.message_id = b.message_id AND m.session_id = $1::uuid))"},
    [SAVE] = {"conv_summary_save", ACTION_SAVE, 9, false,
              "INSERT INTO chat_sessions_summary (summary_id, session_id, summary, key_points,"
              " last_position, model, log_id, originals, created_at) VALUES ($1::uuid, $2::uuid,"
              " $3::text, $4::jsonb, $5::int8, $6::text, $7::uuid, $8::bytea, $9::timestamptz)"
              " ON CONFLICT DO NOTHING"},
    [LIST] = {"conv_summary_list", ACTION_READ, 4, true,
              "SELECT " COLUMNS " FROM chat_sessions_summary y"
              " JOIN chat_sessions s ON s.session_id = y.session_id"
              " WHERE ($1::uuid IS NULL OR y.session_id = $1::uuid)"
              " AND ($2::timestamptz IS NULL OR"
              "  (y.created_at, y.summary_id) < ($2::timestamptz, $3::uuid))"
              " ORDER BY y.created_at DESC, y.summary_id DESC LIMIT $4::int8"},
    /* The way back from a message is one, so a summary holds for every branch that its last message
     * is on. */
    [FIND] = {"conv_summary_find", ACTION_READ, 3, false,
              CONV__POSTGRES_STRETCHES
              " SELECT " COLUMNS " FROM chat_sessions_summary y"
              " JOIN chat_sessions s ON s.session_id = y.session_id"
              " WHERE y.session_id = $1::uuid AND EXISTS (SELECT FROM stretch t"
              "  WHERE y.last_position >= t.first AND y.last_position <= t.last)"
              " ORDER BY y.last_position DESC, y.created_at DESC LIMIT 1"},
    [STATEMENTS] = {NULL, NULL, 0, false, NULL},
};

static conv_status queue(conv__transaction *transaction, int which, conv__parameters *parameters,
                         conv__receiver receive, void *context, conv_error *error)
{
    return conv__postgres_queue(transaction, &conv__postgres_summary_statements[which], parameters,
                                receive, context, error);
}

static conv_status receive_found(void *context, const conv__result *result, conv_error *error)
{
    (void)error;
    if (conv__result_rows(result) != 1) return CONV_BAD_DATA;
    conv__reader reader = conv__reader_at(result, 0, NULL);
    *(bool *)context = conv__next_bool(&reader);
    return reader.status;
}

static conv_status hold(conv__summary_repository *summaries, conv__transaction *transaction,
                        const conv__summary_basis *basis, bool *found, conv_error *error)
{
    (void)summaries;
    static const conv__column ids[] = {{CONV__TYPE_UUID, 0, NULL}};
    const void **messages =
        conv__postgres_scratch(transaction, (basis->count + 1) * sizeof *messages);
    conv__parameters parameters = {.count = 0};
    *found = false;
    if (messages == NULL) return conv__fail_memory(error, ACTION_SAVE);
    for (size_t i = 0; i < basis->count; i++)
        messages[i] = &basis->messages[i];
    conv__parameter_uuid(&parameters, basis->session_id);
    conv_status status = queue(transaction, LOCK, &parameters, NULL, NULL, error);
    if (status != CONV_OK) return status;
    conv__parameter_uuid(&parameters, basis->session_id);
    conv__parameter_uuid(&parameters, basis->earlier_id);
    conv__parameter_columns(&parameters, ids, 1, messages, basis->count);
    return queue(transaction, FIND_BASIS, &parameters, receive_found, found, error);
}

static conv_status save(conv__summary_repository *summaries, conv__transaction *transaction,
                        const conv__summary_row *row, conv_error *error)
{
    (void)summaries;
    conv__parameters parameters = {.count = 0};
    conv__parameter_uuid(&parameters, row->summary_id);
    conv__parameter_uuid(&parameters, row->session_id);
    conv__parameter_bytes(&parameters, row->text);
    conv__parameter_json(&parameters, row->key_points);
    conv__parameter_int8(&parameters, row->last_position);
    conv__parameter_bytes(&parameters, row->model);
    conv__parameter_uuid(&parameters, row->log_id);
    conv__parameter_bytes(&parameters, row->originals);
    conv__parameter_time(&parameters, row->created_us);
    return queue(transaction, SAVE, &parameters, NULL, NULL, error);
}

typedef struct page {
    conv__arena *arena;
    conv__summary_list *list;
    size_t limit;
} page;

static conv_status read_summary(conv__reader *reader, conv_summary *summary)
{
    conv__summary_row row = {.summary_id = conv__next_uuid(reader)};
    row.session_id = conv__next_uuid(reader);
    row.text = conv__next_bytes(reader);
    row.key_points = conv__next_json(reader);
    row.last_position = conv__next_int8(reader);
    row.model = conv__next_bytes(reader);
    row.log_id = conv__next_uuid(reader);
    row.originals = conv__next_bytes(reader);
    row.created_us = conv__next_time(reader);
    conv__name_row name = {.id = row.session_id, .external_id = conv__next_bytes(reader)};
    name.originals = conv__next_bytes(reader);
    if (reader->status != CONV_OK) return reader->status;
    conv_status status = conv__summary_from_row(&row, summary, NULL);
    if (status != CONV_OK) return status;
    return conv__name_from_row(reader->arena, &name, &summary->external_id, NULL);
}

static conv_status receive_page(void *context, const conv__result *result, conv_error *error)
{
    page *self = context;
    (void)error;
    size_t count = conv__result_rows(result);
    *self->list = (conv__summary_list){.has_more = count > self->limit};
    if (count > self->limit) count = self->limit;
    self->list->summaries = conv__arena_allocate(self->arena, (count + 1) * sizeof(conv_summary));
    if (self->list->summaries == NULL) return CONV_NO_MEMORY;
    for (; self->list->count < count; self->list->count++) {
        conv__reader reader = conv__reader_at(result, self->list->count, self->arena);
        conv_status status = read_summary(&reader, &self->list->summaries[self->list->count]);
        if (status != CONV_OK) return status;
    }
    return CONV_OK;
}

static conv_status list(conv__summary_repository *summaries, conv__transaction *transaction,
                        const conv__summary_query *query, conv__arena *arena,
                        conv__summary_list *made, conv_error *error)
{
    (void)summaries;
    page self = {arena, made, query->limit};
    conv__parameters parameters = {.count = 0};
    *made = (conv__summary_list){.count = 0};
    conv__parameter_uuid(&parameters, query->session_id);
    if (query->after_us == 0)
        conv__parameter_null(&parameters);
    else
        conv__parameter_time(&parameters, query->after_us);
    conv__parameter_bytes(
        &parameters, conv_view((const char *)query->after_id.bytes, sizeof query->after_id.bytes));
    conv__parameter_int8(&parameters, (int64_t)query->limit + 1);
    conv_status status = queue(transaction, LIST, &parameters, receive_page, &self, error);
    return status == CONV_OK ? conv__postgres_ask(transaction, error) : status;
}

static conv_status find(conv__summary_repository *summaries, conv__transaction *transaction,
                        conv_uuid session_id, conv_uuid last, conv_uuid instead_of,
                        conv__arena *arena, conv__summary_list *found, conv_error *error)
{
    (void)summaries;
    page self = {arena, found, 1};
    conv__parameters parameters = {.count = 0};
    *found = (conv__summary_list){.count = 0};
    conv__parameter_uuid(&parameters, session_id);
    conv__parameter_uuid(&parameters, last);
    conv__parameter_uuid(&parameters, instead_of);
    conv_status status = queue(transaction, FIND, &parameters, receive_page, &self, error);
    return status == CONV_OK ? conv__postgres_ask(transaction, error) : status;
}

const conv__summary_repository_functions conv__postgres_summary_functions = {
    .hold = hold,
    .save = save,
    .list = list,
    .find = find,
};
