/* Cutting a text into pieces for deltas. */
#ifndef CONV__PROVIDERS_WORDS_H
#define CONV__PROVIDERS_WORDS_H

#include <stddef.h>
#include <stdint.h>

#include "conversation/provider.h"

/* Puts a text as deltas of a word each, with the blanks around it; longer words than `limit` bytes
 * (4 or more) are cut between characters. Statuses of conv_provider_response_delta. */
CONV_WARN_UNUSED conv_status conv__put_words(conv_provider_response *response, conv_bytes text,
                                             size_t limit);

/* Words: runs of bytes that are not ASCII blanks. */
int64_t conv__word_count(conv_bytes text);

#endif
