/* What the files of this room share. All SQL stands in static tables at the top of its file. */
#ifndef CONV__REPOSITORIES_SQLITE_INTERNAL_H
#define CONV__REPOSITORIES_SQLITE_INTERNAL_H

#include "db/sqlite/query.h"
#include "repositories/chat.h"
#include "repositories/documents.h"
#include "repositories/store.h"
#include "repositories/usage.h"

/* The tables, each ended by a statement without SQL. */
extern const conv__sqlite_statement conv__sqlite_save_statements[];
extern const conv__sqlite_statement conv__sqlite_turn_statements[];
extern const conv__sqlite_statement conv__sqlite_history_statements[];
extern const conv__sqlite_statement conv__sqlite_session_statements[];
extern const conv__sqlite_statement conv__sqlite_usage_statements[];
extern const conv__sqlite_statement conv__sqlite_usage_sum_statements[];
extern const conv__sqlite_statement conv__sqlite_document_statements[];
extern const conv__sqlite_statement conv__sqlite_refresh_statements[];
extern const conv__sqlite_statement conv__sqlite_reconcile_statements[];

conv__sqlite *conv__sqlite_of(const conv__transaction *transaction);

/* The nil UUID, which stands in usage_logs where there is no session. */
#define CONV__SQLITE_NIL "'00000000-0000-0000-0000-000000000000'"

/* Of chat.h; save.c, turn.c, history.c, sessions.c. */
conv_status conv__sqlite_save_exchanges(conv__chat_repository *chat, conv__transaction *transaction,
                                        const conv__exchange *const *exchanges, size_t count,
                                        conv__save_result *results, conv_error *error);
conv_status conv__sqlite_remove_failed(conv__chat_repository *chat, conv__transaction *transaction,
                                       const conv__exchange *exchange, conv_error *error);
conv_status conv__sqlite_find_exchanges(conv__chat_repository *chat, conv__transaction *transaction,
                                        const conv__exchange_key *keys, size_t count,
                                        conv__exchange_state *states, conv_error *error);
conv_status conv__sqlite_read_turn(conv__chat_repository *chat, conv__transaction *transaction,
                                   const conv__turn_query *query, conv__arena *arena,
                                   conv__turn_state *state, conv_error *error);
conv_status conv__sqlite_read_history(conv__chat_repository *chat, conv__transaction *transaction,
                                      const conv__history_query *query, conv__arena *arena,
                                      conv__message_list *list, conv_error *error);
conv_status conv__sqlite_read_message(conv__chat_repository *chat, conv__transaction *transaction,
                                      conv_uuid message_id, conv__arena *arena,
                                      conv__message_list *list, conv_error *error);
conv_status conv__sqlite_create_session(conv__chat_repository *chat, conv__transaction *transaction,
                                        const conv__session_row *row, conv_error *error);
conv_status conv__sqlite_read_session(conv__chat_repository *chat, conv__transaction *transaction,
                                      conv_uuid session_id, conv__arena *arena,
                                      conv__session_list *list, conv_error *error);
conv_status conv__sqlite_update_session(conv__chat_repository *chat, conv__transaction *transaction,
                                        const conv__session_row *row, bool *found,
                                        conv_error *error);
conv_status conv__sqlite_list_sessions(conv__chat_repository *chat, conv__transaction *transaction,
                                       const conv__session_query *query, conv__arena *arena,
                                       conv__session_list *list, conv_error *error);
conv_status conv__sqlite_delete_session(conv__chat_repository *chat, conv__transaction *transaction,
                                        conv_uuid session_id, int64_t deleted_us,
                                        conv_delete_receipt *receipt, conv_error *error);

/* Of usage.h; usage.c, usage_sum.c, refresh.c, reconcile.c. */
conv_status conv__sqlite_save_usage(conv__usage_repository *usage, conv__transaction *transaction,
                                    const conv__usage_row *const *rows, size_t count,
                                    bool *inserted, conv_error *error);
conv_status conv__sqlite_query_usage(conv__usage_repository *usage, conv__transaction *transaction,
                                     const conv__usage_query *query, conv__arena *arena,
                                     conv__usage_list *list, conv_error *error);
conv_status conv__sqlite_sum_usage(conv__usage_repository *usage, conv__transaction *transaction,
                                   const conv__usage_query *query, conv_usage_group group,
                                   conv__arena *arena, conv__usage_total_list *list,
                                   conv_error *error);
conv_status conv__sqlite_refresh_usage(conv__usage_repository *usage,
                                       conv__transaction *transaction, conv__refresh *refresh,
                                       conv_error *error);
conv_status conv__sqlite_reconcile_usage(conv__usage_repository *usage,
                                         conv__transaction *transaction, size_t limit,
                                         conv__arena *arena, conv__reconciliation *result,
                                         conv_error *error);

/* Of documents.h; documents.c. */
conv_status conv__sqlite_insert_document(conv__document_repository *documents,
                                         conv__transaction *transaction,
                                         const conv__document_row *row, bool *inserted,
                                         conv_error *error);
conv_status conv__sqlite_read_document(conv__document_repository *documents,
                                       conv__transaction *transaction,
                                       const conv__document_key *key, conv__arena *arena,
                                       conv__document_list *list, conv_error *error);
conv_status conv__sqlite_list_documents(conv__document_repository *documents,
                                        conv__transaction *transaction,
                                        const conv__document_query *query, conv__arena *arena,
                                        conv__document_list *list, conv_error *error);
conv_status conv__sqlite_note_document(conv__document_repository *documents,
                                       conv__transaction *transaction,
                                       const conv__document_note *note, bool *saved, bool *found,
                                       conv_error *error);
conv_status conv__sqlite_remove_document(conv__document_repository *documents,
                                         conv__transaction *transaction,
                                         const conv__document_key *key,
                                         conv__removed_document *removed, conv_error *error);
conv_status conv__sqlite_remove_documents(conv__document_repository *documents,
                                          conv__transaction *transaction, conv_uuid session_id,
                                          conv__gone_documents *gone, conv_error *error);

/* Runs a deletion that returns document_id, session_id and user_id of each row; `gone` starts
 * afresh. */
CONV_WARN_UNUSED conv_status conv__sqlite_take_gone(conv__sqlite_query *query,
                                                    conv__gone_documents *gone, conv_error *error);

#endif
