/* The public calls around sessions, what is in them and what is made of them. Each hands over to
 * its service, and tells what became true. */
#include "client_calls.h"

#include "conversation/history.h"
#include "conversation/search.h"
#include "conversation/session.h"
#include "conversation/summary.h"
#include "services/erase.h"
#include "services/history.h"
#include "services/search.h"
#include "services/sessions.h"

static conv_status create_session(conv_client *client, const conv_session_params *params,
                                  conv_session_page **session, conv_error *error)
{
    bool created = false;
    conv_status status =
        conv__sessions_create(client->store, deadline_of(client), params, &created, session, error);
    if (created)
        conv__client_tell_session(client, CONV_EVENT_SESSION_CREATED,
                                  conv_session_page_session(*session, 0)->session_id, CONV_UNKNOWN);
    return status;
}

conv_status conv_session_create(conv_client *client, const conv_session_params *params,
                                conv_session_page **session, conv_error *error)
{
    CALL_WITH_RESULT(client, "create session", session, error,
                     create_session(client, params, session, error));
}

conv_status conv_session_get(conv_client *client, const char *session_id,
                             conv_session_page **session, conv_error *error)
{
    CALL_WITH_RESULT(
        client, "read session", session, error,
        conv__sessions_get(client->store, deadline_of(client), session_id, session, error));
}

static conv_status tell_updated(conv_client *client, const char *session_id, conv_status status)
{
    if (status == CONV_OK)
        conv__client_tell_session(client, CONV_EVENT_SESSION_UPDATED,
                                  conv_uuid_ensure(conv_text(session_id)), CONV_UNKNOWN);
    return status;
}

conv_status conv_session_update(conv_client *client, const conv_session_params *params,
                                conv_error *error)
{
    CALL(client, "update session", error,
         tell_updated(client, params != NULL ? params->session_id : NULL,
                      conv__sessions_update(client->store, deadline_of(client), params, error)));
}

conv_status conv_session_list(conv_client *client, const conv_session_filter *filter,
                              conv_session_page **page, conv_error *error)
{
    CALL_WITH_RESULT(client, "list sessions", page, error,
                     conv__sessions_list(client->store, deadline_of(client), filter, page, error));
}

/* What the store has deleted is told also where the journal then failed. */
static conv_status delete_session(conv_client *client, const char *session_id,
                                  conv_delete_receipt *receipt, conv_error *error)
{
    conv_delete_receipt counts = {0};
    conv__document_listener listener = conv__client_listener(client);
    conv_status status = conv__session_delete(client->saving, &listener, deadline_of(client),
                                              session_id, &counts, error);
    if (receipt != NULL) *receipt = counts;
    if (counts.sessions + counts.documents + counts.journal > 0)
        conv__client_tell_session(client, CONV_EVENT_SESSION_DELETED,
                                  conv_uuid_ensure(conv_text(session_id)), counts.messages);
    return status;
}

conv_status conv_session_delete(conv_client *client, const char *session_id,
                                conv_delete_receipt *receipt, conv_error *error)
{
    CALL(client, "delete session", error, delete_session(client, session_id, receipt, error));
}

static conv_status erase_user(conv_client *client, const char *user_id, conv_erase_receipt *receipt,
                              conv_error *error)
{
    conv_erase_receipt made = {.pseudonym = {{0}}};
    conv__document_listener listener = conv__client_listener(client);
    conv_status status = conv__user_erase(client->saving, client->tracker, &listener,
                                          deadline_of(client), user_id, &made, error);
    if (receipt != NULL) *receipt = made;
    if (!conv_uuid_is_nil(made.pseudonym)) {
        conv_event event = conv__event_make(CONV_EVENT_USER_ERASED);
        event.user_id = conv_uuid_ensure(conv_text(user_id));
        event.message_count = made.removed.messages;
        conv__bus_emit(client->bus, &event);
    }
    return status;
}

conv_status conv_user_erase(conv_client *client, const char *user_id, conv_erase_receipt *receipt,
                            conv_error *error)
{
    CALL(client, "erase user", error, erase_user(client, user_id, receipt, error));
}

conv_status conv_session_tag(conv_client *client, const char *session_id, const char *tag,
                             conv_error *error)
{
    CALL(client, "tag session", error,
         tell_updated(
             client, session_id,
             conv__sessions_tag(client->store, deadline_of(client), session_id, tag, true, error)));
}

conv_status conv_session_untag(conv_client *client, const char *session_id, const char *tag,
                               conv_error *error)
{
    CALL(client, "untag session", error,
         tell_updated(client, session_id,
                      conv__sessions_tag(client->store, deadline_of(client), session_id, tag, false,
                                         error)));
}

conv_status conv_session_archive(conv_client *client, const char *session_id, bool archived,
                                 conv_error *error)
{
    CALL(client, archived ? "archive session" : "unarchive session", error,
         tell_updated(client, session_id,
                      conv__sessions_archive(client->store, deadline_of(client), session_id,
                                             archived, error)));
}

conv_status conv_search(conv_client *client, const conv_search_params *params,
                        conv_search_page **page, conv_error *error)
{
    CALL_WITH_RESULT(client, "search messages", page, error,
                     conv__search(client->store, client->store_timeout_ms, !client->read_only,
                                  params, page, error));
}

conv_status conv_search_index(conv_client *client, int64_t timeout_ms, bool *complete,
                              conv_error *error)
{
    CALL(client, "index messages", error,
         conv__search_index(client->store, conv__deadline_in_ms(timeout_ms > 0 ? timeout_ms : 0),
                            complete, error));
}

conv_status conv_summary_list(conv_client *client, const conv_summary_filter *filter,
                              conv_summary_page **page, conv_error *error)
{
    CALL_WITH_RESULT(client, "list summaries", page, error,
                     conv__summaries_list(client->store, deadline_of(client), filter, page, error));
}

static conv_status make_summary(conv_client *client, const char *session_id,
                                conv_summary_page **page, conv_error *error)
{
    conv_status status = conv__summaries_make(
        &client->summaries, conv_uuid_ensure(conv_text(session_id)), NULL, NULL, page, NULL, error);
    conv__summaries_tell(&client->summaries, *page, true);
    return status;
}

conv_status conv_summary_make(conv_client *client, const char *session_id, conv_summary_page **page,
                              conv_error *error)
{
    static const char action[] = "make summary";
    if (session_id == NULL)
        return conv__fail(error, CONV_INVALID_ARGUMENT, action, "no session id was given");
    CALL_WITH_RESULT(client, action, page, error, make_summary(client, session_id, page, error));
}

static conv_status count_summaries(conv_client *client, conv_summary_counts *counts)
{
    *counts = conv__summarizer_count(client->summarizer);
    return CONV_OK;
}

conv_status conv_summary_count(conv_client *client, conv_summary_counts *counts, conv_error *error)
{
    if (counts == NULL) return nowhere(error, "count summaries");
    CALL(client, "count summaries", error, count_summaries(client, counts));
}

conv_status conv_history_read(conv_client *client, const conv_history_params *params,
                              conv_history **history, conv_error *error)
{
    CALL_WITH_RESULT(
        client, "read history", history, error,
        conv__history_read(client->store, deadline_of(client), params, history, error));
}

conv_status conv_history_branches(conv_client *client, const char *session_id,
                                  conv_history **history, conv_error *error)
{
    CALL_WITH_RESULT(
        client, "list branches", history, error,
        conv__history_branches(client->store, deadline_of(client), session_id, history, error));
}

conv_status conv_history_message_by_id(conv_client *client, conv_uuid message_id,
                                       conv_history **history, conv_error *error)
{
    CALL_WITH_RESULT(client, "read message", history, error,
                     conv__history_message_by_id(client->store, deadline_of(client), message_id,
                                                 history, error));
}
