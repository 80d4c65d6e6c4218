/* The table of the chat repository's functions on PostgreSQL. */
#include "repositories/postgres/chat.h"

const conv__chat_repository_functions conv__postgres_chat_functions = {
    .save = conv__postgres_save_exchanges,
    .remove_failed = conv__postgres_remove_failed,
    .find_exchanges = conv__postgres_find_exchanges,
    .read_turn = conv__postgres_read_turn,
    .read_history = conv__postgres_read_history,
    .read_message = conv__postgres_read_message,
    .create_session = conv__postgres_create_session,
    .read_session = conv__postgres_read_session,
    .update_session = conv__postgres_update_session,
    .list_sessions = conv__postgres_list_sessions,
    .delete_session = conv__postgres_delete_session,
};
