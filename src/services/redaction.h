/* What the client's chain has against texts that must not be kept, for those who ask a provider
 * outside of a turn. Knows no patterns. */
#ifndef CONV__SERVICES_REDACTION_H
#define CONV__SERVICES_REDACTION_H

#include "conversation/message.h"
#include "core/memory.h"

/* Zero: nothing is redacted. Borrowed. */
typedef struct conv__redaction {
    /* Replaces `text` by its redacted form, in the arena; leaves it where there is nothing to do.
     * CONV_NO_MEMORY. Thread: any. */
    conv_status (*redact)(const void *context, conv__arena *arena, conv_bytes *text);
    const void *context;
} conv__redaction;

/* CONV_NO_MEMORY. */
CONV_WARN_UNUSED conv_status conv__redaction_text(const conv__redaction *redaction,
                                                  conv__arena *arena, conv_bytes *text);

/* All texts of a message but ids, those of its tool calls included, and model, which are names.
 * `changed` becomes true if anything had to go. CONV_NO_MEMORY. */
CONV_WARN_UNUSED conv_status conv__redaction_message(const conv__redaction *redaction,
                                                     conv__arena *arena, conv_message *message,
                                                     bool *changed);

/* The message of an error; without memory it says that it was dropped. */
void conv__redaction_error(const conv__redaction *redaction, conv_error *error);

#endif
