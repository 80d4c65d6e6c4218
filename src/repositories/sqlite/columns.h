/* Rows to parameters and columns to rows, in one place for each table. */
#ifndef CONV__REPOSITORIES_SQLITE_COLUMNS_H
#define CONV__REPOSITORIES_SQLITE_COLUMNS_H

#include "core/memory.h"
#include "db/sqlite/query.h"
#include "repositories/chat.h"
#include "repositories/rows.h"

/* What conv__sqlite_append_message reads. */
#define CONV__SQLITE_MESSAGE_COLUMNS                                                               \
    "message_id, role, content, parts, tool_calls, tool_call_id, name, model, metadata, status,"   \
    " position, originals, created_at"

/* What conv__sqlite_append_history reads, of chat_messages m: the same, and the message that it
 * goes on after. */
#define CONV__SQLITE_HISTORY_COLUMNS                                                               \
    "m.message_id, m.role, m.content, m.parts, m.tool_calls, m.tool_call_id, m.name, m.model,"     \
    " m.metadata, m.status, m.position, m.originals, m.created_at, coalesce((SELECT b.parent_id"   \
    " FROM chat_branches b WHERE b.session_id = m.session_id AND b.position = m.position),"        \
    " (SELECT o.message_id FROM chat_messages o WHERE o.session_id = m.session_id"                 \
    " AND o.position < m.position ORDER BY o.position DESC LIMIT 1))"

/* What conv__sqlite_read_usage_row reads, of usage_logs l and chat_users u. */
#define CONV__SQLITE_USAGE_COLUMNS                                                                 \
    "l.log_id, l.created_at, l.user_id, l.user_email, l.session_id, l.service, l.operation,"       \
    " l.model, l.provider, l.input_tokens, l.output_tokens, l.total_tokens, l.cache_read_tokens,"  \
    " l.cache_write_tokens, l.reasoning_tokens, l.latency_ms, l.cost_usd, l.price, l.status,"      \
    " l.error, l.raw, l.metadata, l.originals, l.document_id, l.processed_bytes, u.external_id,"   \
    " u.originals"
enum { CONV__SQLITE_USAGE_COLUMN_COUNT = 27 };

/* The insert that conv__sqlite_bind_usage fills, to be followed by what a conflict does. */
#define CONV__SQLITE_INSERT_USAGE                                                                  \
    "INSERT INTO usage_logs (log_id, created_at, user_id, user_email, session_id, service,"        \
    " operation, model, provider, input_tokens, output_tokens, total_tokens, cache_read_tokens,"   \
    " cache_write_tokens, reasoning_tokens, latency_ms, cost_usd, price, status, error, raw,"      \
    " metadata, originals, document_id, processed_bytes)"                                          \
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
void conv__sqlite_bind_usage(conv__sqlite_query *query, const conv__usage_row *row);

/* Saves the spelling of a user's id, unless it is known already. */
#define CONV__SQLITE_INSERT_USER                                                                   \
    "INSERT INTO chat_users (user_id, external_id, originals, created_at) VALUES (?, ?, ?, ?)"     \
    " ON CONFLICT DO NOTHING"
CONV_WARN_UNUSED conv_status conv__sqlite_insert_user(conv__sqlite *connection,
                                                      const conv__sqlite_statement *statement,
                                                      const char *action,
                                                      const conv__name_row *user,
                                                      int64_t created_us, conv_error *error);

/* All copy, because a row's memory ends with the next step; failures are marked in the query. The
 * texts are as stored: see conv__message_from_row and its kin. */
conv_bytes conv__sqlite_copy(conv__sqlite_query *query, int column, conv__arena *arena);
conv_outcome conv__sqlite_outcome(conv__sqlite_query *query, int column);
void conv__sqlite_hash(conv__sqlite_query *query, int column,
                       uint8_t hash[CONV__CONTENT_HASH_SIZE]);

/* An id in the application's spelling, copied: the UUID in column `id`, external_id and originals
 * in `external` and the next. Absent where there is no UUID. */
conv_bytes conv__sqlite_copy_name(conv__sqlite_query *query, int id, int external,
                                  conv__arena *arena);

/* Appends the row under the query, restored, to a list that has room for `capacity` rows; the list
 * grows in the arena. */
void conv__sqlite_append_message(conv__sqlite_query *query, conv__arena *arena,
                                 conv__message_list *list, size_t *capacity);

void conv__sqlite_append_history(conv__sqlite_query *query, conv__arena *arena,
                                 conv__message_list *list, size_t *capacity);

/* Reads the row under the query, restored but for the spelling of its ids. */
void conv__sqlite_read_usage_row(conv__sqlite_query *query, conv__arena *arena,
                                 conv__usage_row *row);

/* Room for one more element of `size` bytes in an array of the arena, zeroed; NULL when out of
 * memory. `elements` may move. */
void *conv__sqlite_grow(conv__arena *arena, void **elements, size_t count, size_t *capacity,
                        size_t size);

#endif
