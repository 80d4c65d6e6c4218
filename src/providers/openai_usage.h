/* Usage objects in all the shapes that OpenAI-compatible endpoints send, as one shape. What nobody
 * said stays CONV_UNKNOWN. */
#ifndef CONV__PROVIDERS_OPENAI_USAGE_H
#define CONV__PROVIDERS_OPENAI_USAGE_H

#include "conversation/usage.h"
#include "core/json.h"

/* Reads one usage object; false if it says nothing: not an object, or no tokens at all, which no
 * answered request has. `usage` gets counts, cost and `raw` (a view into the JSON), which also an
 * object that says nothing gives. */
bool conv__openai_usage_read(conv__json object, conv_usage *usage);

/* Reads an answer or a chunk of one, wherever it keeps its usage, and merges what it says into
 * `usage`: the larger count wins, `raw` is the last object that said something (a view into the
 * JSON). */
void conv__openai_usage_merge(conv__json answer, conv_usage *usage);

#endif
