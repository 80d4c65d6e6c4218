/* Deletions: first the store, in one transaction that also remembers what was deleted, then the
 * journal. A process that dies between the two brings nothing back: the journal asks the store
 * before it drains. */
#include "services/erase.h"

#include "core/error.h"
#include "core/time.h"
#include "repositories/documents.h"
#include "repositories/sessions.h"
#include "services/question.h"
#include "services/search.h"

typedef struct erase_work {
    const char *action;
    conv_uuid session_id;
    conv_uuid user_id;
    conv_uuid pseudonym;
    int64_t deleted_us;
    bool committed;
    conv_delete_receipt receipt;
    conv__gone_documents gone;
} erase_work;

static conv_status delete_session(conv__transaction *transaction, conv__arena *arena, void *context,
                                  conv_error *error)
{
    erase_work *work = context;
    conv__chat_repository *chat = transaction->store->chat;
    conv__document_repository *documents = transaction->store->documents;
    work->gone = (conv__gone_documents){.arena = arena};
    conv_status status = chat->functions->delete_session(chat, transaction, work->session_id,
                                                         work->deleted_us, &work->receipt, error);
    if (status != CONV_OK) return status;
    return documents->functions->remove_session(documents, transaction, work->session_id,
                                                &work->gone, error);
}

static conv_status erase_user(conv__transaction *transaction, conv__arena *arena, void *context,
                              conv_error *error)
{
    erase_work *work = context;
    conv__session_repository *sessions = transaction->store->sessions;
    work->gone = (conv__gone_documents){.arena = arena};
    return sessions->functions->erase_user(sessions, transaction, work->user_id, work->pseudonym,
                                           work->deleted_us, &work->receipt, &work->gone, error);
}

static void describe(const conv__gone_document *gone, conv__usage_row *row,
                     conv__document_news *news)
{
    *row = (conv__usage_row){.usage = CONV_USAGE_INIT,
                             .document_id = gone->key.document_id,
                             .session_id = gone->key.session_id,
                             .user = {.id = gone->user_id}};
    *news = (conv__document_news){CONV__DOCUMENT_DELETED, row, false};
}

/* Each is told: what a document is made of is kept elsewhere, by somebody who must hear of it. All
 * at once, or, without memory for that, one by one. */
static void tell_documents(const conv__document_listener *listener, conv__arena *arena,
                           const conv__gone_documents *gone)
{
    conv__usage_row *rows = conv__arena_allocate(arena, gone->count * sizeof *rows);
    conv__document_news *news = conv__arena_allocate(arena, gone->count * sizeof *news);
    bool together = rows != NULL && news != NULL;
    for (size_t i = 0; i < gone->count; i++) {
        conv__usage_row row;
        conv__document_news one;
        describe(&gone->rows[i], together ? &rows[i] : &row, together ? &news[i] : &one);
        if (!together) listener->hear(listener->context, &one, 1);
    }
    if (together) listener->hear(listener->context, news, gone->count);
}

/* Nothing is drained meanwhile, so that what is on its way to the store arrives before the deletion
 * or is found in the journal after it. */
static conv_status erase(conv__saving *saving, const conv__document_listener *listener,
                         int64_t deadline_ns, conv__question question, erase_work *work,
                         conv_error *error)
{
    conv__arena arena = {0};
    int64_t timeout_ms = conv__deadline_left_ms(deadline_ns);
    if (!conv__saving_hold_drain(saving, deadline_ns))
        return conv__fail(error, CONV_TIMEOUT, work->action,
                          "what waits in the journal was still on its way to the store when the "
                          "time was up; nothing was deleted, ask again");
    work->deleted_us = conv__now_us();
    conv_status status = conv__ask(conv__saving_store(saving), CONV__ASK_WRITE_ONCE, deadline_ns,
                                   question, &arena, work, error);
    work->committed = status == CONV_OK;
    if (work->committed) {
        work->receipt.documents = (int64_t)work->gone.count;
        const conv__forgetting what = {work->session_id, work->user_id, work->pseudonym,
                                       work->deleted_us};
        conv__forgotten forgotten;
        status = conv__saving_forget(saving, &what, deadline_ns, &forgotten, error);
        work->receipt.journal = forgotten.removed;
        work->receipt.usage_kept += forgotten.hidden;
    }
    conv__saving_release_drain(saving, deadline_ns);
    if (work->committed) tell_documents(listener, &arena, &work->gone);
    if (status == CONV_OK && work->receipt.messages > 0)
        status = conv__search_purge(conv__saving_store(saving), timeout_ms, error);
    conv__arena_reset(&arena);
    return status;
}

conv_status conv__session_delete(conv__saving *saving, const conv__document_listener *listener,
                                 int64_t deadline_ns, const char *session_id,
                                 conv_delete_receipt *receipt, conv_error *error)
{
    static const char action[] = "delete session";
    if (session_id == NULL)
        return conv__fail(error, CONV_INVALID_ARGUMENT, action, "no session id was given");
    erase_work work = {.action = action, .session_id = conv_uuid_ensure(conv_text(session_id))};
    conv_status status = erase(saving, listener, deadline_ns, delete_session, &work, error);
    if (work.committed && receipt != NULL) *receipt = work.receipt;
    if (status != CONV_OK) return status;
    if (work.receipt.sessions + work.receipt.documents + work.receipt.journal > 0) return CONV_OK;
    return conv__fail(error, CONV_NOT_FOUND, action, "there is no session with this id");
}

conv_status conv__user_erase(conv__saving *saving, conv__tracker *tracker,
                             const conv__document_listener *listener, int64_t deadline_ns,
                             const char *user_id, conv_erase_receipt *receipt, conv_error *error)
{
    static const char action[] = "erase user";
    if (user_id == NULL)
        return conv__fail(error, CONV_INVALID_ARGUMENT, action, "no user id was given");
    erase_work work = {.action = action,
                       .user_id = conv_uuid_ensure(conv_text(user_id)),
                       .pseudonym = conv_uuid_v4()};
    /* A buffered record would come with the user's id later. */
    conv_status status = conv__tracker_flush_user(tracker, work.user_id, deadline_ns, error);
    if (status == CONV_OK) status = erase(saving, listener, deadline_ns, erase_user, &work, error);
    const conv_delete_receipt *counts = &work.receipt;
    bool found = counts->sessions + counts->messages + counts->documents + counts->usage_kept +
                     counts->journal >
                 0;
    if (work.committed && found && receipt != NULL)
        *receipt = (conv_erase_receipt){*counts, work.pseudonym};
    if (status != CONV_OK || found) return status;
    return conv__fail(error, CONV_NOT_FOUND, action, "there is nothing of a user with this id");
}
