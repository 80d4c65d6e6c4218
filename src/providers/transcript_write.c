/* Writing transcripts as JSON Lines, as Python's json.dumps(ensure_ascii=False) writes. */
#include "conversation/transcript.h"

#include <string.h>

#include "core/base64.h"
#include "core/buffer.h"
#include "core/error.h"
#include "core/json.h"

#define ACTION "write transcript"

/* `"key": ` and the text as JSON; bytes that JSON can't hold come as Base64 under another key. */
static void append_text(conv__buffer *buffer, const char *key, conv_bytes text)
{
    conv__buffer_format(buffer, "\"%s\": ", key);
    size_t start = buffer->size;
    if (text.data == NULL) {
        conv__buffer_append_text(buffer, "null");
    } else if (!conv__json_append_string(buffer, text) && !buffer->failed) {
        buffer->size = start;
        conv__buffer_format(buffer, "null, \"%s_base64\": \"", key);
        conv__base64_append(buffer, text);
        conv__buffer_append(buffer, "\"", 1);
    }
}

static void append_optional_text(conv__buffer *buffer, const char *key, conv_bytes text)
{
    if (text.data == NULL) return;
    conv__buffer_append_text(buffer, ", ");
    append_text(buffer, key, text);
}

/* The exact text; only line breaks between its tokens, which would end the line, become spaces. */
static void append_json(conv__buffer *buffer, const char *key, conv_bytes json)
{
    conv__buffer_format(buffer, "\"%s\": ", key);
    size_t start = buffer->size;
    conv__buffer_append_bytes(buffer, json);
    if (buffer->failed) return;
    for (size_t i = start; i < buffer->size; i++) {
        if (buffer->data[i] == '\n' || buffer->data[i] == '\r') buffer->data[i] = ' ';
    }
}

/* Writes what the buffer holds, and frees it. */
static conv_status write_buffer(FILE *file, conv__buffer *buffer, conv_error *error)
{
    bool failed = buffer->failed;
    bool written =
        !failed && fwrite(conv__buffer_bytes(buffer).data, 1, buffer->size, file) == buffer->size;
    conv__buffer_free(buffer);
    if (failed) return conv__fail_memory(error, ACTION);
    if (written) return CONV_OK;
    return conv__fail(error, CONV_UNAVAILABLE, ACTION,
                      "the file can't be written; is the disk full?");
}

conv_status conv_transcript_write_begin(FILE *file, conv_bytes id, conv_bytes user,
                                        conv_bytes model, conv_error *error)
{
    conv__buffer buffer = {0};
    conv__buffer_append(&buffer, "{", 1);
    append_text(&buffer, "id", id);
    append_optional_text(&buffer, "user", user);
    append_optional_text(&buffer, "model", model);
    conv__buffer_append_text(&buffer, ", \"messages\": [");
    return write_buffer(file, &buffer, error);
}

conv_status conv_transcript_write_message(FILE *file, const conv_message *message, bool first,
                                          conv_error *error)
{
    conv__buffer buffer = {0};
    if (!first) conv__buffer_append_text(&buffer, ", ");
    conv__buffer_format(&buffer, "{\"role\": \"%s\", ", conv_role_name(message->role));
    if (message->parts.data != NULL) {
        append_json(&buffer, "content", message->parts);
    } else {
        append_text(&buffer, "content", message->content);
    }
    if (message->tool_calls.data != NULL) {
        conv__buffer_append_text(&buffer, ", ");
        append_json(&buffer, "tool_calls", message->tool_calls);
    }
    append_optional_text(&buffer, "tool_call_id", message->tool_call_id);
    append_optional_text(&buffer, "name", message->name);
    conv__buffer_append(&buffer, "}", 1);
    return write_buffer(file, &buffer, error);
}

conv_status conv_transcript_write_end(FILE *file, conv_error *error)
{
    conv__buffer buffer = {0};
    conv__buffer_append_text(&buffer, "]}\n");
    conv_status status = write_buffer(file, &buffer, error);
    if (status != CONV_OK || fflush(file) == 0) return status;
    return conv__fail(error, CONV_UNAVAILABLE, ACTION,
                      "the file can't be written; is the disk full?");
}
