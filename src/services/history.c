/* Pages of messages. */
#include "services/history.h"

#include "core/error.h"
#include "core/memory.h"
#include "repositories/chat.h"
#include "repositories/sessions.h"
#include "services/question.h"

#define ACTION "read history"

enum { DEFAULT_LIMIT = 100, MAX_LIMIT = 1000 };

struct conv_history {
    conv__arena arena; /* everything below lives here */
    conv_message *messages;
    conv_uuid *parents; /* of each */
    size_t count;
    bool has_more;
};

typedef struct history_work {
    conv__history_query query;
    conv_uuid last; /* of a branch */
    conv_uuid message_id;
    conv__message_list list;
} history_work;

/* An empty page of a session is an answer, an unknown session is a mistake. */
static conv_status found_or_session(const history_work *work, conv__transaction *transaction,
                                    conv__arena *arena, conv_error *error)
{
    conv__chat_repository *chat = transaction->store->chat;
    conv__session_list session = {0};
    if (work->list.count > 0) return CONV_OK;
    return chat->functions->read_session(chat, transaction, work->query.session_id, arena, &session,
                                         error);
}

static conv_status read_page(conv__transaction *transaction, conv__arena *arena, void *context,
                             conv_error *error)
{
    history_work *work = context;
    conv__chat_repository *chat = transaction->store->chat;
    conv_status status =
        chat->functions->read_history(chat, transaction, &work->query, arena, &work->list, error);
    return status == CONV_OK ? found_or_session(work, transaction, arena, error) : status;
}

static conv_status read_branch(conv__transaction *transaction, conv__arena *arena, void *context,
                               conv_error *error)
{
    history_work *work = context;
    conv__session_repository *sessions = transaction->store->sessions;
    const conv__branch_query query = {.session_id = work->query.session_id,
                                      .last = work->last,
                                      .after = work->query.after,
                                      .before = work->query.before,
                                      .limit = work->query.limit};
    conv__branch branch = {.found = false};
    conv_status status =
        sessions->functions->read_branch(sessions, transaction, &query, arena, &branch, error);
    if (status != CONV_OK) return status;
    work->list = branch.messages;
    if (!branch.found)
        return conv__fail(error, CONV_NOT_FOUND, ACTION, "the session has no message with this id");
    return found_or_session(work, transaction, arena, error);
}

static conv_status list_branches(conv__transaction *transaction, conv__arena *arena, void *context,
                                 conv_error *error)
{
    history_work *work = context;
    conv__session_repository *sessions = transaction->store->sessions;
    conv_status status = sessions->functions->list_branches(
        sessions, transaction, work->query.session_id, arena, &work->list, error);
    return status == CONV_OK ? found_or_session(work, transaction, arena, error) : status;
}

static conv_status read_one(conv__transaction *transaction, conv__arena *arena, void *context,
                            conv_error *error)
{
    history_work *work = context;
    conv__chat_repository *chat = transaction->store->chat;
    return chat->functions->read_message(chat, transaction, work->message_id, arena, &work->list,
                                         error);
}

static conv_status take_list(conv_history *history, const conv__message_list *list)
{
    history->messages =
        conv__arena_allocate(&history->arena, (list->count + 1) * sizeof *history->messages);
    history->parents =
        conv__arena_allocate(&history->arena, (list->count + 1) * sizeof *history->parents);
    if (history->messages == NULL || history->parents == NULL) return CONV_NO_MEMORY;
    for (size_t i = 0; i < list->count; i++) {
        history->messages[i] = list->rows[i].message;
        history->parents[i] = list->rows[i].parent_id;
    }
    history->count = list->count;
    history->has_more = list->has_more;
    return CONV_OK;
}

static conv_status ask(conv__store *store, int64_t deadline_ns, conv__question question,
                       history_work *work, conv_history **history, conv_error *error)
{
    conv_history *made = conv__allocate(sizeof *made);
    if (made == NULL) return conv__fail_memory(error, ACTION);
    conv_status status =
        conv__ask(store, CONV__ASK_READ, deadline_ns, question, &made->arena, work, error);
    if (status == CONV_OK && take_list(made, &work->list) != CONV_OK)
        status = conv__fail_memory(error, ACTION);
    if (status == CONV_OK)
        *history = made;
    else
        conv_history_free(made);
    return status;
}

static const char *what_is_wrong(const conv_history_params *params)
{
    if (params == NULL || params->size != sizeof *params)
        return "the parameters were not begun with CONV_HISTORY_PARAMS_INIT";
    if (params->session_id == NULL) return "no session id was given";
    if (params->limit > MAX_LIMIT) return "limit is over 1000";
    if (params->after < 0 || params->before < 0) return "a position is negative";
    if (params->after > 0 && params->before > 0) return "after and before exclude each other";
    if (!params->branch && !conv_uuid_is_nil(params->last)) return "last is for a branch";
    return NULL;
}

conv_status conv__history_read(conv__store *store, int64_t deadline_ns,
                               const conv_history_params *params, conv_history **history,
                               conv_error *error)
{
    const char *wrong = what_is_wrong(params);
    if (wrong != NULL) return conv__fail(error, CONV_INVALID_ARGUMENT, ACTION, "%s", wrong);
    history_work work = {.query = {.session_id = conv_uuid_ensure(conv_text(params->session_id)),
                                   .after = params->after,
                                   .before = params->before,
                                   .limit = params->limit > 0 ? params->limit : DEFAULT_LIMIT},
                         .last = params->last};
    return ask(store, deadline_ns, params->branch ? read_branch : read_page, &work, history, error);
}

conv_status conv__history_branches(conv__store *store, int64_t deadline_ns, const char *session_id,
                                   conv_history **history, conv_error *error)
{
    if (session_id == NULL)
        return conv__fail(error, CONV_INVALID_ARGUMENT, "list branches", "no session id was given");
    history_work work = {.query = {.session_id = conv_uuid_ensure(conv_text(session_id))}};
    return ask(store, deadline_ns, list_branches, &work, history, error);
}

conv_status conv__history_message_by_id(conv__store *store, int64_t deadline_ns,
                                        conv_uuid message_id, conv_history **history,
                                        conv_error *error)
{
    history_work work = {.message_id = message_id};
    return ask(store, deadline_ns, read_one, &work, history, error);
}

size_t conv_history_count(const conv_history *history)
{
    return history->count;
}

const conv_message *conv_history_message(const conv_history *history, size_t index)
{
    return index < history->count ? &history->messages[index] : NULL;
}

conv_uuid conv_history_parent(const conv_history *history, size_t index)
{
    static const conv_uuid none;
    return index < history->count ? history->parents[index] : none;
}

bool conv_history_has_more(const conv_history *history)
{
    return history->has_more;
}

void conv_history_free(conv_history *history)
{
    if (history == NULL) return;
    conv__arena_reset(&history->arena);
    conv__release(history);
}
