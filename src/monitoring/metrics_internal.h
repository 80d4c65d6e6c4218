/* What metrics.c, series.c and text.c share: where each count stands. */
#ifndef CONV__MONITORING_METRICS_INTERNAL_H
#define CONV__MONITORING_METRICS_INTERNAL_H

#include <pthread.h>

#include "monitoring/families.h"
#include "monitoring/histogram.h"
#include "monitoring/metrics.h"

enum { CONV__STATUSES = CONV_INTERNAL + 1 };

typedef enum conv__save_outcome {
    CONV__SAVE_SAVED,
    CONV__SAVE_JOURNALED,
    CONV__SAVE_FAILED,
    CONV__SAVE_DEAD,
    CONV__SAVE_OUTCOMES
} conv__save_outcome;

enum {
    CONV__TOKEN_INPUT,
    CONV__TOKEN_OUTPUT,
    CONV__TOKEN_TOTAL,
    CONV__TOKEN_CACHE_READ,
    CONV__TOKEN_CACHE_WRITE,
    CONV__TOKEN_REASONING,
    CONV__TOKEN_TYPES
};

/* Cells of the counters that are always there. */
enum {
    CONV__CELL_EVENTS = 0,
    CONV__CELL_FAILURES = CONV__CELL_EVENTS + CONV_EVENT_KINDS, /* cause × outcome */
    CONV__CELL_TURNS = CONV__CELL_FAILURES + CONV__CAUSES * CONV__SAVE_OUTCOMES,
    CONV__CELL_TURN_DURATION = CONV__CELL_TURNS + CONV__STATUSES,
    CONV__CELL_SAVE_DURATION = CONV__CELL_TURN_DURATION + CONV__HISTOGRAM_CELLS,
    CONV__CELL_MESSAGES = CONV__CELL_SAVE_DURATION + CONV__SAVE_OUTCOMES * CONV__HISTOGRAM_CELLS,
    CONV__CELL_UNPRICED,
    CONV__CELL_PRICED,
    CONV__CELL_TOKENS,
    CONV__CELL_OVERFLOW = CONV__CELL_TOKENS + CONV__TOKEN_TYPES,
    CONV__CELLS
};

/* Cells of a series: one histogram for each. */
enum {
    CONV__SERIES_INPUT,
    CONV__SERIES_OUTPUT,
    CONV__SERIES_DURATION, /* by outcome */
    CONV__SERIES_HISTOGRAMS = CONV__SERIES_DURATION + CONV_OUTCOME_FAILED + 1
};

/* One combination of names. Never changed nor freed before the metrics are. */
typedef struct conv__series {
    uint64_t hash;
    char operation[CONV_EVENT_NAME_SIZE];
    char provider[CONV_EVENT_NAME_SIZE];
    char model[CONV_EVENT_NAME_SIZE];
    conv__counters counters;
} conv__series;

/* An exact sum has more bits than a cell. Each row of counters has one, on cache lines of its own,
 * so that the lock is hardly ever another thread's. */
typedef struct conv__cost {
    pthread_mutex_t lock;
    conv_decimal usd;
    char apart[CONV__CACHE_LINE];
} conv__cost;

enum { CONV__SERIES = 64 }; /* and one for all others */

struct conv__metrics {
    conv__counters counters;
    conv__series *_Atomic series[CONV__SERIES + 1]; /* filled from the front; the last: others */
    pthread_mutex_t lock;                           /* of making a series */
    conv__cost costs[CONV__COUNTER_ROWS];
};

/* The series of an event's names, made if need be; NULL when out of memory. */
conv__series *conv__series_of(conv__metrics *metrics, const conv_event *event, bool *overflow);

#endif
