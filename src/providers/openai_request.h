/* The JSON body of a chat completions request. */
#ifndef CONV__PROVIDERS_OPENAI_REQUEST_H
#define CONV__PROVIDERS_OPENAI_REQUEST_H

#include "conversation/provider.h"
#include "core/buffer.h"

/* Appends the body. `model` serves requests that name none, may be absent. What JSON or UTF-8 can't
 * carry is sent as U+FFFD. CONV_INVALID_ARGUMENT: no model, or options that are no JSON object or
 * set what the library itself sets. CONV_NO_MEMORY. */
CONV_WARN_UNUSED conv_status conv__openai_request_write(const conv_provider_request *request,
                                                        conv_bytes model, conv__buffer *body,
                                                        conv_error *error);

#endif
