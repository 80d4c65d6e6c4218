/* Usage records: saving those that belong to no exchange, and reading all. */
#include "core/error.h"
#include "core/text.h"
#include "repositories/sqlite/columns.h"
#include "repositories/sqlite/internal.h"
#include "repositories/sqlite/usage_filter.h"

#define ACTION_SAVE  "save usage"
#define ACTION_QUERY "query usage"

enum { INSERT_USAGE, INSERT_USER, SELECT_USAGE };

/* The spelling of session and document, if they are (still) there. */
#define SELECT_RECORDS                                                                             \
    "SELECT " CONV__SQLITE_USAGE_COLUMNS ", s.external_id, s.originals, d.external_id,"            \
    " d.originals FROM usage_logs l"                                                               \
    " LEFT JOIN chat_users u ON u.user_id = l.user_id"                                             \
    " LEFT JOIN chat_sessions s ON s.session_id = l.session_id"                                    \
    " LEFT JOIN chat_documents d ON d.document_id = l.document_id AND d.session_id = l.session_id"
#define ONE_PAGE " ORDER BY l.created_at DESC, l.log_id DESC LIMIT ?10"

const conv__sqlite_statement conv__sqlite_usage_statements[] = {
    [INSERT_USAGE] = {CONV__SQLITE_INSERT_USAGE " ON CONFLICT (log_id, session_id) DO NOTHING"},
    [INSERT_USER] = {CONV__SQLITE_INSERT_USER},
    [SELECT_USAGE + CONV__USAGE_BY_TIME] = {SELECT_RECORDS CONV__SQLITE_USAGE_BY_TIME ONE_PAGE},
    [SELECT_USAGE + CONV__USAGE_BY_USER] = {SELECT_RECORDS CONV__SQLITE_USAGE_BY_USER ONE_PAGE},
    [SELECT_USAGE +
        CONV__USAGE_BY_SESSION] = {SELECT_RECORDS CONV__SQLITE_USAGE_BY_SESSION ONE_PAGE},
    [SELECT_USAGE +
        CONV__USAGE_BY_DOCUMENT] = {SELECT_RECORDS CONV__SQLITE_USAGE_BY_DOCUMENT ONE_PAGE},
    {NULL},
};

static conv_status save_one(conv__sqlite *connection, const conv__usage_row *row, bool *inserted,
                            conv_error *error)
{
    int64_t changes = 0;
    conv__sqlite_query query;
    conv__sqlite_prepare(&query, connection, &conv__sqlite_usage_statements[INSERT_USAGE],
                         ACTION_SAVE);
    conv__sqlite_bind_usage(&query, row);
    conv_status status = conv__sqlite_execute(&query, &changes, error);
    *inserted = changes == 1;
    if (status != CONV_OK || !*inserted) return status;
    return conv__sqlite_insert_user(connection, &conv__sqlite_usage_statements[INSERT_USER],
                                    ACTION_SAVE, &row->user, row->usage.created_us, error);
}

conv_status conv__sqlite_save_usage(conv__usage_repository *usage, conv__transaction *transaction,
                                    const conv__usage_row *const *rows, size_t count,
                                    bool *inserted, conv_error *error)
{
    (void)usage;
    for (size_t i = 0; i < count; i++) {
        conv_status status = save_one(conv__sqlite_of(transaction), rows[i], &inserted[i], error);
        if (status != CONV_OK) return status;
    }
    return CONV_OK;
}

int conv__sqlite_usage_path(const conv__usage_query *question)
{
    if (!conv_uuid_is_nil(question->document_id)) return CONV__USAGE_BY_DOCUMENT;
    if (!conv_uuid_is_nil(question->session_id)) return CONV__USAGE_BY_SESSION;
    if (!conv_uuid_is_nil(question->user_id)) return CONV__USAGE_BY_USER;
    return CONV__USAGE_BY_TIME;
}

/* Columns hold the nearest text they can, so that is what a filter looks for. */
static void bind_filter_text(conv__sqlite_query *query, conv__arena *arena, conv_bytes text)
{
    conv_bytes storable = text;
    if (text.data != NULL && conv__text_project(arena, text, &storable) != CONV_OK)
        conv__sqlite_no_memory(query);
    conv__sqlite_bind_text(query, storable);
}

void conv__sqlite_bind_usage_filter(conv__sqlite_query *query, conv__arena *arena,
                                    const conv__usage_query *question, bool with_cursor)
{
    bool cursor = with_cursor && (question->after_us != 0 || !conv_uuid_is_nil(question->after_id));
    if (cursor && (question->to_us == 0 || question->after_us < question->to_us)) {
        conv__sqlite_bind_time(query, question->after_us);
        conv__sqlite_bind_uuid_or_nil(query, question->after_id);
    } else if (question->to_us != 0) {
        conv__sqlite_bind_time(query, question->to_us);
        conv__sqlite_bind_text(query, conv_text("")); /* before every id */
    } else {
        conv__sqlite_bind_text(query, conv_text("~")); /* after every time */
        conv__sqlite_bind_text(query, conv_text("~"));
    }
    if (question->from_us != 0)
        conv__sqlite_bind_time(query, question->from_us);
    else
        conv__sqlite_bind_text(query, conv_text("")); /* before every time */
    bind_filter_text(query, arena, question->service);
    bind_filter_text(query, arena, question->operation);
    bind_filter_text(query, arena, question->model);
    conv__sqlite_bind_uuid(query, question->user_id);
    conv__sqlite_bind_uuid(query, question->session_id);
    conv__sqlite_bind_uuid(query, question->document_id);
}

/* The originals of a session or a document can be large: what is kept of them is the id alone. */
static conv_status read_name(conv__sqlite_query *query, int column, conv_uuid id,
                             conv__arena *arena, conv_bytes *name)
{
    conv__name_row row = {.id = id,
                          .external_id = conv__sqlite_bytes(query, column),
                          .originals = conv__sqlite_bytes(query, column + 1)};
    conv_status status = conv__name_from_row(arena, &row, name, NULL);
    return status == CONV_OK ? conv__arena_copy(arena, *name, name) : status;
}

/* All ids in the application's spelling. */
static void restore_names(conv__sqlite_query *query, conv__arena *arena, conv__usage_row *row)
{
    enum { SESSION = CONV__SQLITE_USAGE_COLUMN_COUNT, DOCUMENT = SESSION + 2 };
    conv_status status = read_name(query, SESSION, row->session_id, arena, &row->usage.session_id);
    if (status == CONV_OK)
        status = read_name(query, DOCUMENT, row->document_id, arena, &row->usage.document_id);
    if (status == CONV_OK)
        status = conv__name_from_row(arena, &row->user, &row->usage.user_id, NULL);
    if (status == CONV_NO_MEMORY)
        conv__sqlite_no_memory(query);
    else if (status != CONV_OK)
        conv__sqlite_damaged(query);
}

static void append_record(conv__sqlite_query *query, conv__arena *arena, conv__usage_list *list,
                          size_t *capacity)
{
    void *records = list->records;
    conv_usage *record = conv__sqlite_grow(arena, &records, list->count, capacity, sizeof *record);
    if (record == NULL) {
        conv__sqlite_no_memory(query);
        return;
    }
    list->records = records;
    conv__usage_row row = {0};
    conv__sqlite_read_usage_row(query, arena, &row);
    restore_names(query, arena, &row);
    *record = row.usage;
    list->count++;
}

conv_status conv__sqlite_query_usage(conv__usage_repository *usage, conv__transaction *transaction,
                                     const conv__usage_query *question, conv__arena *arena,
                                     conv__usage_list *list, conv_error *error)
{
    (void)usage;
    size_t capacity = 0;
    *list = (conv__usage_list){0};
    int which = SELECT_USAGE + conv__sqlite_usage_path(question);
    conv__sqlite_query query;
    conv__sqlite_prepare(&query, conv__sqlite_of(transaction),
                         &conv__sqlite_usage_statements[which], ACTION_QUERY);
    conv__sqlite_bind_usage_filter(&query, arena, question, true);
    conv__sqlite_bind_integer(&query, (int64_t)question->limit + 1);
    while (conv__sqlite_step(&query)) {
        if (list->count == question->limit)
            list->has_more = true;
        else
            append_record(&query, arena, list, &capacity);
    }
    return conv__sqlite_finish(&query, error);
}
