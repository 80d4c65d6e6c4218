/* What a provider answers, gathered while it comes. Knows nothing of wires or stores. */
#include "providers/response.h"

#include <stdint.h>

#include "core/buffer.h"
#include "core/json.h"
#include "core/memory.h"
#include "core/time.h"

struct conv_provider_response {
    conv_delta_function on_delta;
    void *context;
    conv__arena arena;
    conv__buffer deltas; /* those since the last message */
    bool has_deltas;
    bool cancelled;
    conv_message *messages; /* capacity is always greater than count: a place for the deltas */
    size_t count;
    size_t capacity;
    conv_usage usage;
    conv_bytes model;
    conv_bytes finish_reason;
};

conv_status conv__provider_response_create(conv_delta_function on_delta, void *context,
                                           conv_provider_response **response)
{
    static const conv_usage unknown = CONV_USAGE_INIT;
    *response = NULL;
    conv_provider_response *made = conv__allocate(sizeof *made);
    if (made == NULL) return CONV_NO_MEMORY;
    made->on_delta = on_delta;
    made->context = context;
    made->usage = unknown;
    made->capacity = 4;
    made->messages = conv__allocate(made->capacity * sizeof *made->messages);
    if (made->messages == NULL) {
        conv__release(made);
        return CONV_NO_MEMORY;
    }
    *response = made;
    return CONV_OK;
}

void conv__provider_response_free(conv_provider_response *response)
{
    if (response == NULL) return;
    conv__arena_reset(&response->arena);
    conv__buffer_free(&response->deltas);
    conv__release(response->messages);
    conv__release(response);
}

conv_status conv_provider_response_delta(conv_provider_response *response, conv_bytes text)
{
    if (response->cancelled) return CONV_CANCELLED;
    if (text.size == 0) return CONV_OK;
    conv__buffer_append_bytes(&response->deltas, text);
    if (response->deltas.failed) return CONV_NO_MEMORY;
    response->has_deltas = true;
    if (response->on_delta != NULL && response->on_delta(response->context, text) != 0) {
        response->cancelled = true;
        return CONV_CANCELLED;
    }
    return CONV_OK;
}

conv_status conv_provider_response_wanted(conv_provider_response *response)
{
    if (response->cancelled) return CONV_CANCELLED;
    if (response->on_delta == NULL) return CONV_OK;
    response->cancelled = response->on_delta(response->context, conv_text("")) != 0;
    return response->cancelled ? CONV_CANCELLED : CONV_OK;
}

static bool is_json(conv_bytes text, conv__json_kind kind)
{
    conv__json value;
    if (text.data == NULL) return true;
    return conv__json_parse(text, &value, NULL) && value.kind == kind;
}

/* What a store would refuse is refused here, where the provider learns of it. */
static bool is_message(const conv_message *message)
{
    return message->role != CONV_ROLE_NONE &&
           (message->content.data == NULL || message->parts.data == NULL) &&
           is_json(message->parts, CONV__JSON_ARRAY) &&
           is_json(message->tool_calls, CONV__JSON_ARRAY) &&
           is_json(message->metadata, CONV__JSON_OBJECT);
}

static conv_status make_room(conv_provider_response *response)
{
    if (response->count + 1 < response->capacity) return CONV_OK;
    size_t capacity = response->capacity * 2;
    if (capacity > SIZE_MAX / sizeof *response->messages) return CONV_NO_MEMORY;
    conv_message *grown = conv__resize(response->messages, capacity * sizeof *response->messages);
    if (grown == NULL) return CONV_NO_MEMORY;
    response->messages = grown;
    response->capacity = capacity;
    return CONV_OK;
}

static conv_status copy_texts(conv__arena *arena, conv_message *message)
{
    conv_bytes *const texts[] = {
        &message->content, &message->parts, &message->tool_calls, &message->tool_call_id,
        &message->name,    &message->model, &message->metadata,
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        if (conv__arena_copy(arena, *texts[i], texts[i]) != CONV_OK) return CONV_NO_MEMORY;
    }
    return CONV_OK;
}

conv_status conv_provider_response_message(conv_provider_response *response,
                                           const conv_message *message)
{
    if (!is_message(message)) return CONV_INVALID_ARGUMENT;
    conv_message copy = *message;
    /* What is no time is none: the reply it came with must be saved. */
    if (!conv__time_is_storable(copy.created_us)) copy.created_us = 0;
    if (make_room(response) != CONV_OK || copy_texts(&response->arena, &copy) != CONV_OK)
        return CONV_NO_MEMORY;
    response->messages[response->count++] = copy;
    conv__buffer_clear(&response->deltas); /* they were this message's text */
    return CONV_OK;
}

/* What is no count is none: the reply it came with must be saved. */
static void merge_count(int64_t *known, int64_t said)
{
    if (said >= 0 && said <= CONV_TOKENS_MAX && said > *known) *known = said;
}

void conv__provider_usage_merge(conv_usage *merged, const conv_usage *said)
{
    merge_count(&merged->input_tokens, said->input_tokens);
    merge_count(&merged->output_tokens, said->output_tokens);
    merge_count(&merged->total_tokens, said->total_tokens);
    merge_count(&merged->cache_read_tokens, said->cache_read_tokens);
    merge_count(&merged->cache_write_tokens, said->cache_write_tokens);
    merge_count(&merged->reasoning_tokens, said->reasoning_tokens);
    if (said->priced && !said->cost_usd.negative &&
        (!merged->priced || conv_decimal_compare(said->cost_usd, merged->cost_usd) > 0)) {
        merged->priced = true;
        merged->cost_usd = said->cost_usd;
    }
}

conv_status conv_provider_response_usage(conv_provider_response *response, const conv_usage *usage)
{
    conv_usage *merged = &response->usage;
    conv__json raw;
    if (usage->raw.data != NULL && !conv__json_parse(usage->raw, &raw, NULL))
        return CONV_INVALID_ARGUMENT;
    if (usage->raw.data != NULL &&
        conv__arena_copy(&response->arena, usage->raw, &merged->raw) != CONV_OK)
        return CONV_NO_MEMORY;
    conv__provider_usage_merge(merged, usage);
    return CONV_OK;
}

conv_status conv_provider_response_model(conv_provider_response *response, conv_bytes model,
                                         conv_bytes finish_reason)
{
    if (model.data != NULL &&
        conv__arena_copy(&response->arena, model, &response->model) != CONV_OK)
        return CONV_NO_MEMORY;
    if (finish_reason.data != NULL &&
        conv__arena_copy(&response->arena, finish_reason, &response->finish_reason) != CONV_OK)
        return CONV_NO_MEMORY;
    return CONV_OK;
}

const conv_message *conv__provider_response_messages(conv_provider_response *response,
                                                     size_t *count)
{
    *count = response->count;
    if (response->deltas.size > 0) {
        response->messages[response->count] = (conv_message){
            .role = CONV_ROLE_ASSISTANT,
            .content = conv__buffer_bytes(&response->deltas),
        };
        *count += 1;
    }
    return response->messages;
}

const conv_usage *conv__provider_response_usage(const conv_provider_response *response)
{
    return &response->usage;
}

conv_bytes conv__provider_response_model(const conv_provider_response *response)
{
    return response->model;
}

conv_bytes conv__provider_response_finish_reason(const conv_provider_response *response)
{
    return response->finish_reason;
}

bool conv__provider_response_has_deltas(const conv_provider_response *response)
{
    return response->has_deltas;
}

bool conv__provider_response_is_cancelled(const conv_provider_response *response)
{
    return response->cancelled;
}
