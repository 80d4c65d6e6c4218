/* Telling the redacting step from others, for the order of a chain. */
#ifndef CONV__MIDDLEWARE_REDACT_H
#define CONV__MIDDLEWARE_REDACT_H

#include <stdbool.h>

#include "conversation/middleware.h"

bool conv__is_redact(const conv_middleware *middleware);

#endif
