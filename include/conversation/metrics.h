/* Metrics: what an open client has counted, as text for Prometheus and whoever reads its format. */
#ifndef CONVERSATION_METRICS_H
#define CONVERSATION_METRICS_H

#include <stddef.h>

#include "client.h"
#include "status.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum conv_metrics_format {
    CONV_METRICS_PROMETHEUS = 0, /* the text format 0.0.4, which everything reads */
    CONV_METRICS_OPENMETRICS     /* 1.0 */
} conv_metrics_format;

/* One reading of all metrics: a text. One block with one free. */
typedef struct conv_metrics conv_metrics;

/* Reads all metrics of this client; docs/metrics.md has the whole list. Counting is always on and
 * begins with zero when the client is opened. A label never holds an id, and has few values: of
 * combinations of operation, provider and model the first 64 have series of their own, further
 * ones count as "other". `metrics` receives the text, to be freed with conv_metrics_free; NULL
 * after a failure; `error` may be NULL. A journal that can't be read has no samples, and is no
 * failure. CONV_INVALID_ARGUMENT: no such format. CONV_STATE: closing or forked. CONV_NO_MEMORY.
 * Thread: any. Round trips: none. */
CONV_WARN_UNUSED conv_status conv_metrics_read(conv_client *client, conv_metrics_format format,
                                               conv_metrics **metrics, conv_error *error);

/* The text, followed by a NUL; belongs to the metrics. Thread: any. */
const char *conv_metrics_text(const conv_metrics *metrics);

/* Its length in bytes. Thread: any. */
size_t conv_metrics_size(const conv_metrics *metrics);

/* What a server answers as Content-Type; NULL for any other number. Static. Thread: any. */
const char *conv_metrics_content_type(conv_metrics_format format);

/* NULL is allowed. Thread: owner. */
void conv_metrics_free(conv_metrics *metrics);

#ifdef __cplusplus
}
#endif
#endif
