/* What a client counts, and its text. Counting takes no lock; nothing here fails. */
#ifndef CONV__MONITORING_METRICS_H
#define CONV__MONITORING_METRICS_H

#include "conversation/events.h"
#include "conversation/metrics.h"
#include "core/buffer.h"
#include "monitoring/health_checks.h"
#include "monitoring/provider_health.h"
#include "repositories/journal.h"

typedef struct conv__metrics conv__metrics;

/* NULL when out of memory. */
conv__metrics *conv__metrics_create(void);
void conv__metrics_free(conv__metrics *metrics); /* NULL is allowed */

/* Counts an event; for the bus, as its tap. */
void conv__metrics_observe(void *metrics, const conv_event *event);

/* Counts an answer of conv_process_message. */
void conv__metrics_count_turn(conv__metrics *metrics, conv_status status, int64_t duration_us);

/* What is read at the moment, from the rooms that know it. */
typedef struct conv__gauges {
    bool has_journal;           /* else the journal's have no samples */
    conv_status journal_status; /* why one could not be counted */
    conv__journal_counts journal;
    int64_t oldest_age_us;
    int64_t tracker_buffered;
    int64_t writer_waiting;
    int64_t submitted;
    bool store_away;
    bool has_pool; /* likewise */
    int pool_limit;
    int pool_open;
    int pool_idle;
    int pool_waiting;
    int64_t subscriptions;
    int64_t events_waiting;
    int64_t events_delivered;
    int64_t events_failed;
    int64_t events_dropped;
    conv_health_state health[CONV__HEALTH_CHECKS]; /* of the last reading; unknown: no sample */
    conv__provider_gauges provider;
} conv__gauges;

/* Appends the text; a failure sticks in the buffer. */
void conv__metrics_append(conv__metrics *metrics, const conv__gauges *gauges,
                          conv_metrics_format format, conv__buffer *text);

#endif
