/* A message: one entry of a session. */
#ifndef CONVERSATION_MESSAGE_H
#define CONVERSATION_MESSAGE_H

#include <stdint.h>

#include "bytes.h"
#include "uuid.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Source of the roles: OpenAI's chat completions. */
typedef enum conv_role {
    CONV_ROLE_NONE = 0, /* never stored; refused as input */
    CONV_ROLE_SYSTEM,
    CONV_ROLE_DEVELOPER,
    CONV_ROLE_USER,
    CONV_ROLE_ASSISTANT,
    CONV_ROLE_TOOL
} conv_role;

/* How a message, an exchange or a metered operation ended. */
typedef enum conv_outcome {
    CONV_OUTCOME_COMPLETE = 0,
    CONV_OUTCOME_INTERRUPTED, /* aborted or broken off; what came so far is kept */
    CONV_OUTCOME_FAILED       /* no answer; the question is kept */
} conv_outcome;

/* As input: zero what you do not use; the bytes are borrowed for the call. As output: everything
 * lives as long as the handle it came from.
 * A message has text (`content`), or content parts (`parts`), or neither: a message with tool calls
 * and null content, say. It never has both. */
typedef struct conv_message {
    conv_role role;
    conv_bytes content;      /* any bytes; absent means null */
    conv_bytes parts;        /* JSON array of content parts instead of a text */
    conv_bytes tool_calls;   /* JSON array [{id, type, function{name, arguments}}] */
    conv_bytes tool_call_id; /* with role tool: the call that this answers */
    conv_bytes name;         /* name of the speaker or of the tool */
    conv_bytes model;        /* which model wrote it */
    conv_bytes metadata;     /* JSON object of the application */
    conv_uuid message_id;    /* nil as input: made by the library, version 7 */
    conv_outcome status;
    int64_t position;   /* output: place in the session, from 1, ascending; the order of history */
    int64_t created_us; /* microseconds since 1970-01-01 UTC, years 1 to 9999; 0 as input: now */
} conv_message;

/* The role's name as in OpenAI's API ("user"); "none" for CONV_ROLE_NONE or any other number.
 * The string is static. Thread: any. Round trips: none. */
const char *conv_role_name(conv_role role);

/* The role with this name, or CONV_ROLE_NONE. Thread: any. Round trips: none. */
conv_role conv_role_parse(conv_bytes name);

/* "complete", "interrupted" or "failed"; static. Thread: any. Round trips: none. */
const char *conv_outcome_name(conv_outcome outcome);

#ifdef __cplusplus
}
#endif
#endif
