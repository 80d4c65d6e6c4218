/* The session and search repositories on PostgreSQL: their functions, and all of their statements.
 */
#ifndef CONV__REPOSITORIES_POSTGRES_SESSIONS_H
#define CONV__REPOSITORIES_POSTGRES_SESSIONS_H

#include "db/postgres/statement.h"
#include "repositories/search.h"
#include "repositories/sessions.h"

extern const conv__session_repository_functions conv__postgres_session_functions;
extern const conv__search_repository_functions conv__postgres_search_functions;

/* Each ends with a NULL name. */
extern const conv__statement conv__postgres_label_statements[];
extern const conv__statement conv__postgres_branch_statements[];
extern const conv__statement conv__postgres_erase_statements[];
extern const conv__statement conv__postgres_search_statements[];

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
                                      conv_delete_receipt *receipt, conv_error *error);
conv_status conv__postgres_find_deleted(conv__session_repository *sessions,
                                        conv__transaction *transaction, const conv__accepted *items,
                                        size_t count, bool *deleted, conv_error *error);

#endif
