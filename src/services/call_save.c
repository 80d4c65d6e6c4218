/* Saving what a turn leaves: the usage record, and the exchange in one transaction with it. */
#include "services/call.h"

#include "core/error.h"
#include "core/time.h"
#include "services/context.h"
#include "services/exchange.h"
#include "services/reply.h"
#include "services/tracking.h"
#include "services/turn.h"

#define ACTION CONV__TURN_ACTION

static conv_bytes text_or(const char *text, const char *fallback)
{
    return conv_text(text != NULL ? text : fallback);
}

/* What the library knows by itself, whoever made the record. */
static void set_facts(conv_call *call, conv_usage *usage)
{
    const conv_turn *turn = &call->turn;
    if (conv_uuid_is_nil(usage->log_id)) usage->log_id = conv_uuid_v7();
    usage->created_us = call->exchange.created_us;
    usage->session_id = text_or(turn->session_id, call->reply->session_id);
    usage->user_id = conv_text(turn->user_id);
    usage->status = call->reply->status;
    usage->error =
        call->answer == CONV_OK ? conv_text(NULL) : conv_text(call->answer_error.message);
}

static void set_texts(conv_call *call, conv_usage *usage)
{
    const conv_turn *turn = &call->turn;
    const char *asked = turn->model != NULL ? turn->model : call->service->model;
    usage->user_email = conv_text(turn->user_email);
    usage->service = text_or(turn->service, "chat");
    usage->operation = text_or(turn->operation, "chat");
    if (usage->model.data == NULL)
        usage->model = call->answer_model.data != NULL ? call->answer_model : conv_text(asked);
    if (usage->provider.data == NULL) usage->provider = conv_text(call->answered_by);
    /* A step that answered may know how long that took; what was waited for is known here. */
    if (call->response != NULL) usage->latency_ms = call->reply->provider_us / 1000;
    usage->metadata = conv_text(turn->metadata);
}

void conv__call_draft_record(conv_call *call, conv_usage *usage)
{
    *usage = call->said;
    set_texts(call, usage);
    set_facts(call, usage);
    conv__usage_add_up(usage);
}

void conv__call_make_record(conv_call *call)
{
    if (call->has_record) return;
    conv__call_draft_record(call, &call->record);
    conv__prices_apply(call->service->prices, &call->record);
    call->has_record = true;
}

/* Without a step that made it, the record says that there was an exchange, and nothing of its cost.
 */
static void complete_record(conv_call *call)
{
    static const conv_usage nothing = CONV_USAGE_INIT;
    if (!call->has_record) {
        call->record = nothing;
        set_texts(call, &call->record);
        call->has_record = true;
    }
    set_facts(call, &call->record);
}

static conv_status set_rows(conv_call *call, conv_error *error)
{
    conv_reply *reply = call->reply;
    call->exchange.status = reply->status;
    /* A question without an answer must not come back as context. */
    for (size_t i = 0; reply->status == CONV_OUTCOME_FAILED && i < call->request_count; i++)
        call->request[i].status = CONV_OUTCOME_FAILED;
    conv_status status = conv__exchange_set_messages(&reply->arena, &call->exchange, call->request,
                                                     call->request_count, reply->messages,
                                                     reply->message_count, error);
    if (status != CONV_OK) return status;
    complete_record(call);
    if (conv__reply_set_usage(reply, &call->record) != CONV_OK)
        return conv__fail_memory(error, ACTION);
    return conv__exchange_set_usage(&reply->arena, &call->exchange, &reply->usage, error);
}

/* Asks for a summary where the session has outgrown its context. Nobody waits for it. */
static void offer_summary(const conv_call *call)
{
    const conv__conversation *service = call->service;
    size_t limit = conv__turn_context(service, &call->turn);
    int64_t tokens = call->uncovered_tokens;
    if (service->summarizer == NULL || limit == 0) return;
    for (size_t i = 0; i < call->request_count; i++)
        tokens += conv__message_tokens(&call->request[i]);
    for (size_t i = 0; i < call->reply->message_count; i++)
        tokens += conv__message_tokens(&call->reply->messages[i]);
    if (tokens >= service->summary_tokens || call->state.context.count >= limit)
        conv__summarizer_offer(service->summarizer, call->exchange.session.session_id);
}

/* Another answer was wanted and none came: there is no message to save, but what it cost. */
static conv_status keep_record(conv_call *call, conv_error *error)
{
    conv_error unused;
    conv_status status = conv__call_track(call, &unused);
    (void)status; /* the caller hears of the provider's failure */
    if (call->answer == CONV_OK)
        return conv__fail(error, CONV_PROVIDER, ACTION, "the provider gave no answer");
    *error = call->answer_error;
    return call->answer;
}

conv_status conv__call_save(conv_call *call, conv_error *error)
{
    call->saving = true;
    /* After a step that answered by itself it is still to be seen whether the turn id was answered
     * before; nobody needs the context any more. */
    if (!call->looked_up) call->context_set = true;
    conv_status status = conv__call_resolve(call, error);
    if (status != CONV_OK || call->answered == CONV__ANSWERED_BEFORE) return status;
    if (call->request_count + call->reply->message_count == 0) return keep_record(call, error);
    status = set_rows(call, error);
    if (status != CONV_OK) return status;
    int64_t begun = conv__monotonic_ns();
    conv__save *one = &call->save;
    *one = (conv__save){.exchange = &call->exchange,
                        .telling = call->plan.announces ? CONV__TELL_LATER : CONV__TELL_NOBODY,
                        .deadline_ns = conv__deadline_in_ms(call->service->store_timeout_ms)};
    status = conv__saving_save(call->service->saving, one, call->noted);
    call->save_us = (conv__monotonic_ns() - begun) / 1000;
    call->save_tried = true;
    call->reply->store_us += call->save_us;
    if (status != CONV_OK) {
        *error = one->error;
        return status;
    }
    /* The same turn was answered elsewhere meanwhile; what was kept first is the truth. */
    if (one->repeated) return conv__call_read_saved(call, one->journaled, error);
    call->reply->saved = one->journaled ? CONV_SAVED_JOURNALED : CONV_SAVED_COMMITTED;
    if (!one->journaled) offer_summary(call);
    return CONV_OK;
}

conv_status conv__call_track(conv_call *call, conv_error *error)
{
    conv_status status = conv__call_validate(call, error);
    if (status != CONV_OK) return status;
    conv__call_make_record(call);
    set_facts(call, &call->record);
    if (conv__reply_set_usage(call->reply, &call->record) != CONV_OK)
        return conv__fail_memory(error, ACTION);
    if (call->service->tracker == NULL) return CONV_OK;
    return conv__track_usage(call->service->tracker, NULL, &call->reply->usage, error);
}
