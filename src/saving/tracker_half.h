/* One half of the tracker's buffer, and its way into the store. Only the tracker includes it. */
#ifndef CONV__SAVING_TRACKER_HALF_H
#define CONV__SAVING_TRACKER_HALF_H

#include "core/buffer.h"
#include "saving/spool.h"
#include "saving/tracker.h"
#include "saving/usage_copies.h"

typedef struct conv__tracker_half {
    conv__usage_copies copies; /* without a spool */
    conv__buffer frames;       /* with one: what is in it */
    size_t records;
    bool tried; /* some may be in the store */
    conv__spool spool;
} conv__tracker_half;

/* Brings all into the store, or else the journal; adds to `flushed` what the store has now. Changes
 * nothing of the half: after a failure all are brought again. The statuses of
 * conv__tracker_flush. */
CONV_WARN_UNUSED conv_status conv__tracker_half_save(const conv__tracker_params *params,
                                                     const conv__tracker_half *half,
                                                     int64_t deadline_ns, int64_t *flushed,
                                                     conv_error *error);

#endif
