/* Readings of health: what is looked at, what counts as what, and what has changed. */
#ifndef CONV__MONITORING_HEALTH_H
#define CONV__MONITORING_HEALTH_H

#include "conversation/health.h"
#include "events/bus.h"
#include "monitoring/metrics.h"
#include "saving/saving.h"

typedef struct conv__health conv__health;

/* What it looks at; borrowed, except the numbers. */
typedef struct conv__health_sources {
    conv__saving *saving;
    conv__bus *bus;
    bool read_only;
    bool has_provider;
    int64_t journal_bytes;   /* its limit */
    int64_t tracker_records; /* that start a flush */
} conv__health_sources;

/* NULL when out of memory. */
conv__health *conv__health_create(const conv__health_sources *sources);

/* Removes what a test exchange may have left, until the deadline. NULL is allowed. */
void conv__health_free(conv__health *health, int64_t deadline_ns);

/* See conv_health_check_database_saves. */
CONV_WARN_UNUSED conv_status conv__health_check_saves(conv__health *health, int64_t timeout_ms,
                                                      conv_save_latency *latency,
                                                      conv_error *error);

/* Judges the providers alone, and tells what has changed. */
void conv__health_judge_provider(conv__health *health, const conv__provider_gauges *gauges);

/* See conv_health_read; `gauges` are read by the caller, right before. */
CONV_WARN_UNUSED conv_status conv__health_read(conv__health *health,
                                               const conv_health_params *params,
                                               const conv__gauges *gauges, conv_health **reading,
                                               conv_error *error);

/* What the last reading said, for the metrics. */
void conv__health_last(conv__health *health, conv_health_state states[CONV__HEALTH_CHECKS]);

#endif
