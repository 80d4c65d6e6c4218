/* The chat repository on PostgreSQL: its functions, and all of its statements. */
#ifndef CONV__REPOSITORIES_POSTGRES_CHAT_H
#define CONV__REPOSITORIES_POSTGRES_CHAT_H

#include "db/postgres/statement.h"
#include "repositories/chat.h"

extern const conv__chat_repository_functions conv__postgres_chat_functions;

/* Each ends with a NULL name. */
extern const conv__statement conv__postgres_save_statements[];
extern const conv__statement conv__postgres_turn_statements[];
extern const conv__statement conv__postgres_history_statements[];
extern const conv__statement conv__postgres_session_statements[];

/* The functions, each in the file of its statements. */
conv_status conv__postgres_save_exchanges(conv__chat_repository *chat,
                                          conv__transaction *transaction,
                                          const conv__exchange *const *exchanges, size_t count,
                                          conv__save_result *results, conv_error *error);
conv_status conv__postgres_remove_failed(conv__chat_repository *chat,
                                         conv__transaction *transaction,
                                         const conv__exchange *exchange, conv_error *error);
conv_status conv__postgres_find_exchanges(conv__chat_repository *chat,
                                          conv__transaction *transaction,
                                          const conv__exchange_key *keys, size_t count,
                                          conv__exchange_state *states, conv_error *error);
conv_status conv__postgres_read_turn(conv__chat_repository *chat, conv__transaction *transaction,
                                     const conv__turn_query *query, conv__arena *arena,
                                     conv__turn_state *state, conv_error *error);
conv_status conv__postgres_read_history(conv__chat_repository *chat, conv__transaction *transaction,
                                        const conv__history_query *query, conv__arena *arena,
                                        conv__message_list *list, conv_error *error);
conv_status conv__postgres_read_message(conv__chat_repository *chat, conv__transaction *transaction,
                                        conv_uuid message_id, conv__arena *arena,
                                        conv__message_list *list, conv_error *error);
conv_status conv__postgres_create_session(conv__chat_repository *chat,
                                          conv__transaction *transaction,
                                          const conv__session_row *row, conv_error *error);
conv_status conv__postgres_read_session(conv__chat_repository *chat, conv__transaction *transaction,
                                        conv_uuid session_id, conv__arena *arena,
                                        conv__session_list *list, conv_error *error);
conv_status conv__postgres_update_session(conv__chat_repository *chat,
                                          conv__transaction *transaction,
                                          const conv__session_row *row, bool *found,
                                          conv_error *error);
conv_status conv__postgres_list_sessions(conv__chat_repository *chat,
                                         conv__transaction *transaction,
                                         const conv__session_query *query, conv__arena *arena,
                                         conv__session_list *list, conv_error *error);
conv_status conv__postgres_delete_session(conv__chat_repository *chat,
                                          conv__transaction *transaction, conv_uuid session_id,
                                          int64_t deleted_us, conv_delete_receipt *receipt,
                                          conv_error *error);

/* Notes where exchanges of this transaction branch off; queued after their saving. */
conv_status conv__postgres_save_branches(conv__transaction *transaction,
                                         const conv__exchange *const *exchanges, size_t count,
                                         conv_error *error);

/* Whether this transaction has taken the row of session $1, or there is none: what it found when it
 * took it is there still. */
#define CONV__POSTGRES_SESSION_IS_OURS                                                             \
    "NOT EXISTS (SELECT FROM chat_sessions s WHERE s.session_id = $1::uuid"                        \
    " AND s.xmax <> pg_current_xact_id()::xid)"

/* Before a failed attempt is removed: what goes on after it goes on after what it went on after,
 * and its words are no longer to be found. */
conv_status conv__postgres_relink(conv__transaction *transaction, const conv__exchange *exchange,
                                  conv_error *error);

#endif
