/* What a step sees of a turn, and how it changes it. Keeps to what the turn still allows. */
#include "conversation/middleware.h"

#include <string.h>

#include "core/error.h"
#include "core/time.h"
#include "services/call.h"
#include "services/copy.h"
#include "services/exchange.h"
#include "services/reply.h"
#include "services/turn.h"

#define ACTION "change turn"

static conv_status too_late(conv_error *error, const char *what)
{
    return conv__fail(error, CONV_STATE, ACTION, "%s", what);
}

static bool is_open(const conv_call *call)
{
    return !call->fixed && call->answered == CONV__ANSWERED_NOT;
}

const conv_turn *conv_call_turn(const conv_call *call)
{
    return &call->turn;
}

const char *conv_call_session_id(const conv_call *call)
{
    return call->reply->session_id;
}

const char *conv_call_turn_id(const conv_call *call)
{
    return call->reply->turn_id;
}

int64_t conv_call_time_left_ms(const conv_call *call)
{
    return conv__deadline_left_ms(call->deadline_ns);
}

void conv_call_limit_time(conv_call *call, int64_t timeout_ms)
{
    int64_t deadline = conv__deadline_in_ms(timeout_ms > 0 ? timeout_ms : 0);
    if (deadline < call->deadline_ns) call->deadline_ns = deadline;
}

static const char **field_of(conv_turn *turn, conv_call_field field)
{
    switch (field) {
    case CONV_CALL_SESSION_ID:
        return &turn->session_id;
    case CONV_CALL_USER_ID:
        return &turn->user_id;
    case CONV_CALL_TURN_ID:
        return &turn->turn_id;
    case CONV_CALL_TITLE:
        return &turn->title;
    case CONV_CALL_MODEL:
        return &turn->model;
    case CONV_CALL_OPTIONS:
        return &turn->options;
    case CONV_CALL_SERVICE:
        return &turn->service;
    case CONV_CALL_OPERATION:
        return &turn->operation;
    case CONV_CALL_USER_EMAIL:
        return &turn->user_email;
    case CONV_CALL_METADATA:
        return &turn->metadata;
    }
    return NULL;
}

conv_status conv_call_set(conv_call *call, conv_call_field field, const char *text,
                          conv_error *error)
{
    conv_bytes copy;
    const char **place = field_of(&call->turn, field);
    bool is_object = field == CONV_CALL_OPTIONS || field == CONV_CALL_METADATA;
    if (place == NULL)
        return conv__fail(error, CONV_INVALID_ARGUMENT, ACTION, "a turn has no such field");
    if (field <= CONV_CALL_TURN_ID && call->validated)
        return too_late(
            error, "the ids are made already: change them before validate_ids, and before redact "
                   "or whatever else reads the context");
    if (field <= CONV_CALL_OPTIONS && !is_open(call))
        return too_late(error, "the provider was asked already, or an answer given");
    if (call->saving) return too_late(error, "the exchange is saved already");
    if (is_object && !conv__turn_is_object(text))
        return conv__fail(error, CONV_INVALID_ARGUMENT, ACTION,
                          "options or metadata is not a JSON object");
    if (conv__arena_copy(&call->reply->arena, conv_text(text), &copy) != CONV_OK)
        return conv__fail_memory(error, ACTION);
    *place = copy.data;
    return CONV_OK;
}

static conv_status copy_messages(conv__arena *arena, const conv_message *messages, size_t count,
                                 conv_message **copies, conv_error *error)
{
    conv__message_row unused;
    conv_message *made = conv__arena_allocate(arena, (count + 1) * sizeof *made);
    if (made == NULL) return conv__fail_memory(error, ACTION);
    for (size_t i = 0; i < count; i++) {
        made[i] = messages[i];
        conv_status status = conv__message_to_row(arena, &messages[i], &unused, error);
        if (status != CONV_OK) return status;
        if (conv__copy_message(arena, &made[i]) != CONV_OK) return conv__fail_memory(error, ACTION);
    }
    *copies = made;
    return CONV_OK;
}

conv_status conv_call_set_messages(conv_call *call, const conv_message *messages, size_t count,
                                   conv_error *error)
{
    conv_message *copies = NULL;
    const conv_turn said = {.size = sizeof said, .messages = messages, .message_count = count};
    if (!is_open(call))
        return too_late(error, "the provider was asked already, or an answer given");
    conv_status status = conv__turn_check_messages(&said, error);
    if (status == CONV_OK)
        status = copy_messages(&call->reply->arena, messages, count, &copies, error);
    if (status != CONV_OK) return status;
    for (size_t i = 0; i < count; i++)
        conv__message_complete(&copies[i], call->exchange.created_us);
    call->request = copies;
    call->request_count = count;
    call->turn.messages = copies;
    call->turn.message_count = count;
    return CONV_OK;
}

conv_status conv_call_set_delta(conv_call *call, conv_delta_function on_delta, void *context,
                                conv_error *error)
{
    if (!is_open(call))
        return too_late(error, "the provider was asked already, or an answer given");
    call->turn.on_delta = on_delta;
    call->turn.delta_context = context;
    return CONV_OK;
}

conv_status conv_call_context(conv_call *call, const conv_message **messages, size_t *count,
                              conv_error *error)
{
    conv_error unused;
    *messages = NULL;
    *count = 0;
    conv_status status = conv__call_look_up(call, error != NULL ? error : &unused);
    if (status != CONV_OK) return status;
    *messages = call->context;
    *count = call->context_count;
    return CONV_OK;
}

conv_status conv_call_set_context(conv_call *call, const conv_message *messages, size_t count,
                                  conv_error *error)
{
    conv_message *copies = NULL;
    if (!is_open(call))
        return too_late(error, "the provider was asked already, or an answer given");
    conv_status status = copy_messages(&call->arena, messages, count, &copies, error);
    if (status != CONV_OK) return status;
    call->context = copies;
    call->context_count = count;
    call->context_set = true;
    return CONV_OK;
}

static conv_status check_reply(const conv_call *call, size_t count, conv_error *error)
{
    if (call->saving) return too_late(error, "the exchange is saved already");
    if (count == 0)
        return conv__fail(error, CONV_INVALID_ARGUMENT, ACTION,
                          "a reply has at least one message: refuse the turn instead");
    return CONV_OK;
}

conv_status conv_call_answer(conv_call *call, const conv_message *messages, size_t count,
                             const conv_usage *usage, conv_error *error)
{
    conv_usage said = call->said;
    conv__usage_row unused;
    conv_status status = check_reply(call, count, error);
    if (status != CONV_OK || call->answered == CONV__ANSWERED_BEFORE) return status;
    if (usage != NULL) {
        said = *usage;
        status = conv__usage_to_row(&call->arena, usage, &unused, error);
        if (status != CONV_OK) return status;
        if (conv__copy_usage(&call->reply->arena, &said) != CONV_OK)
            return conv__fail_memory(error, ACTION);
    }
    if (usage != NULL) call->answer_model = said.model;
    status = conv__call_set_reply(call, messages, count, error);
    if (status != CONV_OK) return status;
    call->said = said;
    call->answered = CONV__ANSWERED_BY_STEP;
    call->answered_by = call->step;
    call->answer = CONV_OK;
    return CONV_OK;
}

const conv_message *conv_call_reply(const conv_call *call, size_t *count)
{
    *count = call->reply->message_count;
    return *count > 0 ? call->reply->messages : NULL;
}

conv_status conv_call_set_reply(conv_call *call, const conv_message *messages, size_t count,
                                conv_error *error)
{
    conv_status status = check_reply(call, count, error);
    if (status != CONV_OK || call->answered == CONV__ANSWERED_BEFORE) return status;
    if (call->answered == CONV__ANSWERED_NOT) return too_late(error, "there is no reply yet");
    return conv__call_set_reply(call, messages, count, error);
}

bool conv_call_is_repeat(const conv_call *call)
{
    return call->answered == CONV__ANSWERED_BEFORE;
}

conv_saved conv_call_saved(const conv_call *call)
{
    return call->reply->saved;
}

const conv_usage *conv_call_usage(conv_call *call)
{
    if (call->has_record) return &call->record;
    conv__call_draft_record(call, &call->draft);
    return &call->draft;
}

conv_status conv_call_set_usage(conv_call *call, const conv_usage *usage, conv_error *error)
{
    conv_usage copy = *usage;
    conv__usage_row unused;
    if (call->saving) return too_late(error, "the exchange is saved already");
    conv_status status = conv__usage_to_row(&call->arena, usage, &unused, error);
    if (status != CONV_OK) return status;
    if (conv__copy_usage(&call->reply->arena, &copy) != CONV_OK)
        return conv__fail_memory(error, ACTION);
    call->record = copy;
    call->has_record = true;
    return CONV_OK;
}
