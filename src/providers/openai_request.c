/* The JSON body of a chat completions request. Sends nothing. */
#include "providers/openai_request.h"

#include "core/error.h"
#include "core/json.h"
#include "core/memory.h"
#include "core/text.h"

#define ACTION "ask provider"

static conv_status write_text(conv__arena *arena, conv__buffer *body, conv_bytes text)
{
    conv_bytes storable;
    if (conv__text_project(arena, text, &storable) != CONV_OK) return CONV_NO_MEMORY;
    (void)conv__json_append_string(body, storable);
    return CONV_OK;
}

/* JSON as the application gave it, except what the wire does not carry. */
static conv_status write_json(conv__arena *arena, conv__buffer *body, conv_bytes json)
{
    conv__json value;
    conv_bytes storable;
    if (!conv__json_parse(json, &value, NULL)) return CONV_INVALID_ARGUMENT;
    if (conv__json_project(arena, value, &storable) != CONV_OK) return CONV_NO_MEMORY;
    conv__buffer_append_bytes(body, storable);
    return CONV_OK;
}

/* No answer to the calls of a reply that broke off can follow, and endpoints refuse calls without.
 */
static bool sends_calls(const conv_message *message)
{
    return message->tool_calls.data != NULL && message->status == CONV_OUTCOME_COMPLETE;
}

static conv_status write_content(conv__arena *arena, conv__buffer *body,
                                 const conv_message *message)
{
    conv__buffer_append_text(body, ",\"content\":");
    if (message->parts.data != NULL) return write_json(arena, body, message->parts);
    if (message->content.data != NULL) return write_text(arena, body, message->content);
    /* Only beside tool calls may the content be null. */
    conv__buffer_append_text(body, sends_calls(message) ? "null" : "\"\"");
    return CONV_OK;
}

static conv_status write_message(conv__arena *arena, conv__buffer *body,
                                 const conv_message *message)
{
    conv__buffer_format(body, "{\"role\":\"%s\"", conv_role_name(message->role));
    conv_status status = write_content(arena, body, message);
    if (status == CONV_OK && message->name.data != NULL) {
        conv__buffer_append_text(body, ",\"name\":");
        status = write_text(arena, body, message->name);
    }
    if (status == CONV_OK && sends_calls(message)) {
        conv__buffer_append_text(body, ",\"tool_calls\":");
        status = write_json(arena, body, message->tool_calls);
    }
    if (status == CONV_OK && message->tool_call_id.data != NULL) {
        conv__buffer_append_text(body, ",\"tool_call_id\":");
        status = write_text(arena, body, message->tool_call_id);
    }
    conv__buffer_append_text(body, "}");
    return status;
}

/* An interrupted reply that consisted of calls alone has nothing left to say. */
static bool says_nothing(const conv_message *message)
{
    return message->role == CONV_ROLE_ASSISTANT && message->content.size == 0 &&
           message->parts.data == NULL && message->tool_calls.data != NULL && !sends_calls(message);
}

static conv_status write_messages(conv__arena *arena, conv__buffer *body,
                                  const conv_provider_request *request, conv_error *error)
{
    bool any = false;
    conv__buffer_append_text(body, ",\"messages\":[");
    for (size_t i = 0; i < request->message_count; i++) {
        const conv_message *message = &request->messages[i];
        if (says_nothing(message)) continue;
        if (any) conv__buffer_append_text(body, ",");
        any = true;
        conv_status status = write_message(arena, body, message);
        if (status == CONV_INVALID_ARGUMENT)
            return conv__fail(error, status, ACTION,
                              "parts or tool calls of message %zu are not JSON", i + 1);
        if (status != CONV_OK) return conv__fail_memory(error, ACTION);
    }
    conv__buffer_append_text(body, "]");
    return CONV_OK;
}

/* Fields that belong to the turn, not to its options. */
static const char *forbidden_option(conv__json key, conv__json value)
{
    static const char *const ours[] = {"messages", "model", "stream"};
    int64_t replies = 1;
    for (size_t i = 0; i < sizeof ours / sizeof ours[0]; i++) {
        if (conv__json_string_is(key, ours[i])) return ours[i];
    }
    if (conv__json_string_is(key, "n") && value.kind != CONV__JSON_NULL &&
        !(conv__json_integer(value, &replies) && replies == 1))
        return "n";
    return NULL;
}

static conv_status write_options(conv__arena *arena, conv__buffer *body, conv_bytes text,
                                 bool *has_stream_options, conv_error *error)
{
    conv__json options;
    conv__json key;
    conv__json value;
    conv_bytes storable;
    size_t position = 0;
    if (text.data == NULL) return CONV_OK;
    if (!conv__json_parse(text, &options, NULL) || options.kind != CONV__JSON_OBJECT)
        return conv__fail(error, CONV_INVALID_ARGUMENT, ACTION, "options are not a JSON object");
    if (conv__json_project(arena, options, &storable) != CONV_OK)
        return conv__fail_memory(error, ACTION);
    options.text = storable;
    while (conv__json_next(options, &position, &key, &value)) {
        const char *ours = forbidden_option(key, value);
        if (ours != NULL)
            return conv__fail(error, CONV_INVALID_ARGUMENT, ACTION,
                              "options may not set '%s': it belongs to the turn", ours);
        if (conv__json_string_is(key, "stream_options")) {
            *has_stream_options = true;
            if (value.kind == CONV__JSON_NULL) continue;
        }
        conv__buffer_append_text(body, ",");
        conv__buffer_append_bytes(body, key.text);
        conv__buffer_append_text(body, ":");
        conv__buffer_append_bytes(body, value.text);
    }
    return CONV_OK;
}

static conv_status write_body(conv__arena *arena, const conv_provider_request *request,
                              conv_bytes model, conv__buffer *body, conv_error *error)
{
    bool has_stream_options = false;
    conv__buffer_append_text(body, "{\"model\":");
    if (write_text(arena, body, model) != CONV_OK) return conv__fail_memory(error, ACTION);
    conv_status status = write_messages(arena, body, request, error);
    if (status == CONV_OK)
        status = write_options(arena, body, request->options, &has_stream_options, error);
    if (status != CONV_OK) return status;
    if (request->stream) {
        conv__buffer_append_text(body, ",\"stream\":true");
        /* Without it no usage comes. `"stream_options": null` is the way out for endpoints that
         * refuse the field. */
        if (!has_stream_options)
            conv__buffer_append_text(body, ",\"stream_options\":{\"include_usage\":true}");
    }
    conv__buffer_append_text(body, "}");
    return body->failed ? conv__fail_memory(error, ACTION) : CONV_OK;
}

conv_status conv__openai_request_write(const conv_provider_request *request, conv_bytes model,
                                       conv__buffer *body, conv_error *error)
{
    conv__arena arena = {0};
    if (request->model.data != NULL) model = request->model;
    if (model.size == 0)
        return conv__fail(error, CONV_INVALID_ARGUMENT, ACTION,
                          "no model: name one in the turn, the client or the provider");
    conv_status status = write_body(&arena, request, model, body, error);
    conv__arena_reset(&arena);
    return status;
}
