/* Redacting what more than one room keeps: texts, messages, errors. */
#include "services/redaction.h"

#include <stdio.h>

#include "core/buffer.h"
#include "core/json.h"

conv_status conv__redaction_text(const conv__redaction *redaction, conv__arena *arena,
                                 conv_bytes *text)
{
    if (redaction->redact == NULL) return CONV_OK;
    return redaction->redact(redaction->context, arena, text);
}

/* Appends `calls` with each call's id as `ids` has it, call by call; NULL: as an empty string. */
static void append_with_ids(conv__buffer *buffer, conv__json calls, const conv__json *ids)
{
    const char *done = calls.text.data;
    const char *end = calls.text.data + calls.text.size;
    conv__json call;
    conv__json named;
    for (size_t at = 0, at_id = 0; conv__json_next(calls, &at, NULL, &call);) {
        conv__json id = conv__json_get(call, "id");
        conv__json wanted = {CONV__JSON_STRING, conv_text("\"\"")};
        if (ids != NULL && conv__json_next(*ids, &at_id, NULL, &named))
            wanted = conv__json_get(named, "id");
        if (id.kind != CONV__JSON_STRING || wanted.kind != CONV__JSON_STRING) continue;
        conv__buffer_append(buffer, done, (size_t)(id.text.data - done));
        conv__buffer_append_bytes(buffer, wanted.text);
        done = id.text.data + id.text.size;
    }
    conv__buffer_append(buffer, done, (size_t)(end - done));
}

/* Ids of calls stay, as tool_call_id does: it says which call a result belongs to. */
static conv_status redact_calls(const conv__redaction *redaction, conv__arena *arena,
                                conv_bytes *calls)
{
    conv__buffer buffer = {0};
    conv__json before;
    conv__json after;
    if (calls->data == NULL || redaction->redact == NULL) return CONV_OK;
    if (!conv__json_parse(*calls, &before, NULL) || before.kind != CONV__JSON_ARRAY)
        return conv__redaction_text(redaction, arena, calls);
    append_with_ids(&buffer, before, NULL);
    conv_bytes without = conv__buffer_bytes(&buffer);
    conv_bytes redacted = without;
    conv_status status = buffer.failed ? CONV_NO_MEMORY : CONV_OK;
    if (status == CONV_OK) status = conv__redaction_text(redaction, arena, &redacted);
    bool changed = status == CONV_OK && redacted.data != without.data;
    if (changed && !conv__json_parse(redacted, &after, NULL)) {
        status = conv__redaction_text(redaction, arena, calls); /* ids and all */
    } else if (changed) {
        conv__buffer_clear(&buffer);
        append_with_ids(&buffer, after, &before);
        status = buffer.failed ? CONV_NO_MEMORY
                               : conv__arena_copy(arena, conv__buffer_bytes(&buffer), calls);
    }
    conv__buffer_free(&buffer);
    return status;
}

conv_status conv__redaction_message(const conv__redaction *redaction, conv__arena *arena,
                                    conv_message *message, bool *changed)
{
    conv_bytes *const texts[] = {&message->content, &message->parts, &message->name,
                                 &message->metadata};
    const char *calls = message->tool_calls.data;
    conv_status status = redact_calls(redaction, arena, &message->tool_calls);
    if (message->tool_calls.data != calls) *changed = true;
    for (size_t i = 0; status == CONV_OK && i < sizeof texts / sizeof texts[0]; i++) {
        const char *before = texts[i]->data;
        status = conv__redaction_text(redaction, arena, texts[i]);
        if (texts[i]->data != before) *changed = true;
    }
    return status;
}

void conv__redaction_error(const conv__redaction *redaction, conv_error *error)
{
    conv__arena arena = {0};
    conv_bytes message = conv_text(error->message);
    /* What could not be looked at must not be kept. */
    if (conv__redaction_text(redaction, &arena, &message) != CONV_OK)
        message =
            conv_text("its message could not be redacted for want of memory, and was dropped");
    if (message.data != error->message)
        snprintf(error->message, sizeof error->message, "%.*s", (int)message.size, message.data);
    conv__arena_reset(&arena);
}
