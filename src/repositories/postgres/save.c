/* Saving exchanges. The row in chat_exchanges is the gate: whoever inserts it writes the rest. */
#include "core/error.h"
#include "repositories/postgres/chat.h"
#include "repositories/postgres/columns.h"
#include "repositories/postgres/transaction.h"

#define ACTION_SAVE   "save exchange"
#define ACTION_REMOVE "replace failed exchange"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

enum { INSERT_USERS, SAVE, LOCK_SESSION, REMOVE, STATEMENTS };

/* Of a record that was there the owner must be the exchange itself, whose user it gets; else the
 * server refuses all of them (21000). */
#define ONE_OWNER                                                                                  \
    " CASE WHEN (SELECT count(*) FROM usage) = (SELECT count(*) FROM placed) THEN true"            \
    " ELSE (SELECT chat_exchanges_own_usage(array_agg(session_id), array_agg(log_id),"             \
    "  array_agg(user_id)) FROM placed) END"

/* How SAVE keeps its promises.
 * Order of locks: all gates in the order of their keys, then all sessions in theirs. Each phase
 * reads the whole one before it (a sort and a hash stand between), so writers never wait in a
 * circle. Gate: an INSERT that finds the key waits for whoever is inserting it, so nobody is
 * overlooked. Positions: the session's row is locked by then; its last_position is what others have
 * committed. FULL JOIN: every row has its partner; but the planner, which believes that an array
 * has ten elements, is kept from looping over all pairs. Usage: the record may be there, tracked
 * under its key before, and stays as it came first but for its user (see ONE_OWNER); in the order
 * of keys, as tracked records are saved in. */
const conv__statement conv__postgres_save_statements[] = {
    [INSERT_USERS] = {"conv_save_users", ACTION_SAVE, 3, false, CONV__POSTGRES_INSERT_USERS},
    [SAVE] =
        {"conv_save", ACTION_SAVE, 52, false,
         "WITH input AS MATERIALIZED ("
         " SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::bytea[], $4::bytea[], $5::text[],"
         "  $6::int4[], $7::uuid[], $8::uuid[], $9::timestamptz[], $10::uuid[], $11::text[],"
         "  $12::text[], $13::jsonb[], $14::bytea[], $15::timestamptz[])"
         " WITH ORDINALITY AS i (session_id, exchange_id, request_hash, reply_hash, status,"
         "  message_count, first_message_id, log_id, created_at, user_id, external_id, title,"
         "  metadata, originals, session_created_at, ordinal)"
         "), gate AS ("
         " INSERT INTO chat_exchanges (session_id, exchange_id, request_hash, reply_hash, status,"
         "  message_count, first_message_id, log_id, created_at)"
         " SELECT session_id, exchange_id, request_hash, reply_hash, status, message_count,"
         "  first_message_id, log_id, created_at FROM input ORDER BY session_id, exchange_id"
         " ON CONFLICT DO NOTHING"
         " RETURNING session_id, exchange_id, true AS inserted"
         "), passed AS MATERIALIZED ("
         " SELECT i.*,"
         "  row_number() OVER earlier AS number,"
         "  sum(i.message_count) OVER earlier - i.message_count AS earlier_messages,"
         "  sum(i.message_count) OVER whole AS all_messages,"
         "  max(i.created_at) OVER whole AS updated_at"
         " FROM input i FULL JOIN gate USING (session_id, exchange_id)"
         " WHERE coalesce(inserted, false)"
         " WINDOW whole AS (PARTITION BY i.session_id),"
         "  earlier AS (PARTITION BY i.session_id ORDER BY i.ordinal)"
         "), session AS ("
         " INSERT INTO chat_sessions AS s (session_id, user_id, external_id, title, message_count,"
         "  last_position, metadata, originals, created_at, updated_at)"
         " SELECT session_id, user_id, external_id, title, all_messages, all_messages, metadata,"
         "  originals, session_created_at, updated_at FROM passed WHERE number = 1"
         " ORDER BY session_id"
         " ON CONFLICT (session_id) DO UPDATE SET"
         "  message_count = s.message_count + excluded.message_count,"
         "  last_position = s.last_position + excluded.last_position,"
         "  updated_at = greatest(s.updated_at, excluded.updated_at)"
         " RETURNING session_id, last_position, xmax = 0 AS created"
         "), placed AS MATERIALIZED ("
         " SELECT ordinal, session_id, user_id, log_id, created AND number = 1 AS created,"
         "  last_position - all_messages + earlier_messages + 1 AS first_position, message_count"
         " FROM passed FULL JOIN session USING (session_id)"
         "), queued AS ("
         " INSERT INTO chat_search_queue (session_ids, first_positions, message_counts)"
         " SELECT array_agg(session_id), array_agg(first_position::int8),"
         "  array_agg(message_count::int8) FROM placed HAVING count(*) > 0"
         "), message AS ("
         " INSERT INTO chat_messages (message_id, session_id, user_id, role, content, parts,"
         "  tool_calls, tool_call_id, name, model, status, position, place, metadata, originals,"
         "  created_at)"
         " SELECT m.message_id, p.session_id, p.user_id, m.role, m.content, m.parts, m.tool_calls,"
         "  m.tool_call_id, m.name, m.model, m.status, p.first_position + m.place, m.place,"
         "  m.metadata, m.originals, m.created_at"
         " FROM unnest($16::int8[], $17::int8[], $18::uuid[], $19::text[], $20::text[],"
         "  $21::jsonb[], $22::jsonb[], $23::text[], $24::text[], $25::text[], $26::text[],"
         "  $27::jsonb[], $28::bytea[], $29::timestamptz[])"
         " AS m (ordinal, place, message_id, role, content, parts, tool_calls, tool_call_id, name,"
         "  model, status, metadata, originals, created_at)"
         " JOIN placed p USING (ordinal)"
         "), usage AS ("
         " INSERT INTO usage_logs (log_id, session_id, created_at, user_id, user_email, service,"
         "  operation, model, provider, input_tokens, output_tokens, total_tokens,"
         "  cache_read_tokens, cache_write_tokens, reasoning_tokens, latency_ms, cost_usd, price,"
         "  status, error, raw, metadata, originals, document_id, processed_bytes)"
         " SELECT p.log_id, p.session_id, u.created_at, u.user_id, u.user_email, u.service,"
         "  u.operation, u.model, u.provider, u.input_tokens, u.output_tokens, u.total_tokens,"
         "  u.cache_read_tokens, u.cache_write_tokens, u.reasoning_tokens, u.latency_ms,"
         "  u.cost_usd, u.price, u.status, u.error, u.raw, u.metadata, u.originals,"
         "  u.document_id, u.processed_bytes"
         " FROM unnest($30::timestamptz[], $31::uuid[], $32::text[], $33::text[], $34::text[],"
         "  $35::text[], $36::text[], $37::int8[], $38::int8[], $39::int8[], $40::int8[],"
         "  $41::int8[], $42::int8[], $43::int8[], $44::numeric[], $45::text[], $46::text[],"
         "  $47::text[], $48::jsonb[], $49::jsonb[], $50::bytea[], $51::uuid[], $52::int8[])"
         " WITH ORDINALITY AS u (created_at, user_id, user_email, service, operation, model,"
         "  provider, input_tokens, output_tokens, total_tokens, cache_read_tokens,"
         "  cache_write_tokens, reasoning_tokens, latency_ms, cost_usd, price, status, error, raw,"
         "  metadata, originals, document_id, processed_bytes, ordinal)"
         " JOIN placed p USING (ordinal) ORDER BY p.log_id, p.session_id"
         " ON CONFLICT DO NOTHING RETURNING true"
         ") SELECT ordinal, first_position, created FROM placed WHERE" ONE_OWNER},
    /* The session first, as a deletion does; only if there is something to remove. What appears
     * only after this look stays: removing it without the lock could close a circle. */
    [LOCK_SESSION] = {"conv_remove_lock", ACTION_REMOVE, 3, false,
                      "SELECT 1 FROM chat_sessions WHERE session_id = $1::uuid AND EXISTS ("
                      " SELECT FROM chat_exchanges WHERE session_id = $1::uuid"
                      "  AND exchange_id = $2::uuid AND status = 'failed'"
                      "  AND request_hash = $3::bytea) FOR UPDATE"},
    [REMOVE] = {"conv_remove", ACTION_REMOVE, 3, false,
                "WITH exchange AS ("
                " DELETE FROM chat_exchanges WHERE session_id = $1::uuid"
                "  AND exchange_id = $2::uuid AND status = 'failed' AND request_hash = $3::bytea"
                "  AND " CONV__POSTGRES_SESSION_IS_OURS
                " RETURNING first_message_id, message_count, log_id"
                "), message AS ("
                " DELETE FROM chat_messages m USING exchange e, chat_messages f"
                " WHERE f.session_id = $1::uuid AND f.message_id = e.first_message_id"
                "  AND m.session_id = $1::uuid AND m.position >= f.position"
                "  AND m.position < f.position + e.message_count"
                " RETURNING 1"
                "), usage AS ("
                " DELETE FROM usage_logs l USING exchange e"
                " WHERE l.session_id = $1::uuid AND l.log_id = e.log_id"
                ") UPDATE chat_sessions"
                " SET message_count = message_count - (SELECT count(*) FROM message)"
                " WHERE session_id = $1::uuid AND EXISTS (SELECT FROM exchange)"},
    [STATEMENTS] = {NULL, NULL, 0, false, NULL},
};

static void append_request_hash(conv__buffer *buffer, const void *row)
{
    const conv__exchange *exchange = row;
    conv__field_bytes(
        buffer, conv_view((const char *)exchange->request_hash, sizeof exchange->request_hash));
}

static void append_reply_hash(conv__buffer *buffer, const void *row)
{
    const conv__exchange *exchange = row;
    conv__field_bytes(buffer,
                      conv_view((const char *)exchange->reply_hash, sizeof exchange->reply_hash));
}

static void append_exchange_status(conv__buffer *buffer, const void *row)
{
    const conv__exchange *exchange = row;
    conv__field_bytes(buffer, conv_text(conv_outcome_name(exchange->status)));
}

static void append_message_count(conv__buffer *buffer, const void *row)
{
    const conv__exchange *exchange = row;
    conv__field_int4(buffer, (int32_t)exchange->message_count);
}

static void append_first_message_id(conv__buffer *buffer, const void *row)
{
    const conv__exchange *exchange = row;
    if (exchange->message_count > 0)
        conv__field_uuid(buffer, exchange->messages[0].message.message_id);
    else
        conv__field_null(buffer);
}

static void append_role(conv__buffer *buffer, const void *row)
{
    const conv__message_row *message = row;
    conv__field_bytes(buffer, conv_text(conv_role_name(message->message.role)));
}

static void append_message_status(conv__buffer *buffer, const void *row)
{
    const conv__message_row *message = row;
    conv__field_bytes(buffer, conv_text(conv_outcome_name(message->message.status)));
}

#define EXCHANGE(type, member)                                                                     \
    {                                                                                              \
        CONV__TYPE_##type, offsetof(conv__exchange, member), NULL                                  \
    }
#define MESSAGE(type, member)                                                                      \
    {                                                                                              \
        CONV__TYPE_##type, offsetof(conv__message_row, member), NULL                               \
    }

static const conv__column exchange_columns[] = {
    EXCHANGE(UUID, session.session_id),
    EXCHANGE(UUID, exchange_id),
    {CONV__TYPE_BYTEA, 0, append_request_hash},
    {CONV__TYPE_BYTEA, 0, append_reply_hash},
    {CONV__TYPE_TEXT, 0, append_exchange_status},
    {CONV__TYPE_INT4, 0, append_message_count},
    {CONV__TYPE_UUID, 0, append_first_message_id},
    EXCHANGE(UUID, usage.usage.log_id),
    EXCHANGE(TIMESTAMPTZ, created_us),
    EXCHANGE(UUID, session.user.id),
    EXCHANGE(TEXT, session.external_id),
    EXCHANGE(TEXT, session.title),
    EXCHANGE(JSONB, session.metadata),
    EXCHANGE(BYTEA, session.originals),
    EXCHANGE(TIMESTAMPTZ, session.created_us),
};

static const conv__column message_columns[] = {
    MESSAGE(UUID, message.message_id),
    {CONV__TYPE_TEXT, 0, append_role},
    MESSAGE(TEXT, message.content),
    MESSAGE(JSONB, message.parts),
    MESSAGE(JSONB, message.tool_calls),
    MESSAGE(TEXT, message.tool_call_id),
    MESSAGE(TEXT, message.name),
    MESSAGE(TEXT, message.model),
    {CONV__TYPE_TEXT, 0, append_message_status},
    MESSAGE(JSONB, message.metadata),
    MESSAGE(BYTEA, originals),
    MESSAGE(TIMESTAMPTZ, message.created_us),
};

static conv_status queue(conv__transaction *transaction, int which, conv__parameters *parameters,
                         conv__receiver receive, void *context, conv_error *error)
{
    return conv__postgres_queue(transaction, &conv__postgres_save_statements[which], parameters,
                                receive, context, error);
}

/* The exchanges taken apart: rows of one kind each, as arrays of columns are made of. */
typedef struct parts {
    size_t exchanges;
    size_t messages;
    size_t users;
    const void **exchange;
    const void **usage;   /* of each exchange */
    const void **user;    /* with a spelling */
    const void **message; /* of all exchanges */
    int64_t *ordinal;     /* of each message's exchange, from 1 */
    int64_t *place;       /* of each message in its exchange, from 0 */
} parts;

static bool make_room(conv__transaction *transaction, const conv__exchange *const *exchanges,
                      size_t count, parts *made)
{
    *made = (parts){.exchanges = count};
    for (size_t i = 0; i < count; i++)
        made->messages += exchanges[i]->message_count;
    made->exchange = conv__postgres_scratch(transaction, count * sizeof *made->exchange);
    made->usage = conv__postgres_scratch(transaction, count * sizeof *made->usage);
    made->user = conv__postgres_scratch(transaction, 2 * count * sizeof *made->user);
    made->message = conv__postgres_scratch(transaction, made->messages * sizeof *made->message);
    made->ordinal = conv__postgres_scratch(transaction, made->messages * sizeof *made->ordinal);
    made->place = conv__postgres_scratch(transaction, made->messages * sizeof *made->place);
    return made->exchange != NULL && made->usage != NULL && made->user != NULL &&
           made->message != NULL && made->ordinal != NULL && made->place != NULL;
}

/* Those of its two users that have a spelling; gives how many. */
static size_t users_of(const conv__exchange *exchange, const void **users)
{
    const conv__name_row *both[] = {&exchange->session.user, &exchange->usage.user};
    size_t count = 0;
    for (size_t i = 0; i < COUNT(both); i++)
        if (conv__postgres_has_spelling(both[i])) users[count++] = both[i];
    return count;
}

static void take_apart(const conv__exchange *const *exchanges, size_t count, parts *made)
{
    size_t at = 0;
    for (size_t i = 0; i < count; i++) {
        const conv__exchange *exchange = exchanges[i];
        made->users += users_of(exchange, made->user + made->users);
        made->exchange[i] = exchange;
        made->usage[i] = &exchange->usage;
        for (size_t place = 0; place < exchange->message_count; place++, at++) {
            made->message[at] = &exchange->messages[place];
            made->ordinal[at] = (int64_t)i + 1;
            made->place[at] = (int64_t)place;
        }
    }
}

typedef struct save_context {
    conv__save_result *results;
    size_t count;
} save_context;

static conv_status receive_positions(void *context, const conv__result *result, conv_error *error)
{
    save_context *save = context;
    (void)error;
    for (size_t i = 0; i < conv__result_rows(result); i++) {
        conv__reader reader = conv__reader_at(result, i, NULL);
        int64_t ordinal = conv__next_int8(&reader);
        int64_t first_position = conv__next_int8(&reader);
        bool created = conv__next_bool(&reader);
        if (reader.status != CONV_OK) return reader.status;
        if (ordinal < 1 || (size_t)ordinal > save->count) return CONV_BAD_DATA;
        save->results[ordinal - 1] = (conv__save_result){true, first_position, created};
    }
    return CONV_OK;
}

static conv_status queue_users(conv__transaction *transaction, const void *const *users,
                               size_t count, conv_error *error)
{
    conv__parameters parameters = {.count = 0};
    if (count == 0) return CONV_OK;
    conv__postgres_add_users(&parameters, users, count);
    return queue(transaction, INSERT_USERS, &parameters, NULL, NULL, error);
}

conv_status conv__postgres_save_exchanges(conv__chat_repository *chat,
                                          conv__transaction *transaction,
                                          const conv__exchange *const *exchanges, size_t count,
                                          conv__save_result *results, conv_error *error)
{
    (void)chat;
    if (count == 0) return CONV_OK;
    for (size_t i = 0; i < count; i++)
        results[i] = (conv__save_result){0};
    parts made;
    save_context *context = conv__postgres_scratch(transaction, sizeof *context);
    if (context == NULL || !make_room(transaction, exchanges, count, &made))
        return conv__fail_memory(error, ACTION_SAVE);
    take_apart(exchanges, count, &made);
    *context = (save_context){results, count};
    conv_status status = queue_users(transaction, made.user, made.users, error);
    if (status != CONV_OK) return status;
    conv__parameters parameters = conv__postgres_parameters(transaction);
    conv__parameter_columns(&parameters, exchange_columns, COUNT(exchange_columns), made.exchange,
                            count);
    conv__parameter_int8s(&parameters, made.ordinal, made.messages);
    conv__parameter_int8s(&parameters, made.place, made.messages);
    conv__parameter_columns(&parameters, message_columns, COUNT(message_columns), made.message,
                            made.messages);
    conv__postgres_add_usage(&parameters, made.usage, count);
    status = queue(transaction, SAVE, &parameters, receive_positions, context, error);
    if (status != CONV_OK) return status;
    return conv__postgres_save_branches(transaction, exchanges, count, error);
}

conv_status conv__postgres_remove_failed(conv__chat_repository *chat,
                                         conv__transaction *transaction,
                                         const conv__exchange *exchange, conv_error *error)
{
    (void)chat;
    const void *users[2];
    /* As every save does: users before sessions. */
    conv_status status = queue_users(transaction, users, users_of(exchange, users), error);
    for (int which = LOCK_SESSION; status == CONV_OK && which <= REMOVE; which++) {
        conv__parameters parameters = {.count = 0};
        conv__parameter_uuid(&parameters, exchange->session.session_id);
        conv__parameter_uuid(&parameters, exchange->exchange_id);
        conv__parameter_bytes(&parameters, conv_view((const char *)exchange->request_hash,
                                                     sizeof exchange->request_hash));
        status = queue(transaction, which, &parameters, NULL, NULL, error);
        if (status == CONV_OK && which == LOCK_SESSION)
            status = conv__postgres_relink(transaction, exchange, error);
    }
    return status;
}
