/* Summaries. */
#include "core/error.h"
#include "repositories/sqlite/columns.h"
#include "repositories/sqlite/sessions.h"

#define ACTION_SAVE "save summary"
#define ACTION_READ "read summaries"

enum { HAS_SESSION, HAS_MESSAGE, HAS_SUMMARY, SAVE, LIST, LIST_OF_SESSION, FIND };

#define COLUMNS                                                                                    \
    "y.summary_id, y.session_id, y.summary, y.key_points, y.last_position, y.model, y.log_id,"     \
    " y.originals, y.created_at, s.external_id, s.originals"

#define SELECT_SUMMARIES                                                                           \
    "SELECT " COLUMNS " FROM chat_sessions_summary y"                                              \
    " JOIN chat_sessions s ON s.session_id = y.session_id"

#define ONE_PAGE                                                                                   \
    " (y.created_at, y.summary_id) < (?1, ?2)"                                                     \
    " ORDER BY y.created_at DESC, y.summary_id DESC LIMIT ?3"

const conv__sqlite_statement conv__sqlite_summary_statements[] = {
    [HAS_SESSION] = {"SELECT 1 FROM chat_sessions WHERE session_id = ?1"},
    [HAS_MESSAGE] = {"SELECT 1 FROM chat_messages WHERE session_id = ?1 AND message_id = ?2"},
    [HAS_SUMMARY] = {"SELECT 1 FROM chat_sessions_summary WHERE session_id = ?1"
                     " AND summary_id = ?2"},
    [SAVE] = {"INSERT INTO chat_sessions_summary (summary_id, session_id, summary, key_points,"
              " last_position, model, log_id, originals, created_at)"
              " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9) ON CONFLICT DO NOTHING"},
    [LIST] = {SELECT_SUMMARIES " WHERE" ONE_PAGE},
    [LIST_OF_SESSION] = {SELECT_SUMMARIES " WHERE y.session_id = ?4 AND" ONE_PAGE},
    /* The way back from a message is one, so a summary holds for every branch that its last message
     * is on. */
    [FIND] = {CONV__SQLITE_STRETCHES
              " " SELECT_SUMMARIES " WHERE y.session_id = ?1 AND EXISTS (SELECT 1 FROM stretch"
              " WHERE y.last_position >= stretch.first AND y.last_position <= stretch.last)"
              " ORDER BY y.last_position DESC, y.created_at DESC LIMIT 1"},
    {NULL},
};

static void prepare(conv__sqlite_query *query, const conv__transaction *transaction, int which,
                    const char *action)
{
    conv__sqlite_prepare(query, conv__sqlite_of(transaction),
                         &conv__sqlite_summary_statements[which], action);
}

/* `id` NULL: of the session itself. */
static conv_status look_for(const conv__transaction *transaction, int which, conv_uuid session_id,
                            const conv_uuid *id, bool *found, conv_error *error)
{
    conv__sqlite_query query;
    prepare(&query, transaction, which, ACTION_SAVE);
    conv__sqlite_bind_uuid(&query, session_id);
    if (id != NULL) conv__sqlite_bind_uuid(&query, *id);
    *found = conv__sqlite_step(&query);
    return conv__sqlite_finish(&query, error);
}

/* The transaction is the only one that writes: it keeps all others out. */
static conv_status hold(conv__summary_repository *summaries, conv__transaction *transaction,
                        const conv__summary_basis *basis, bool *found, conv_error *error)
{
    (void)summaries;
    conv_status status = look_for(transaction, HAS_SESSION, basis->session_id, NULL, found, error);
    if (status == CONV_OK && *found && !conv_uuid_is_nil(basis->earlier_id))
        status =
            look_for(transaction, HAS_SUMMARY, basis->session_id, &basis->earlier_id, found, error);
    for (size_t i = 0; status == CONV_OK && *found && i < basis->count; i++)
        status = look_for(transaction, HAS_MESSAGE, basis->session_id, &basis->messages[i], found,
                          error);
    return status;
}

static conv_status save(conv__summary_repository *summaries, conv__transaction *transaction,
                        const conv__summary_row *row, conv_error *error)
{
    (void)summaries;
    conv__sqlite_query query;
    prepare(&query, transaction, SAVE, ACTION_SAVE);
    conv__sqlite_bind_uuid(&query, row->summary_id);
    conv__sqlite_bind_uuid(&query, row->session_id);
    conv__sqlite_bind_text(&query, row->text);
    conv__sqlite_bind_text(&query, row->key_points);
    conv__sqlite_bind_integer(&query, row->last_position);
    conv__sqlite_bind_text(&query, row->model);
    conv__sqlite_bind_uuid(&query, row->log_id);
    conv__sqlite_bind_blob(&query, row->originals);
    conv__sqlite_bind_time(&query, row->created_us);
    return conv__sqlite_execute(&query, NULL, error);
}

static void append_summary(conv__sqlite_query *query, conv__arena *arena, conv__summary_list *list,
                           size_t *capacity)
{
    void *elements = list->summaries;
    conv_summary *summary =
        conv__sqlite_grow(arena, &elements, list->count, capacity, sizeof *summary);
    if (summary == NULL) {
        conv__sqlite_no_memory(query);
        return;
    }
    list->summaries = elements;
    conv__summary_row row = {.summary_id = conv__sqlite_uuid(query, 0),
                             .session_id = conv__sqlite_uuid(query, 1),
                             .text = conv__sqlite_copy(query, 2, arena),
                             .key_points = conv__sqlite_copy(query, 3, arena),
                             .last_position = conv__sqlite_integer(query, 4),
                             .model = conv__sqlite_copy(query, 5, arena),
                             .log_id = conv__sqlite_uuid(query, 6),
                             .originals = conv__sqlite_copy(query, 7, arena),
                             .created_us = conv__sqlite_time(query, 8)};
    const conv__name_row name = {.id = row.session_id,
                                 .external_id = conv__sqlite_copy(query, 9, arena),
                                 .originals = conv__sqlite_copy(query, 10, arena)};
    conv_status status = conv__summary_from_row(&row, summary, NULL);
    if (status == CONV_OK) status = conv__name_from_row(arena, &name, &summary->external_id, NULL);
    if (status == CONV_NO_MEMORY)
        conv__sqlite_no_memory(query);
    else if (status != CONV_OK)
        conv__sqlite_damaged(query);
    list->count++;
}

static conv_status list(conv__summary_repository *summaries, conv__transaction *transaction,
                        const conv__summary_query *question, conv__arena *arena,
                        conv__summary_list *made, conv_error *error)
{
    (void)summaries;
    bool of_session = !conv_uuid_is_nil(question->session_id);
    size_t capacity = 0;
    *made = (conv__summary_list){0};
    conv__sqlite_query query;
    prepare(&query, transaction, of_session ? LIST_OF_SESSION : LIST, ACTION_READ);
    if (question->after_us == 0) {
        conv__sqlite_bind_text(&query, conv_text("~")); /* after every time */
        conv__sqlite_bind_text(&query, conv_text("~"));
    } else {
        conv__sqlite_bind_time(&query, question->after_us);
        conv__sqlite_bind_uuid_or_nil(&query, question->after_id);
    }
    conv__sqlite_bind_integer(&query, (int64_t)question->limit + 1);
    if (of_session) conv__sqlite_bind_uuid(&query, question->session_id);
    while (conv__sqlite_step(&query)) {
        if (made->count == question->limit)
            made->has_more = true;
        else
            append_summary(&query, arena, made, &capacity);
    }
    return conv__sqlite_finish(&query, error);
}

static conv_status find(conv__summary_repository *summaries, conv__transaction *transaction,
                        conv_uuid session_id, conv_uuid last, conv_uuid instead_of,
                        conv__arena *arena, conv__summary_list *found, conv_error *error)
{
    (void)summaries;
    size_t capacity = 0;
    *found = (conv__summary_list){0};
    conv__sqlite_query query;
    prepare(&query, transaction, FIND, ACTION_READ);
    conv__sqlite_bind_uuid(&query, session_id);
    conv__sqlite_bind_uuid(&query, last);
    conv__sqlite_bind_uuid(&query, instead_of);
    while (conv__sqlite_step(&query))
        append_summary(&query, arena, found, &capacity);
    return conv__sqlite_finish(&query, error);
}

const conv__summary_repository_functions conv__sqlite_summary_functions = {
    .hold = hold,
    .save = save,
    .list = list,
    .find = find,
};
