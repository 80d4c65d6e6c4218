/* The session, search and summary repositories on PostgreSQL: their functions, and all of their
 * statements.
 */
#ifndef CONV__REPOSITORIES_POSTGRES_SESSIONS_H
#define CONV__REPOSITORIES_POSTGRES_SESSIONS_H

#include "db/postgres/statement.h"
#include "repositories/search.h"
#include "repositories/sessions.h"
#include "repositories/summaries.h"

extern const conv__session_repository_functions conv__postgres_session_functions;
extern const conv__search_repository_functions conv__postgres_search_functions;
extern const conv__summary_repository_functions conv__postgres_summary_functions;

/* How branches are read. $1 is the session, $2 the message that a branch ends with, $3 one that it
 * ends before; without both it ends with the session's last. A message without a row in
 * chat_branches follows the one before it, so a way back is made of stretches of the session: from
 * the row at or before a position to that position, and on from the row's parent. A parent always
 * stands before. */
#define CONV__POSTGRES_STRETCHES                                                                   \
    "WITH RECURSIVE ending AS ("                                                                   \
    " SELECT CASE WHEN $3::uuid IS NOT NULL THEN ("                                                \
    "   SELECT CASE WHEN b.position IS NULL"                                                       \
    "     THEN (SELECT max(o.position) FROM chat_messages o"                                       \
    "      WHERE o.session_id = $1::uuid AND o.position < m.position)"                             \
    "     ELSE (SELECT p.position FROM chat_messages p"                                            \
    "      WHERE p.message_id = b.parent_id AND p.session_id = $1::uuid) END"                      \
    "   FROM chat_messages m LEFT JOIN chat_branches b"                                            \
    "    ON b.session_id = m.session_id AND b.position = m.position"                               \
    "   WHERE m.message_id = $3::uuid AND m.session_id = $1::uuid)"                                \
    "  WHEN $2::uuid IS NOT NULL THEN (SELECT m.position FROM chat_messages m"                     \
    "   WHERE m.message_id = $2::uuid AND m.session_id = $1::uuid)"                                \
    "  ELSE (SELECT max(m.position) FROM chat_messages m WHERE m.session_id = $1::uuid)"           \
    "  END AS last"                                                                                \
    "), stretch AS ("                                                                              \
    " SELECT coalesce(b.position, 1) AS first, e.last, b.parent_id FROM ending e"                  \
    " LEFT JOIN LATERAL (SELECT position, parent_id FROM chat_branches"                            \
    "  WHERE session_id = $1::uuid AND position <= e.last ORDER BY position DESC LIMIT 1) b"       \
    " ON true WHERE e.last IS NOT NULL"                                                            \
    " UNION ALL"                                                                                   \
    " SELECT coalesce(b.position, 1), p.position, b.parent_id FROM stretch s"                      \
    " JOIN chat_messages p ON p.message_id = s.parent_id AND p.session_id = $1::uuid"              \
    "  AND p.position < s.first"                                                                   \
    " LEFT JOIN LATERAL (SELECT position, parent_id FROM chat_branches"                            \
    "  WHERE session_id = $1::uuid AND position <= p.position ORDER BY position DESC LIMIT 1) b"   \
    " ON true)"

/* Each ends with a NULL name. */
extern const conv__statement conv__postgres_label_statements[];
extern const conv__statement conv__postgres_branch_statements[];
extern const conv__statement conv__postgres_erase_statements[];
extern const conv__statement conv__postgres_search_statements[];
extern const conv__statement conv__postgres_summary_statements[];

/* The functions, each in the file of its statements. */
conv_status conv__postgres_read_branch(conv__session_repository *sessions,
                                       conv__transaction *transaction,
                                       const conv__branch_query *query, conv__arena *arena,
                                       conv__branch *branch, conv_error *error);
conv_status conv__postgres_list_branches(conv__session_repository *sessions,
                                         conv__transaction *transaction, conv_uuid session_id,
                                         conv__arena *arena, conv__message_list *list,
                                         conv_error *error);
conv_status conv__postgres_erase_user(conv__session_repository *sessions,
                                      conv__transaction *transaction, conv_uuid user_id,
                                      conv_uuid pseudonym, int64_t erased_us,
                                      conv_delete_receipt *receipt, conv__gone_documents *gone,
                                      conv_error *error);
conv_status conv__postgres_find_deleted(conv__session_repository *sessions,
                                        conv__transaction *transaction, const conv__accepted *items,
                                        size_t count, bool erased, bool *deleted,
                                        conv_error *error);
conv_status conv__postgres_erase_unsaved(conv__session_repository *sessions,
                                         conv__transaction *transaction,
                                         const conv__accepted *items, size_t count,
                                         conv_uuid pseudonym, int64_t *hidden, conv_error *error);

#endif
