/* What a turn left, for the caller. Only holds; decides nothing. */
#include "services/reply.h"

#include "core/error.h"
#include "services/copy.h"

conv_reply *conv__reply_create(void)
{
    return conv__allocate(sizeof(conv_reply));
}

conv_status conv__reply_set_messages(conv_reply *reply, const conv_message *messages, size_t count)
{
    reply->message_count = 0;
    conv_message *copies = conv__arena_allocate(&reply->arena, (count + 1) * sizeof *messages);
    if (copies == NULL) return CONV_NO_MEMORY;
    for (size_t i = 0; i < count; i++) {
        copies[i] = messages[i];
        if (conv__copy_message(&reply->arena, &copies[i]) != CONV_OK) return CONV_NO_MEMORY;
    }
    reply->messages = copies;
    reply->message_count = count;
    return CONV_OK;
}

conv_status conv__reply_set_usage(conv_reply *reply, const conv_usage *usage)
{
    reply->usage = *usage;
    return conv__copy_usage(&reply->arena, &reply->usage);
}

conv_status conv__reply_set_saved(conv_reply *reply, const conv__turn_state *state,
                                  size_t request_count, conv_error *error)
{
    size_t count = state->saved.count;
    size_t first = request_count < count ? request_count : count;
    conv_message *messages = conv__arena_allocate(&reply->arena, (count + 1) * sizeof *messages);
    if (messages == NULL) return conv__fail_memory(error, "read saved reply");
    for (size_t i = first; i < count; i++)
        messages[i - first] = state->saved.rows[i].message;
    if (conv__reply_set_messages(reply, messages, count - first) != CONV_OK ||
        conv__reply_set_usage(reply, &state->usage.usage) != CONV_OK)
        return conv__fail_memory(error, "read saved reply");
    reply->status = state->exchange.status;
    reply->finish_reason = conv_text(NULL);
    reply->saved = CONV_SAVED_COMMITTED;
    reply->repeat = true;
    return CONV_OK;
}

const char *conv_reply_session_id(const conv_reply *reply)
{
    return reply->session_id;
}

const char *conv_reply_turn_id(const conv_reply *reply)
{
    return reply->turn_id;
}

const char *conv_reply_text(const conv_reply *reply)
{
    for (size_t i = reply->message_count; i > 0; i--) {
        const conv_message *message = &reply->messages[i - 1];
        if (message->role == CONV_ROLE_ASSISTANT)
            return message->content.data != NULL ? message->content.data : "";
    }
    return "";
}

size_t conv_reply_message_count(const conv_reply *reply)
{
    return reply->message_count;
}

const conv_message *conv_reply_message(const conv_reply *reply, size_t index)
{
    return index < reply->message_count ? &reply->messages[index] : NULL;
}

const conv_usage *conv_reply_usage(const conv_reply *reply)
{
    return &reply->usage;
}

const char *conv_reply_finish_reason(const conv_reply *reply)
{
    return reply->finish_reason.data;
}

conv_outcome conv_reply_status(const conv_reply *reply)
{
    return reply->status;
}

conv_saved conv_reply_saved(const conv_reply *reply)
{
    return reply->saved;
}

bool conv_reply_is_repeat(const conv_reply *reply)
{
    return reply->repeat;
}

int64_t conv_reply_provider_us(const conv_reply *reply)
{
    return reply->provider_us;
}

int64_t conv_reply_store_us(const conv_reply *reply)
{
    return reply->store_us;
}

void conv_reply_free(conv_reply *reply)
{
    if (reply == NULL) return;
    conv__arena_reset(&reply->arena);
    conv__release(reply);
}
