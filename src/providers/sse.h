/* Server-sent events, read as they come off the wire in any pieces. Knows nothing of what they say.
 * Source: WHATWG HTML, section 9.2.6, read liberally: an event without its blank line at the end of
 * the stream counts. Only `data` matters here; other fields and comments are passed over. */
#ifndef CONV__PROVIDERS_SSE_H
#define CONV__PROVIDERS_SSE_H

#include <stdbool.h>
#include <stddef.h>

#include "conversation/bytes.h"
#include "conversation/status.h"
#include "core/buffer.h"

/* Gets the data of one event, its lines joined by line feeds; borrowed for the call. Anything but
 * CONV_OK ends the feeding and is given back by it. */
typedef conv_status (*conv__sse_function)(void *context, conv_bytes data);

/* Set `on_event`, `context` and `limit`, leave the rest zero. */
typedef struct conv__sse {
    conv__sse_function on_event;
    void *context;
    size_t limit; /* bytes of one event at most */
    conv__buffer line;
    conv__buffer data;
    bool has_data;
    bool after_return; /* a line feed right now belongs to the line before */
    bool past_start;   /* a byte order mark is no longer possible */
} conv__sse;

/* CONV_LIMIT: an event is over the limit. CONV_NO_MEMORY. */
CONV_WARN_UNUSED conv_status conv__sse_feed(conv__sse *sse, conv_bytes piece);

/* At the end of the stream: gives out what waits for a blank line. Statuses as conv__sse_feed. */
CONV_WARN_UNUSED conv_status conv__sse_finish(conv__sse *sse);

void conv__sse_free(conv__sse *sse);

#endif
