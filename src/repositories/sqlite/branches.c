/* Branches: where a message does not follow the one before it, and what lies on the way from a
 * message back to the beginning. */
#include "repositories/sqlite/columns.h"
#include "repositories/sqlite/sessions.h"

#define ACTION_SAVE   "save exchange"
#define ACTION_REMOVE "replace failed exchange"
#define ACTION_READ   "read branch"
#define ACTION_LIST   "list branches"

enum {
    NOTE,
    SELECT_PARENT,
    MOVE,
    LINK_NEXT,
    UNLINK,
    UNINDEX,
    DELETE_SEARCH,
    RESOLVE,
    AFTER,
    BEFORE,
    CONTEXT,
    LEAVES
};

#define ON_THE_WAY                                                                                 \
    " FROM stretch JOIN chat_messages m ON m.session_id = ?1"                                      \
    " AND m.position >= stretch.first AND m.position <= stretch.last"

/* In the order of CONV__SQLITE_MESSAGE_COLUMNS, of m. */
#define COLUMNS                                                                                    \
    "m.message_id, m.role, m.content, m.parts, m.tool_calls, m.tool_call_id, m.name, m.model,"     \
    " m.metadata, m.status, m.position, m.originals, m.created_at"

const conv__sqlite_statement conv__sqlite_branch_statements[] = {
    /* Nothing where it follows that message anyway. */
    [NOTE] = {"INSERT INTO chat_branches (session_id, position, message_id, parent_id)"
              " SELECT m.session_id, m.position, m.message_id, ?3"
              " FROM chat_messages m WHERE m.message_id = ?2 AND m.session_id = ?1"
              " AND ?3 IS NOT (SELECT o.message_id FROM chat_messages o"
              " WHERE o.session_id = ?1 AND o.position < m.position"
              " ORDER BY o.position DESC LIMIT 1) ON CONFLICT DO NOTHING"},
    [SELECT_PARENT] = {"SELECT b.position IS NOT NULL, coalesce(b.parent_id,"
                       " (SELECT o.message_id FROM chat_messages o WHERE o.session_id = ?1"
                       " AND o.position < ?2 ORDER BY o.position DESC LIMIT 1), " CONV__SQLITE_NIL
                       ") FROM (SELECT 1) LEFT JOIN chat_branches b"
                       " ON b.session_id = ?1 AND b.position = ?2"},
    [MOVE] = {"UPDATE chat_branches SET parent_id = ?4 WHERE session_id = ?1 AND parent_id IN"
              " (SELECT message_id FROM chat_messages WHERE session_id = ?1"
              " AND position >= ?2 AND position < ?3)"},
    [LINK_NEXT] = {"INSERT INTO chat_branches (session_id, position, message_id, parent_id)"
                   " SELECT session_id, position, message_id, ?3 FROM chat_messages"
                   " WHERE session_id = ?1 AND position >= ?2 ORDER BY position LIMIT 1"
                   " ON CONFLICT DO NOTHING"},
    [UNLINK] = {"DELETE FROM chat_branches WHERE session_id = ?1 AND position >= ?2"
                " AND position < ?3"},
    [UNINDEX] = {CONV__SQLITE_UNINDEX(
        "x.session_id = ?1 AND x.position >= ?2 AND x.position < ?3")},
    [DELETE_SEARCH] = {"DELETE FROM chat_search WHERE session_id = ?1 AND position >= ?2"
                       " AND position < ?3"},
    [RESOLVE] = {CONV__SQLITE_STRETCHES
                 " SELECT (?2 IS NULL AND ?3 IS NULL) OR EXISTS (SELECT 1 FROM chat_messages m"
                 " WHERE m.session_id = ?1 AND m.message_id = coalesce(?3, ?2)),"
                 " (SELECT m.message_id FROM chat_messages m, ending"
                 " WHERE m.session_id = ?1 AND m.position = ending.last),"
                 " (SELECT m.role FROM chat_messages m WHERE m.session_id = ?1"
                 " AND m.message_id = ?3)"},
    [AFTER] = {CONV__SQLITE_STRETCHES " SELECT " CONV__SQLITE_HISTORY_COLUMNS ON_THE_WAY
                                      " WHERE m.position > ?4 ORDER BY m.position LIMIT ?5"},
    [BEFORE] = {CONV__SQLITE_STRETCHES " SELECT " CONV__SQLITE_HISTORY_COLUMNS ON_THE_WAY
                                       " WHERE m.position < ?4 ORDER BY m.position DESC LIMIT ?5"},
    /* What is chosen as context from a session, chosen from the way. */
    [CONTEXT] = {CONV__SQLITE_STRETCHES
                 ", way (position, place, role, status) AS MATERIALIZED ("
                 " SELECT m.position, m.place, m.role, m.status" ON_THE_WAY
                 "), recent (position, place) AS MATERIALIZED ("
                 " SELECT position, place FROM way WHERE status <> 'failed'"
                 " ORDER BY position DESC LIMIT ?4"
                 "), bound (talk, start) AS MATERIALIZED ("
                 " SELECT (SELECT min(position) FROM way"
                 " WHERE role NOT IN ('system', 'developer')),"
                 " (SELECT min(position) FROM recent WHERE place = 0)"
                 "), chosen (position) AS ("
                 " SELECT position FROM (SELECT way.position FROM way, bound"
                 " WHERE way.position < coalesce(bound.talk, 9223372036854775807)"
                 " AND way.position < coalesce(bound.start, 9223372036854775807)"
                 " ORDER BY way.position LIMIT 16)"
                 " UNION ALL"
                 " SELECT recent.position FROM recent, bound WHERE recent.position >= bound.start"
                 ") SELECT " COLUMNS " FROM chosen JOIN chat_messages m ON m.session_id = ?1"
                 " AND m.position = chosen.position ORDER BY m.position"},
    /* A branch ends before a row of chat_branches, or with the session; unless another row goes on
     * from there. */
    [LEAVES] = {"WITH ends (position) AS ("
                " SELECT (SELECT max(o.position) FROM chat_messages o"
                " WHERE o.session_id = ?1 AND o.position < b.position)"
                " FROM chat_branches b WHERE b.session_id = ?1"
                " UNION"
                " SELECT max(o.position) FROM chat_messages o WHERE o.session_id = ?1"
                ") SELECT " CONV__SQLITE_HISTORY_COLUMNS
                " FROM ends JOIN chat_messages m ON m.session_id = ?1"
                " AND m.position = ends.position"
                " WHERE m.message_id NOT IN"
                " (SELECT parent_id FROM chat_branches WHERE session_id = ?1)"
                " ORDER BY m.position"},
    {NULL},
};

static void prepare(conv__sqlite_query *query, conv__sqlite *connection, int which,
                    const char *action)
{
    conv__sqlite_prepare(query, connection, &conv__sqlite_branch_statements[which], action);
}

conv_status conv__sqlite_save_branch(conv__sqlite *connection, const conv__exchange *exchange,
                                     conv_error *error)
{
    conv__sqlite_query query;
    if (!exchange->has_parent || exchange->message_count == 0) return CONV_OK;
    prepare(&query, connection, NOTE, ACTION_SAVE);
    conv__sqlite_bind_uuid(&query, exchange->session.session_id);
    conv__sqlite_bind_uuid(&query, exchange->messages[0].message.message_id);
    conv__sqlite_bind_uuid_or_nil(&query, exchange->parent_id);
    return conv__sqlite_execute(&query, NULL, error);
}

/* Runs a statement about the positions from `first` to before `beyond`. */
static conv_status change_range(conv__sqlite *connection, int which, conv_uuid session_id,
                                int64_t first, int64_t beyond, conv_error *error)
{
    conv__sqlite_query query;
    prepare(&query, connection, which, ACTION_REMOVE);
    conv__sqlite_bind_uuid(&query, session_id);
    conv__sqlite_bind_integer(&query, first);
    conv__sqlite_bind_integer(&query, beyond);
    return conv__sqlite_execute(&query, NULL, error);
}

conv_status conv__sqlite_relink(conv__sqlite *connection, conv_uuid session_id, int64_t first,
                                int64_t beyond, conv_error *error)
{
    conv__sqlite_query query;
    bool branches = false;
    conv_uuid parent_id = {{0}};
    prepare(&query, connection, SELECT_PARENT, ACTION_REMOVE);
    conv__sqlite_bind_uuid(&query, session_id);
    conv__sqlite_bind_integer(&query, first);
    if (conv__sqlite_step(&query)) {
        branches = conv__sqlite_integer(&query, 0) != 0;
        parent_id = conv__sqlite_uuid(&query, 1);
    }
    conv_status status = conv__sqlite_finish(&query, error);
    if (status != CONV_OK) return status;
    prepare(&query, connection, MOVE, ACTION_REMOVE);
    conv__sqlite_bind_uuid(&query, session_id);
    conv__sqlite_bind_integer(&query, first);
    conv__sqlite_bind_integer(&query, beyond);
    conv__sqlite_bind_uuid_or_nil(&query, parent_id);
    status = conv__sqlite_execute(&query, NULL, error);
    if (status == CONV_OK && branches) {
        prepare(&query, connection, LINK_NEXT, ACTION_REMOVE);
        conv__sqlite_bind_uuid(&query, session_id);
        conv__sqlite_bind_integer(&query, beyond);
        conv__sqlite_bind_uuid_or_nil(&query, parent_id);
        status = conv__sqlite_execute(&query, NULL, error);
    }
    for (int which = UNLINK; status == CONV_OK && which <= DELETE_SEARCH; which++)
        status = change_range(connection, which, session_id, first, beyond, error);
    return status;
}

static conv_status resolve(conv__sqlite *connection, const conv__branch_query *question,
                           conv__branch *branch, conv_error *error)
{
    conv__sqlite_query query;
    prepare(&query, connection, RESOLVE, ACTION_READ);
    conv__sqlite_bind_uuid(&query, question->session_id);
    conv__sqlite_bind_uuid(&query, question->last);
    conv__sqlite_bind_uuid(&query, question->instead_of);
    if (conv__sqlite_step(&query)) {
        branch->found = conv__sqlite_integer(&query, 0) != 0;
        branch->last_id = conv__sqlite_uuid(&query, 1);
        branch->role = conv_role_parse(conv__sqlite_bytes(&query, 2));
    }
    return conv__sqlite_finish(&query, error);
}

conv_status conv__sqlite_read_branch(conv__session_repository *sessions,
                                     conv__transaction *transaction,
                                     const conv__branch_query *question, conv__arena *arena,
                                     conv__branch *branch, conv_error *error)
{
    (void)sessions;
    conv__sqlite *connection = conv__sqlite_of(transaction);
    bool backwards = question->before > 0;
    int which = question->context ? CONTEXT : backwards ? BEFORE : AFTER;
    size_t capacity = 0;
    *branch = (conv__branch){0};
    conv_status status = resolve(connection, question, branch, error);
    if (status != CONV_OK) return status;
    conv__sqlite_query query;
    prepare(&query, connection, which, ACTION_READ);
    conv__sqlite_bind_uuid(&query, question->session_id);
    conv__sqlite_bind_uuid(&query, question->last);
    conv__sqlite_bind_uuid(&query, question->instead_of);
    if (!question->context)
        conv__sqlite_bind_integer(&query, backwards ? question->before : question->after);
    conv__sqlite_bind_integer(&query, (int64_t)question->limit + !question->context);
    void (*append)(conv__sqlite_query *, conv__arena *, conv__message_list *, size_t *) =
        question->context ? conv__sqlite_append_message : conv__sqlite_append_history;
    while (conv__sqlite_step(&query))
        append(&query, arena, &branch->messages, &capacity);
    if (!question->context) conv__message_list_cut(&branch->messages, question->limit, backwards);
    return conv__sqlite_finish(&query, error);
}

conv_status conv__sqlite_list_branches(conv__session_repository *sessions,
                                       conv__transaction *transaction, conv_uuid session_id,
                                       conv__arena *arena, conv__message_list *list,
                                       conv_error *error)
{
    (void)sessions;
    size_t capacity = 0;
    *list = (conv__message_list){0};
    conv__sqlite_query query;
    prepare(&query, conv__sqlite_of(transaction), LEAVES, ACTION_LIST);
    conv__sqlite_bind_uuid(&query, session_id);
    while (conv__sqlite_step(&query))
        conv__sqlite_append_history(&query, arena, list, &capacity);
    return conv__sqlite_finish(&query, error);
}
