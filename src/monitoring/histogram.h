/* Histograms on a row of counters: bounds, where a value belongs, and how many cells it takes. */
#ifndef CONV__MONITORING_HISTOGRAM_H
#define CONV__MONITORING_HISTOGRAM_H

#include "monitoring/counters.h"

/* Upper bounds: `first` times `factor` again and again. Seconds are kept as microseconds. */
typedef struct conv__histogram {
    int64_t first;
    int64_t factor;
    bool seconds;
} conv__histogram;

/* 1, 4, 16 … 4^13; 0.01 … 81.92; source: OpenTelemetry's conventions for GenAI metrics. */
extern const conv__histogram conv__histogram_tokens;
extern const conv__histogram conv__histogram_operation;
/* 0.0005 … 4.096, doubling. */
extern const conv__histogram conv__histogram_save;

enum {
    CONV__BUCKETS = 14,
    CONV__HISTOGRAM_SUM = CONV__BUCKETS + 1, /* behind the buckets and the one without bound */
    CONV__HISTOGRAM_CELLS
};

/* Counts `value` (tokens or microseconds, at least 0) in the cells from `cell` on. */
void conv__histogram_count(const conv__histogram *histogram, conv__counters *counters, size_t cell,
                           int64_t value);

#endif
