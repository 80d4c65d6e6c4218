/* What others may know of the redacting step: which step is one, for the order of a chain, and what
 * those of a chain do to texts that pass no chain. */
#ifndef CONV__MIDDLEWARE_REDACT_H
#define CONV__MIDDLEWARE_REDACT_H

#include <stdbool.h>

#include "middleware/chain.h"
#include "services/redaction.h"

bool conv__is_redact(const conv_middleware *middleware);

/* By all redacting steps of the chain, in their order. */
conv__redaction conv__chain_redaction(const conv__chain *chain);

#endif
