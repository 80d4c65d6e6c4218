/* Documents: registered once, found by id, session, user or content, changed by what is done with
 * them. */
#include "core/error.h"
#include "repositories/sqlite/columns.h"
#include "repositories/sqlite/internal.h"

#define ACTION_REGISTER "register document"
#define ACTION_READ     "read document"
#define ACTION_LIST     "list documents"
#define ACTION_NOTE     "track document"
#define ACTION_DELETE   "delete document"

/* In the order of append_document. */
#define SELECT_COLUMNS                                                                             \
    "SELECT d.document_id, d.session_id, d.external_id, d.external_session_id, d.user_id, d.name," \
    " d.media_type, d.size_bytes, d.sha256, d.content_hash, d.metadata, d.last_operation,"         \
    " d.last_status, d.originals, d.created_at, d.updated_at, u.external_id, u.originals"          \
    " FROM chat_documents d LEFT JOIN chat_users u ON u.user_id = d.user_id"

/* One path for each index that can help; see usage_filter.h. */
#define ONE_PAGE(path)                                                                             \
    {                                                                                              \
        SELECT_COLUMNS " WHERE (d.created_at, d.document_id, d.session_id) < (?1, ?2, ?3)"         \
                       " AND (?4 IS NULL OR d.session_id = ?4)"                                    \
                       " AND (?5 IS NULL OR d.user_id = ?5)"                                       \
                       " AND (?6 IS NULL OR d.sha256 = ?6)" path                                   \
                       " ORDER BY d.created_at DESC, d.document_id DESC, d.session_id DESC"        \
                       " LIMIT ?7"                                                                 \
    }

enum {
    INSERT_USER,
    INSERT_DOCUMENT,
    SELECT_DOCUMENT,
    LIST_BY_TIME,
    LIST_BY_USER,
    LIST_BY_SESSION,
    LIST_BY_SHA256,
    NOTE_DOCUMENT,
    DELETE_DOCUMENT,
    COUNT_USAGE,
    DELETE_OF_SESSION
};

const conv__sqlite_statement conv__sqlite_document_statements[] = {
    [INSERT_USER] = {CONV__SQLITE_INSERT_USER},
    [INSERT_DOCUMENT] = {"INSERT INTO chat_documents (document_id, session_id, external_id,"
                         " external_session_id, user_id, name, media_type, size_bytes, sha256,"
                         " content_hash, metadata, last_operation, last_status, originals,"
                         " created_at, updated_at) VALUES"
                         " (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?15)"
                         " ON CONFLICT (document_id, session_id) DO NOTHING"},
    [SELECT_DOCUMENT] = {SELECT_COLUMNS " WHERE d.document_id = ? AND d.session_id = ?"},
    [LIST_BY_TIME] = ONE_PAGE(""),
    [LIST_BY_USER] = ONE_PAGE(" AND d.user_id = ?5"),
    [LIST_BY_SESSION] = ONE_PAGE(" AND d.session_id = ?4"),
    [LIST_BY_SHA256] = ONE_PAGE(" AND d.sha256 = ?6"),
    /* An operation that ended earlier may arrive later. Without a time nothing changes. */
    [NOTE_DOCUMENT] = {"UPDATE chat_documents SET"
                       " last_operation = CASE WHEN ?5 >= updated_at THEN ?3"
                       " ELSE last_operation END,"
                       " last_status = CASE WHEN ?5 >= updated_at THEN ?4 ELSE last_status END,"
                       " updated_at = coalesce(max(updated_at, ?5), updated_at)"
                       " WHERE document_id = ?1 AND session_id = ?2"},
    [DELETE_DOCUMENT] = {"DELETE FROM chat_documents WHERE document_id = ? AND session_id = ?"
                         " RETURNING user_id"},
    [COUNT_USAGE] = {"SELECT count(*) FROM usage_logs WHERE document_id = ? AND session_id = ?"},
    [DELETE_OF_SESSION] = {"DELETE FROM chat_documents"
                           " WHERE session_id = ? AND session_id <> " CONV__SQLITE_NIL
                           " RETURNING document_id, session_id, user_id"},
    {NULL},
};

static void prepare(conv__sqlite_query *query, const conv__transaction *transaction, int which,
                    const char *action)
{
    conv__sqlite_prepare(query, conv__sqlite_of(transaction),
                         &conv__sqlite_document_statements[which], action);
}

static void bind_key(conv__sqlite_query *query, const conv__document_key *key)
{
    conv__sqlite_bind_uuid(query, key->document_id);
    conv__sqlite_bind_uuid_or_nil(query, key->session_id);
}

conv_status conv__sqlite_insert_document(conv__document_repository *documents,
                                         conv__transaction *transaction,
                                         const conv__document_row *row, bool *inserted,
                                         conv_error *error)
{
    (void)documents;
    int64_t changes = 0;
    conv__sqlite_query query;
    prepare(&query, transaction, INSERT_DOCUMENT, ACTION_REGISTER);
    conv__sqlite_bind_uuid(&query, row->document_id);
    conv__sqlite_bind_uuid_or_nil(&query, row->session_id);
    conv__sqlite_bind_text(&query, row->external_id);
    conv__sqlite_bind_text(&query, row->external_session_id);
    conv__sqlite_bind_uuid(&query, row->user.id);
    conv__sqlite_bind_text(&query, row->name);
    conv__sqlite_bind_text(&query, row->media_type);
    conv__sqlite_bind_integer(&query, row->size_bytes);
    conv__sqlite_bind_blob(&query, row->sha256);
    conv__sqlite_bind_blob(&query,
                           conv_view((const char *)row->content_hash, sizeof row->content_hash));
    conv__sqlite_bind_text(&query, row->metadata);
    conv__sqlite_bind_text(&query, row->last_operation);
    conv__sqlite_bind_text(&query, conv_text(conv_outcome_name(row->last_status)));
    conv__sqlite_bind_blob(&query, row->originals);
    conv__sqlite_bind_time(&query, row->created_us);
    conv_status status = conv__sqlite_execute(&query, &changes, error);
    *inserted = changes == 1;
    if (status != CONV_OK || !*inserted) return status;
    return conv__sqlite_insert_user(conv__sqlite_of(transaction),
                                    &conv__sqlite_document_statements[INSERT_USER], ACTION_REGISTER,
                                    &row->user, row->created_us, error);
}

static void append_document(conv__sqlite_query *query, conv__arena *arena,
                            conv__document_list *list, size_t *capacity)
{
    void *rows = list->rows;
    conv__stored_document *stored =
        conv__sqlite_grow(arena, &rows, list->count, capacity, sizeof *stored);
    if (stored == NULL) {
        conv__sqlite_no_memory(query);
        return;
    }
    list->rows = rows;
    conv__document_row row = {
        .document_id = conv__sqlite_uuid(query, 0),
        .session_id = conv__sqlite_uuid(query, 1),
        .external_id = conv__sqlite_copy(query, 2, arena),
        .external_session_id = conv__sqlite_copy(query, 3, arena),
        .user = {.id = conv__sqlite_uuid(query, 4),
                 .external_id = conv__sqlite_copy(query, 16, arena),
                 .originals = conv__sqlite_copy(query, 17, arena)},
        .name = conv__sqlite_copy(query, 5, arena),
        .media_type = conv__sqlite_copy(query, 6, arena),
        .size_bytes = conv__sqlite_integer(query, 7),
        .sha256 = conv__sqlite_bytes(query, 8),
        .metadata = conv__sqlite_copy(query, 10, arena),
        .last_operation = conv__sqlite_copy(query, 11, arena),
        .last_status = conv__sqlite_outcome(query, 12),
        .originals = conv__sqlite_copy(query, 13, arena),
        .created_us = conv__sqlite_time(query, 14),
        .updated_us = conv__sqlite_time(query, 15),
    };
    conv__sqlite_hash(query, 9, stored->content_hash);
    conv_status status = conv__document_from_row(arena, &row, &stored->document, NULL);
    if (status == CONV_NO_MEMORY)
        conv__sqlite_no_memory(query);
    else if (status != CONV_OK)
        conv__sqlite_damaged(query);
    list->count++;
}

conv_status conv__sqlite_read_document(conv__document_repository *documents,
                                       conv__transaction *transaction,
                                       const conv__document_key *key, conv__arena *arena,
                                       conv__document_list *list, conv_error *error)
{
    (void)documents;
    size_t capacity = 0;
    *list = (conv__document_list){0};
    conv__sqlite_query query;
    prepare(&query, transaction, SELECT_DOCUMENT, ACTION_READ);
    bind_key(&query, key);
    while (conv__sqlite_step(&query))
        append_document(&query, arena, list, &capacity);
    conv_status status = conv__sqlite_finish(&query, error);
    if (status == CONV_OK && list->count == 0)
        return conv__fail(error, CONV_NOT_FOUND, ACTION_READ,
                          "there is no document with this id in this session");
    return status;
}

static int path_of(const conv__document_query *question)
{
    if (question->sha256.data != NULL) return LIST_BY_SHA256;
    if (!conv_uuid_is_nil(question->session_id)) return LIST_BY_SESSION;
    if (!conv_uuid_is_nil(question->user_id)) return LIST_BY_USER;
    return LIST_BY_TIME;
}

conv_status conv__sqlite_list_documents(conv__document_repository *documents,
                                        conv__transaction *transaction,
                                        const conv__document_query *question, conv__arena *arena,
                                        conv__document_list *list, conv_error *error)
{
    (void)documents;
    size_t capacity = 0;
    *list = (conv__document_list){0};
    conv__sqlite_query query;
    prepare(&query, transaction, path_of(question), ACTION_LIST);
    if (question->after_us == 0 && conv_uuid_is_nil(question->after_id)) {
        conv__sqlite_bind_text(&query, conv_text("~")); /* after every time */
        conv__sqlite_bind_text(&query, conv_text("~"));
        conv__sqlite_bind_text(&query, conv_text("~"));
    } else {
        conv__sqlite_bind_time(&query, question->after_us);
        conv__sqlite_bind_uuid_or_nil(&query, question->after_id);
        conv__sqlite_bind_uuid_or_nil(&query, question->after_session_id);
    }
    conv__sqlite_bind_uuid(&query, question->session_id);
    conv__sqlite_bind_uuid(&query, question->user_id);
    conv__sqlite_bind_blob(&query, question->sha256);
    conv__sqlite_bind_integer(&query, (int64_t)question->limit + 1);
    while (conv__sqlite_step(&query)) {
        if (list->count == question->limit)
            list->has_more = true;
        else
            append_document(&query, arena, list, &capacity);
    }
    return conv__sqlite_finish(&query, error);
}

conv_status conv__sqlite_note_document(conv__document_repository *documents,
                                       conv__transaction *transaction,
                                       const conv__document_note *note, bool *saved, bool *found,
                                       conv_error *error)
{
    (void)documents;
    const conv__usage_row *record = note->record;
    int64_t changes = 0;
    conv_status status =
        conv__sqlite_save_usage(transaction->store->usage, transaction, &record, 1, saved, error);
    if (status != CONV_OK) return status;
    conv__sqlite_query query;
    prepare(&query, transaction, NOTE_DOCUMENT, ACTION_NOTE);
    bind_key(&query, &(conv__document_key){record->document_id, record->session_id});
    conv__sqlite_bind_text(&query, record->usage.operation);
    conv__sqlite_bind_text(&query, conv_text(conv_outcome_name(record->usage.status)));
    if (*saved)
        conv__sqlite_bind_time(&query, note->ended_us);
    else
        conv__sqlite_bind_text(&query, conv_text(NULL));
    status = conv__sqlite_execute(&query, &changes, error);
    *found = changes == 1;
    return status;
}

conv_status conv__sqlite_remove_document(conv__document_repository *documents,
                                         conv__transaction *transaction,
                                         const conv__document_key *key,
                                         conv__removed_document *removed, conv_error *error)
{
    (void)documents;
    *removed = (conv__removed_document){0};
    conv__sqlite_query query;
    prepare(&query, transaction, DELETE_DOCUMENT, ACTION_DELETE);
    bind_key(&query, key);
    while (conv__sqlite_step(&query)) {
        removed->found = true;
        removed->user_id = conv__sqlite_uuid(&query, 0);
    }
    conv_status status = conv__sqlite_finish(&query, error);
    if (status != CONV_OK || !removed->found) return status;
    prepare(&query, transaction, COUNT_USAGE, ACTION_DELETE);
    bind_key(&query, key);
    while (conv__sqlite_step(&query))
        removed->usage_records = conv__sqlite_integer(&query, 0);
    return conv__sqlite_finish(&query, error);
}

conv_status conv__sqlite_take_gone(conv__sqlite_query *query, conv__gone_documents *gone,
                                   conv_error *error)
{
    size_t capacity = 0;
    gone->count = 0;
    while (conv__sqlite_step(query)) {
        void *rows = gone->rows;
        conv__gone_document *row =
            conv__sqlite_grow(gone->arena, &rows, gone->count, &capacity, sizeof *row);
        if (row == NULL) {
            conv__sqlite_no_memory(query);
            break;
        }
        gone->rows = rows;
        row->key.document_id = conv__sqlite_uuid(query, 0);
        row->key.session_id = conv__sqlite_uuid(query, 1);
        row->user_id = conv__sqlite_uuid(query, 2);
        gone->count++;
    }
    return conv__sqlite_finish(query, error);
}

conv_status conv__sqlite_remove_documents(conv__document_repository *documents,
                                          conv__transaction *transaction, conv_uuid session_id,
                                          conv__gone_documents *gone, conv_error *error)
{
    (void)documents;
    conv__sqlite_query query;
    prepare(&query, transaction, DELETE_OF_SESSION, ACTION_DELETE);
    conv__sqlite_bind_uuid_or_nil(&query, session_id);
    return conv__sqlite_take_gone(&query, gone, error);
}
