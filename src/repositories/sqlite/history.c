/* Messages of a session, page by page. */
#include "core/error.h"
#include "repositories/sqlite/columns.h"
#include "repositories/sqlite/internal.h"

#define ACTION_HISTORY "read history"
#define ACTION_MESSAGE "read message"

enum { SELECT_AFTER, SELECT_BEFORE, SELECT_MESSAGE };

const conv__sqlite_statement conv__sqlite_history_statements[] = {
    [SELECT_AFTER] = {"SELECT " CONV__SQLITE_HISTORY_COLUMNS " FROM chat_messages m"
                      " WHERE m.session_id = ? AND m.position > ?"
                      " ORDER BY m.position LIMIT ?"},
    [SELECT_BEFORE] = {"SELECT " CONV__SQLITE_HISTORY_COLUMNS " FROM chat_messages m"
                       " WHERE m.session_id = ? AND m.position < ?"
                       " ORDER BY m.position DESC LIMIT ?"},
    [SELECT_MESSAGE] = {"SELECT " CONV__SQLITE_HISTORY_COLUMNS " FROM chat_messages m"
                        " WHERE m.message_id = ? LIMIT 1"},
    {NULL},
};

conv_status conv__sqlite_read_history(conv__chat_repository *chat, conv__transaction *transaction,
                                      const conv__history_query *question, conv__arena *arena,
                                      conv__message_list *list, conv_error *error)
{
    (void)chat;
    bool backwards = question->before > 0;
    size_t capacity = 0;
    *list = (conv__message_list){0};
    conv__sqlite_query query;
    conv__sqlite_prepare(&query, conv__sqlite_of(transaction),
                         &conv__sqlite_history_statements[backwards ? SELECT_BEFORE : SELECT_AFTER],
                         ACTION_HISTORY);
    conv__sqlite_bind_uuid(&query, question->session_id);
    conv__sqlite_bind_integer(&query, backwards ? question->before : question->after);
    conv__sqlite_bind_integer(&query, (int64_t)question->limit + 1);
    while (conv__sqlite_step(&query))
        conv__sqlite_append_history(&query, arena, list, &capacity);
    conv__message_list_cut(list, question->limit, backwards);
    return conv__sqlite_finish(&query, error);
}

conv_status conv__sqlite_read_message(conv__chat_repository *chat, conv__transaction *transaction,
                                      conv_uuid message_id, conv__arena *arena,
                                      conv__message_list *list, conv_error *error)
{
    (void)chat;
    size_t capacity = 0;
    *list = (conv__message_list){0};
    conv__sqlite_query query;
    conv__sqlite_prepare(&query, conv__sqlite_of(transaction),
                         &conv__sqlite_history_statements[SELECT_MESSAGE], ACTION_MESSAGE);
    conv__sqlite_bind_uuid(&query, message_id);
    while (conv__sqlite_step(&query))
        conv__sqlite_append_history(&query, arena, list, &capacity);
    conv_status status = conv__sqlite_finish(&query, error);
    if (status == CONV_OK && list->count == 0)
        return conv__fail(error, CONV_NOT_FOUND, ACTION_MESSAGE,
                          "there is no message with this id");
    return status;
}
