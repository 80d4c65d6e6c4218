/* Erasing a user, and what the store remembers of deletions. */
#include "repositories/sqlite/columns.h"
#include "repositories/sqlite/sessions.h"

#define ACTION_ERASE "erase user"
#define ACTION_FIND  "look up deletions"

enum {
    OWN_USAGE,
    OWN_UNINDEX,
    OWN_SEARCH,
    OWN_TAGS,
    OWN_BRANCHES,
    OWN_SUMMARIES,
    DOCUMENT_ERASURES,
    OWN_DOCUMENTS,
    OWN_MESSAGES,
    OWN_EXCHANGES,
    OWN_DELETIONS,
    OWN_SESSIONS,
    FOREIGN_UNINDEX,
    FOREIGN_SEARCH,
    FOREIGN_BRANCHES,
    FOREIGN_SUMMARIES,
    FOREIGN_EXCHANGES,
    FOREIGN_COUNTS,
    FOREIGN_MESSAGES,
    USAGE,
    SPELLING,
    REMEMBER,
    FIND,
    FIND_ERASED,
    REMEMBER_UNSAVED,
    UNSAVED_USAGE
};

/* ?1 is the user. */
#define OWN "IN (SELECT session_id FROM chat_sessions WHERE user_id = ?1)"

/* The ledger knows in which sessions of others the user spoke; by now these are all that are left.
 */
#define FOREIGN                                                                                    \
    "IN (SELECT session_id FROM usage_logs WHERE user_id = ?1 AND session_id <> " CONV__SQLITE_NIL \
    ")"

/* Of a session f with messages of the user. */
#define FOREIGN_RANGE                                                                              \
    "EXISTS (SELECT 1 FROM chat_messages m WHERE m.session_id = f.session_id"                      \
    " AND m.position = f.position AND m.user_id = ?1)"

#define HIDE "UPDATE usage_logs SET user_id = ?2, user_email = NULL, originals = NULL"

#define REMEMBER_ERASURE                                                                           \
    " ON CONFLICT (session_id, user_id)"                                                           \
    " DO UPDATE SET deleted_at = max(deleted_at, excluded.deleted_at),"                            \
    " erased_at = max(coalesce(erased_at, ''), excluded.erased_at)"

/* What is remembered of the session ?1 or the user ?2. */
#define OF_ITEM                                                                                    \
    " FROM chat_deletions WHERE ((session_id = ?1 AND user_id = " CONV__SQLITE_NIL ")"             \
    " OR (session_id = " CONV__SQLITE_NIL " AND user_id = ?2))"

const conv__sqlite_statement conv__sqlite_erase_statements[] = {
    /* The ledger keeps its sums. What names no user, in the user's own sessions and of the user's
     * own documents, is the user's. */
    [OWN_USAGE] = {HIDE " WHERE user_id IS NULL AND rowid IN (SELECT rowid FROM usage_logs"
                        " WHERE session_id " OWN " AND session_id <> " CONV__SQLITE_NIL
                        " UNION SELECT l.rowid FROM chat_documents d JOIN usage_logs l"
                        " USING (document_id, session_id) WHERE d.user_id = ?1)"},
    [OWN_UNINDEX] = {CONV__SQLITE_UNINDEX("x.session_id " OWN)},
    [OWN_SEARCH] = {"DELETE FROM chat_search WHERE session_id " OWN},
    [OWN_TAGS] = {"DELETE FROM chat_session_tags WHERE session_id " OWN},
    [OWN_BRANCHES] = {"DELETE FROM chat_branches WHERE session_id " OWN},
    [OWN_SUMMARIES] = {"DELETE FROM chat_sessions_summary WHERE session_id " OWN},
    [DOCUMENT_ERASURES] = {"INSERT INTO chat_erased_documents"
                           " SELECT document_id, session_id, ?2 FROM chat_documents"
                           " WHERE user_id = ?1 ON CONFLICT (document_id, session_id)"
                           " DO UPDATE SET erased_at = max(erased_at, excluded.erased_at)"},
    [OWN_DOCUMENTS] = {"DELETE FROM chat_documents WHERE user_id = ?1 OR session_id " OWN
                       " RETURNING document_id, session_id, user_id"},
    [OWN_MESSAGES] = {"DELETE FROM chat_messages WHERE session_id " OWN},
    [OWN_EXCHANGES] = {"DELETE FROM chat_exchanges WHERE session_id " OWN},
    [OWN_DELETIONS] =
        {"INSERT INTO chat_deletions (session_id, deleted_at, erased_at)"
         " SELECT session_id, ?2, ?2 FROM chat_sessions WHERE user_id = ?1" REMEMBER_ERASURE},
    [OWN_SESSIONS] = {"DELETE FROM chat_sessions WHERE user_id = ?1"},
    [FOREIGN_UNINDEX] = {CONV__SQLITE_UNINDEX("x.session_id " FOREIGN " AND m.user_id = ?1")},
    [FOREIGN_SEARCH] = {"DELETE FROM chat_search AS f WHERE session_id " FOREIGN
                        " AND " FOREIGN_RANGE},
    [FOREIGN_BRANCHES] = {"DELETE FROM chat_branches AS f WHERE session_id " FOREIGN
                          " AND " FOREIGN_RANGE},
    [FOREIGN_SUMMARIES] = {"DELETE FROM chat_sessions_summary WHERE session_id IN"
                           " (SELECT session_id FROM chat_messages WHERE session_id " FOREIGN
                           " AND user_id = ?1)"},
    [FOREIGN_EXCHANGES] = {"DELETE FROM chat_exchanges AS f WHERE session_id " FOREIGN
                           " AND EXISTS (SELECT 1 FROM chat_messages m WHERE"
                           " m.message_id = f.first_message_id AND m.session_id = f.session_id"
                           " AND m.user_id = ?1)"},
    [FOREIGN_COUNTS] = {"UPDATE chat_sessions SET message_count = message_count -"
                        " (SELECT count(*) FROM chat_messages m"
                        " WHERE m.session_id = chat_sessions.session_id AND m.user_id = ?1)"
                        " WHERE session_id " FOREIGN},
    [FOREIGN_MESSAGES] = {"DELETE FROM chat_messages WHERE session_id " FOREIGN
                          " AND user_id = ?1"},
    [USAGE] = {HIDE " WHERE user_id = ?1"},
    [SPELLING] = {"DELETE FROM chat_users WHERE user_id = ?1"},
    [REMEMBER] = {"INSERT INTO chat_deletions (user_id, deleted_at, erased_at)"
                  " VALUES (?1, ?2, ?2)" REMEMBER_ERASURE},
    [FIND] = {"SELECT 1" OF_ITEM
              " AND (deleted_at >= ?3 OR (?2 IS NULL AND erased_at >= ?3)) LIMIT 1"},
    [FIND_ERASED] = {"SELECT 1" OF_ITEM " AND erased_at >= ?3 UNION ALL"
                     " SELECT 1 FROM chat_erased_documents WHERE document_id = ?4"
                     " AND session_id = coalesce(?1, " CONV__SQLITE_NIL ")"
                     " AND erased_at >= ?3 LIMIT 1"},
    [REMEMBER_UNSAVED] =
        {"INSERT INTO chat_deletions (session_id, deleted_at, erased_at)"
         " SELECT ?1, '0001-01-01T00:00:00.000000Z', u.erased_at FROM chat_deletions u"
         " WHERE ?1 IS NOT NULL AND u.session_id = " CONV__SQLITE_NIL
         " AND u.user_id = ?2 AND u.erased_at >= ?3"
         " AND NOT EXISTS (SELECT 1 FROM chat_sessions WHERE session_id = ?1)"
         " AND NOT EXISTS (SELECT 1 FROM chat_deletions WHERE session_id = ?1"
         " AND user_id = " CONV__SQLITE_NIL " AND deleted_at >= ?3)" REMEMBER_ERASURE},
    [UNSAVED_USAGE] = {HIDE " WHERE session_id = ?1 AND user_id IS NULL AND created_at <="
                            " (SELECT erased_at FROM chat_deletions WHERE session_id = ?1"
                            " AND user_id = " CONV__SQLITE_NIL ")"},
    {NULL},
};

typedef struct erasing {
    conv__sqlite *connection;
    conv_uuid user_id;
    conv_uuid pseudonym;
    int64_t erased_us;
    conv__gone_documents *gone;
} erasing;

/* Runs one statement and adds what it changed to `sum`, which may be NULL. */
static conv_status run(const erasing *self, int which, int64_t *sum, conv_error *error)
{
    int64_t changes = 0;
    conv__sqlite_query query;
    conv__sqlite_prepare(&query, self->connection, &conv__sqlite_erase_statements[which],
                         ACTION_ERASE);
    conv__sqlite_bind_uuid(&query, self->user_id);
    if (which == OWN_DELETIONS || which == REMEMBER || which == DOCUMENT_ERASURES)
        conv__sqlite_bind_time(&query, self->erased_us);
    if (which == OWN_USAGE || which == USAGE) conv__sqlite_bind_uuid(&query, self->pseudonym);
    if (which == OWN_DOCUMENTS) return conv__sqlite_take_gone(&query, self->gone, error);
    conv_status status = conv__sqlite_execute(&query, &changes, error);
    if (sum != NULL) *sum += changes;
    return status;
}

conv_status conv__sqlite_erase_user(conv__session_repository *sessions,
                                    conv__transaction *transaction, conv_uuid user_id,
                                    conv_uuid pseudonym, int64_t erased_us,
                                    conv_delete_receipt *receipt, conv__gone_documents *gone,
                                    conv_error *error)
{
    (void)sessions;
    *receipt = (conv_delete_receipt){0};
    const erasing self = {conv__sqlite_of(transaction), user_id, pseudonym, erased_us, gone};
    int64_t *const sums[] = {
        [OWN_USAGE] = &receipt->usage_kept,
        [OWN_SUMMARIES] = &receipt->summaries,
        [OWN_MESSAGES] = &receipt->messages,
        [OWN_EXCHANGES] = &receipt->exchanges,
        [OWN_SESSIONS] = &receipt->sessions,
        [FOREIGN_SUMMARIES] = &receipt->summaries,
        [FOREIGN_EXCHANGES] = &receipt->exchanges,
        [FOREIGN_MESSAGES] = &receipt->messages,
        [USAGE] = &receipt->usage_kept,
        [REMEMBER] = NULL,
    };
    conv_status status = CONV_OK;
    for (int which = OWN_USAGE; status == CONV_OK && which <= REMEMBER; which++)
        status = run(&self, which, sums[which], error);
    return status;
}

conv_status conv__sqlite_find_deleted(conv__session_repository *sessions,
                                      conv__transaction *transaction, const conv__accepted *items,
                                      size_t count, bool erased, bool *deleted, conv_error *error)
{
    (void)sessions;
    conv_status status = CONV_OK;
    for (size_t i = 0; status == CONV_OK && i < count; i++) {
        conv__sqlite_query query;
        conv__sqlite_prepare(&query, conv__sqlite_of(transaction),
                             &conv__sqlite_erase_statements[erased ? FIND_ERASED : FIND],
                             ACTION_FIND);
        conv__sqlite_bind_uuid(&query, items[i].session_id);
        conv__sqlite_bind_uuid(&query, items[i].user_id);
        conv__sqlite_bind_time(&query, items[i].accepted_us);
        if (erased) conv__sqlite_bind_uuid(&query, items[i].document_id);
        deleted[i] = conv__sqlite_step(&query);
        status = conv__sqlite_finish(&query, error);
    }
    return status;
}

conv_status conv__sqlite_erase_unsaved(conv__session_repository *sessions,
                                       conv__transaction *transaction, const conv__accepted *items,
                                       size_t count, conv_uuid pseudonym, int64_t *hidden,
                                       conv_error *error)
{
    (void)sessions;
    conv_status status = CONV_OK;
    *hidden = 0;
    for (size_t i = 0; status == CONV_OK && i < count; i++) {
        int64_t changes = 0;
        conv__sqlite_query query;
        conv__sqlite_prepare(&query, conv__sqlite_of(transaction),
                             &conv__sqlite_erase_statements[REMEMBER_UNSAVED], ACTION_ERASE);
        conv__sqlite_bind_uuid(&query, items[i].session_id);
        conv__sqlite_bind_uuid(&query, items[i].user_id);
        conv__sqlite_bind_time(&query, items[i].accepted_us);
        status = conv__sqlite_execute(&query, &changes, error);
        if (status != CONV_OK || changes == 0) continue;
        conv__sqlite_prepare(&query, conv__sqlite_of(transaction),
                             &conv__sqlite_erase_statements[UNSAVED_USAGE], ACTION_ERASE);
        conv__sqlite_bind_uuid(&query, items[i].session_id);
        conv__sqlite_bind_uuid(&query, pseudonym);
        status = conv__sqlite_execute(&query, &changes, error);
        *hidden += changes;
    }
    return status;
}
