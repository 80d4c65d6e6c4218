/* Asking the provider: the note in the journal before it, and what of its answer is taken over. No
 * connection to the store is held here. */
#include "services/call.h"

#include "core/error.h"
#include "core/time.h"
#include "providers/response.h"
#include "services/exchange.h"
#include "services/reply.h"
#include "services/turn.h"

#define ACTION CONV__TURN_ACTION

static conv_status note(conv_call *call, conv_error *error)
{
    conv__exchange noted = call->exchange;
    int64_t deadline = conv__deadline_in_ms(call->service->store_timeout_ms);
    /* Another answer to an old question says nothing that could be lost. */
    if (!call->plan.stores || call->request_count == 0) return CONV_OK;
    if (call->deadline_ns < deadline) deadline = call->deadline_ns;
    noted.status = CONV_OUTCOME_INTERRUPTED;
    conv_usage usage = CONV_USAGE_INIT;
    usage.log_id = conv_uuid_v7();
    usage.created_us = noted.created_us;
    usage.service = conv_text("chat");
    usage.operation = conv_text("chat");
    usage.status = CONV_OUTCOME_INTERRUPTED;
    conv_status status = conv__exchange_set_usage(&call->arena, &noted, &usage, error);
    if (status == CONV_OK)
        status = conv__saving_note(call->service->saving, &noted, deadline, error);
    call->noted = status == CONV_OK;
    return status;
}

static conv_status request_messages(conv_call *call, conv_provider_request *request)
{
    size_t count = call->context_count + call->request_count;
    conv_message *messages = conv__arena_allocate(&call->arena, count * sizeof *messages);
    if (messages == NULL) return CONV_NO_MEMORY;
    for (size_t i = 0; i < call->context_count; i++)
        messages[i] = call->context[i];
    for (size_t i = 0; i < call->request_count; i++)
        messages[call->context_count + i] = call->request[i];
    request->messages = messages;
    request->message_count = count;
    return CONV_OK;
}

static conv_status ask_provider(conv_call *call, conv_error *error)
{
    const conv_turn *turn = &call->turn;
    const char *model = turn->model != NULL ? turn->model : call->service->model;
    conv_provider_request request = {.size = sizeof request,
                                     .model = conv_text(model),
                                     .options = conv_text(turn->options),
                                     .stream = turn->on_delta != NULL,
                                     .timeout_ms = conv__deadline_left_ms(call->deadline_ns),
                                     .session_id = call->reply->session_id,
                                     .turn_id = call->reply->turn_id};
    if (request_messages(call, &request) != CONV_OK ||
        conv__provider_response_create(turn->on_delta, turn->delta_context, &call->response) !=
            CONV_OK)
        return conv__fail_memory(error, ACTION);
    if (request.timeout_ms == 0)
        call->answer = conv__fail(&call->answer_error, CONV_TIMEOUT, "ask provider",
                                  "the turn's deadline passed before the provider was asked");
    else
        call->answer = conv__provider_calls_ask(call->service->provider_calls, call->provider,
                                                &request, call->response, &call->reply->provider_us,
                                                &call->answer_error);
    return CONV_OK;
}

/* Takes over the answer's messages, as far as they came. */
static conv_status take_answer(conv_call *call, conv_error *error)
{
    size_t count = 0;
    const conv_message *messages = conv__provider_response_messages(call->response, &count);
    conv_reply *reply = call->reply;
    if (conv__arena_copy(&reply->arena, conv__provider_response_finish_reason(call->response),
                         &reply->finish_reason) != CONV_OK ||
        conv__arena_copy(&reply->arena, conv__provider_response_model(call->response),
                         &call->answer_model) != CONV_OK)
        return conv__fail_memory(error, ACTION);
    conv_status status = conv__call_set_reply(call, messages, count, error);
    if (status != CONV_OK) return status;
    call->said = *conv__provider_response_usage(call->response);
    call->answered = CONV__ANSWERED_BY_PROVIDER;
    call->answered_by = call->provider->functions->name;
    return CONV_OK;
}

conv_status conv__call_ask(conv_call *call, conv_error *error)
{
    conv_status status = conv__call_resolve(call, error);
    if (status != CONV_OK || call->answered == CONV__ANSWERED_BEFORE) return status;
    status = note(call, error);
    if (status == CONV_OK) status = ask_provider(call, error);
    if (status == CONV_OK) status = take_answer(call, error);
    if (status != CONV_OK || call->answer == CONV_OK) return status;
    *error = call->answer_error;
    return call->answer;
}
