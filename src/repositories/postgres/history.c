/* Messages of a session, page by page. */
#include "core/error.h"
#include "repositories/postgres/chat.h"
#include "repositories/postgres/columns.h"
#include "repositories/postgres/transaction.h"

#define ACTION_HISTORY "read history"
#define ACTION_MESSAGE "read message"

enum { AFTER, BEFORE, BY_ID, STATEMENTS };

/* A page's messages mostly go on after the one before them, which is there; so only where a branch
 * begins something is looked up for a row, and `previous` once, for the first. */
#define PAGE_OF(previous, rest)                                                                    \
    "SELECT " CONV__POSTGRES_MESSAGE_COLUMNS                                                       \
    ", CASE WHEN (SELECT EXISTS (SELECT FROM chat_branches WHERE session_id = $1::uuid)) THEN"     \
    " " CONV__POSTGRES_BRANCH_PARENT " END, " previous                                             \
    " FROM chat_messages m WHERE m.session_id = $1::uuid AND m.position " rest " LIMIT $3::int8"

#define MESSAGE_BEFORE_PAGE                                                                        \
    "(SELECT o.message_id FROM chat_messages o WHERE o.session_id = $1::uuid"                      \
    " AND o.position <= $2::int8 ORDER BY o.position DESC LIMIT 1)"

const conv__statement conv__postgres_history_statements[] = {
    [AFTER] = {"conv_history_after", ACTION_HISTORY, 3, false,
               PAGE_OF(MESSAGE_BEFORE_PAGE, "> $2::int8 ORDER BY m.position")},
    [BEFORE] = {"conv_history_before", ACTION_HISTORY, 3, false,
                PAGE_OF("NULL::uuid", "< $2::int8 ORDER BY m.position DESC")},
    [BY_ID] = {"conv_history_message", ACTION_MESSAGE, 1, false,
               "SELECT " CONV__POSTGRES_HISTORY_COLUMNS " FROM chat_messages m"
               " WHERE m.message_id = $1::uuid LIMIT 1"},
    [STATEMENTS] = {NULL, NULL, 0, false, NULL},
};

typedef struct page {
    conv__arena *arena;
    conv__message_list *list;
    size_t limit;
    bool backwards;
} page;

/* Reads the parents of a page. A row that begins a branch says its own; of the others it is the row
 * before it in the session, which comes after it when the page is read backwards. */
static conv_status link_rows(const conv__result *result, const page *self)
{
    bool begins_branch = false;
    conv__message_row *rows = self->list->rows;
    for (size_t i = 0; i < self->list->count; i++) {
        conv__reader reader = conv__reader_at(result, i, NULL);
        reader.column = CONV__POSTGRES_MESSAGE_COLUMN_COUNT;
        conv_uuid before = i > 0 ? rows[i - 1].message.message_id : (conv_uuid){{0}};
        if (self->backwards && i > 0 && !begins_branch)
            rows[i - 1].parent_id = rows[i].message.message_id;
        begins_branch = !conv__next_is_null(&reader);
        rows[i].parent_id = conv__next_uuid(&reader);
        conv_uuid previous = conv__next_uuid(&reader);
        if (!self->backwards && !begins_branch) rows[i].parent_id = i > 0 ? before : previous;
        if (reader.status != CONV_OK) return reader.status;
    }
    return CONV_OK;
}

static conv_status receive_page(void *context, const conv__result *result, conv_error *error)
{
    page *self = context;
    (void)error;
    conv_status status = conv__postgres_read_messages(result, self->arena, self->list);
    if (status == CONV_OK) status = link_rows(result, self);
    if (status != CONV_OK) return status;
    conv__message_list_cut(self->list, self->limit, self->backwards);
    return CONV_OK;
}

static conv_status receive_message(void *context, const conv__result *result, conv_error *error)
{
    page *self = context;
    (void)error;
    return conv__postgres_read_history_rows(result, self->arena, self->list);
}

static conv_status ask(conv__transaction *transaction, int which, conv__parameters *parameters,
                       page *self, conv_error *error)
{
    conv_status status =
        conv__postgres_queue(transaction, &conv__postgres_history_statements[which], parameters,
                             which == BY_ID ? receive_message : receive_page, self, error);
    if (status != CONV_OK) return status;
    return conv__postgres_ask(transaction, error);
}

conv_status conv__postgres_read_history(conv__chat_repository *chat, conv__transaction *transaction,
                                        const conv__history_query *query, conv__arena *arena,
                                        conv__message_list *list, conv_error *error)
{
    (void)chat;
    bool backwards = query->before > 0;
    page self = {arena, list, query->limit, backwards};
    conv__parameters parameters = {.count = 0};
    *list = (conv__message_list){.count = 0};
    conv__parameter_uuid(&parameters, query->session_id);
    conv__parameter_int8(&parameters, backwards ? query->before : query->after);
    conv__parameter_int8(&parameters, (int64_t)query->limit + 1);
    return ask(transaction, backwards ? BEFORE : AFTER, &parameters, &self, error);
}

conv_status conv__postgres_read_message(conv__chat_repository *chat, conv__transaction *transaction,
                                        conv_uuid message_id, conv__arena *arena,
                                        conv__message_list *list, conv_error *error)
{
    (void)chat;
    page self = {arena, list, 1, false};
    conv__parameters parameters = {.count = 0};
    *list = (conv__message_list){.count = 0};
    conv__parameter_uuid(&parameters, message_id);
    conv_status status = ask(transaction, BY_ID, &parameters, &self, error);
    if (status == CONV_OK && list->count == 0)
        return conv__fail(error, CONV_NOT_FOUND, ACTION_MESSAGE,
                          "there is no message with this id");
    return status;
}
