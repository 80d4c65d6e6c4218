/* save_exchange: an exchange whose reply the application already has. */
#include "services/conversation.h"

#include "core/error.h"
#include "core/time.h"
#include "services/exchange.h"
#include "services/reply.h"

#define ACTION "save exchange"

static conv_status check(const conv_exchange *exchange, conv_error *error)
{
    if (exchange == NULL || exchange->size != sizeof *exchange)
        return conv__fail(error, CONV_INVALID_ARGUMENT, ACTION,
                          "the exchange was not begun with CONV_EXCHANGE_INIT");
    if (exchange->message_count == 0 || exchange->messages == NULL)
        return conv__fail(error, CONV_INVALID_ARGUMENT, ACTION, "the exchange has no message");
    if (exchange->request_count > exchange->message_count)
        return conv__fail(error, CONV_INVALID_ARGUMENT, ACTION,
                          "request_count is greater than message_count");
    for (size_t i = 0; i < exchange->message_count; i++)
        if (exchange->messages[i].role < CONV_ROLE_SYSTEM ||
            exchange->messages[i].role > CONV_ROLE_TOOL)
            return conv__fail(error, CONV_INVALID_ARGUMENT, ACTION, "message %zu has no known role",
                              i + 1);
    return conv__created_check(exchange->created_us, error);
}

static size_t request_count(const conv_exchange *exchange)
{
    if (exchange->request_count > 0) return exchange->request_count;
    size_t count = 0;
    while (count < exchange->message_count && exchange->messages[count].role != CONV_ROLE_ASSISTANT)
        count++;
    return count;
}

/* Message ids and times that the application left open. */
static conv_status complete_messages(conv_reply *reply, const conv_exchange *exchange,
                                     int64_t created_us, conv_message **messages)
{
    conv_message *made =
        conv__arena_allocate(&reply->arena, exchange->message_count * sizeof *made);
    if (made == NULL) return CONV_NO_MEMORY;
    for (size_t i = 0; i < exchange->message_count; i++) {
        made[i] = exchange->messages[i];
        conv__message_complete(&made[i], created_us);
        /* A question without an answer must not come back as context. */
        if (exchange->status == CONV_OUTCOME_FAILED) made[i].status = CONV_OUTCOME_FAILED;
    }
    *messages = made;
    return CONV_OK;
}

static conv_status make_usage(const conv__conversation *service, const conv_exchange *exchange,
                              conv_reply *reply, conv__exchange *row, conv_error *error)
{
    conv_usage usage = exchange->usage;
    if (conv_uuid_is_nil(usage.log_id)) usage.log_id = conv_uuid_v7();
    if (usage.created_us == 0) usage.created_us = row->created_us;
    if (usage.service.data == NULL) usage.service = conv_text("chat");
    if (usage.operation.data == NULL) usage.operation = conv_text("chat");
    usage.session_id =
        conv_text(exchange->session_id != NULL ? exchange->session_id : reply->session_id);
    usage.user_id = conv_text(exchange->user_id);
    usage.status = exchange->status;
    conv__usage_add_up(&usage);
    conv__prices_apply(service->prices, &usage);
    if (conv__reply_set_usage(reply, &usage) != CONV_OK) return conv__fail_memory(error, ACTION);
    return conv__exchange_set_usage(&reply->arena, row, &reply->usage, error);
}

conv_status conv__prepare_exchange(const conv__conversation *service, const conv_exchange *exchange,
                                   conv_reply *reply, conv__exchange *row, conv_error *error)
{
    conv_message *messages = NULL;
    conv_status status = check(exchange, error);
    if (status != CONV_OK) return status;
    conv__identity identity = {exchange->session_id, exchange->user_id, exchange->turn_id,
                               exchange->title};
    int64_t created = exchange->created_us != 0 ? exchange->created_us : conv__now_us();
    size_t asked = request_count(exchange);
    size_t answered = exchange->message_count - asked;
    *row = (conv__exchange){.status = exchange->status,
                            .has_parent = !conv_uuid_is_nil(exchange->after),
                            .parent_id = exchange->after};
    status = conv__exchange_identify(&reply->arena, row, &identity, created, error);
    if (status != CONV_OK) return status;
    conv_uuid_format(row->session.session_id, reply->session_id);
    conv_uuid_format(row->exchange_id, reply->turn_id);
    if (complete_messages(reply, exchange, created, &messages) != CONV_OK)
        return conv__fail_memory(error, ACTION);
    status = conv__exchange_set_messages(&reply->arena, row, messages, asked, messages + asked,
                                         answered, error);
    if (status == CONV_OK) status = make_usage(service, exchange, reply, row, error);
    reply->messages = messages + asked;
    reply->message_count = answered;
    return status;
}

static conv_status save(const conv__conversation *service, const conv_exchange *exchange,
                        conv_reply *reply, conv_error *error)
{
    conv__exchange row;
    conv_status status = conv__prepare_exchange(service, exchange, reply, &row, error);
    if (status != CONV_OK) return status;
    /* Before it is saved: afterwards nothing may fail any more. */
    if (conv__reply_set_messages(reply, reply->messages, reply->message_count) != CONV_OK)
        return conv__fail_memory(error, ACTION);
    int64_t begun = conv__monotonic_ns();
    conv__save one = {.exchange = &row,
                      .compare_reply = true,
                      .deadline_ns = conv__deadline_in_ms(service->store_timeout_ms)};
    status = conv__saving_save(service->saving, &one, false);
    if (status != CONV_OK) {
        if (error != NULL) *error = one.error;
        return status;
    }
    reply->store_us = (conv__monotonic_ns() - begun) / 1000;
    reply->status = exchange->status;
    reply->saved = one.journaled ? CONV_SAVED_JOURNALED : CONV_SAVED_COMMITTED;
    reply->repeat = one.repeated;
    return CONV_OK;
}

conv_status conv__save_exchange(const conv__conversation *service, const conv_exchange *exchange,
                                conv_reply **reply, conv_error *error)
{
    conv_reply *made = NULL;
    if (reply != NULL) *reply = NULL;
    made = conv__reply_create();
    if (made == NULL) return conv__fail_memory(error, ACTION);
    conv_status status = save(service, exchange, made, error);
    if (status == CONV_OK && reply != NULL)
        *reply = made;
    else
        conv_reply_free(made);
    return status;
}
