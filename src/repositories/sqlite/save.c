/* Saving exchanges. The row in chat_exchanges is the gate: whoever inserts it writes the rest. */
#include "core/error.h"
#include "repositories/sqlite/columns.h"
#include "repositories/sqlite/internal.h"
#include "repositories/sqlite/sessions.h"

#define ACTION_SAVE   "save exchange"
#define ACTION_REMOVE "replace failed exchange"

enum {
    INSERT_EXCHANGE,
    INSERT_USER,
    UPSERT_SESSION,
    INSERT_MESSAGE,
    INSERT_USAGE,
    COUNT_OWNERS,
    TAKE_USAGE,
    QUEUE_WORDS,
    SELECT_FAILED,
    DELETE_MESSAGES,
    DELETE_USAGE,
    DELETE_EXCHANGE,
    SUBTRACT_MESSAGES
};

const conv__sqlite_statement conv__sqlite_save_statements[] = {
    [INSERT_EXCHANGE] = {"INSERT INTO chat_exchanges (session_id, exchange_id, request_hash,"
                         " reply_hash, status, message_count, first_message_id, log_id, created_at)"
                         " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
                         " ON CONFLICT (session_id, exchange_id) DO NOTHING"},
    [INSERT_USER] = {CONV__SQLITE_INSERT_USER},
    /* Who made a session, how it is called and what it is about stays with its first exchange. */
    [UPSERT_SESSION] = {"INSERT INTO chat_sessions (session_id, user_id, external_id, title,"
                        " message_count, last_position, metadata, originals, created_at,"
                        " updated_at) VALUES (?1, ?2, ?3, ?4, ?5, ?5, ?6, ?7, ?8, ?9)"
                        " ON CONFLICT (session_id) DO UPDATE SET"
                        " message_count = message_count + excluded.message_count,"
                        " last_position = last_position + excluded.last_position,"
                        " updated_at = max(updated_at, excluded.updated_at)"
                        " RETURNING last_position, created_at = ?8"},
    [INSERT_MESSAGE] = {"INSERT INTO chat_messages (message_id, session_id, user_id, role, content,"
                        " parts, tool_calls, tool_call_id, name, model, status, position, place,"
                        " metadata, originals, created_at)"
                        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"},
    [INSERT_USAGE] = {CONV__SQLITE_INSERT_USAGE " ON CONFLICT (log_id, session_id) DO NOTHING"},
    [COUNT_OWNERS] = {"SELECT count(*) FROM chat_exchanges WHERE session_id = ? AND log_id = ?"},
    [TAKE_USAGE] = {"UPDATE usage_logs SET user_id = ?3,"
                    " user_email = CASE WHEN user_id IS NULL THEN user_email END,"
                    " originals = CASE WHEN user_id IS NULL THEN originals END"
                    " WHERE session_id = ?1 AND log_id = ?2"
                    " AND ?3 IS NOT NULL AND user_id IS NOT ?3"},
    [QUEUE_WORDS] = {"INSERT INTO chat_search_queue (session_id, first_position, message_count)"
                     " VALUES (?, ?, ?)"},
    [SELECT_FAILED] = {"SELECT e.log_id, e.message_count, m.position FROM chat_exchanges e"
                       " JOIN chat_messages m ON m.message_id = e.first_message_id"
                       " AND m.session_id = e.session_id"
                       " WHERE e.session_id = ? AND e.exchange_id = ? AND e.status = 'failed'"
                       " AND e.request_hash = ?"},
    [DELETE_MESSAGES] = {"DELETE FROM chat_messages"
                         " WHERE session_id = ? AND position >= ? AND position < ?"},
    [DELETE_USAGE] = {"DELETE FROM usage_logs WHERE log_id = ? AND session_id = ?"},
    [DELETE_EXCHANGE] = {"DELETE FROM chat_exchanges WHERE session_id = ? AND exchange_id = ?"},
    [SUBTRACT_MESSAGES] = {"UPDATE chat_sessions SET message_count = message_count - ?2"
                           " WHERE session_id = ?1"},
    {NULL},
};

static void prepare(conv__sqlite_query *query, conv__sqlite *connection, int which,
                    const char *action)
{
    conv__sqlite_prepare(query, connection, &conv__sqlite_save_statements[which], action);
}

static conv_status insert_exchange(conv__sqlite *connection, const conv__exchange *exchange,
                                   bool *inserted, conv_error *error)
{
    int64_t changes = 0;
    conv__sqlite_query query;
    prepare(&query, connection, INSERT_EXCHANGE, ACTION_SAVE);
    conv__sqlite_bind_uuid(&query, exchange->session.session_id);
    conv__sqlite_bind_uuid(&query, exchange->exchange_id);
    conv__sqlite_bind_blob(
        &query, conv_view((const char *)exchange->request_hash, sizeof exchange->request_hash));
    conv__sqlite_bind_blob(
        &query, conv_view((const char *)exchange->reply_hash, sizeof exchange->reply_hash));
    conv__sqlite_bind_text(&query, conv_text(conv_outcome_name(exchange->status)));
    conv__sqlite_bind_integer(&query, (int64_t)exchange->message_count);
    conv__sqlite_bind_uuid(&query, exchange->message_count > 0
                                       ? exchange->messages[0].message.message_id
                                       : (conv_uuid){{0}});
    conv__sqlite_bind_uuid(&query, exchange->usage.usage.log_id);
    conv__sqlite_bind_time(&query, exchange->created_us);
    conv_status status = conv__sqlite_execute(&query, &changes, error);
    *inserted = changes == 1;
    return status;
}

static conv_status upsert_session(conv__sqlite *connection, const conv__exchange *exchange,
                                  conv__save_result *result, conv_error *error)
{
    const conv__session_row *session = &exchange->session;
    int64_t count = (int64_t)exchange->message_count;
    conv__sqlite_query query;
    prepare(&query, connection, UPSERT_SESSION, ACTION_SAVE);
    conv__sqlite_bind_uuid(&query, session->session_id);
    conv__sqlite_bind_uuid(&query, session->user.id);
    conv__sqlite_bind_text(&query, session->external_id);
    conv__sqlite_bind_text(&query, session->title);
    conv__sqlite_bind_integer(&query, count);
    conv__sqlite_bind_text(&query, session->metadata);
    conv__sqlite_bind_blob(&query, session->originals);
    conv__sqlite_bind_time(&query, session->created_us);
    conv__sqlite_bind_time(&query, exchange->created_us);
    /* A session that was there before has another time, or had messages. */
    while (conv__sqlite_step(&query)) {
        result->first_position = conv__sqlite_integer(&query, 0) - count + 1;
        result->session_created =
            result->first_position == 1 && conv__sqlite_integer(&query, 1) != 0;
    }
    return conv__sqlite_finish(&query, error);
}

static conv_status insert_message(conv__sqlite *connection, const conv__exchange *exchange,
                                  size_t place, int64_t first_position, conv_error *error)
{
    const conv__message_row *row = &exchange->messages[place];
    const conv_message *message = &row->message;
    conv__sqlite_query query;
    prepare(&query, connection, INSERT_MESSAGE, ACTION_SAVE);
    conv__sqlite_bind_uuid(&query, message->message_id);
    conv__sqlite_bind_uuid(&query, exchange->session.session_id);
    conv__sqlite_bind_uuid(&query, exchange->session.user.id);
    conv__sqlite_bind_text(&query, conv_text(conv_role_name(message->role)));
    conv__sqlite_bind_text(&query, message->content);
    conv__sqlite_bind_text(&query, message->parts);
    conv__sqlite_bind_text(&query, message->tool_calls);
    conv__sqlite_bind_text(&query, message->tool_call_id);
    conv__sqlite_bind_text(&query, message->name);
    conv__sqlite_bind_text(&query, message->model);
    conv__sqlite_bind_text(&query, conv_text(conv_outcome_name(message->status)));
    conv__sqlite_bind_integer(&query, first_position + (int64_t)place);
    conv__sqlite_bind_integer(&query, (int64_t)place);
    conv__sqlite_bind_text(&query, message->metadata);
    conv__sqlite_bind_blob(&query, row->originals);
    conv__sqlite_bind_time(&query, message->created_us);
    return conv__sqlite_execute(&query, NULL, error);
}

/* The record was there, tracked under its key before, and stays as it came first; unless another
 * exchange of the session has it. It gets the user who spoke: an erasure looks for that in the
 * ledger. */
static conv_status take_usage(conv__sqlite *connection, const conv__exchange *exchange,
                              conv_error *error)
{
    conv__sqlite_query query;
    prepare(&query, connection, COUNT_OWNERS, ACTION_SAVE);
    conv__sqlite_bind_uuid(&query, exchange->session.session_id);
    conv__sqlite_bind_uuid(&query, exchange->usage.usage.log_id);
    bool shared = conv__sqlite_step(&query) && conv__sqlite_integer(&query, 0) > 1;
    conv_status status = conv__sqlite_finish(&query, error);
    if (status != CONV_OK) return status;
    if (!shared) {
        prepare(&query, connection, TAKE_USAGE, ACTION_SAVE);
        conv__sqlite_bind_uuid(&query, exchange->session.session_id);
        conv__sqlite_bind_uuid(&query, exchange->usage.usage.log_id);
        conv__sqlite_bind_uuid(&query, exchange->session.user.id);
        return conv__sqlite_execute(&query, NULL, error);
    }
    status = conv__fail(error, CONV_BAD_DATA, ACTION_SAVE,
                        "the log id of its usage record is that of another exchange of the "
                        "session; give it a new one");
    if (error != NULL) error->recovery = CONV_RECOVERY_REJECT;
    return status;
}

static conv_status insert_usage(conv__sqlite *connection, const conv__exchange *exchange,
                                conv_error *error)
{
    int64_t changes = 0;
    conv__sqlite_query query;
    prepare(&query, connection, INSERT_USAGE, ACTION_SAVE);
    conv__sqlite_bind_usage(&query, &exchange->usage);
    conv_status status = conv__sqlite_execute(&query, &changes, error);
    if (status != CONV_OK || changes == 1) return status;
    return take_usage(connection, exchange, error);
}

static conv_status save_one(conv__sqlite *connection, const conv__exchange *exchange,
                            conv__save_result *result, conv_error *error)
{
    conv_status status = insert_exchange(connection, exchange, &result->inserted, error);
    if (status != CONV_OK || !result->inserted) return status;
    status =
        conv__sqlite_insert_user(connection, &conv__sqlite_save_statements[INSERT_USER],
                                 ACTION_SAVE, &exchange->session.user, exchange->created_us, error);
    if (status == CONV_OK) status = upsert_session(connection, exchange, result, error);
    for (size_t i = 0; status == CONV_OK && i < exchange->message_count; i++)
        status = insert_message(connection, exchange, i, result->first_position, error);
    if (status == CONV_OK) status = conv__sqlite_save_branch(connection, exchange, error);
    if (status == CONV_OK) status = insert_usage(connection, exchange, error);
    if (status != CONV_OK) return status;
    conv__sqlite_query query;
    prepare(&query, connection, QUEUE_WORDS, ACTION_SAVE);
    conv__sqlite_bind_uuid(&query, exchange->session.session_id);
    conv__sqlite_bind_integer(&query, result->first_position);
    conv__sqlite_bind_integer(&query, (int64_t)exchange->message_count);
    return conv__sqlite_execute(&query, NULL, error);
}

conv_status conv__sqlite_save_exchanges(conv__chat_repository *chat, conv__transaction *transaction,
                                        const conv__exchange *const *exchanges, size_t count,
                                        conv__save_result *results, conv_error *error)
{
    (void)chat;
    /* In the order given, which is the order of each session. Sorting by key is for stores that
     * lock rows; this transaction has the whole file. */
    for (size_t i = 0; i < count; i++) {
        results[i] = (conv__save_result){0};
        conv_status status =
            save_one(conv__sqlite_of(transaction), exchanges[i], &results[i], error);
        if (status != CONV_OK) return status;
    }
    return CONV_OK;
}

typedef struct failed_attempt {
    bool found;
    conv_uuid log_id;
    int64_t message_count;
    int64_t first_position;
} failed_attempt;

static conv_status find_failed(conv__sqlite *connection, const conv__exchange *exchange,
                               failed_attempt *attempt, conv_error *error)
{
    conv__sqlite_query query;
    prepare(&query, connection, SELECT_FAILED, ACTION_REMOVE);
    conv__sqlite_bind_uuid(&query, exchange->session.session_id);
    conv__sqlite_bind_uuid(&query, exchange->exchange_id);
    conv__sqlite_bind_blob(
        &query, conv_view((const char *)exchange->request_hash, sizeof exchange->request_hash));
    attempt->found = conv__sqlite_step(&query);
    if (attempt->found) {
        attempt->log_id = conv__sqlite_uuid(&query, 0);
        attempt->message_count = conv__sqlite_integer(&query, 1);
        attempt->first_position = conv__sqlite_integer(&query, 2);
    }
    return conv__sqlite_finish(&query, error);
}

static conv_status delete_messages(conv__sqlite *connection, conv_uuid session_id,
                                   const failed_attempt *attempt, conv_error *error)
{
    int64_t deleted = 0;
    conv__sqlite_query query;
    prepare(&query, connection, DELETE_MESSAGES, ACTION_REMOVE);
    conv__sqlite_bind_uuid(&query, session_id);
    conv__sqlite_bind_integer(&query, attempt->first_position);
    conv__sqlite_bind_integer(&query, attempt->first_position + attempt->message_count);
    conv_status status = conv__sqlite_execute(&query, &deleted, error);
    if (status != CONV_OK) return status;
    prepare(&query, connection, SUBTRACT_MESSAGES, ACTION_REMOVE);
    conv__sqlite_bind_uuid(&query, session_id);
    conv__sqlite_bind_integer(&query, deleted);
    return conv__sqlite_execute(&query, NULL, error);
}

conv_status conv__sqlite_remove_failed(conv__chat_repository *chat, conv__transaction *transaction,
                                       const conv__exchange *exchange, conv_error *error)
{
    (void)chat;
    conv__sqlite *connection = conv__sqlite_of(transaction);
    conv_uuid session_id = exchange->session.session_id;
    failed_attempt attempt = {0};
    conv_status status = find_failed(connection, exchange, &attempt, error);
    if (status != CONV_OK || !attempt.found) return status;
    status = conv__sqlite_relink(connection, session_id, attempt.first_position,
                                 attempt.first_position + attempt.message_count, error);
    if (status == CONV_OK) status = delete_messages(connection, session_id, &attempt, error);
    if (status != CONV_OK) return status;
    conv__sqlite_query query;
    prepare(&query, connection, DELETE_USAGE, ACTION_REMOVE);
    conv__sqlite_bind_uuid(&query, attempt.log_id);
    conv__sqlite_bind_uuid(&query, session_id);
    status = conv__sqlite_execute(&query, NULL, error);
    if (status != CONV_OK) return status;
    prepare(&query, connection, DELETE_EXCHANGE, ACTION_REMOVE);
    conv__sqlite_bind_uuid(&query, session_id);
    conv__sqlite_bind_uuid(&query, exchange->exchange_id);
    return conv__sqlite_execute(&query, NULL, error);
}
