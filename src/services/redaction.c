/* Redacting what more than one room keeps: texts, messages, errors. */
#include "services/redaction.h"

#include <stdio.h>

conv_status conv__redaction_text(const conv__redaction *redaction, conv__arena *arena,
                                 conv_bytes *text)
{
    if (redaction->redact == NULL) return CONV_OK;
    return redaction->redact(redaction->context, arena, text);
}

conv_status conv__redaction_message(const conv__redaction *redaction, conv__arena *arena,
                                    conv_message *message, bool *changed)
{
    conv_bytes *const texts[] = {&message->content, &message->parts, &message->tool_calls,
                                 &message->name, &message->metadata};
    conv_status status = CONV_OK;
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
