/* Sessions as a whole: the rules around their rows. */
#include "services/sessions.h"

#include "core/error.h"
#include "core/memory.h"
#include "core/text.h"
#include "core/time.h"
#include "repositories/chat.h"
#include "repositories/sessions.h"
#include "services/question.h"

enum { DEFAULT_LIMIT = 50, MAX_LIMIT = 1000, TAG_BYTES = 100 };

struct conv_session_page {
    conv__arena arena; /* everything in the list lives here */
    conv__session_list list;
};

/* What the questions below work on. */
typedef struct session_work {
    const conv__session_row *row;
    conv_uuid session_id;
    conv__session_query query;
    conv__session_list *list;
    conv_bytes tag;
    bool present;
    int64_t archived_us;
    bool found;
} session_work;

static conv_status ask_for_page(conv__store *store, conv__ask_mode mode, int64_t deadline_ns,
                                conv__question question, session_work *work, const char *action,
                                conv_session_page **page, conv_error *error)
{
    conv_session_page *made = conv__allocate(sizeof *made);
    if (made == NULL) return conv__fail_memory(error, action);
    work->list = &made->list;
    conv_status status = conv__ask(store, mode, deadline_ns, question, &made->arena, work, error);
    if (status == CONV_OK)
        *page = made;
    else
        conv_session_page_free(made);
    return status;
}

static conv_status no_session(conv_error *error, const char *action)
{
    return conv__fail(error, CONV_NOT_FOUND, action, "there is no session with this id");
}

static conv_status read(conv__transaction *transaction, conv__arena *arena, void *context,
                        conv_error *error)
{
    session_work *work = context;
    conv__chat_repository *chat = transaction->store->chat;
    return chat->functions->read_session(chat, transaction, work->session_id, arena, work->list,
                                         error);
}

/* In one transaction: what can't be read, and so not be told of, is not made either. */
static conv_status create(conv__transaction *transaction, conv__arena *arena, void *context,
                          conv_error *error)
{
    session_work *work = context;
    conv__chat_repository *chat = transaction->store->chat;
    conv_status status = chat->functions->create_session(chat, transaction, work->row, error);
    return status == CONV_OK ? read(transaction, arena, context, error) : status;
}

static conv_status update(conv__transaction *transaction, conv__arena *arena, void *context,
                          conv_error *error)
{
    (void)arena;
    session_work *work = context;
    conv__chat_repository *chat = transaction->store->chat;
    return chat->functions->update_session(chat, transaction, work->row, &work->found, error);
}

static conv_status list(conv__transaction *transaction, conv__arena *arena, void *context,
                        conv_error *error)
{
    session_work *work = context;
    conv__chat_repository *chat = transaction->store->chat;
    return chat->functions->list_sessions(chat, transaction, &work->query, arena, work->list,
                                          error);
}

static conv_status tag(conv__transaction *transaction, conv__arena *arena, void *context,
                       conv_error *error)
{
    session_work *work = context;
    conv__session_repository *sessions = transaction->store->sessions;
    (void)arena;
    return sessions->functions->set_tag(sessions, transaction, work->session_id, work->tag,
                                        work->present, &work->found, error);
}

static conv_status archive(conv__transaction *transaction, conv__arena *arena, void *context,
                           conv_error *error)
{
    session_work *work = context;
    conv__session_repository *sessions = transaction->store->sessions;
    (void)arena;
    return sessions->functions->set_archived(sessions, transaction, work->session_id,
                                             work->archived_us, &work->found, error);
}

/* The row that parameters describe; its bytes live in the arena or with the caller. */
static conv_status make_row(conv__arena *arena, const conv_session_params *params,
                            const char *action, conv__session_row *row, conv_error *error)
{
    if (params == NULL || params->size != sizeof *params)
        return conv__fail(error, CONV_INVALID_ARGUMENT, action,
                          "the parameters were not begun with CONV_SESSION_PARAMS_INIT");
    conv_status status =
        conv__session_to_row(arena, conv_text(params->session_id), conv_text(params->user_id),
                             conv_text(params->title), conv_text(params->metadata), row, error);
    if (status != CONV_OK) return status;
    if (params->session_id == NULL) row->session_id = conv_uuid_v7();
    row->created_us = conv__now_us();
    return CONV_OK;
}

conv_status conv__sessions_create(conv__store *store, int64_t deadline_ns,
                                  const conv_session_params *params, bool *created,
                                  conv_session_page **session, conv_error *error)
{
    static const char action[] = "create session";
    conv__arena arena = {0};
    conv__session_row row = {0};
    conv_status status = make_row(&arena, params, action, &row, error);
    if (status == CONV_OK) {
        session_work work = {.row = &row, .session_id = row.session_id};
        status = ask_for_page(store, CONV__ASK_WRITE, deadline_ns, create, &work, action, session,
                              error);
        /* One that was there has an earlier time. */
        *created = status == CONV_OK && (*session)->list.sessions[0].created_us == row.created_us;
    }
    conv__arena_reset(&arena);
    return status;
}

conv_status conv__sessions_get(conv__store *store, int64_t deadline_ns, const char *session_id,
                               conv_session_page **session, conv_error *error)
{
    static const char action[] = "read session";
    if (session_id == NULL)
        return conv__fail(error, CONV_INVALID_ARGUMENT, action, "no session id was given");
    session_work work = {.session_id = conv_uuid_ensure(conv_text(session_id))};
    return ask_for_page(store, CONV__ASK_READ, deadline_ns, read, &work, action, session, error);
}

conv_status conv__sessions_update(conv__store *store, int64_t deadline_ns,
                                  const conv_session_params *params, conv_error *error)
{
    static const char action[] = "update session";
    conv__arena arena = {0};
    conv__session_row row = {0};
    conv_status status = make_row(&arena, params, action, &row, error);
    if (status == CONV_OK && params->session_id == NULL)
        status = conv__fail(error, CONV_INVALID_ARGUMENT, action, "no session id was given");
    if (status == CONV_OK) {
        session_work work = {.row = &row};
        status = conv__ask(store, CONV__ASK_WRITE, deadline_ns, update, NULL, &work, error);
        if (status == CONV_OK && !work.found) status = no_session(error, action);
    }
    conv__arena_reset(&arena);
    return status;
}

static bool is_tag(conv_bytes text)
{
    if (text.size < 1 || text.size > TAG_BYTES || !conv__utf8_is_valid(text)) return false;
    for (size_t i = 0; i < text.size; i++)
        if ((unsigned char)text.data[i] < 0x20 || text.data[i] == 0x7F) return false;
    return true;
}

conv_status conv__sessions_list(conv__store *store, int64_t deadline_ns,
                                const conv_session_filter *filter, conv_session_page **page,
                                conv_error *error)
{
    static const char action[] = "list sessions";
    static const conv_session_filter everything = CONV_SESSION_FILTER_INIT;
    if (filter == NULL) filter = &everything;
    if (filter->size != sizeof *filter)
        return conv__fail(error, CONV_INVALID_ARGUMENT, action,
                          "the filter was not begun with CONV_SESSION_FILTER_INIT");
    if (filter->limit > MAX_LIMIT)
        return conv__fail(error, CONV_INVALID_ARGUMENT, action, "limit is over 1000");
    if ((unsigned)filter->archived > CONV_ARCHIVED_TOO)
        return conv__fail(error, CONV_INVALID_ARGUMENT, action,
                          "archived is none of conv_archived");
    /* No session has a tag that can't be given. */
    if (filter->tag.data != NULL && !is_tag(filter->tag))
        return conv__fail(error, CONV_INVALID_ARGUMENT, action,
                          "a tag is 1 to 100 bytes of UTF-8 without control characters");
    session_work work = {.query = {.limit = filter->limit > 0 ? filter->limit : DEFAULT_LIMIT,
                                   .after_us = filter->after_us,
                                   .after_id = filter->after_id,
                                   .tag = filter->tag,
                                   .archived = filter->archived}};
    if (filter->user_id.data != NULL) work.query.user_id = conv_uuid_ensure(filter->user_id);
    return ask_for_page(store, CONV__ASK_READ, deadline_ns, list, &work, action, page, error);
}

static conv_status change(conv__store *store, int64_t deadline_ns, conv__question question,
                          const char *session_id, session_work *work, const char *action,
                          conv_error *error)
{
    if (session_id == NULL)
        return conv__fail(error, CONV_INVALID_ARGUMENT, action, "no session id was given");
    work->session_id = conv_uuid_ensure(conv_text(session_id));
    conv_status status =
        conv__ask(store, CONV__ASK_WRITE, deadline_ns, question, NULL, work, error);
    if (status != CONV_OK) return status;
    return work->found ? CONV_OK : no_session(error, action);
}

conv_status conv__sessions_tag(conv__store *store, int64_t deadline_ns, const char *session_id,
                               const char *text, bool present, conv_error *error)
{
    const char *action = present ? "tag session" : "untag session";
    session_work work = {.tag = conv_text(text), .present = present};
    if (!is_tag(work.tag))
        return conv__fail(error, CONV_INVALID_ARGUMENT, action,
                          "a tag is 1 to 100 bytes of UTF-8 without control characters");
    return change(store, deadline_ns, tag, session_id, &work, action, error);
}

conv_status conv__sessions_archive(conv__store *store, int64_t deadline_ns, const char *session_id,
                                   bool archived, conv_error *error)
{
    session_work work = {.archived_us = archived ? conv__now_us() : 0};
    const char *action = archived ? "archive session" : "unarchive session";
    return change(store, deadline_ns, archive, session_id, &work, action, error);
}

size_t conv_session_page_count(const conv_session_page *page)
{
    return page->list.count;
}

const conv_session *conv_session_page_session(const conv_session_page *page, size_t index)
{
    return index < page->list.count ? &page->list.sessions[index] : NULL;
}

bool conv_session_page_has_more(const conv_session_page *page)
{
    return page->list.has_more;
}

void conv_session_page_free(conv_session_page *page)
{
    if (page == NULL) return;
    conv__arena_reset(&page->arena);
    conv__release(page);
}
