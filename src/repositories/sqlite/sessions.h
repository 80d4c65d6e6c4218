/* The session, search and summary repositories on SQLite: their functions, and all of their
 * statements. */
#ifndef CONV__REPOSITORIES_SQLITE_SESSIONS_H
#define CONV__REPOSITORIES_SQLITE_SESSIONS_H

#include "repositories/search.h"
#include "repositories/sessions.h"
#include "repositories/sqlite/internal.h"
#include "repositories/summaries.h"

extern const conv__session_repository_functions conv__sqlite_session_functions;
extern const conv__search_repository_functions conv__sqlite_search_functions;
extern const conv__summary_repository_functions conv__sqlite_summary_functions;

/* The tables, each ended by a statement without SQL. */
extern const conv__sqlite_statement conv__sqlite_label_statements[];
extern const conv__sqlite_statement conv__sqlite_branch_statements[];
extern const conv__sqlite_statement conv__sqlite_erase_statements[];
extern const conv__sqlite_statement conv__sqlite_search_statements[];
extern const conv__sqlite_statement conv__sqlite_summary_statements[];

/* How branches are read. ?1 is the session, ?2 the message that a branch ends with, ?3 one that it
 * ends before; without both it ends with the session's last. A message without a row in
 * chat_branches follows the one before it, so a way back is made of stretches of the session: from
 * the row at or before a position to that position, and on from the row's parent. A parent always
 * stands before. */
#define CONV__SQLITE_STRETCH_TO(last)                                                              \
    "coalesce((SELECT position FROM chat_branches WHERE session_id = ?1 AND position <= " last     \
    " ORDER BY position DESC LIMIT 1), 1), " last                                                  \
    ", (SELECT parent_id FROM chat_branches WHERE session_id = ?1 AND position <= " last           \
    " ORDER BY position DESC LIMIT 1)"
#define CONV__SQLITE_STRETCH_TO_ENDING CONV__SQLITE_STRETCH_TO("ending.last")
#define CONV__SQLITE_STRETCH_TO_PARENT CONV__SQLITE_STRETCH_TO("p.position")

#define CONV__SQLITE_STRETCHES                                                                     \
    "WITH RECURSIVE ending (last) AS ("                                                            \
    " SELECT CASE WHEN ?3 IS NOT NULL THEN ("                                                      \
    "   SELECT CASE WHEN b.position IS NULL"                                                       \
    "     THEN (SELECT max(o.position) FROM chat_messages o"                                       \
    "      WHERE o.session_id = ?1 AND o.position < m.position)"                                   \
    "     ELSE (SELECT p.position FROM chat_messages p"                                            \
    "      WHERE p.message_id = b.parent_id AND p.session_id = ?1) END"                            \
    "   FROM chat_messages m LEFT JOIN chat_branches b"                                            \
    "    ON b.session_id = m.session_id AND b.position = m.position"                               \
    "   WHERE m.message_id = ?3 AND m.session_id = ?1)"                                            \
    "  WHEN ?2 IS NOT NULL THEN (SELECT m.position FROM chat_messages m"                           \
    "   WHERE m.message_id = ?2 AND m.session_id = ?1)"                                            \
    "  ELSE (SELECT max(m.position) FROM chat_messages m WHERE m.session_id = ?1) END"             \
    "), stretch (first, last, parent_id) AS ("                                                     \
    " SELECT " CONV__SQLITE_STRETCH_TO_ENDING " FROM ending WHERE ending.last IS NOT NULL"         \
    " UNION ALL"                                                                                   \
    " SELECT " CONV__SQLITE_STRETCH_TO_PARENT " FROM stretch"                                      \
    " JOIN chat_messages p ON p.message_id = stretch.parent_id AND p.session_id = ?1"              \
    "  AND p.position < stretch.first)"

/* What is indexed of the message m: the first 65,536 characters of its text, or of its parts'. */
#define CONV__SQLITE_INDEXED_TEXT                                                                  \
    "substr(coalesce(m.content, (SELECT group_concat(CASE p.type WHEN 'object'"                    \
    " THEN json_extract(p.value, '$.text') END, ' ') FROM json_each(m.parts) AS p), ''), 1,"       \
    " 65536)"
#define CONV__SQLITE_INDEXED_WORDS "search_words(" CONV__SQLITE_INDEXED_TEXT ")"

/* Takes the words of messages out of the index; the messages must still be there, because their
 * text says which words those are. `condition` chooses rows of chat_search x and chat_messages m.
 */
#define CONV__SQLITE_UNINDEX(condition)                                                            \
    "INSERT INTO chat_search_words (chat_search_words, rowid, words)"                              \
    " SELECT 'delete', x.search_id, " CONV__SQLITE_INDEXED_WORDS                                   \
    " FROM chat_search x JOIN chat_messages m"                                                     \
    " ON m.session_id = x.session_id AND m.position = x.position WHERE " condition

conv_status conv__sqlite_read_branch(conv__session_repository *sessions,
                                     conv__transaction *transaction,
                                     const conv__branch_query *query, conv__arena *arena,
                                     conv__branch *branch, conv_error *error);
conv_status conv__sqlite_list_branches(conv__session_repository *sessions,
                                       conv__transaction *transaction, conv_uuid session_id,
                                       conv__arena *arena, conv__message_list *list,
                                       conv_error *error);
conv_status conv__sqlite_erase_user(conv__session_repository *sessions,
                                    conv__transaction *transaction, conv_uuid user_id,
                                    conv_uuid pseudonym, int64_t erased_us,
                                    conv_delete_receipt *receipt, conv__gone_documents *gone,
                                    conv_error *error);
conv_status conv__sqlite_find_deleted(conv__session_repository *sessions,
                                      conv__transaction *transaction, const conv__accepted *items,
                                      size_t count, bool erased, bool *deleted, conv_error *error);
conv_status conv__sqlite_erase_unsaved(conv__session_repository *sessions,
                                       conv__transaction *transaction, const conv__accepted *items,
                                       size_t count, conv_uuid pseudonym, int64_t *hidden,
                                       conv_error *error);

/* Notes where an exchange that was just saved branches off. */
conv_status conv__sqlite_save_branch(conv__sqlite *connection, const conv__exchange *exchange,
                                     conv_error *error);

/* Before a failed attempt at these positions is removed: what goes on after it goes on after what
 * it went on after, and its words are no longer to be found. */
conv_status conv__sqlite_relink(conv__sqlite *connection, conv_uuid session_id, int64_t first,
                                int64_t beyond, conv_error *error);

#endif
