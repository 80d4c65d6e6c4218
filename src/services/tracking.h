/* The tracking service: the rules of usage records that belong to no exchange. */
#ifndef CONV__SERVICES_TRACKING_H
#define CONV__SERVICES_TRACKING_H

#include "conversation/usage.h"
#include "saving/tracker.h"
#include "services/pricing.h"

/* Sets names, total and cost where the application left them open. `prices`: conv__prices, or NULL.
 */
void conv__usage_finish(const void *prices, conv_usage *usage);

/* Sets what the application left open: id and time, and all that conv__usage_finish does. */
void conv__usage_complete(const conv__prices *prices, conv_usage *usage);

/* See conv_track_usage. */
CONV_WARN_UNUSED conv_status conv__track_usage(conv__tracker *tracker, const conv__prices *prices,
                                               const conv_usage *usage, conv_error *error);

#endif
