/* A turn from what the application gave to rows, and what becomes of its answer. Asks nobody. */
#include "services/call.h"

#include "core/error.h"
#include "core/time.h"
#include "providers/response.h"
#include "services/copy.h"
#include "services/exchange.h"
#include "services/reply.h"
#include "services/turn.h"

#define ACTION CONV__TURN_ACTION

conv_status conv__call_begin(conv_call *call, const conv__conversation *service,
                             conv__call_plan plan, const conv_turn *turn, conv_error *error)
{
    static const conv_usage nothing = CONV_USAGE_INIT;
    *call = (conv_call){.service = service, .plan = plan, .said = nothing, .step = ""};
    conv_status status = conv__turn_check_messages(turn, error);
    if (status != CONV_OK) return status;
    call->turn = *turn;
    call->provider = turn->provider != NULL ? turn->provider : service->provider;
    call->deadline_ns =
        conv__deadline_in_ms(turn->timeout_ms > 0 ? turn->timeout_ms : service->turn_timeout_ms);
    call->exchange.created_us = conv__now_us();
    call->reply = conv__reply_create();
    if (call->reply == NULL ||
        conv__turn_messages(&call->reply->arena, turn, call->exchange.created_us, &call->request,
                            &call->request_count) != CONV_OK)
        return conv__fail_memory(error, ACTION);
    call->turn.message = conv_text(NULL);
    call->turn.messages = call->request;
    call->turn.message_count = call->request_count;
    return CONV_OK;
}

void conv__call_end(conv_call *call)
{
    conv__provider_response_free(call->response);
    conv__arena_reset(&call->arena);
    conv__arena_reset(&call->read_arena);
}

static conv_status identify(conv_call *call, conv_error *error)
{
    const conv_turn *turn = &call->turn;
    conv__identity identity = {turn->session_id, turn->user_id, turn->turn_id, turn->title};
    return conv__exchange_identify(&call->reply->arena, &call->exchange, &identity,
                                   call->exchange.created_us, error);
}

conv_status conv__call_validate(conv_call *call, conv_error *error)
{
    if (call->validated) return CONV_OK;
    conv_status status = conv__turn_check(call->service, &call->turn, call->plan.asks, error);
    if (status == CONV_OK) status = identify(call, error);
    if (status != CONV_OK) return status;
    conv_uuid_format(call->exchange.session.session_id, call->reply->session_id);
    conv_uuid_format(call->exchange.exchange_id, call->reply->turn_id);
    call->validated = true;
    return CONV_OK;
}

conv_status conv__call_fix(conv_call *call, conv_error *error)
{
    if (call->fixed) return CONV_OK;
    conv_status status = conv__call_validate(call, error);
    if (status != CONV_OK) return status;
    /* Once more, because a step may have changed the title; the ids are those made before. */
    conv_uuid session_id = call->exchange.session.session_id;
    conv_uuid exchange_id = call->exchange.exchange_id;
    status = identify(call, error);
    call->exchange.session.session_id = session_id;
    call->exchange.exchange_id = exchange_id;
    /* Refuses what can't be saved before anybody is asked. */
    if (status == CONV_OK)
        status = conv__exchange_set_messages(&call->reply->arena, &call->exchange, call->request,
                                             call->request_count, NULL, 0, error);
    call->fixed = status == CONV_OK;
    return status;
}

conv_status conv__call_set_reply(conv_call *call, const conv_message *messages, size_t count,
                                 conv_error *error)
{
    conv_reply *reply = call->reply;
    conv__message_row unused;
    int64_t now = conv__now_us();
    for (size_t i = 0; i < count; i++) {
        conv_status status = conv__message_to_row(&call->arena, &messages[i], &unused, error);
        if (status != CONV_OK) return status;
    }
    if (conv__reply_set_messages(reply, messages, count) != CONV_OK)
        return conv__fail_memory(error, ACTION);
    for (size_t i = 0; i < count; i++) {
        conv__message_complete(&reply->messages[i], now);
        if (reply->messages[i].role == CONV_ROLE_ASSISTANT && reply->messages[i].model.data == NULL)
            reply->messages[i].model = call->answer_model;
    }
    return CONV_OK;
}

void conv__call_refuse(conv_call *call, const conv_error *why)
{
    call->reply->message_count = 0;
    call->reply->finish_reason = conv_text(NULL);
    call->answer = why->status;
    call->answer_error = *why;
}

void conv__call_settle(conv_call *call)
{
    conv_reply *reply = call->reply;
    bool ok = call->answer == CONV_OK;
    reply->status = ok                         ? CONV_OUTCOME_COMPLETE
                    : reply->message_count > 0 ? CONV_OUTCOME_INTERRUPTED
                                               : CONV_OUTCOME_FAILED;
    for (size_t i = 0; !ok && i < reply->message_count; i++)
        reply->messages[i].status = CONV_OUTCOME_INTERRUPTED;
}

void conv__call_announce(conv_call *call, const conv_error *error)
{
    const conv__announcer *announcer = &call->service->announcer;
    conv_reply *reply = call->reply;
    if (announcer->announce == NULL || !call->plan.announces || call->announced) return;
    if (reply->repeat) return; /* told before */
    /* A step before validate_ids may have ended the turn; what has no valid id is nobody's event.
     */
    if (conv__call_validate(call, NULL) != CONV_OK) return;
    if (error == NULL && call->answer != CONV_OK) error = &call->answer_error;
    conv__announcement announcement = {
        .exchange = &call->exchange,
        .reply = reply,
        .status = call->answered == CONV__ANSWERED_NOT ? CONV_OUTCOME_FAILED : reply->status,
        .saved = reply->saved,
        .error = error,
        .save = call->save_tried ? &call->save : NULL,
        .save_us = call->save_us};
    announcer->announce(announcer->context, &announcement);
    call->announced = true;
}
