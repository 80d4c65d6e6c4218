/* A chat completion that comes in chunks: hands text on while it comes, gathers the rest. One of
 * these serves one try; nothing but deltas reaches the response before conv__openai_stream_put. */
#ifndef CONV__PROVIDERS_OPENAI_STREAM_H
#define CONV__PROVIDERS_OPENAI_STREAM_H

#include <stdbool.h>
#include <stddef.h>

#include "conversation/provider.h"
#include "core/buffer.h"
#include "core/memory.h"
#include "providers/openai_calls.h"
#include "providers/openai_error.h"
#include "providers/sse.h"

/* May not be moved once it is begun. */
typedef struct conv__openai_stream {
    conv_provider_response *response;
    conv__sse sse;
    conv__arena scratch; /* of one chunk */
    conv__buffer content;
    conv__buffer refusal;
    conv__buffer unheard; /* half a character whose other half has not come */
    conv__openai_calls calls;
    conv__buffer model;
    conv__buffer finish_reason;
    conv_usage usage;
    conv__buffer raw_usage;
    size_t size; /* bytes kept so far */
    bool has_content;
    bool has_choice;
    bool done;   /* [DONE] came */
    bool ending; /* no byte comes any more */
    conv__openai_failure failure;
} conv__openai_stream;

void conv__openai_stream_begin(conv__openai_stream *stream, conv_provider_response *response);

/* Takes bytes as they come off the wire. CONV_PROVIDER: an error or rubbish came, `failure` says
 * what. CONV_CANCELLED: the listener wants no more. CONV_NO_MEMORY. */
CONV_WARN_UNUSED conv_status conv__openai_stream_feed(conv__openai_stream *stream,
                                                      conv_bytes piece);

/* At the end of the body. CONV_PROVIDER also when the reply was not complete. */
CONV_WARN_UNUSED conv_status conv__openai_stream_finish(conv__openai_stream *stream);

/* Puts what came into the response: message, usage, model. Of a reply that is not `complete` a text
 * alone is left to the deltas; calls whose arguments have begun are kept. CONV_NO_MEMORY. */
CONV_WARN_UNUSED conv_status conv__openai_stream_put(conv__openai_stream *stream, bool complete);

void conv__openai_stream_free(conv__openai_stream *stream);

#endif
