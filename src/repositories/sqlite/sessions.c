/* Sessions as a whole. */
#include "repositories/sqlite/sessions.h"
#include "core/error.h"
#include "core/originals.h"
#include "repositories/sqlite/columns.h"
#include "repositories/sqlite/internal.h"

#define ACTION_CREATE "create session"
#define ACTION_READ   "read session"
#define ACTION_UPDATE "update session"
#define ACTION_LIST   "list sessions"
#define ACTION_DELETE "delete session"

enum {
    INSERT_USER,
    INSERT_SESSION,
    SELECT_SESSION,
    SELECT_SESSIONS,
    SELECT_SESSIONS_OF_USER,
    SELECT_ORIGINALS,
    UPDATE_SESSION,
    UNQUEUE,
    UNINDEX,
    DELETE_SEARCH,
    DELETE_TAGS,
    DELETE_BRANCHES,
    DELETE_SUMMARIES,
    DELETE_MESSAGES,
    DELETE_EXCHANGES,
    DELETE_SESSION,
    REMEMBER,
    COUNT_USAGE
};

#define SELECT_COLUMNS                                                                             \
    "SELECT s.session_id, s.external_id, s.user_id, s.title, s.metadata, s.originals,"             \
    " s.message_count, s.created_at, s.updated_at, u.external_id, u.originals, s.archived_at,"     \
    " (SELECT group_concat(tag, char(31)) FROM (SELECT t.tag FROM chat_session_tags t"             \
    "  WHERE t.session_id = s.session_id ORDER BY t.tag))"                                         \
    " FROM chat_sessions s LEFT JOIN chat_users u ON u.user_id = s.user_id"

#define ONE_PAGE                                                                                   \
    " (s.updated_at, s.session_id) < (?1, ?2)"                                                     \
    " AND (?5 IS NULL OR EXISTS (SELECT 1 FROM chat_session_tags t"                                \
    "  WHERE t.session_id = s.session_id AND t.tag = ?5))"                                         \
    " AND (?6 = 2 OR (s.archived_at IS NOT NULL) = (?6 = 1))"                                      \
    " ORDER BY s.updated_at DESC, s.session_id DESC LIMIT ?3"

const conv__sqlite_statement conv__sqlite_session_statements[] = {
    [INSERT_USER] = {CONV__SQLITE_INSERT_USER},
    [INSERT_SESSION] = {"INSERT INTO chat_sessions (session_id, user_id, external_id, title,"
                        " metadata, originals, created_at, updated_at)"
                        " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?7)"
                        " ON CONFLICT (session_id) DO NOTHING"},
    [SELECT_SESSION] = {SELECT_COLUMNS " WHERE s.session_id = ?"},
    [SELECT_SESSIONS] = {SELECT_COLUMNS " WHERE" ONE_PAGE},
    [SELECT_SESSIONS_OF_USER] = {SELECT_COLUMNS " WHERE s.user_id = ?4 AND" ONE_PAGE},
    [SELECT_ORIGINALS] = {"SELECT originals FROM chat_sessions WHERE session_id = ?"},
    [UPDATE_SESSION] = {"UPDATE chat_sessions SET title = coalesce(?2, title),"
                        " metadata = coalesce(?3, metadata), originals = ?4"
                        " WHERE session_id = ?1"},
    /* One that was saved a moment ago leaves nothing to be indexed. */
    [UNQUEUE] = {"DELETE FROM chat_search_queue WHERE queue_id >"
                 " (SELECT max(queue_id) - 16 FROM chat_search_queue) AND session_id = ?"},
    [UNINDEX] = {CONV__SQLITE_UNINDEX("x.session_id = ?")},
    [DELETE_SEARCH] = {"DELETE FROM chat_search WHERE session_id = ?"},
    [DELETE_TAGS] = {"DELETE FROM chat_session_tags WHERE session_id = ?"},
    [DELETE_BRANCHES] = {"DELETE FROM chat_branches WHERE session_id = ?"},
    [DELETE_SUMMARIES] = {"DELETE FROM chat_sessions_summary WHERE session_id = ?"},
    [DELETE_MESSAGES] = {"DELETE FROM chat_messages WHERE session_id = ?"},
    [DELETE_EXCHANGES] = {"DELETE FROM chat_exchanges WHERE session_id = ?"},
    [DELETE_SESSION] = {"DELETE FROM chat_sessions WHERE session_id = ?"},
    [REMEMBER] = {"INSERT INTO chat_deletions (session_id, deleted_at) VALUES (?, ?)"
                  " ON CONFLICT (session_id, user_id)"
                  " DO UPDATE SET deleted_at = max(deleted_at, excluded.deleted_at)"},
    [COUNT_USAGE] = {"SELECT count(*) FROM usage_logs"
                     " WHERE session_id = ? AND session_id <> " CONV__SQLITE_NIL},
    {NULL},
};

static void prepare(conv__sqlite_query *query, const conv__transaction *transaction, int which,
                    const char *action)
{
    conv__sqlite_prepare(query, conv__sqlite_of(transaction),
                         &conv__sqlite_session_statements[which], action);
}

conv_status conv__sqlite_create_session(conv__chat_repository *chat, conv__transaction *transaction,
                                        const conv__session_row *row, conv_error *error)
{
    (void)chat;
    int64_t inserted = 0;
    conv__sqlite_query query;
    prepare(&query, transaction, INSERT_SESSION, ACTION_CREATE);
    conv__sqlite_bind_uuid(&query, row->session_id);
    conv__sqlite_bind_uuid(&query, row->user.id);
    conv__sqlite_bind_text(&query, row->external_id);
    conv__sqlite_bind_text(&query, row->title);
    conv__sqlite_bind_text(&query, row->metadata);
    conv__sqlite_bind_blob(&query, row->originals);
    conv__sqlite_bind_time(&query, row->created_us);
    conv_status status = conv__sqlite_execute(&query, &inserted, error);
    if (status != CONV_OK || inserted == 0) return status;
    return conv__sqlite_insert_user(conv__sqlite_of(transaction),
                                    &conv__sqlite_session_statements[INSERT_USER], ACTION_CREATE,
                                    &row->user, row->created_us, error);
}

static void append_session(conv__sqlite_query *query, conv__arena *arena, conv__session_list *list,
                           size_t *capacity)
{
    void *sessions = list->sessions;
    conv_session *session =
        conv__sqlite_grow(arena, &sessions, list->count, capacity, sizeof *session);
    if (session == NULL) {
        conv__sqlite_no_memory(query);
        return;
    }
    list->sessions = sessions;
    conv__session_row row = {
        .session_id = conv__sqlite_uuid(query, 0),
        .external_id = conv__sqlite_copy(query, 1, arena),
        .user = {.id = conv__sqlite_uuid(query, 2),
                 .external_id = conv__sqlite_copy(query, 9, arena),
                 .originals = conv__sqlite_copy(query, 10, arena)},
        .title = conv__sqlite_copy(query, 3, arena),
        .metadata = conv__sqlite_copy(query, 4, arena),
        .originals = conv__sqlite_copy(query, 5, arena),
        .created_us = conv__sqlite_time(query, 7),
    };
    conv_status status = conv__session_from_row(arena, &row, session, NULL);
    if (status == CONV_NO_MEMORY)
        conv__sqlite_no_memory(query);
    else if (status != CONV_OK)
        conv__sqlite_damaged(query);
    session->message_count = conv__sqlite_integer(query, 6);
    session->updated_us = conv__sqlite_time(query, 8);
    if (conv__sqlite_bytes(query, 11).data != NULL)
        session->archived_us = conv__sqlite_time(query, 11);
    if (conv__tags_from_row(arena, conv__sqlite_bytes(query, 12), session) != CONV_OK)
        conv__sqlite_no_memory(query);
    list->count++;
}

conv_status conv__sqlite_read_session(conv__chat_repository *chat, conv__transaction *transaction,
                                      conv_uuid session_id, conv__arena *arena,
                                      conv__session_list *list, conv_error *error)
{
    (void)chat;
    size_t capacity = 0;
    *list = (conv__session_list){0};
    conv__sqlite_query query;
    prepare(&query, transaction, SELECT_SESSION, ACTION_READ);
    conv__sqlite_bind_uuid(&query, session_id);
    while (conv__sqlite_step(&query))
        append_session(&query, arena, list, &capacity);
    conv_status status = conv__sqlite_finish(&query, error);
    if (status == CONV_OK && list->count == 0)
        return conv__fail(error, CONV_NOT_FOUND, ACTION_READ, "there is no session with this id");
    return status;
}

conv_status conv__sqlite_list_sessions(conv__chat_repository *chat, conv__transaction *transaction,
                                       const conv__session_query *question, conv__arena *arena,
                                       conv__session_list *list, conv_error *error)
{
    (void)chat;
    bool of_user = !conv_uuid_is_nil(question->user_id);
    bool from_newest = question->after_us == 0 && conv_uuid_is_nil(question->after_id);
    size_t capacity = 0;
    *list = (conv__session_list){0};
    conv__sqlite_query query;
    prepare(&query, transaction, of_user ? SELECT_SESSIONS_OF_USER : SELECT_SESSIONS, ACTION_LIST);
    if (from_newest) {
        conv__sqlite_bind_text(&query, conv_text("~")); /* after every time */
        conv__sqlite_bind_text(&query, conv_text("~"));
    } else {
        conv__sqlite_bind_time(&query, question->after_us);
        conv__sqlite_bind_uuid_or_nil(&query, question->after_id);
    }
    conv__sqlite_bind_integer(&query, (int64_t)question->limit + 1);
    conv__sqlite_bind_uuid(&query, question->user_id);
    conv__sqlite_bind_text(&query, question->tag);
    conv__sqlite_bind_integer(&query, (int64_t)question->archived);
    while (conv__sqlite_step(&query)) {
        if (list->count == question->limit)
            list->has_more = true;
        else
            append_session(&query, arena, list, &capacity);
    }
    return conv__sqlite_finish(&query, error);
}

static bool changes_field(const conv__session_row *row, unsigned field)
{
    return (field == CONV__ORIGINAL_TITLE && row->title.data != NULL) ||
           (field == CONV__ORIGINAL_METADATA && row->metadata.data != NULL);
}

/* The originals of title and metadata go where those go; the session's own id keeps its spelling.
 */
static void merge_originals(conv_bytes stored, const conv__session_row *row, conv__buffer *merged)
{
    conv_bytes bytes;
    unsigned field = 0;
    size_t position = 0;
    while (conv__originals_next(stored, &position, &field, &bytes))
        if (!changes_field(row, field))
            conv__originals_append(merged, (conv__original)field, bytes);
    position = 0;
    while (conv__originals_next(row->originals, &position, &field, &bytes))
        if (changes_field(row, field)) conv__originals_append(merged, (conv__original)field, bytes);
}

static conv_status find_originals(const conv__transaction *transaction,
                                  const conv__session_row *row, bool *found, conv__buffer *merged,
                                  conv_error *error)
{
    conv__sqlite_query query;
    prepare(&query, transaction, SELECT_ORIGINALS, ACTION_UPDATE);
    conv__sqlite_bind_uuid(&query, row->session_id);
    *found = conv__sqlite_step(&query);
    if (*found) merge_originals(conv__sqlite_bytes(&query, 0), row, merged);
    if (merged->failed) conv__sqlite_no_memory(&query);
    return conv__sqlite_finish(&query, error);
}

conv_status conv__sqlite_update_session(conv__chat_repository *chat, conv__transaction *transaction,
                                        const conv__session_row *row, bool *found,
                                        conv_error *error)
{
    (void)chat;
    conv__buffer merged = {0};
    conv_status status = find_originals(transaction, row, found, &merged, error);
    if (status == CONV_OK && *found) {
        conv__sqlite_query query;
        prepare(&query, transaction, UPDATE_SESSION, ACTION_UPDATE);
        conv__sqlite_bind_uuid(&query, row->session_id);
        conv__sqlite_bind_text(&query, row->title);
        conv__sqlite_bind_text(&query, row->metadata);
        conv__sqlite_bind_blob(&query, conv_view(merged.data, merged.size));
        status = conv__sqlite_execute(&query, NULL, error);
    }
    conv__buffer_free(&merged);
    return status;
}

static conv_status delete_rows(const conv__transaction *transaction, int which,
                               conv_uuid session_id, int64_t *deleted, conv_error *error)
{
    conv__sqlite_query query;
    prepare(&query, transaction, which, ACTION_DELETE);
    conv__sqlite_bind_uuid(&query, session_id);
    return conv__sqlite_execute(&query, deleted, error);
}

static conv_status remember(const conv__transaction *transaction, conv_uuid session_id,
                            int64_t deleted_us, conv_error *error)
{
    conv__sqlite_query query;
    prepare(&query, transaction, REMEMBER, ACTION_DELETE);
    conv__sqlite_bind_uuid(&query, session_id);
    conv__sqlite_bind_time(&query, deleted_us);
    return conv__sqlite_execute(&query, NULL, error);
}

conv_status conv__sqlite_delete_session(conv__chat_repository *chat, conv__transaction *transaction,
                                        conv_uuid session_id, int64_t deleted_us,
                                        conv_delete_receipt *receipt, conv_error *error)
{
    (void)chat;
    *receipt = (conv_delete_receipt){0};
    int64_t others = 0;
    int64_t *const counts[] = {
        [UNQUEUE] = &others,
        [UNINDEX] = &others,
        [DELETE_SEARCH] = &others,
        [DELETE_TAGS] = &others,
        [DELETE_BRANCHES] = &others,
        [DELETE_SUMMARIES] = &receipt->summaries,
        [DELETE_MESSAGES] = &receipt->messages,
        [DELETE_EXCHANGES] = &receipt->exchanges,
        [DELETE_SESSION] = &receipt->sessions,
    };
    conv_status status = CONV_OK;
    for (int which = UNQUEUE; status == CONV_OK && which <= DELETE_SESSION; which++)
        status = delete_rows(transaction, which, session_id, counts[which], error);
    if (status == CONV_OK && receipt->sessions > 0 && deleted_us != 0)
        status = remember(transaction, session_id, deleted_us, error);
    if (status != CONV_OK) return status;
    conv__sqlite_query query;
    prepare(&query, transaction, COUNT_USAGE, ACTION_DELETE);
    conv__sqlite_bind_uuid(&query, session_id);
    while (conv__sqlite_step(&query))
        receipt->usage_kept = conv__sqlite_integer(&query, 0);
    return conv__sqlite_finish(&query, error);
}
