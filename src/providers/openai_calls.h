/* Tool calls of a streamed reply, put together from their fragments. */
#ifndef CONV__PROVIDERS_OPENAI_CALLS_H
#define CONV__PROVIDERS_OPENAI_CALLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/buffer.h"
#include "core/json.h"
#include "core/memory.h"

#define CONV__OPENAI_CALLS 1024 /* in one reply at most */

typedef struct conv__openai_call {
    int64_t index;
    conv__buffer id;
    conv__buffer type;
    conv__buffer name;
    conv__buffer input; /* a function's arguments, a custom tool's input */
    conv__buffer extra; /* further members as they came: `,"key":value` */
    bool is_custom;
} conv__openai_call;

/* Zero is none. */
typedef struct conv__openai_calls {
    conv__openai_call *items;
    size_t count;
    size_t capacity;
} conv__openai_calls;

/* Takes the fragments of one `delta.tool_calls`: keyed by index; inputs are joined; a fragment
 * without an index, or one that brings another id for an index in use, is told apart by its id.
 * `size` grows by the bytes kept. CONV_LIMIT: too many calls. CONV_NO_MEMORY. */
CONV_WARN_UNUSED conv_status conv__openai_calls_add(conv__openai_calls *calls, conv__json fragments,
                                                    conv__arena *scratch, size_t *size);

/* Writes the JSON array of the calls; of an unfinished reply only those whose input has begun.
 * False if there is none to write. */
bool conv__openai_calls_write(const conv__openai_calls *calls, bool finished, conv__buffer *json);

void conv__openai_calls_free(conv__openai_calls *calls);

#endif
