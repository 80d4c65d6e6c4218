/* What is stored of an exchange, and what a turn is to know before it asks the provider. */
#include "core/error.h"
#include "repositories/postgres/chat.h"
#include "repositories/postgres/columns.h"
#include "repositories/postgres/transaction.h"

#define ACTION_FIND "look up exchange"
#define ACTION_READ "read turn"

enum { FIND, SAVED, USAGE, CONTEXT, STATEMENTS };

const conv__statement conv__postgres_turn_statements[] = {
    /* To be found is to be acknowledged. */
    [FIND] = {"conv_turn_find", ACTION_FIND, 2, false,
              "SELECT k.ordinal, e.status, e.request_hash, e.reply_hash, e.log_id,"
              " " CONV__WAIT_FOR_STANDBYS
              " FROM unnest($1::uuid[], $2::uuid[]) WITH ORDINALITY"
              " AS k (session_id, exchange_id, ordinal)"
              " JOIN chat_exchanges e USING (session_id, exchange_id)"},
    /* A plan from when the tables were empty would read all of them until they are analyzed. */
    [SAVED] = {"conv_turn_saved", ACTION_READ, 2, true,
               "SELECT " CONV__POSTGRES_MESSAGE_COLUMNS " FROM chat_exchanges e"
               " JOIN chat_messages f ON f.session_id = e.session_id"
               "  AND f.message_id = e.first_message_id"
               " JOIN chat_messages m ON m.session_id = e.session_id AND m.position >= f.position"
               "  AND m.position < f.position + e.message_count"
               " WHERE e.session_id = $1::uuid AND e.exchange_id = $2::uuid"
               " ORDER BY m.position"},
    [USAGE] = {"conv_turn_usage", ACTION_READ, 2, false,
               "SELECT " CONV__POSTGRES_USAGE_COLUMNS " FROM chat_exchanges e"
               " JOIN usage_logs l ON l.session_id = e.session_id AND l.log_id = e.log_id"
               " LEFT JOIN chat_users u ON u.user_id = l.user_id"
               " WHERE e.session_id = $1::uuid AND e.exchange_id = $2::uuid"},
    /* From where the oldest exchange begins whose first message is among the last $2. Before it the
     * system and developer messages that the session itself begins with; the bound keeps the
     * planner, which thinks of an average session, from sorting a long one. */
    [CONTEXT] = {"conv_turn_context", ACTION_READ, 2, false,
                 "WITH beginning AS ("
                 " SELECT * FROM chat_messages WHERE session_id = $1::uuid AND position < 64 +"
                 "  (SELECT min(position) FROM chat_messages WHERE session_id = $1::uuid)"
                 " ORDER BY position LIMIT 16"
                 "), recent AS ("
                 " SELECT * FROM chat_messages"
                 " WHERE session_id = $1::uuid AND status <> 'failed'"
                 " ORDER BY position DESC LIMIT $2::int8"
                 "), bound AS MATERIALIZED ("
                 " SELECT (SELECT min(position) FROM beginning"
                 "   WHERE role NOT IN ('system', 'developer')) AS talk,"
                 "  (SELECT min(position) FROM recent WHERE place = 0) AS start"
                 "), chosen AS ("
                 " SELECT * FROM beginning WHERE role IN ('system', 'developer')"
                 "  AND position < coalesce((SELECT talk FROM bound), 9223372036854775807)"
                 "  AND position < coalesce((SELECT start FROM bound), 9223372036854775807)"
                 " UNION ALL"
                 " SELECT * FROM recent WHERE position >= (SELECT start FROM bound)"
                 ") SELECT " CONV__POSTGRES_MESSAGE_COLUMNS ","
                 " (SELECT EXISTS (SELECT FROM chat_branches WHERE session_id = $1::uuid))"
                 " FROM chosen m ORDER BY m.position"},
    [STATEMENTS] = {NULL, NULL, 0, false, NULL},
};

static conv_status queue(conv__transaction *transaction, int which, conv__parameters *parameters,
                         conv__receiver receive, void *context, conv_error *error)
{
    return conv__postgres_queue(transaction, &conv__postgres_turn_statements[which], parameters,
                                receive, context, error);
}

typedef struct find_context {
    conv__exchange_state *states;
    size_t count;
} find_context;

static conv_status receive_states(void *context, const conv__result *result, conv_error *error)
{
    find_context *find = context;
    conv__arena arena = {NULL};
    conv_status status = CONV_OK;
    (void)error;
    for (size_t i = 0; i < find->count; i++)
        find->states[i] = (conv__exchange_state){.found = false};
    for (size_t i = 0; status == CONV_OK && i < conv__result_rows(result); i++) {
        conv__reader reader = conv__reader_at(result, i, &arena);
        int64_t ordinal = conv__next_int8(&reader);
        if (ordinal < 1 || (size_t)ordinal > find->count) {
            status = CONV_BAD_DATA;
            break;
        }
        conv__exchange_state *state = &find->states[ordinal - 1];
        state->found = true;
        state->status = conv__postgres_next_outcome(&reader);
        conv__postgres_next_hash(&reader, state->request_hash);
        conv__postgres_next_hash(&reader, state->reply_hash);
        state->log_id = conv__next_uuid(&reader);
        status = reader.status;
    }
    conv__arena_reset(&arena);
    return status;
}

static void add_keys(conv__parameters *parameters, const void *const *keys, size_t count)
{
    static const conv__column columns[] = {
        {CONV__TYPE_UUID, offsetof(conv__exchange_key, session_id), NULL},
        {CONV__TYPE_UUID, offsetof(conv__exchange_key, exchange_id), NULL},
    };
    conv__parameter_columns(parameters, columns, 2, keys, count);
}

conv_status conv__postgres_find_exchanges(conv__chat_repository *chat,
                                          conv__transaction *transaction,
                                          const conv__exchange_key *keys, size_t count,
                                          conv__exchange_state *states, conv_error *error)
{
    (void)chat;
    if (count == 0) return CONV_OK;
    const void **rows = conv__postgres_scratch(transaction, count * sizeof *rows);
    if (rows == NULL) return conv__fail_memory(error, ACTION_FIND);
    for (size_t i = 0; i < count; i++)
        rows[i] = &keys[i];
    find_context context = {states, count};
    conv__parameters parameters = {.count = 0};
    add_keys(&parameters, rows, count);
    conv_status status = queue(transaction, FIND, &parameters, receive_states, &context, error);
    if (status != CONV_OK) return status;
    return conv__postgres_ask(transaction, error);
}

typedef struct turn_context {
    conv__arena *arena;
    conv__turn_state *state;
} turn_context;

static conv_status receive_saved(void *context, const conv__result *result, conv_error *error)
{
    turn_context *turn = context;
    (void)error;
    return conv__postgres_read_messages(result, turn->arena, &turn->state->saved);
}

static conv_status receive_context(void *context, const conv__result *result, conv_error *error)
{
    turn_context *turn = context;
    (void)error;
    turn->state->branched = false;
    if (conv__result_rows(result) > 0) {
        conv__reader reader = conv__reader_at(result, 0, NULL);
        reader.column = CONV__POSTGRES_MESSAGE_COLUMN_COUNT;
        turn->state->branched = conv__next_bool(&reader);
        if (reader.status != CONV_OK) return reader.status;
    }
    return conv__postgres_read_messages(result, turn->arena, &turn->state->context);
}

static conv_status receive_usage(void *context, const conv__result *result, conv_error *error)
{
    turn_context *turn = context;
    (void)error;
    turn->state->usage = (conv__usage_row){.originals = {NULL, 0}};
    if (conv__result_rows(result) == 0) return CONV_OK;
    conv__reader reader = conv__reader_at(result, 0, turn->arena);
    conv__postgres_read_usage_row(&reader, &turn->state->usage);
    return reader.status;
}

static conv_status queue_saved(conv__transaction *transaction, const conv__exchange_key *key,
                               find_context *find, turn_context *turn, conv_error *error)
{
    conv__parameters parameters = {.count = 0};
    const void *row = key;
    add_keys(&parameters, &row, 1);
    conv_status status = queue(transaction, FIND, &parameters, receive_states, find, error);
    for (int which = SAVED; status == CONV_OK && which <= USAGE; which++) {
        conv__parameter_uuid(&parameters, key->session_id);
        conv__parameter_uuid(&parameters, key->exchange_id);
        status = queue(transaction, which, &parameters,
                       which == SAVED ? receive_saved : receive_usage, turn, error);
    }
    return status;
}

conv_status conv__postgres_read_turn(conv__chat_repository *chat, conv__transaction *transaction,
                                     const conv__turn_query *query, conv__arena *arena,
                                     conv__turn_state *state, conv_error *error)
{
    (void)chat;
    *state = (conv__turn_state){.exchange = {.found = false}};
    conv__exchange_key key = {query->session_id, query->exchange_id};
    find_context find = {&state->exchange, 1};
    turn_context turn = {arena, state};
    conv_status status = CONV_OK;
    bool saved = !conv_uuid_is_nil(query->exchange_id);
    if (!saved && query->context_limit == 0) return CONV_OK;
    if (saved) status = queue_saved(transaction, &key, &find, &turn, error);
    if (status == CONV_OK && query->context_limit > 0) {
        conv__parameters parameters = {.count = 0};
        conv__parameter_uuid(&parameters, query->session_id);
        conv__parameter_int8(&parameters, (int64_t)query->context_limit);
        status = queue(transaction, CONTEXT, &parameters, receive_context, &turn, error);
    }
    if (status != CONV_OK) return status;
    return conv__postgres_ask(transaction, error);
}
