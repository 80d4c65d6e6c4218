/* A chat completion that came in one piece. Only the first choice is read: one turn, one reply. */
#include "providers/openai_response.h"

#include "core/buffer.h"
#include "core/memory.h"
#include "providers/openai_usage.h"

static void write_part(conv__buffer *json, const char *type, const char *key, conv_bytes text)
{
    conv__buffer_format(json, "{\"type\":\"%s\",\"%s\":", type, key);
    (void)conv__json_append_string(json, text);
    conv__buffer_append_text(json, "}");
}

static void write_refusal_parts(conv__buffer *json, const conv__openai_reply *reply)
{
    conv__buffer_append_text(json, "[");
    if (reply->content.size > 0) {
        write_part(json, "text", "text", reply->content);
        conv__buffer_append_text(json, ",");
    }
    write_part(json, "refusal", "refusal", reply->refusal);
    conv__buffer_append_text(json, "]");
}

conv_status conv__openai_reply_put(const conv__openai_reply *reply,
                                   conv_provider_response *response)
{
    conv__buffer parts = {0};
    conv_message message = {
        .role = CONV_ROLE_ASSISTANT,
        .content = reply->content,
        .parts = reply->parts,
        .tool_calls = reply->tool_calls,
        .status = reply->status,
    };
    if (reply->refusal.size > 0 && reply->parts.data == NULL) {
        write_refusal_parts(&parts, reply);
        message.content = (conv_bytes){NULL, 0};
        message.parts = conv__buffer_bytes(&parts);
    }
    conv_status status =
        parts.failed ? CONV_NO_MEMORY : conv_provider_response_message(response, &message);
    conv__buffer_free(&parts);
    return status;
}

static conv_status fail(conv__openai_failure *failure, const char *what)
{
    failure->what = what;
    return CONV_PROVIDER;
}

static conv_status read_message(conv__arena *arena, conv__json message, conv__openai_reply *reply,
                                conv__openai_failure *failure)
{
    conv__json content = conv__json_get(message, "content");
    conv__json calls = conv__json_get(message, "tool_calls");
    conv__json call;
    size_t position = 0;
    *reply = (conv__openai_reply){0};
    if (message.kind != CONV__JSON_OBJECT) return fail(failure, "answered without a message");
    if (content.kind == CONV__JSON_ARRAY)
        reply->parts = content.text;
    else if (content.kind != CONV__JSON_STRING && content.kind != CONV__JSON_NULL &&
             content.kind != CONV__JSON_ABSENT)
        return fail(failure, "answered with a content that is neither text nor parts");
    if (calls.kind == CONV__JSON_ARRAY && conv__json_next(calls, &position, NULL, &call))
        reply->tool_calls = calls.text;
    if (conv__json_string(arena, content, &reply->content) != CONV_OK ||
        conv__json_string(arena, conv__json_get(message, "refusal"), &reply->refusal) != CONV_OK)
        return CONV_NO_MEMORY;
    return CONV_OK;
}

static conv_status put_rest(conv__arena *arena, conv__json answer, conv__json choice,
                            conv_provider_response *response)
{
    conv_usage usage = CONV_USAGE_INIT;
    conv_bytes model;
    conv_bytes reason;
    conv__openai_usage_merge(answer, &usage);
    if (conv__json_string(arena, conv__json_get(answer, "model"), &model) != CONV_OK ||
        conv__json_string(arena, conv__json_get(choice, "finish_reason"), &reason) != CONV_OK ||
        conv_provider_response_usage(response, &usage) != CONV_OK)
        return CONV_NO_MEMORY;
    if (model.size == 0) model.data = NULL;
    return conv_provider_response_model(response, model, reason);
}

static conv_status read_answer(conv__arena *arena, conv__json answer, bool stream,
                               conv_provider_response *response, conv__openai_failure *failure)
{
    conv__json choice;
    size_t position = 0;
    conv__json error = conv__openai_error_find(answer);
    if (error.kind != CONV__JSON_ABSENT) {
        conv__openai_error_read(error, &failure->error);
        return fail(failure, "answered with an error");
    }
    if (!conv__json_next(conv__json_get(answer, "choices"), &position, NULL, &choice))
        return fail(failure, "answered without choices");
    conv__openai_reply reply;
    conv_status status = read_message(arena, conv__json_get(choice, "message"), &reply, failure);
    if (status != CONV_OK) return status;
    status = put_rest(arena, answer, choice, response);
    if (status != CONV_OK) return status;
    conv_status heard = CONV_OK;
    if (stream) {
        conv_bytes text = reply.content.size > 0 ? reply.content : reply.refusal;
        heard = conv_provider_response_delta(response, text);
    }
    status = conv__openai_reply_put(&reply, response);
    return status != CONV_OK ? status : heard;
}

conv_status conv__openai_body_read(conv_bytes body, bool stream, conv_provider_response *response,
                                   conv__openai_failure *failure)
{
    conv__json answer;
    conv__arena arena = {0};
    if (!conv__json_parse(body, &answer, NULL))
        return fail(failure, "answered with something that is not JSON");
    conv_status status = read_answer(&arena, answer, stream, response, failure);
    conv__arena_reset(&arena);
    return status;
}
