/* Erasing a user, and what the store remembers of deletions. */
#include "core/error.h"
#include "repositories/postgres/columns.h"
#include "repositories/postgres/documents.h"
#include "repositories/postgres/sessions.h"
#include "repositories/postgres/transaction.h"

#define ACTION_ERASE "erase user"
#define ACTION_FIND  "look up deletions"

enum {
    LOCK,
    USAGE,
    DELETE_OWN,
    DELETE_DOCUMENTS,
    DELETE_FOREIGN,
    FORGET,
    FIND,
    FIND_ERASED,
    ERASE_UNSAVED,
    STATEMENTS
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

#define REMEMBER_ERASURE                                                                           \
    " ON CONFLICT (session_id, user_id)"                                                           \
    " DO UPDATE SET deleted_at = greatest(d.deleted_at, excluded.deleted_at),"                     \
    " erased_at = greatest(d.erased_at, excluded.erased_at)"

/* What is remembered of the session or the user of an item i. */
#define OF_ITEM                                                                                    \
    " FROM chat_deletions d WHERE (d.session_id, d.user_id)"                                       \
    " IN ((i.session_id, " CONV__POSTGRES_NIL "), (" CONV__POSTGRES_NIL ", i.user_id))"

const conv__statement conv__postgres_erase_statements[] = {
    /* Whoever is saving into one of them waits, and begins it anew; in the order of the keys, as
     * everywhere. The ledger knows which sessions of others the user spoke in. */
    [LOCK] = {"conv_erase_lock", ACTION_ERASE, 1, false,
              "SELECT session_id, user_id IS NOT DISTINCT FROM $1::uuid FROM chat_sessions"
              " WHERE session_id IN ("
              "  SELECT session_id FROM chat_sessions WHERE user_id = $1::uuid UNION"
              "  SELECT session_id FROM usage_logs WHERE user_id = $1::uuid"
              "   AND session_id <> " CONV__POSTGRES_NIL ")"
              " ORDER BY session_id FOR UPDATE"},
    /* The ledger keeps its sums. What names no user, in the user's own sessions and of the user's
     * own documents, is the user's. */
    [USAGE] = {"conv_erase_usage", ACTION_ERASE, 3, false,
               "WITH changed AS (UPDATE usage_logs SET user_id = $2::uuid, user_email = NULL,"
               " originals = NULL WHERE (log_id, session_id) IN ("
               "  SELECT log_id, session_id FROM usage_logs WHERE user_id = $1::uuid"
               "  UNION SELECT log_id, session_id FROM usage_logs"
               "   WHERE session_id = ANY ($3::uuid[]) AND user_id IS NULL"
               "   AND session_id <> " CONV__POSTGRES_NIL
               "  UNION SELECT l.log_id, l.session_id FROM chat_documents d JOIN usage_logs l"
               "   USING (document_id, session_id)"
               "   WHERE d.user_id = $1::uuid AND l.user_id IS NULL) RETURNING 1)"
               " SELECT count(*) FROM changed"},
    [DELETE_OWN] =
        {"conv_erase_own", ACTION_ERASE, 2, false,
         "WITH summary AS (DELETE FROM chat_sessions_summary"
         "  WHERE session_id = ANY ($1::uuid[]) RETURNING 1),"
         " search AS (DELETE FROM chat_search WHERE session_id = ANY ($1::uuid[])),"
         " branch AS (DELETE FROM chat_branches WHERE session_id = ANY ($1::uuid[])),"
         " tag AS (DELETE FROM chat_session_tags WHERE session_id = ANY ($1::uuid[])),"
         " message AS (DELETE FROM chat_messages WHERE session_id = ANY ($1::uuid[]) RETURNING 1),"
         " exchange AS (DELETE FROM chat_exchanges WHERE session_id = ANY ($1::uuid[])"
         "  RETURNING 1),"
         " session AS (DELETE FROM chat_sessions WHERE session_id = ANY ($1::uuid[]) RETURNING 1),"
         " remembered AS (INSERT INTO chat_deletions AS d (session_id, deleted_at, erased_at)"
         "  SELECT session_id, $2::timestamptz, $2::timestamptz"
         "  FROM unnest($1::uuid[]) AS s (session_id) ORDER BY session_id" REMEMBER_ERASURE ")"
         " SELECT (SELECT count(*) FROM session), (SELECT count(*) FROM message),"
         "  (SELECT count(*) FROM exchange), (SELECT count(*) FROM summary)"},
    [DELETE_DOCUMENTS] = {"conv_erase_documents", ACTION_ERASE, 3, false,
                          "WITH gone AS (DELETE FROM chat_documents"
                          "  WHERE session_id = ANY ($1::uuid[]) OR user_id = $2::uuid"
                          "  RETURNING document_id, session_id, user_id),"
                          " remembered AS (INSERT INTO chat_erased_documents AS d"
                          "  SELECT document_id, session_id, $3::timestamptz FROM gone"
                          "  WHERE user_id = $2::uuid ORDER BY document_id, session_id"
                          "  ON CONFLICT (document_id, session_id)"
                          "  DO UPDATE SET erased_at = greatest(d.erased_at, excluded.erased_at))"
                          " SELECT document_id, session_id, user_id FROM gone"},
    [DELETE_FOREIGN] =
        {"conv_erase_foreign", ACTION_ERASE, 2, false,
         "WITH message AS (DELETE FROM chat_messages WHERE session_id = ANY ($1::uuid[])"
         "  AND user_id = $2::uuid RETURNING session_id, message_id, position),"
         " exchange AS (DELETE FROM chat_exchanges e USING message m"
         "  WHERE e.session_id = m.session_id AND e.first_message_id = m.message_id RETURNING 1),"
         " search AS (DELETE FROM chat_search s USING message m"
         "  WHERE s.session_id = m.session_id AND s.position = m.position),"
         " branch AS (DELETE FROM chat_branches b USING message m"
         "  WHERE b.session_id = m.session_id AND b.position = m.position),"
         " summary AS (DELETE FROM chat_sessions_summary"
         "  WHERE session_id IN (SELECT session_id FROM message) RETURNING 1),"
         " session AS (UPDATE chat_sessions s SET message_count = s.message_count - g.count"
         "  FROM (SELECT session_id, count(*) AS count FROM message GROUP BY session_id) g"
         "  WHERE s.session_id = g.session_id)"
         " SELECT 0::int8, (SELECT count(*) FROM message), (SELECT count(*) FROM exchange),"
         "  (SELECT count(*) FROM summary)"},
    [FORGET] = {"conv_erase_forget", ACTION_ERASE, 2, false,
                "WITH spelling AS (DELETE FROM chat_users WHERE user_id = $1::uuid)"
                " INSERT INTO chat_deletions AS d (user_id, deleted_at, erased_at)"
                " VALUES ($1::uuid, $2::timestamptz, $2::timestamptz)" REMEMBER_ERASURE},
    [FIND] = {"conv_erase_find", ACTION_FIND, 3, false,
              "SELECT i.ordinal FROM unnest($1::uuid[], $2::uuid[], $3::timestamptz[])"
              " WITH ORDINALITY AS i (session_id, user_id, accepted_at, ordinal)"
              " WHERE EXISTS (SELECT" OF_ITEM " AND (d.deleted_at >= i.accepted_at"
              "  OR (i.user_id IS NULL AND d.erased_at >= i.accepted_at)))"},
    [FIND_ERASED] =
        {"conv_erase_find_erased", ACTION_FIND, 4, false,
         "SELECT i.ordinal"
         " FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::timestamptz[])"
         " WITH ORDINALITY AS i (session_id, user_id, document_id, accepted_at, ordinal)"
         " WHERE EXISTS (SELECT" OF_ITEM " AND d.erased_at >= i.accepted_at)"
         " OR EXISTS (SELECT FROM chat_erased_documents d"
         "  WHERE d.document_id = i.document_id"
         "   AND d.session_id = coalesce(i.session_id, " CONV__POSTGRES_NIL ")"
         "   AND d.erased_at >= i.accepted_at)"},
    [ERASE_UNSAVED] =
        {"conv_erase_unsaved", ACTION_ERASE, 4, false,
         "WITH unsaved AS (SELECT i.session_id, max(u.erased_at) AS erased_at"
         "  FROM unnest($1::uuid[], $2::uuid[], $3::timestamptz[])"
         "  AS i (session_id, user_id, accepted_at)"
         "  JOIN chat_deletions u ON u.session_id = " CONV__POSTGRES_NIL
         "   AND u.user_id = i.user_id AND u.erased_at >= i.accepted_at"
         "  WHERE i.session_id IS NOT NULL AND NOT EXISTS"
         "   (SELECT FROM chat_sessions s WHERE s.session_id = i.session_id)"
         "  AND NOT EXISTS (SELECT FROM chat_deletions d WHERE d.session_id = i.session_id"
         "   AND d.user_id = " CONV__POSTGRES_NIL " AND d.deleted_at >= i.accepted_at)"
         "  GROUP BY i.session_id),"
         " remembered AS (INSERT INTO chat_deletions AS d (session_id, deleted_at, erased_at)"
         "  SELECT session_id, '0001-01-01T00:00:00Z', erased_at FROM unsaved"
         "  ORDER BY session_id" REMEMBER_ERASURE "),"
         " hidden AS (UPDATE usage_logs l SET user_id = $4::uuid, user_email = NULL,"
         "  originals = NULL FROM unsaved u WHERE l.session_id = u.session_id"
         "  AND l.user_id IS NULL AND l.created_at <= u.erased_at RETURNING 1)"
         " SELECT count(*) FROM hidden"},
    [STATEMENTS] = {NULL, NULL, 0, false, NULL},
};

static conv_status queue(conv__transaction *transaction, int which, conv__parameters *parameters,
                         conv__receiver receive, void *context, conv_error *error)
{
    return conv__postgres_queue(transaction, &conv__postgres_erase_statements[which], parameters,
                                receive, context, error);
}

/* The user's sessions, and those of others in which they spoke. */
typedef struct locked {
    conv__transaction *transaction; /* its scratch memory outlives the statements */
    const void **own;
    const void **foreign;
    size_t own_count;
    size_t foreign_count;
} locked;

static conv_status receive_locked(void *context, const conv__result *result, conv_error *error)
{
    locked *self = context;
    (void)error;
    size_t count = conv__result_rows(result);
    conv_uuid *ids = conv__postgres_scratch(self->transaction, (count + 1) * sizeof *ids);
    self->own = conv__postgres_scratch(self->transaction, (count + 1) * sizeof *self->own);
    self->foreign = conv__postgres_scratch(self->transaction, (count + 1) * sizeof *self->foreign);
    self->own_count = self->foreign_count = 0;
    if (ids == NULL || self->own == NULL || self->foreign == NULL) return CONV_NO_MEMORY;
    for (size_t i = 0; i < count; i++) {
        conv__reader reader = conv__reader_at(result, i, NULL);
        ids[i] = conv__next_uuid(&reader);
        if (conv__next_bool(&reader))
            self->own[self->own_count++] = &ids[i];
        else
            self->foreign[self->foreign_count++] = &ids[i];
        if (reader.status != CONV_OK) return reader.status;
    }
    return CONV_OK;
}

static conv_status receive_counts(void *context, const conv__result *result, conv_error *error)
{
    conv_delete_receipt *receipt = context;
    (void)error;
    if (conv__result_rows(result) != 1) return CONV_BAD_DATA;
    conv__reader reader = conv__reader_at(result, 0, NULL);
    receipt->sessions += conv__next_int8(&reader);
    receipt->messages += conv__next_int8(&reader);
    receipt->exchanges += conv__next_int8(&reader);
    receipt->summaries += conv__next_int8(&reader);
    return reader.status;
}

static conv_status receive_count(void *context, const conv__result *result, conv_error *error)
{
    int64_t *count = context;
    (void)error;
    if (conv__result_rows(result) != 1) return CONV_BAD_DATA;
    conv__reader reader = conv__reader_at(result, 0, NULL);
    *count = conv__next_int8(&reader);
    return reader.status;
}

static const conv__column uuids[] = {{CONV__TYPE_UUID, 0, NULL}};

conv_status conv__postgres_erase_user(conv__session_repository *sessions,
                                      conv__transaction *transaction, conv_uuid user_id,
                                      conv_uuid pseudonym, int64_t erased_us,
                                      conv_delete_receipt *receipt, conv__gone_documents *gone,
                                      conv_error *error)
{
    (void)sessions;
    locked found = {.transaction = transaction};
    conv__parameters parameters = {.count = 0};
    *receipt = (conv_delete_receipt){.sessions = 0};
    gone->count = 0;
    conv__parameter_uuid(&parameters, user_id);
    conv_status status = queue(transaction, LOCK, &parameters, receive_locked, &found, error);
    if (status == CONV_OK) status = conv__postgres_ask(transaction, error);
    if (status != CONV_OK) return status;
    conv__parameter_uuid(&parameters, user_id);
    conv__parameter_uuid(&parameters, pseudonym);
    conv__parameter_columns(&parameters, uuids, 1, found.own, found.own_count);
    status = queue(transaction, USAGE, &parameters, receive_count, &receipt->usage_kept, error);
    if (status != CONV_OK) return status;
    conv__parameter_columns(&parameters, uuids, 1, found.own, found.own_count);
    conv__parameter_time(&parameters, erased_us);
    status = queue(transaction, DELETE_OWN, &parameters, receive_counts, receipt, error);
    if (status != CONV_OK) return status;
    conv__parameter_columns(&parameters, uuids, 1, found.own, found.own_count);
    conv__parameter_uuid(&parameters, user_id);
    conv__parameter_time(&parameters, erased_us);
    status =
        queue(transaction, DELETE_DOCUMENTS, &parameters, conv__postgres_receive_gone, gone, error);
    if (status != CONV_OK) return status;
    conv__parameter_columns(&parameters, uuids, 1, found.foreign, found.foreign_count);
    conv__parameter_uuid(&parameters, user_id);
    status = queue(transaction, DELETE_FOREIGN, &parameters, receive_counts, receipt, error);
    if (status != CONV_OK) return status;
    conv__parameter_uuid(&parameters, user_id);
    conv__parameter_time(&parameters, erased_us);
    return queue(transaction, FORGET, &parameters, NULL, NULL, error);
}

typedef struct finding {
    bool *deleted;
    size_t count;
} finding;

static conv_status receive_deleted(void *context, const conv__result *result, conv_error *error)
{
    finding *self = context;
    (void)error;
    for (size_t i = 0; i < self->count; i++)
        self->deleted[i] = false;
    for (size_t i = 0; i < conv__result_rows(result); i++) {
        conv__reader reader = conv__reader_at(result, i, NULL);
        int64_t ordinal = conv__next_int8(&reader);
        if (reader.status != CONV_OK) return reader.status;
        if (ordinal < 1 || (size_t)ordinal > self->count) return CONV_BAD_DATA;
        self->deleted[ordinal - 1] = true;
    }
    return CONV_OK;
}

static const conv__column item_ids[] = {
    {CONV__TYPE_UUID, offsetof(conv__accepted, session_id), NULL},
    {CONV__TYPE_UUID, offsetof(conv__accepted, user_id), NULL},
    {CONV__TYPE_UUID, offsetof(conv__accepted, document_id), NULL},
};
static const conv__column item_times[] = {
    {CONV__TYPE_TIMESTAMPTZ, offsetof(conv__accepted, accepted_us), NULL},
};

/* The first `id_count` of their ids, and when they were accepted. */
static conv_status add_items(conv__parameters *parameters, conv__transaction *transaction,
                             const conv__accepted *items, size_t count, size_t id_count,
                             conv_error *error)
{
    const void **rows = conv__postgres_scratch(transaction, count * sizeof *rows);
    if (rows == NULL) return conv__fail_memory(error, ACTION_FIND);
    for (size_t i = 0; i < count; i++)
        rows[i] = &items[i];
    conv__parameter_columns(parameters, item_ids, id_count, rows, count);
    conv__parameter_columns(parameters, item_times, COUNT(item_times), rows, count);
    return CONV_OK;
}

conv_status conv__postgres_find_deleted(conv__session_repository *sessions,
                                        conv__transaction *transaction, const conv__accepted *items,
                                        size_t count, bool erased, bool *deleted, conv_error *error)
{
    (void)sessions;
    if (count == 0) return CONV_OK;
    finding context = {deleted, count};
    conv__parameters parameters = {.count = 0};
    size_t id_count = erased ? COUNT(item_ids) : COUNT(item_ids) - 1;
    conv_status status = add_items(&parameters, transaction, items, count, id_count, error);
    if (status != CONV_OK) return status;
    status = queue(transaction, erased ? FIND_ERASED : FIND, &parameters, receive_deleted, &context,
                   error);
    if (status != CONV_OK) return status;
    return conv__postgres_ask(transaction, error);
}

conv_status conv__postgres_erase_unsaved(conv__session_repository *sessions,
                                         conv__transaction *transaction,
                                         const conv__accepted *items, size_t count,
                                         conv_uuid pseudonym, int64_t *hidden, conv_error *error)
{
    (void)sessions;
    conv__parameters parameters = {.count = 0};
    *hidden = 0;
    if (count == 0) return CONV_OK;
    conv_status status =
        add_items(&parameters, transaction, items, count, COUNT(item_ids) - 1, error);
    if (status != CONV_OK) return status;
    conv__parameter_uuid(&parameters, pseudonym);
    status = queue(transaction, ERASE_UNSAVED, &parameters, receive_count, hidden, error);
    return status == CONV_OK ? conv__postgres_ask(transaction, error) : status;
}
