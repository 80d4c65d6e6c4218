/* Sessions as a whole. */
#include "core/error.h"
#include "core/originals.h"
#include "repositories/postgres/chat.h"
#include "repositories/postgres/columns.h"
#include "repositories/postgres/transaction.h"

#define ACTION_CREATE "create session"
#define ACTION_READ   "read session"
#define ACTION_UPDATE "update session"
#define ACTION_LIST   "list sessions"
#define ACTION_DELETE "delete session"

#define SELECT_SESSIONS                                                                            \
    "SELECT s.session_id, s.external_id, s.user_id, s.title, s.metadata, s.originals,"             \
    " s.created_at, u.external_id, u.originals, s.message_count, s.updated_at, s.archived_at,"     \
    " (SELECT string_agg(t.tag, chr(31) ORDER BY t.tag COLLATE \"C\") FROM chat_session_tags t"    \
    "  WHERE t.session_id = s.session_id)"                                                         \
    " FROM chat_sessions s LEFT JOIN chat_users u ON u.user_id = s.user_id"

#define AND_IT_IS_GONE " AND NOT EXISTS (SELECT FROM chat_sessions WHERE session_id = $1::uuid)"

enum {
    CREATE_USER,
    CREATE,
    READ,
    LIST,
    LOCK_ORIGINALS,
    UPDATE,
    DELETE_SESSION,
    DELETE_MESSAGES,
    DELETE_EXCHANGES,
    DELETE_REST,
    STATEMENTS
};

const conv__statement conv__postgres_session_statements[] = {
    /* Before the session, as in the saving of exchanges: the order of locks is the same everywhere.
     */
    [CREATE_USER] = {"conv_session_user", ACTION_CREATE, 4, false,
                     "INSERT INTO chat_users (user_id, external_id, originals)"
                     " SELECT $1::uuid, $2::text, $3::bytea WHERE NOT EXISTS"
                     " (SELECT FROM chat_sessions WHERE session_id = $4::uuid)"
                     " ON CONFLICT DO NOTHING"},
    [CREATE] = {"conv_session_create", ACTION_CREATE, 7, false,
                "INSERT INTO chat_sessions (session_id, user_id, external_id, title, metadata,"
                " originals, created_at, updated_at)"
                " VALUES ($1::uuid, $2::uuid, $3::text, $4::text, $5::jsonb, $6::bytea,"
                " $7::timestamptz, $7::timestamptz) ON CONFLICT DO NOTHING"},
    [READ] = {"conv_session_read", ACTION_READ, 1, false,
              SELECT_SESSIONS " WHERE s.session_id = $1::uuid"},
    [LIST] = {"conv_session_list", ACTION_LIST, 6, true,
              SELECT_SESSIONS " WHERE ($1::uuid IS NULL OR s.user_id = $1::uuid)"
                              " AND ($2::timestamptz IS NULL OR"
                              "  (s.updated_at, s.session_id) < ($2::timestamptz, $3::uuid))"
                              " AND ($5::text IS NULL OR EXISTS (SELECT FROM chat_session_tags t"
                              "  WHERE t.session_id = s.session_id AND t.tag = $5::text))"
                              " AND ($6::int8 = 2 OR"
                              "  (s.archived_at IS NOT NULL) = ($6::int8 = 1))"
                              " ORDER BY s.updated_at DESC, s.session_id DESC LIMIT $4::int8"},
    [LOCK_ORIGINALS] = {"conv_session_originals", ACTION_UPDATE, 1, false,
                        "SELECT originals FROM chat_sessions WHERE session_id = $1::uuid"
                        " FOR NO KEY UPDATE"},
    [UPDATE] = {"conv_session_update", ACTION_UPDATE, 4, false,
                "UPDATE chat_sessions SET title = coalesce($2::text, title),"
                " metadata = coalesce($3::jsonb, metadata), originals = $4::bytea"
                " WHERE session_id = $1::uuid"},
    /* The session's row goes first: whoever is saving into it waits, and begins it anew. */
    [DELETE_SESSION] =
        {"conv_session_delete", ACTION_DELETE, 2, false,
         "WITH summary AS (DELETE FROM chat_sessions_summary WHERE session_id = $1::uuid"
         " RETURNING 1), session AS (DELETE FROM chat_sessions WHERE session_id = $1::uuid"
         " RETURNING 1), remembered AS (INSERT INTO chat_deletions AS d (session_id, deleted_at)"
         "  SELECT $1::uuid, $2::timestamptz FROM session WHERE $2::timestamptz IS NOT NULL"
         "  ON CONFLICT (session_id, user_id)"
         "  DO UPDATE SET deleted_at = greatest(d.deleted_at, excluded.deleted_at)),"
         /* One that was saved a moment ago leaves nothing to be indexed; what is being indexed is
          * not waited for. */
         " queued AS (DELETE FROM chat_search_queue WHERE queue_id IN ("
         "  SELECT queue_id FROM chat_search_queue WHERE session_ids = ARRAY[$1::uuid]"
         "   AND queue_id > (SELECT max(queue_id) - 16 FROM chat_search_queue)"
         "  FOR UPDATE SKIP LOCKED))"
         " SELECT (SELECT count(*) FROM session), (SELECT count(*) FROM summary)"},
    /* In statements of their own, which see all that was committed before the row was taken, and
     * count by their tags: RETURNING would read each row again. A session that was made in between
     * is somebody else's. */
    [DELETE_MESSAGES] = {"conv_session_delete_messages", ACTION_DELETE, 1, false,
                         "DELETE FROM chat_messages WHERE session_id = $1::uuid" AND_IT_IS_GONE},
    [DELETE_EXCHANGES] = {"conv_session_delete_exchanges", ACTION_DELETE, 1, false,
                          "DELETE FROM chat_exchanges WHERE session_id = $1::uuid" AND_IT_IS_GONE},
    [DELETE_REST] =
        {"conv_session_delete_rest", ACTION_DELETE, 1, false,
         "WITH search AS (DELETE FROM chat_search WHERE session_id = $1::uuid" AND_IT_IS_GONE
         "), branch AS (DELETE FROM chat_branches"
         " WHERE session_id = $1::uuid" AND_IT_IS_GONE "), tag AS (DELETE FROM chat_session_tags"
         " WHERE session_id = $1::uuid" AND_IT_IS_GONE ")"
         " SELECT count(*) FROM usage_logs WHERE session_id = $1::uuid"
         "  AND session_id <> " CONV__POSTGRES_NIL},
    [STATEMENTS] = {NULL, NULL, 0, false, NULL},
};

static conv_status queue(conv__transaction *transaction, int which, conv__parameters *parameters,
                         conv__receiver receive, void *context, conv_error *error)
{
    return conv__postgres_queue(transaction, &conv__postgres_session_statements[which], parameters,
                                receive, context, error);
}

conv_status conv__postgres_create_session(conv__chat_repository *chat,
                                          conv__transaction *transaction,
                                          const conv__session_row *row, conv_error *error)
{
    (void)chat;
    conv_status status = CONV_OK;
    conv__parameters parameters = {.count = 0};
    if (conv__postgres_has_spelling(&row->user)) {
        conv__parameter_uuid(&parameters, row->user.id);
        conv__parameter_bytes(&parameters, row->user.external_id);
        conv__parameter_bytes(&parameters, row->user.originals);
        conv__parameter_uuid(&parameters, row->session_id);
        status = queue(transaction, CREATE_USER, &parameters, NULL, NULL, error);
    }
    if (status != CONV_OK) return status;
    conv__parameter_uuid(&parameters, row->session_id);
    conv__parameter_uuid(&parameters, row->user.id);
    conv__parameter_bytes(&parameters, row->external_id);
    conv__parameter_bytes(&parameters, row->title);
    conv__parameter_json(&parameters, row->metadata);
    conv__parameter_bytes(&parameters, row->originals);
    conv__parameter_time(&parameters, row->created_us);
    return queue(transaction, CREATE, &parameters, NULL, NULL, error);
}

typedef struct page {
    conv__arena *arena;
    conv__session_list *list;
    size_t limit;
} page;

static conv_status read_session_row(conv__reader *reader, conv_session *session)
{
    conv__session_row row = {
        .session_id = conv__next_uuid(reader),
    };
    row.external_id = conv__next_bytes(reader);
    row.user.id = conv__next_uuid(reader);
    row.title = conv__next_bytes(reader);
    row.metadata = conv__next_json(reader);
    row.originals = conv__next_bytes(reader);
    row.created_us = conv__next_time(reader);
    row.user.external_id = conv__next_bytes(reader);
    row.user.originals = conv__next_bytes(reader);
    session->message_count = conv__next_int8(reader);
    session->updated_us = conv__next_time(reader);
    session->archived_us = conv__next_time(reader);
    conv_bytes tags = conv__next_bytes(reader);
    if (reader->status != CONV_OK) return reader->status;
    conv_status status = conv__tags_from_row(reader->arena, tags, session);
    if (status != CONV_OK) return status;
    return conv__session_from_row(reader->arena, &row, session, NULL);
}

/* One row more than the page was asked for, to see whether there is more. */
static conv_status receive_page(void *context, const conv__result *result, conv_error *error)
{
    page *self = context;
    (void)error;
    size_t count = conv__result_rows(result);
    *self->list = (conv__session_list){.has_more = count > self->limit};
    if (count > self->limit) count = self->limit;
    self->list->sessions = conv__arena_allocate(self->arena, count * sizeof(conv_session));
    if (self->list->sessions == NULL) return CONV_NO_MEMORY;
    for (size_t i = 0; i < count; i++) {
        conv__reader reader = conv__reader_at(result, i, self->arena);
        conv_status status = read_session_row(&reader, &self->list->sessions[i]);
        if (status != CONV_OK) return status;
        self->list->count++;
    }
    return CONV_OK;
}

conv_status conv__postgres_read_session(conv__chat_repository *chat, conv__transaction *transaction,
                                        conv_uuid session_id, conv__arena *arena,
                                        conv__session_list *list, conv_error *error)
{
    (void)chat;
    page self = {arena, list, 1};
    conv__parameters parameters = {.count = 0};
    *list = (conv__session_list){.count = 0};
    conv__parameter_uuid(&parameters, session_id);
    conv_status status = queue(transaction, READ, &parameters, receive_page, &self, error);
    if (status == CONV_OK) status = conv__postgres_ask(transaction, error);
    if (status == CONV_OK && list->count == 0)
        return conv__fail(error, CONV_NOT_FOUND, ACTION_READ, "there is no session with this id");
    return status;
}

conv_status conv__postgres_list_sessions(conv__chat_repository *chat,
                                         conv__transaction *transaction,
                                         const conv__session_query *query, conv__arena *arena,
                                         conv__session_list *list, conv_error *error)
{
    (void)chat;
    page self = {arena, list, query->limit};
    conv__parameters parameters = {.count = 0};
    *list = (conv__session_list){.count = 0};
    conv__parameter_uuid(&parameters, query->user_id);
    if (query->after_us == 0 && conv_uuid_is_nil(query->after_id))
        conv__parameter_null(&parameters);
    else
        conv__parameter_time(&parameters, query->after_us);
    conv__parameter_bytes(
        &parameters, conv_view((const char *)query->after_id.bytes, sizeof query->after_id.bytes));
    conv__parameter_int8(&parameters, (int64_t)query->limit + 1);
    conv__parameter_bytes(&parameters, query->tag);
    conv__parameter_int8(&parameters, (int64_t)query->archived);
    conv_status status = queue(transaction, LIST, &parameters, receive_page, &self, error);
    if (status != CONV_OK) return status;
    return conv__postgres_ask(transaction, error);
}

typedef struct originals_context {
    const conv__session_row *row;
    conv__buffer merged;
    bool found;
} originals_context;

static bool changes_field(const conv__session_row *row, unsigned field)
{
    return (field == CONV__ORIGINAL_TITLE && row->title.data != NULL) ||
           (field == CONV__ORIGINAL_METADATA && row->metadata.data != NULL);
}

/* The originals of title and metadata go where those go; the session's own id keeps its spelling.
 */
static conv_status receive_originals(void *context, const conv__result *result, conv_error *error)
{
    originals_context *self = context;
    conv__arena arena = {NULL};
    (void)error;
    self->found = conv__result_rows(result) > 0;
    conv__buffer_clear(&self->merged);
    if (!self->found) return CONV_OK;
    conv__reader reader = conv__reader_at(result, 0, &arena);
    conv_bytes sources[] = {conv__next_bytes(&reader), self->row->originals};
    for (size_t i = 0; i < 2; i++) {
        conv_bytes bytes;
        unsigned field = 0;
        size_t position = 0;
        while (conv__originals_next(sources[i], &position, &field, &bytes))
            if (changes_field(self->row, field) == (i == 1))
                conv__originals_append(&self->merged, (conv__original)field, bytes);
    }
    conv__arena_reset(&arena);
    return self->merged.failed ? CONV_NO_MEMORY : reader.status;
}

static conv_status queue_update(conv__transaction *transaction, const originals_context *known,
                                conv_error *error)
{
    conv__parameters parameters = {.count = 0};
    conv__parameter_uuid(&parameters, known->row->session_id);
    conv__parameter_bytes(&parameters, known->row->title);
    conv__parameter_json(&parameters, known->row->metadata);
    /* Nothing kept is NULL. */
    conv__parameter_bytes(
        &parameters,
        conv_view(known->merged.size == 0 ? NULL : known->merged.data, known->merged.size));
    return queue(transaction, UPDATE, &parameters, NULL, NULL, error);
}

conv_status conv__postgres_update_session(conv__chat_repository *chat,
                                          conv__transaction *transaction,
                                          const conv__session_row *row, bool *found,
                                          conv_error *error)
{
    (void)chat;
    originals_context known = {.row = row};
    conv__parameters parameters = {.count = 0};
    *found = false;
    conv__parameter_uuid(&parameters, row->session_id);
    conv_status status =
        queue(transaction, LOCK_ORIGINALS, &parameters, receive_originals, &known, error);
    if (status == CONV_OK) status = conv__postgres_ask(transaction, error);
    if (status == CONV_OK && known.found) status = queue_update(transaction, &known, error);
    *found = known.found;
    conv__buffer_free(&known.merged);
    return status;
}

static conv_status receive_deleted_session(void *context, const conv__result *result,
                                           conv_error *error)
{
    conv_delete_receipt *receipt = context;
    (void)error;
    if (conv__result_rows(result) != 1) return CONV_BAD_DATA;
    conv__reader reader = conv__reader_at(result, 0, NULL);
    receipt->sessions = conv__next_int8(&reader);
    receipt->summaries = conv__next_int8(&reader);
    return reader.status;
}

static conv_status receive_affected(void *context, const conv__result *result, conv_error *error)
{
    int64_t *count = context;
    (void)error;
    *count = conv__result_affected(result);
    return CONV_OK;
}

static conv_status receive_usage_kept(void *context, const conv__result *result, conv_error *error)
{
    conv_delete_receipt *receipt = context;
    (void)error;
    if (conv__result_rows(result) != 1) return CONV_BAD_DATA;
    conv__reader reader = conv__reader_at(result, 0, NULL);
    receipt->usage_kept = conv__next_int8(&reader);
    return reader.status;
}

static conv_status queue_deletion(conv__transaction *transaction, int which, conv_uuid session_id,
                                  conv__receiver receive, void *context, conv_error *error)
{
    conv__parameters parameters = {.count = 0};
    conv__parameter_uuid(&parameters, session_id);
    return queue(transaction, which, &parameters, receive, context, error);
}

conv_status conv__postgres_delete_session(conv__chat_repository *chat,
                                          conv__transaction *transaction, conv_uuid session_id,
                                          int64_t deleted_us, conv_delete_receipt *receipt,
                                          conv_error *error)
{
    (void)chat;
    conv__parameters parameters = {.count = 0};
    *receipt = (conv_delete_receipt){.sessions = 0};
    conv__parameter_uuid(&parameters, session_id);
    if (deleted_us != 0)
        conv__parameter_time(&parameters, deleted_us);
    else
        conv__parameter_null(&parameters);
    conv_status status =
        queue(transaction, DELETE_SESSION, &parameters, receive_deleted_session, receipt, error);
    if (status == CONV_OK)
        status = queue_deletion(transaction, DELETE_MESSAGES, session_id, receive_affected,
                                &receipt->messages, error);
    if (status == CONV_OK)
        status = queue_deletion(transaction, DELETE_EXCHANGES, session_id, receive_affected,
                                &receipt->exchanges, error);
    if (status == CONV_OK)
        status = queue_deletion(transaction, DELETE_REST, session_id, receive_usage_kept, receipt,
                                error);
    return status;
}
