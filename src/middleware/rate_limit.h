/* The rate limit with a clock of its own: for its tests. */
#ifndef CONV__MIDDLEWARE_RATE_LIMIT_H
#define CONV__MIDDLEWARE_RATE_LIMIT_H

#include "conversation/middleware.h"
#include "core/time.h"

/* As conv_middleware_rate_limit; `clock` is borrowed. */
CONV_WARN_UNUSED conv_status conv__rate_limit_create(const conv_rate_limit_params *params,
                                                     const conv__clock *clock,
                                                     conv_middleware **middleware,
                                                     conv_error *error);

#endif
