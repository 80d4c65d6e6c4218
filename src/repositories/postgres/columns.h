/* What several statements share: how rows become columns and columns rows. */
#ifndef CONV__REPOSITORIES_POSTGRES_COLUMNS_H
#define CONV__REPOSITORIES_POSTGRES_COLUMNS_H

#include "db/postgres/parameters.h"
#include "db/postgres/result.h"
#include "repositories/chat.h"
#include "repositories/rows.h"

/* In the order of conv__postgres_read_message_row; `m` is chat_messages. */
#define CONV__POSTGRES_MESSAGE_COLUMNS                                                             \
    "m.message_id, m.role, m.content, m.parts, m.tool_calls, m.tool_call_id, m.name, m.model, "    \
    "m.status, m.position, m.metadata, m.originals, m.created_at"
enum { CONV__POSTGRES_MESSAGE_COLUMN_COUNT = 13 };

/* Of message m: what it goes on after where a branch begins with it, else NULL. */
#define CONV__POSTGRES_BRANCH_PARENT                                                               \
    "(SELECT b.parent_id FROM chat_branches b WHERE b.session_id = m.session_id"                   \
    " AND b.position = m.position)"

/* The same columns, and the message that it goes on after, looked up for each: for a few messages,
 * or a branch. A page of a session has a cheaper way (history.c). */
#define CONV__POSTGRES_HISTORY_COLUMNS                                                             \
    CONV__POSTGRES_MESSAGE_COLUMNS                                                                 \
    ", coalesce(" CONV__POSTGRES_BRANCH_PARENT ", (SELECT o.message_id FROM chat_messages o"       \
    " WHERE o.session_id = m.session_id AND o.position < m.position"                               \
    " ORDER BY o.position DESC LIMIT 1))"

/* In the order of conv__postgres_read_usage_row; `l` is usage_logs, `u` chat_users. */
#define CONV__POSTGRES_USAGE_COLUMNS                                                               \
    "l.log_id, l.created_at, l.user_id, l.user_email, l.session_id, l.service, l.operation, "      \
    "l.model, l.provider, l.input_tokens, l.output_tokens, l.total_tokens, l.cache_read_tokens, "  \
    "l.cache_write_tokens, l.reasoning_tokens, l.latency_ms, l.cost_usd, l.price, l.status, "      \
    "l.error, l.raw, l.metadata, l.originals, l.document_id, l.processed_bytes, u.external_id, "   \
    "u.originals"

#define CONV__POSTGRES_NIL "'00000000-0000-0000-0000-000000000000'"

/* Restored; damage shows in the reader's status. */
void conv__postgres_read_message_row(conv__reader *reader, conv__message_row *row);
void conv__postgres_read_usage_row(conv__reader *reader, conv__usage_row *row);

/* All rows of a result. `list` must be empty; its array has `size` bytes an element. Of history the
 * parents, too. */
CONV_WARN_UNUSED conv_status conv__postgres_read_messages(const conv__result *result,
                                                          conv__arena *arena,
                                                          conv__message_list *list);
CONV_WARN_UNUSED conv_status conv__postgres_read_history_rows(const conv__result *result,
                                                              conv__arena *arena,
                                                              conv__message_list *list);

conv_outcome conv__postgres_next_outcome(conv__reader *reader);
void conv__postgres_next_hash(conv__reader *reader, uint8_t hash[CONV__CONTENT_HASH_SIZE]);

/* Spellings of user ids: (user_id uuid[], external_id text[], originals bytea[]), sorted so that
 * writers never wait for each other in a circle. */
#define CONV__POSTGRES_INSERT_USERS                                                                \
    "INSERT INTO chat_users (user_id, external_id, originals) "                                    \
    "SELECT DISTINCT ON (user_id) user_id, external_id, originals "                                \
    "FROM unnest($1::uuid[], $2::text[], $3::bytea[]) AS i (user_id, external_id, originals) "     \
    "ORDER BY user_id "                                                                            \
    "ON CONFLICT DO NOTHING"

/* Whether there is something to say about the user beside the id. */
bool conv__postgres_has_spelling(const conv__name_row *user);

/* The three arrays, of conv__name_row. */
void conv__postgres_add_users(conv__parameters *parameters, const void *const *users, size_t count);

/* The columns of usage records from created_at on, without their keys, of conv__usage_row:
 * created_at, user_id, user_email, service, operation, model, provider, seven counts, cost_usd,
 * price, status, error, raw, metadata, originals, document_id, processed_bytes. */
void conv__postgres_add_usage(conv__parameters *parameters, const void *const *rows, size_t count);

enum { CONV__POSTGRES_USAGE_PARAMETERS = 23 };

#endif
