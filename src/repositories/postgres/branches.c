/* Branches: where a message does not follow the one before it, and what lies on the way from a
 * message back to the beginning. */
#include "core/error.h"
#include "repositories/postgres/chat.h"
#include "repositories/postgres/columns.h"
#include "repositories/postgres/sessions.h"
#include "repositories/postgres/transaction.h"

#define ACTION_SAVE   "save exchange"
#define ACTION_REMOVE "replace failed exchange"
#define ACTION_READ   "read branch"
#define ACTION_LIST   "list branches"

enum { NOTE, RELINK, RESOLVE, AFTER, BEFORE, CONTEXT, LEAVES, STATEMENTS };

#define ON_THE_WAY                                                                                 \
    " FROM stretch s JOIN chat_messages m ON m.session_id = $1::uuid"                              \
    "  AND m.position >= s.first AND m.position <= s.last"

const conv__statement conv__postgres_branch_statements[] = {
    /* Nothing where the exchange was there already, or follows that message anyway. */
    [NOTE] = {"conv_branch_note", ACTION_SAVE, 3, false,
              "INSERT INTO chat_branches (session_id, position, message_id, parent_id)"
              " SELECT m.session_id, m.position, m.message_id,"
              "  coalesce($3::uuid, " CONV__POSTGRES_NIL ")"
              " FROM chat_messages m WHERE m.message_id = $2::uuid AND m.session_id = $1::uuid"
              "  AND $3::uuid IS DISTINCT FROM (SELECT o.message_id FROM chat_messages o"
              "   WHERE o.session_id = $1::uuid AND o.position < m.position"
              "   ORDER BY o.position DESC LIMIT 1) ON CONFLICT DO NOTHING"},
    [RELINK] = {"conv_branch_relink", ACTION_REMOVE, 3, false,
                "WITH failed AS MATERIALIZED ("
                " SELECT f.position AS first, f.position + e.message_count AS beyond"
                " FROM chat_exchanges e JOIN chat_messages f"
                "  ON f.session_id = e.session_id AND f.message_id = e.first_message_id"
                " WHERE e.session_id = $1::uuid AND e.exchange_id = $2::uuid"
                "  AND e.status = 'failed' AND e.request_hash = $3::bytea"
                "  AND " CONV__POSTGRES_SESSION_IS_OURS "), parent AS MATERIALIZED ("
                " SELECT b.position IS NOT NULL AS branches, coalesce(b.parent_id,"
                "  (SELECT o.message_id FROM chat_messages o WHERE o.session_id = $1::uuid"
                "   AND o.position < f.first ORDER BY o.position DESC LIMIT 1),"
                "  " CONV__POSTGRES_NIL ") AS message_id"
                " FROM failed f LEFT JOIN chat_branches b"
                "  ON b.session_id = $1::uuid AND b.position = f.first"
                "), moved AS ("
                " UPDATE chat_branches b SET parent_id = p.message_id"
                " FROM parent p, failed f, chat_messages m WHERE b.session_id = $1::uuid"
                "  AND m.session_id = $1::uuid AND m.message_id = b.parent_id"
                "  AND m.position >= f.first AND m.position < f.beyond"
                "), next AS ("
                " INSERT INTO chat_branches (session_id, position, message_id, parent_id)"
                " SELECT m.session_id, m.position, m.message_id, p.message_id"
                " FROM parent p, failed f, LATERAL (SELECT * FROM chat_messages"
                "  WHERE session_id = $1::uuid AND position >= f.beyond"
                "  ORDER BY position LIMIT 1) m WHERE p.branches ON CONFLICT DO NOTHING"
                "), search AS ("
                " DELETE FROM chat_search s USING failed f WHERE s.session_id = $1::uuid"
                "  AND s.position >= f.first AND s.position < f.beyond"
                ") DELETE FROM chat_branches b USING failed f WHERE b.session_id = $1::uuid"
                "  AND b.position >= f.first AND b.position < f.beyond"},
    [RESOLVE] = {"conv_branch_resolve", ACTION_READ, 3, false,
                 CONV__POSTGRES_STRETCHES
                 " SELECT (SELECT count(*) FROM chat_messages m WHERE m.session_id = $1::uuid"
                 "   AND m.message_id = coalesce($3::uuid, $2::uuid)) > 0"
                 "  OR ($2::uuid IS NULL AND $3::uuid IS NULL),"
                 " (SELECT m.message_id FROM chat_messages m, ending e"
                 "  WHERE m.session_id = $1::uuid AND m.position = e.last),"
                 " (SELECT m.role FROM chat_messages m WHERE m.session_id = $1::uuid"
                 "  AND m.message_id = $3::uuid)"},
    [AFTER] = {"conv_branch_after", ACTION_READ, 5, false,
               CONV__POSTGRES_STRETCHES
               " SELECT " CONV__POSTGRES_HISTORY_COLUMNS ON_THE_WAY
               " WHERE m.position > $4::int8 ORDER BY m.position LIMIT $5::int8"},
    [BEFORE] = {"conv_branch_before", ACTION_READ, 5, false,
                CONV__POSTGRES_STRETCHES
                " SELECT " CONV__POSTGRES_HISTORY_COLUMNS ON_THE_WAY
                " WHERE m.position < $4::int8 ORDER BY m.position DESC LIMIT $5::int8"},
    /* What conv_turn_context chooses from a session, chosen from the way. */
    [CONTEXT] = {"conv_branch_context", ACTION_READ, 4, false,
                 CONV__POSTGRES_STRETCHES
                 ", way AS MATERIALIZED ("
                 " SELECT m.position, m.place, m.role, m.status" ON_THE_WAY "), recent AS ("
                 " SELECT position, place FROM way WHERE status <> 'failed'"
                 " ORDER BY position DESC LIMIT $4::int8"
                 "), bound AS MATERIALIZED ("
                 " SELECT (SELECT min(position) FROM way"
                 "   WHERE role NOT IN ('system', 'developer')) AS talk,"
                 "  (SELECT min(position) FROM recent WHERE place = 0) AS start"
                 "), chosen AS ("
                 " SELECT * FROM (SELECT w.position FROM way w, bound b"
                 "  WHERE w.position < coalesce(b.talk, 9223372036854775807)"
                 "   AND w.position < coalesce(b.start, 9223372036854775807)"
                 "  ORDER BY w.position LIMIT 16) AS beginning"
                 " UNION ALL"
                 " SELECT r.position FROM recent r, bound b WHERE r.position >= b.start"
                 ") SELECT " CONV__POSTGRES_MESSAGE_COLUMNS
                 " FROM chosen c JOIN chat_messages m ON m.session_id = $1::uuid"
                 "  AND m.position = c.position ORDER BY m.position"},
    /* A branch ends before a row of chat_branches, or with the session; unless another row goes on
     * from there. */
    [LEAVES] = {"conv_branch_leaves", ACTION_LIST, 1, false,
                "WITH ends AS MATERIALIZED ("
                " SELECT (SELECT max(o.position) FROM chat_messages o"
                "  WHERE o.session_id = $1::uuid AND o.position < b.position) AS position"
                " FROM chat_branches b WHERE b.session_id = $1::uuid"
                " UNION"
                " SELECT max(o.position) FROM chat_messages o WHERE o.session_id = $1::uuid"
                "), parents AS MATERIALIZED ("
                " SELECT parent_id FROM chat_branches WHERE session_id = $1::uuid"
                ") SELECT " CONV__POSTGRES_HISTORY_COLUMNS
                " FROM ends e JOIN chat_messages m ON m.session_id = $1::uuid"
                "  AND m.position = e.position"
                " WHERE m.message_id NOT IN (SELECT parent_id FROM parents)"
                " ORDER BY m.position"},
    [STATEMENTS] = {NULL, NULL, 0, false, NULL},
};

static conv_status queue(conv__transaction *transaction, int which, conv__parameters *parameters,
                         conv__receiver receive, void *context, conv_error *error)
{
    return conv__postgres_queue(transaction, &conv__postgres_branch_statements[which], parameters,
                                receive, context, error);
}

conv_status conv__postgres_save_branches(conv__transaction *transaction,
                                         const conv__exchange *const *exchanges, size_t count,
                                         conv_error *error)
{
    conv_status status = CONV_OK;
    for (size_t i = 0; status == CONV_OK && i < count; i++) {
        conv__parameters parameters = {.count = 0};
        if (!exchanges[i]->has_parent || exchanges[i]->message_count == 0) continue;
        conv__parameter_uuid(&parameters, exchanges[i]->session.session_id);
        conv__parameter_uuid(&parameters, exchanges[i]->messages[0].message.message_id);
        conv__parameter_uuid(&parameters, exchanges[i]->parent_id);
        status = queue(transaction, NOTE, &parameters, NULL, NULL, error);
    }
    return status;
}

conv_status conv__postgres_relink(conv__transaction *transaction, const conv__exchange *exchange,
                                  conv_error *error)
{
    conv__parameters parameters = {.count = 0};
    conv__parameter_uuid(&parameters, exchange->session.session_id);
    conv__parameter_uuid(&parameters, exchange->exchange_id);
    conv__parameter_bytes(&parameters, conv_view((const char *)exchange->request_hash,
                                                 sizeof exchange->request_hash));
    return queue(transaction, RELINK, &parameters, NULL, NULL, error);
}

typedef struct reading {
    const conv__branch_query *query;
    conv__arena *arena;
    conv__branch *branch;
} reading;

static conv_status receive_ending(void *context, const conv__result *result, conv_error *error)
{
    reading *self = context;
    (void)error;
    if (conv__result_rows(result) != 1) return CONV_BAD_DATA;
    conv__reader reader = conv__reader_at(result, 0, self->arena);
    self->branch->found = conv__next_bool(&reader);
    self->branch->last_id = conv__next_uuid(&reader);
    self->branch->role = conv_role_parse(conv__next_bytes(&reader));
    return reader.status;
}

static conv_status receive_messages(void *context, const conv__result *result, conv_error *error)
{
    reading *self = context;
    (void)error;
    conv__message_list *list = &self->branch->messages;
    if (self->query->context) return conv__postgres_read_messages(result, self->arena, list);
    conv_status status = conv__postgres_read_history_rows(result, self->arena, list);
    if (status == CONV_OK)
        conv__message_list_cut(list, self->query->limit, self->query->before > 0);
    return status;
}

conv_status conv__postgres_read_branch(conv__session_repository *sessions,
                                       conv__transaction *transaction,
                                       const conv__branch_query *query, conv__arena *arena,
                                       conv__branch *branch, conv_error *error)
{
    (void)sessions;
    reading self = {query, arena, branch};
    bool backwards = query->before > 0;
    int page = query->context ? CONTEXT : backwards ? BEFORE : AFTER;
    conv_status status = CONV_OK;
    *branch = (conv__branch){.found = false};
    for (int which = RESOLVE; status == CONV_OK; which = page) {
        conv__parameters parameters = {.count = 0};
        conv__parameter_uuid(&parameters, query->session_id);
        conv__parameter_uuid(&parameters, query->last);
        conv__parameter_uuid(&parameters, query->instead_of);
        if (which == AFTER || which == BEFORE)
            conv__parameter_int8(&parameters, backwards ? query->before : query->after);
        if (which != RESOLVE)
            conv__parameter_int8(&parameters, (int64_t)query->limit + (which != CONTEXT));
        status = queue(transaction, which, &parameters,
                       which == RESOLVE ? receive_ending : receive_messages, &self, error);
        if (which == page) break;
    }
    if (status != CONV_OK) return status;
    return conv__postgres_ask(transaction, error);
}

static conv_status receive_leaves(void *context, const conv__result *result, conv_error *error)
{
    reading *self = context;
    (void)error;
    return conv__postgres_read_history_rows(result, self->arena, &self->branch->messages);
}

conv_status conv__postgres_list_branches(conv__session_repository *sessions,
                                         conv__transaction *transaction, conv_uuid session_id,
                                         conv__arena *arena, conv__message_list *list,
                                         conv_error *error)
{
    (void)sessions;
    conv__branch branch = {.found = true};
    reading self = {NULL, arena, &branch};
    conv__parameters parameters = {.count = 0};
    conv__parameter_uuid(&parameters, session_id);
    conv_status status = queue(transaction, LEAVES, &parameters, receive_leaves, &self, error);
    if (status == CONV_OK) status = conv__postgres_ask(transaction, error);
    *list = branch.messages;
    return status;
}
