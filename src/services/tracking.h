/* The tracking service: the rules of a usage record that belongs to no exchange. */
#ifndef CONV__SERVICES_TRACKING_H
#define CONV__SERVICES_TRACKING_H

#include "conversation/usage.h"
#include "saving/tracker.h"
#include "services/pricing.h"

/* See conv_track_usage. */
CONV_WARN_UNUSED conv_status conv__track_usage(conv__tracker *tracker, const conv__prices *prices,
                                               const conv_usage *usage, conv_error *error);

#endif
