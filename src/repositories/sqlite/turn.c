/* What is stored of an exchange, and what a turn is to know before it asks the provider. */
#include "core/error.h"
#include "repositories/sqlite/columns.h"
#include "repositories/sqlite/internal.h"

#define ACTION_FIND "look up exchange"
#define ACTION_READ "read turn"

enum { SELECT_EXCHANGE, SELECT_SAVED, SELECT_USAGE, SELECT_LEADING, SELECT_CONTEXT, BRANCHED };

const conv__sqlite_statement conv__sqlite_turn_statements[] = {
    [SELECT_EXCHANGE] = {"SELECT e.status, e.request_hash, e.reply_hash, e.log_id, e.message_count,"
                         " m.position FROM chat_exchanges e LEFT JOIN chat_messages m"
                         " ON m.message_id = e.first_message_id AND m.session_id = e.session_id"
                         " WHERE e.session_id = ? AND e.exchange_id = ?"},
    [SELECT_SAVED] = {"SELECT " CONV__SQLITE_MESSAGE_COLUMNS " FROM chat_messages"
                      " WHERE session_id = ? AND position >= ? AND position < ?"
                      " ORDER BY position"},
    [SELECT_USAGE] = {"SELECT " CONV__SQLITE_USAGE_COLUMNS " FROM usage_logs l"
                      " LEFT JOIN chat_users u ON u.user_id = l.user_id"
                      " WHERE l.log_id = ? AND l.session_id = ?"},
    [SELECT_LEADING] = {"SELECT " CONV__SQLITE_MESSAGE_COLUMNS " FROM chat_messages"
                        " WHERE session_id = ? ORDER BY position LIMIT 16"},
    /* From where the oldest exchange begins whose first message is among the last ?2. */
    [SELECT_CONTEXT] = {"SELECT " CONV__SQLITE_MESSAGE_COLUMNS " FROM chat_messages"
                        " WHERE session_id = ?1 AND status <> 'failed' AND position >="
                        " (SELECT min(position) FROM"
                        " (SELECT position, place FROM chat_messages"
                        " WHERE session_id = ?1 AND status <> 'failed'"
                        " ORDER BY position DESC LIMIT ?2) WHERE place = 0)"
                        " ORDER BY position"},
    [BRANCHED] = {"SELECT EXISTS (SELECT 1 FROM chat_branches WHERE session_id = ?)"},
    {NULL},
};

static void prepare(conv__sqlite_query *query, conv__sqlite *connection, int which,
                    const char *action)
{
    conv__sqlite_prepare(query, connection, &conv__sqlite_turn_statements[which], action);
}

/* Where the messages of an exchange stand in its session. */
typedef struct message_range {
    int64_t first;
    int64_t count;
} message_range;

static conv_status find_exchange(conv__sqlite *connection, const conv__exchange_key *key,
                                 const char *action, conv__exchange_state *state,
                                 message_range *range, conv_error *error)
{
    *state = (conv__exchange_state){0};
    *range = (message_range){0};
    conv__sqlite_query query;
    prepare(&query, connection, SELECT_EXCHANGE, action);
    conv__sqlite_bind_uuid(&query, key->session_id);
    conv__sqlite_bind_uuid(&query, key->exchange_id);
    state->found = conv__sqlite_step(&query);
    if (state->found) {
        state->status = conv__sqlite_outcome(&query, 0);
        conv__sqlite_hash(&query, 1, state->request_hash);
        conv__sqlite_hash(&query, 2, state->reply_hash);
        state->log_id = conv__sqlite_uuid(&query, 3);
        range->count = conv__sqlite_integer(&query, 4);
        range->first = conv__sqlite_integer(&query, 5);
    }
    return conv__sqlite_finish(&query, error);
}

conv_status conv__sqlite_find_exchanges(conv__chat_repository *chat, conv__transaction *transaction,
                                        const conv__exchange_key *keys, size_t count,
                                        conv__exchange_state *states, conv_error *error)
{
    (void)chat;
    for (size_t i = 0; i < count; i++) {
        message_range range;
        conv_status status = find_exchange(conv__sqlite_of(transaction), &keys[i], ACTION_FIND,
                                           &states[i], &range, error);
        if (status != CONV_OK) return status;
    }
    return CONV_OK;
}

static conv_status read_saved(conv__sqlite *connection, conv_uuid session_id,
                              const message_range *range, conv__arena *arena,
                              conv__turn_state *state, conv_error *error)
{
    size_t capacity = 0;
    conv__sqlite_query query;
    prepare(&query, connection, SELECT_SAVED, ACTION_READ);
    conv__sqlite_bind_uuid(&query, session_id);
    conv__sqlite_bind_integer(&query, range->first);
    conv__sqlite_bind_integer(&query, range->first + range->count);
    while (conv__sqlite_step(&query))
        conv__sqlite_append_message(&query, arena, &state->saved, &capacity);
    conv_status status = conv__sqlite_finish(&query, error);
    if (status != CONV_OK) return status;
    prepare(&query, connection, SELECT_USAGE, ACTION_READ);
    conv__sqlite_bind_uuid(&query, state->exchange.log_id);
    conv__sqlite_bind_uuid(&query, session_id);
    while (conv__sqlite_step(&query))
        conv__sqlite_read_usage_row(&query, arena, &state->usage);
    return conv__sqlite_finish(&query, error);
}

/* The system and developer messages that the session begins with. */
static conv_status read_leading(conv__sqlite *connection, conv_uuid session_id, conv__arena *arena,
                                conv__message_list *list, size_t *capacity, conv_error *error)
{
    conv__sqlite_query query;
    prepare(&query, connection, SELECT_LEADING, ACTION_READ);
    conv__sqlite_bind_uuid(&query, session_id);
    while (conv__sqlite_step(&query)) {
        conv_role role = conv_role_parse(conv__sqlite_bytes(&query, 1));
        if (role != CONV_ROLE_SYSTEM && role != CONV_ROLE_DEVELOPER) break;
        conv__sqlite_append_message(&query, arena, list, capacity);
    }
    return conv__sqlite_finish(&query, error);
}

static conv_status read_context(conv__sqlite *connection, const conv__turn_query *question,
                                conv__arena *arena, conv__message_list *list, conv_error *error)
{
    size_t capacity = 0;
    conv_status status =
        read_leading(connection, question->session_id, arena, list, &capacity, error);
    if (status != CONV_OK) return status;
    size_t leading = list->count;
    int64_t last_leading = leading > 0 ? list->rows[leading - 1].message.position : 0;
    conv__sqlite_query query;
    prepare(&query, connection, SELECT_CONTEXT, ACTION_READ);
    conv__sqlite_bind_uuid(&query, question->session_id);
    conv__sqlite_bind_integer(&query, (int64_t)question->context_limit);
    while (conv__sqlite_step(&query)) {
        /* A short session: its beginning is part of the last messages as well. */
        if (conv__sqlite_integer(&query, 10) > last_leading)
            conv__sqlite_append_message(&query, arena, list, &capacity);
    }
    return conv__sqlite_finish(&query, error);
}

static conv_status look_for_branches(conv__sqlite *connection, conv_uuid session_id, bool *branched,
                                     conv_error *error)
{
    conv__sqlite_query query;
    prepare(&query, connection, BRANCHED, ACTION_READ);
    conv__sqlite_bind_uuid(&query, session_id);
    if (conv__sqlite_step(&query)) *branched = conv__sqlite_integer(&query, 0) != 0;
    return conv__sqlite_finish(&query, error);
}

conv_status conv__sqlite_read_turn(conv__chat_repository *chat, conv__transaction *transaction,
                                   const conv__turn_query *query, conv__arena *arena,
                                   conv__turn_state *state, conv_error *error)
{
    (void)chat;
    conv__sqlite *connection = conv__sqlite_of(transaction);
    conv_status status = CONV_OK;
    *state = (conv__turn_state){0};
    if (!conv_uuid_is_nil(query->exchange_id)) {
        conv__exchange_key key = {query->session_id, query->exchange_id};
        message_range range;
        status = find_exchange(connection, &key, ACTION_READ, &state->exchange, &range, error);
        if (status == CONV_OK && state->exchange.found)
            status = read_saved(connection, query->session_id, &range, arena, state, error);
    }
    if (status == CONV_OK && query->context_limit > 0)
        status = read_context(connection, query, arena, &state->context, error);
    if (status == CONV_OK && query->context_limit > 0)
        status = look_for_branches(connection, query->session_id, &state->branched, error);
    return status;
}
