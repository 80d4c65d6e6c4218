/* A test exchange: saved as real ones are, read back, and removed without a trace. */
#ifndef CONV__MONITORING_PROBE_H
#define CONV__MONITORING_PROBE_H

#include "conversation/health.h"
#include "saving/saving.h"

/* Its ids; they are used again until what they name was removed. Start with zero. */
typedef struct conv__probe {
    conv_uuid session_id; /* nil: nothing is left */
    conv_uuid exchange_id;
} conv__probe;

/* One at a time. See conv_health_check_database_saves. */
CONV_WARN_UNUSED conv_status conv__probe_run(conv__probe *probe, conv__saving *saving,
                                             int64_t deadline_ns, conv_save_latency *latency,
                                             conv_error *error);

/* Removes what an earlier run has left, if it did. */
CONV_WARN_UNUSED conv_status conv__probe_clean(conv__probe *probe, conv__saving *saving,
                                               int64_t deadline_ns, conv_error *error);

#endif
