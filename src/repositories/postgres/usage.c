/* Usage records: saving those that belong to no exchange, and reading all. */
#include "repositories/postgres/usage.h"

#include <stdlib.h>

#include "core/error.h"
#include "core/text.h"
#include "repositories/postgres/columns.h"
#include "repositories/postgres/transaction.h"
#include "repositories/postgres/usage_filter.h"

#define ACTION_SAVE  "save usage"
#define ACTION_QUERY "query usage"

enum { INSERT_USERS, SAVE, SAVE_NEW, QUERY, STATEMENTS };

#define INPUT_COLUMNS                                                                              \
    "created_at, user_id, user_email, service, operation, model, provider, input_tokens,"          \
    "  output_tokens, total_tokens, cache_read_tokens, cache_write_tokens, reasoning_tokens,"      \
    "  latency_ms, cost_usd, price, status, error, raw, metadata, originals, document_id,"         \
    "  processed_bytes"
/* The parameters of both ways to save. unnest in FROM would make a table of each array first; in a
 * SELECT list it does not. The saving of exchanges asks in FROM all the same: with its joins the
 * planner would find a plan for one length of the arrays worth making each time. */
#define INPUT_ROWS                                                                                 \
    "SELECT unnest($1::uuid[]) AS log_id, unnest($2::uuid[]) AS session,"                          \
    "  unnest($3::timestamptz[]) AS created_at, unnest($4::uuid[]) AS user_id,"                    \
    "  unnest($5::text[]) AS user_email, unnest($6::text[]) AS service,"                           \
    "  unnest($7::text[]) AS operation, unnest($8::text[]) AS model,"                              \
    "  unnest($9::text[]) AS provider, unnest($10::int8[]) AS input_tokens,"                       \
    "  unnest($11::int8[]) AS output_tokens, unnest($12::int8[]) AS total_tokens,"                 \
    "  unnest($13::int8[]) AS cache_read_tokens, unnest($14::int8[]) AS cache_write_tokens,"       \
    "  unnest($15::int8[]) AS reasoning_tokens, unnest($16::int8[]) AS latency_ms,"                \
    "  unnest($17::numeric[]) AS cost_usd, unnest($18::text[]) AS price,"                          \
    "  unnest($19::text[]) AS status, unnest($20::text[]) AS error,"                               \
    "  unnest($21::jsonb[]) AS raw, unnest($22::jsonb[]) AS metadata,"                             \
    "  unnest($23::bytea[]) AS originals, unnest($24::uuid[]) AS document_id,"                     \
    "  unnest($25::int8[]) AS processed_bytes"

const conv__statement conv__postgres_usage_statements[] = {
    [INSERT_USERS] = {"conv_usage_users", ACTION_SAVE, 3, false, CONV__POSTGRES_INSERT_USERS},
    /* Sorted by their keys: writers never wait in a circle. FULL JOIN as in the saving of
     * exchanges. */
    [SAVE] = {"conv_usage_save", ACTION_SAVE, 2 + CONV__POSTGRES_USAGE_PARAMETERS, false,
              "WITH input AS MATERIALIZED ("
              " SELECT u.*, coalesce(session, " CONV__POSTGRES_NIL ") AS session_id"
              " FROM (" INPUT_ROWS ", generate_series(1, cardinality($1::uuid[])) AS ordinal) AS u"
              "), saved AS ("
              " INSERT INTO usage_logs (log_id, session_id, " INPUT_COLUMNS ")"
              " SELECT log_id, session_id, " INPUT_COLUMNS
              " FROM input ORDER BY log_id, session_id, ordinal"
              " ON CONFLICT DO NOTHING"
              " RETURNING log_id, session_id, true AS inserted"
              ") SELECT min(ordinal)::int8 FROM input FULL JOIN saved USING (log_id, session_id)"
              " WHERE coalesce(inserted, false) GROUP BY log_id, session_id"
              /* With nothing to insert nothing is written, yet all are acknowledged. */
              " UNION ALL SELECT NULL WHERE CASE WHEN EXISTS (SELECT FROM saved) THEN false"
              "  ELSE " CONV__WAIT_FOR_STANDBYS " IS NULL END"},
    /* What the conflict clause and the answer of SAVE cost is a quarter of the whole. */
    [SAVE_NEW] = {"conv_usage_save_new", ACTION_SAVE, 2 + CONV__POSTGRES_USAGE_PARAMETERS, false,
                  "INSERT INTO usage_logs (log_id, session_id, " INPUT_COLUMNS ")"
                  " SELECT log_id, coalesce(session, " CONV__POSTGRES_NIL "), " INPUT_COLUMNS
                  " FROM (" INPUT_ROWS ") AS u"},
    [QUERY] = {"conv_usage_query", ACTION_QUERY, CONV__POSTGRES_FILTER_PARAMETERS + 3, true,
               "SELECT " CONV__POSTGRES_USAGE_COLUMNS ", s.external_id, s.originals, d.external_id,"
               "  d.originals"
               " FROM usage_logs l"
               " LEFT JOIN chat_users u ON u.user_id = l.user_id"
               " LEFT JOIN chat_sessions s ON s.session_id = l.session_id"
               " LEFT JOIN chat_documents d ON d.document_id = l.document_id"
               "  AND d.session_id = l.session_id"
               " WHERE " CONV__POSTGRES_FILTER " AND ($9::timestamptz IS NULL OR"
               "  (l.created_at, l.log_id) < ($9::timestamptz, $10::uuid))"
               " ORDER BY l.created_at DESC, l.log_id DESC LIMIT $11::int8"},
    [STATEMENTS] = {NULL, NULL, 0, false, NULL},
};

static conv_status queue(conv__transaction *transaction, int which, conv__parameters *parameters,
                         conv__receiver receive, void *context, conv_error *error)
{
    return conv__postgres_queue(transaction, &conv__postgres_usage_statements[which], parameters,
                                receive, context, error);
}

typedef struct save_context {
    bool *inserted;
    size_t count;
} save_context;

static conv_status receive_inserted(void *context, const conv__result *result, conv_error *error)
{
    save_context *save = context;
    (void)error;
    for (size_t i = 0; i < conv__result_rows(result); i++) {
        conv__reader reader = conv__reader_at(result, i, NULL);
        int64_t ordinal = conv__next_int8(&reader);
        if (reader.status != CONV_OK || ordinal < 1 || (size_t)ordinal > save->count)
            return CONV_BAD_DATA;
        save->inserted[ordinal - 1] = true;
    }
    return CONV_OK;
}

static conv_status queue_users(conv__transaction *transaction, const conv__usage_row *const *rows,
                               size_t count, const void **users, conv_error *error)
{
    size_t used = 0;
    for (size_t i = 0; i < count; i++)
        if (conv__postgres_has_spelling(&rows[i]->user)) users[used++] = &rows[i]->user;
    if (used == 0) return CONV_OK;
    conv__parameters parameters = {.count = 0};
    conv__postgres_add_users(&parameters, users, used);
    return queue(transaction, INSERT_USERS, &parameters, NULL, NULL, error);
}

static int compare_keys(const void *left, const void *right)
{
    const conv__usage_row *a = *(const conv__usage_row *const *)left;
    const conv__usage_row *b = *(const conv__usage_row *const *)right;
    int order = conv_uuid_compare(a->usage.log_id, b->usage.log_id);
    return order != 0 ? order : conv_uuid_compare(a->session_id, b->session_id);
}

/* Users and records; `found` NULL: all are new. */
static conv_status queue_save(conv__transaction *transaction, const conv__usage_row *const *rows,
                              size_t count, save_context *found, conv_error *error)
{
    static const conv__column ids[] = {
        {CONV__TYPE_UUID, offsetof(conv__usage_row, usage.log_id), NULL},
        {CONV__TYPE_UUID, offsetof(conv__usage_row, session_id), NULL},
    };
    const void **records = conv__postgres_scratch(transaction, count * sizeof *records);
    const void **users = conv__postgres_scratch(transaction, count * sizeof *users);
    if (records == NULL || users == NULL) return conv__fail_memory(error, ACTION_SAVE);
    for (size_t i = 0; i < count; i++)
        records[i] = rows[i];
    /* Writers never wait in a circle. SAVE sorts by itself, after it has numbered the records. */
    if (found == NULL) qsort(records, count, sizeof *records, compare_keys);
    conv_status status = queue_users(transaction, rows, count, users, error);
    if (status != CONV_OK) return status;
    conv__parameters parameters = conv__postgres_parameters(transaction);
    conv__parameter_columns(&parameters, ids, 2, records, count);
    conv__postgres_add_usage(&parameters, records, count);
    if (found == NULL) return queue(transaction, SAVE_NEW, &parameters, NULL, NULL, error);
    return queue(transaction, SAVE, &parameters, receive_inserted, found, error);
}

static conv_status save(conv__usage_repository *usage, conv__transaction *transaction,
                        const conv__usage_row *const *rows, size_t count, bool *inserted,
                        conv_error *error)
{
    (void)usage;
    if (count == 0) return CONV_OK;
    save_context *found = conv__postgres_scratch(transaction, sizeof *found);
    if (found == NULL) return conv__fail_memory(error, ACTION_SAVE);
    for (size_t i = 0; i < count; i++)
        inserted[i] = false;
    *found = (save_context){inserted, count};
    return queue_save(transaction, rows, count, found, error);
}

static conv_status save_new(conv__usage_repository *usage, conv__transaction *transaction,
                            const conv__usage_row *const *rows, size_t count, bool *inserted,
                            conv_error *error)
{
    (void)usage;
    for (size_t i = 0; i < count; i++)
        inserted[i] = true;
    return count == 0 ? CONV_OK : queue_save(transaction, rows, count, NULL, error);
}

/* Columns hold the nearest text they can, so that is what a filter looks for. */
static void add_text(conv__parameters *parameters, conv__arena *arena, conv_bytes text)
{
    conv_bytes storable = text;
    if (text.data != NULL && conv__text_project(arena, text, &storable) != CONV_OK)
        parameters->data.failed = true;
    conv__parameter_bytes(parameters, storable);
}

static void add_bound(conv__parameters *parameters, int64_t time_us)
{
    if (time_us == 0)
        conv__parameter_null(parameters);
    else
        conv__parameter_time(parameters, time_us);
}

void conv__postgres_add_filter(conv__parameters *parameters, conv__arena *arena,
                               const conv__usage_query *query)
{
    add_bound(parameters, query->from_us);
    add_bound(parameters, query->to_us);
    add_text(parameters, arena, query->service);
    add_text(parameters, arena, query->operation);
    add_text(parameters, arena, query->model);
    conv__parameter_uuid(parameters, query->user_id);
    conv__parameter_uuid(parameters, query->session_id);
    conv__parameter_uuid(parameters, query->document_id);
}

typedef struct page {
    conv__arena *arena;
    conv__usage_list *list;
    size_t limit;
} page;

static conv_status read_record(conv__reader *reader, conv_usage *record)
{
    conv__usage_row row = {.originals = {NULL, 0}};
    conv__postgres_read_usage_row(reader, &row);
    conv__name_row session = {.id = row.session_id};
    session.external_id = conv__next_bytes(reader);
    session.originals = conv__next_bytes(reader);
    conv__name_row document = {.id = row.document_id};
    document.external_id = conv__next_bytes(reader);
    document.originals = conv__next_bytes(reader);
    conv_status status = reader->status;
    if (status == CONV_OK)
        status = conv__name_from_row(reader->arena, &session, &row.usage.session_id, NULL);
    if (status == CONV_OK)
        status = conv__name_from_row(reader->arena, &row.user, &row.usage.user_id, NULL);
    if (status == CONV_OK)
        status = conv__name_from_row(reader->arena, &document, &row.usage.document_id, NULL);
    *record = row.usage;
    return status;
}

/* One row more than the page was asked for, to see whether there is more. */
static conv_status receive_page(void *context, const conv__result *result, conv_error *error)
{
    page *self = context;
    (void)error;
    size_t count = conv__result_rows(result);
    *self->list = (conv__usage_list){.has_more = count > self->limit};
    if (count > self->limit) count = self->limit;
    self->list->records = conv__arena_allocate(self->arena, count * sizeof(conv_usage));
    if (self->list->records == NULL) return CONV_NO_MEMORY;
    for (size_t i = 0; i < count; i++) {
        conv__reader reader = conv__reader_at(result, i, self->arena);
        conv_status status = read_record(&reader, &self->list->records[i]);
        if (status != CONV_OK) return status;
        self->list->count++;
    }
    return CONV_OK;
}

static conv_status query_usage(conv__usage_repository *usage, conv__transaction *transaction,
                               const conv__usage_query *query, conv__arena *arena,
                               conv__usage_list *list, conv_error *error)
{
    (void)usage;
    page self = {arena, list, query->limit};
    conv__parameters parameters = {.count = 0};
    *list = (conv__usage_list){.count = 0};
    conv__postgres_add_filter(&parameters, arena, query);
    if (query->after_us == 0 && conv_uuid_is_nil(query->after_id))
        conv__parameter_null(&parameters);
    else
        conv__parameter_time(&parameters, query->after_us);
    conv__parameter_bytes(
        &parameters, conv_view((const char *)query->after_id.bytes, sizeof query->after_id.bytes));
    conv__parameter_int8(&parameters, (int64_t)query->limit + 1);
    conv_status status = queue(transaction, QUERY, &parameters, receive_page, &self, error);
    if (status != CONV_OK) return status;
    return conv__postgres_ask(transaction, error);
}

const conv__usage_repository_functions conv__postgres_usage_functions = {
    .save = save,
    .save_new = save_new,
    .query = query_usage,
    .sum = conv__postgres_sum_usage,
    .refresh = conv__postgres_refresh_usage,
    .reconcile = conv__postgres_reconcile_usage,
};
