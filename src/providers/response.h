/* The inside of conv_provider_response: the services make one for a turn, hand it to a provider and
 * read from it what came. Decides nothing about how the turn ended. */
#ifndef CONV__PROVIDERS_RESPONSE_H
#define CONV__PROVIDERS_RESPONSE_H

#include <stdbool.h>
#include <stddef.h>

#include "conversation/provider.h"
#include "conversation/turn.h"

/* `on_delta` (may be NULL) gets each piece as it comes; anything but 0 from it cancels: the piece
 * is still gathered, and this and every later delta answers CONV_CANCELLED. CONV_NO_MEMORY. */
CONV_WARN_UNUSED conv_status conv__provider_response_create(conv_delta_function on_delta,
                                                            void *context,
                                                            conv_provider_response **response);

/* The messages in order; deltas that followed the last one are one more assistant message. Valid
 * until something is put into the response again. Never NULL, `count` may be 0. */
const conv_message *conv__provider_response_messages(conv_provider_response *response,
                                                     size_t *count);

/* CONV_USAGE_INIT with what was said of counts, `raw` and cost. */
const conv_usage *conv__provider_response_usage(const conv_provider_response *response);

conv_bytes conv__provider_response_model(const conv_provider_response *response);
conv_bytes conv__provider_response_finish_reason(const conv_provider_response *response);

/* Merges counts and cost of `said` into `merged`: known replaces unknown, the larger wins. */
void conv__provider_usage_merge(conv_usage *merged, const conv_usage *said);

/* Whether a delta was put in: from then on a provider must not begin anew. */
bool conv__provider_response_has_deltas(const conv_provider_response *response);
bool conv__provider_response_is_cancelled(const conv_provider_response *response);

void conv__provider_response_free(conv_provider_response *response); /* NULL is allowed */

#endif
