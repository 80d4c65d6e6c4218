/* A chat completion that comes in chunks. Choices other than the first are passed over. */
#include "providers/openai_stream.h"

#include <string.h>

#include "core/json.h"
#include "providers/openai_response.h"
#include "providers/openai_usage.h"
#include "providers/surrogate.h"

static conv_status fail(conv__openai_stream *stream, const char *what)
{
    stream->failure.what = what;
    return CONV_PROVIDER;
}

static conv_status hand_on(conv__openai_stream *stream, conv_bytes text)
{
    conv__buffer *unheard = &stream->unheard;
    conv__surrogate_append(unheard, text);
    if (unheard->failed) return CONV_NO_MEMORY;
    size_t whole = conv__surrogate_complete(conv__buffer_bytes(unheard));
    if (whole == 0) return CONV_OK;
    conv_status status =
        conv_provider_response_delta(stream->response, conv_view(unheard->data, whole));
    size_t rest = unheard->size - whole;
    memmove(unheard->data, unheard->data + whole, rest);
    unheard->size = rest;
    return status;
}

/* Halves that never met their other half are handed on as they are. */
static conv_status hand_on_rest(conv__openai_stream *stream)
{
    conv_bytes rest = conv__buffer_bytes(&stream->unheard);
    conv_status status = conv_provider_response_delta(stream->response, rest);
    conv__buffer_clear(&stream->unheard);
    return status;
}

static conv_status take_text(conv__openai_stream *stream, conv__json value, conv__buffer *gathered)
{
    conv_bytes text;
    if (conv__json_string(&stream->scratch, value, &text) != CONV_OK) return CONV_NO_MEMORY;
    if (text.data == NULL) return CONV_OK;
    stream->size += text.size;
    conv__surrogate_append(gathered, text);
    return gathered->failed ? CONV_NO_MEMORY : hand_on(stream, text);
}

/* Text, or an array of parts of which the texts count. */
static conv_status take_content(conv__openai_stream *stream, conv__json content)
{
    conv__json part;
    size_t position = 0;
    if (content.kind == CONV__JSON_STRING || content.kind == CONV__JSON_ARRAY)
        stream->has_content = true;
    if (content.kind != CONV__JSON_ARRAY) return take_text(stream, content, &stream->content);
    while (conv__json_next(content, &position, NULL, &part)) {
        if (!conv__json_string_is(conv__json_get(part, "type"), "text")) continue;
        conv_status status = take_text(stream, conv__json_get(part, "text"), &stream->content);
        if (status != CONV_OK) return status;
    }
    return CONV_OK;
}

static conv_status keep_text(conv__openai_stream *stream, conv__json value, conv__buffer *kept)
{
    conv_bytes text;
    if (conv__json_string(&stream->scratch, value, &text) != CONV_OK) return CONV_NO_MEMORY;
    if (text.size == 0) return CONV_OK;
    conv__buffer_clear(kept);
    conv__buffer_append_bytes(kept, text);
    return kept->failed ? CONV_NO_MEMORY : CONV_OK;
}

static conv_status take_choice(conv__openai_stream *stream, conv__json choice)
{
    int64_t index = 0;
    conv__json delta = conv__json_get(choice, "delta");
    (void)conv__json_integer(conv__json_get(choice, "index"), &index);
    if (index != 0 || choice.kind != CONV__JSON_OBJECT) return CONV_OK;
    if (delta.kind != CONV__JSON_OBJECT) delta = conv__json_get(choice, "message");
    stream->has_choice = true;
    /* The calls before the texts: a text that is the last straw for the listener ends the chunk. */
    conv_status status = conv__openai_calls_add(&stream->calls, conv__json_get(delta, "tool_calls"),
                                                &stream->scratch, &stream->size);
    if (status == CONV_LIMIT) return fail(stream, "sent too many tool calls");
    if (status == CONV_OK)
        status = keep_text(stream, conv__json_get(choice, "finish_reason"), &stream->finish_reason);
    if (status == CONV_OK) status = take_content(stream, conv__json_get(delta, "content"));
    if (status == CONV_OK)
        status = take_text(stream, conv__json_get(delta, "refusal"), &stream->refusal);
    return status;
}

static conv_status take_usage(conv__openai_stream *stream, conv__json chunk)
{
    const char *before = stream->usage.raw.data;
    conv__openai_usage_merge(chunk, &stream->usage);
    if (stream->usage.raw.data == before) return CONV_OK;
    conv__buffer_clear(&stream->raw_usage);
    conv__buffer_append_bytes(&stream->raw_usage, stream->usage.raw);
    stream->usage.raw = conv__buffer_bytes(&stream->raw_usage);
    return stream->raw_usage.failed ? CONV_NO_MEMORY : CONV_OK;
}

static conv_status take_chunk(conv__openai_stream *stream, conv__json chunk)
{
    conv__json choice;
    size_t position = 0;
    conv__json choices = conv__json_get(chunk, "choices");
    conv__json error = conv__openai_error_find(chunk);
    conv_status status = take_usage(stream, chunk);
    if (status == CONV_OK && stream->model.size == 0)
        status = keep_text(stream, conv__json_get(chunk, "model"), &stream->model);
    while (status == CONV_OK && conv__json_next(choices, &position, NULL, &choice))
        status = take_choice(stream, choice);
    if (status == CONV_OK && error.kind != CONV__JSON_ABSENT) {
        conv__openai_error_read(error, &stream->failure.error);
        status = fail(stream, "broke the stream off with an error");
    }
    if (status == CONV_OK && stream->size > CONV__OPENAI_ANSWER_LIMIT)
        status = fail(stream, "answered with more than 64 MiB");
    return status;
}

static bool is_done_mark(conv_bytes data)
{
    while (data.size > 0 && data.data[data.size - 1] == ' ')
        data.size--;
    return conv_bytes_equal(data, conv_text("[DONE]"));
}

static conv_status on_event(void *context, conv_bytes data)
{
    conv__openai_stream *stream = context;
    conv__json chunk;
    if (stream->done || data.size == 0) return CONV_OK;
    if (is_done_mark(data)) {
        stream->done = true;
        return CONV_OK;
    }
    if (!conv__json_parse(data, &chunk, NULL))
        return fail(stream, stream->ending ? "ended the stream in the middle of a chunk"
                                           : "sent a chunk that is not JSON");
    conv_status status = take_chunk(stream, chunk);
    conv__arena_reset(&stream->scratch);
    return status;
}

void conv__openai_stream_begin(conv__openai_stream *stream, conv_provider_response *response)
{
    static const conv_usage unknown = CONV_USAGE_INIT;
    *stream = (conv__openai_stream){.response = response, .usage = unknown};
    stream->sse.on_event = on_event;
    stream->sse.context = stream;
    stream->sse.limit = CONV__OPENAI_ANSWER_LIMIT;
}

conv_status conv__openai_stream_feed(conv__openai_stream *stream, conv_bytes piece)
{
    conv_status status = conv__sse_feed(&stream->sse, piece);
    return status == CONV_LIMIT ? fail(stream, "answered with more than 64 MiB") : status;
}

conv_status conv__openai_stream_finish(conv__openai_stream *stream)
{
    /* What comes out now has no end of its own: the connection may have been closed inside it. */
    stream->ending = true;
    conv_status status = conv__sse_finish(&stream->sse);
    if (status == CONV_OK) status = hand_on_rest(stream);
    if (status != CONV_OK) return status;
    if (!stream->has_choice) return fail(stream, "answered without choices");
    /* An end without [DONE] and without a reason to finish is a connection that was closed early.
     */
    if (!stream->done && stream->finish_reason.size == 0)
        return fail(stream, "ended the stream before the reply was complete");
    return CONV_OK;
}

static conv_status put_message(conv__openai_stream *stream, bool complete)
{
    conv__buffer calls = {0};
    bool has_calls = conv__openai_calls_write(&stream->calls, complete, &calls);
    conv_status status = calls.failed ? CONV_NO_MEMORY : CONV_OK;
    conv__openai_reply reply = {
        .status = complete ? CONV_OUTCOME_COMPLETE : CONV_OUTCOME_INTERRUPTED,
    };
    if (stream->has_content) reply.content = conv__buffer_bytes(&stream->content);
    if (stream->refusal.size > 0) reply.refusal = conv__buffer_bytes(&stream->refusal);
    if (has_calls) reply.tool_calls = conv__buffer_bytes(&calls);
    if (status == CONV_OK && (complete || has_calls || stream->refusal.size > 0))
        status = conv__openai_reply_put(&reply, stream->response);
    conv__buffer_free(&calls);
    return status;
}

conv_status conv__openai_stream_put(conv__openai_stream *stream, bool complete)
{
    conv_bytes absent = {NULL, 0};
    conv_bytes model = conv__buffer_bytes(&stream->model);
    conv_bytes reason = conv__buffer_bytes(&stream->finish_reason);
    conv_status heard = hand_on_rest(stream);
    if (heard == CONV_NO_MEMORY) return heard;
    conv_status status = put_message(stream, complete);
    if (status == CONV_OK) status = conv_provider_response_usage(stream->response, &stream->usage);
    if (status == CONV_OK)
        status = conv_provider_response_model(stream->response, model.size > 0 ? model : absent,
                                              reason.size > 0 ? reason : absent);
    return status;
}

void conv__openai_stream_free(conv__openai_stream *stream)
{
    conv__sse_free(&stream->sse);
    conv__arena_reset(&stream->scratch);
    conv__buffer_free(&stream->content);
    conv__buffer_free(&stream->refusal);
    conv__buffer_free(&stream->unheard);
    conv__openai_calls_free(&stream->calls);
    conv__buffer_free(&stream->model);
    conv__buffer_free(&stream->finish_reason);
    conv__buffer_free(&stream->raw_usage);
}
