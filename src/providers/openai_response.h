/* A chat completion's answer, read into conv_provider_response. */
#ifndef CONV__PROVIDERS_OPENAI_RESPONSE_H
#define CONV__PROVIDERS_OPENAI_RESPONSE_H

#include "conversation/provider.h"
#include "providers/openai_error.h"

#define CONV__OPENAI_ANSWER_LIMIT ((size_t)64 << 20) /* bytes of an answer that are kept */

/* The assistant's message however it came; absent is null. */
typedef struct conv__openai_reply {
    conv_bytes content;
    conv_bytes parts; /* instead of content */
    conv_bytes refusal;
    conv_bytes tool_calls;
    conv_outcome status;
} conv__openai_reply;

/* Adds the message. A refusal becomes a content part, as OpenAI takes it back. CONV_NO_MEMORY. */
CONV_WARN_UNUSED conv_status conv__openai_reply_put(const conv__openai_reply *reply,
                                                    conv_provider_response *response);

/* Reads a whole body. With `stream` somebody listens although the endpoint did not stream: the text
 * is handed on as one delta. CONV_PROVIDER: it is no answer, `failure` says why. CONV_CANCELLED: by
 * the listener; all is in the response nevertheless. CONV_NO_MEMORY. */
CONV_WARN_UNUSED conv_status conv__openai_body_read(conv_bytes body, bool stream,
                                                    conv_provider_response *response,
                                                    conv__openai_failure *failure);

#endif
