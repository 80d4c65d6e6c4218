/* The public calls around metrics: gathers what the rooms know, and gives out the text. */
#include "async_queue.h"
#include "client.h"

#include <string.h>

#include "conversation/metrics.h"
#include "core/error.h"
#include "core/time.h"
#include "repositories/postgres/store.h"

#define ACTION "read metrics"

enum { JOURNAL_TIMEOUT_MS = 1000 };

struct conv_metrics {
    conv__buffer text;
};

conv__provider_gauges conv__client_provider_gauges(const conv_client *client)
{
    conv__provider_gauges gauges = {0};
    gauges.asked = conv__provider_calls_worst(client->provider_calls, &gauges.worst);
    return gauges;
}

conv__gauges conv__client_gauges(conv_client *client)
{
    conv__bus_counts bus = conv__bus_count(client->bus);
    conv__gauges gauges = {.tracker_buffered = (int64_t)conv__tracker_buffered(client->tracker),
                           .writer_waiting = (int64_t)conv__saving_writer_waiting(client->saving),
                           .submitted = (int64_t)conv__async_unsettled(client),
                           .store_away = conv__saving_is_away(client->saving, ACTION, NULL),
                           .subscriptions = bus.subscriptions,
                           .events_waiting = bus.waiting,
                           .events_delivered = bus.delivered,
                           .events_failed = bus.failed,
                           .events_dropped = bus.dropped,
                           .provider = conv__client_provider_gauges(client)};
    gauges.journal_status = conv__saving_count(
        client->saving, conv__deadline_in_ms(JOURNAL_TIMEOUT_MS), &gauges.journal, NULL);
    gauges.has_journal =
        conv__saving_has_journal(client->saving) && gauges.journal_status == CONV_OK;
    if (gauges.journal.oldest_us > 0) {
        int64_t age_us = conv__now_us() - gauges.journal.oldest_us;
        gauges.oldest_age_us = age_us > 0 ? age_us : 0;
    }
    conv__health_last(client->health, gauges.health);
    gauges.has_pool = strcmp(client->store->functions->name, "postgresql") == 0;
    if (gauges.has_pool) {
        conv__postgres_gauges pool = conv__postgres_store_gauges(client->store);
        gauges.pool_limit = pool.limit;
        gauges.pool_open = pool.open;
        gauges.pool_idle = pool.idle;
        gauges.pool_waiting = pool.waiting;
    }
    return gauges;
}

static conv_status read_metrics(conv_client *client, conv_metrics_format format,
                                conv_metrics **metrics, conv_error *error)
{
    conv_metrics *made = conv__allocate(sizeof *made);
    if (made == NULL) return conv__fail_memory(error, ACTION);
    conv__gauges gauges = conv__client_gauges(client);
    conv__metrics_append(client->metrics, &gauges, format, &made->text);
    if (made->text.failed) {
        conv_metrics_free(made);
        return conv__fail_memory(error, ACTION);
    }
    *metrics = made;
    return CONV_OK;
}

conv_status conv_metrics_read(conv_client *client, conv_metrics_format format,
                              conv_metrics **metrics, conv_error *error)
{
    if (metrics != NULL) *metrics = NULL;
    conv_status status = conv__client_enter(client, ACTION, error);
    if (status != CONV_OK) return status;
    if (metrics == NULL || conv_metrics_content_type(format) == NULL)
        status = conv__fail(error, CONV_INVALID_ARGUMENT, ACTION,
                            "the format is not known, or there is nowhere to put the text");
    else
        status = read_metrics(client, format, metrics, error);
    conv__client_leave(client);
    return status;
}

const char *conv_metrics_text(const conv_metrics *metrics)
{
    return metrics->text.data;
}

size_t conv_metrics_size(const conv_metrics *metrics)
{
    return metrics->text.size;
}

const char *conv_metrics_content_type(conv_metrics_format format)
{
    static const char *const types[] = {
        "text/plain; version=0.0.4; charset=utf-8",
        "application/openmetrics-text; version=1.0.0; charset=utf-8"};
    return (unsigned)format <= CONV_METRICS_OPENMETRICS ? types[format] : NULL;
}

void conv_metrics_free(conv_metrics *metrics)
{
    if (metrics == NULL) return;
    conv__buffer_free(&metrics->text);
    conv__release(metrics);
}
