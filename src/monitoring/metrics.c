/* From events to counts. */
#include "monitoring/metrics.h"

#include "core/memory.h"
#include "monitoring/metrics_internal.h"

conv__metrics *conv__metrics_create(void)
{
    conv__metrics *made = conv__allocate(sizeof *made);
    if (made == NULL) return NULL;
    if (!conv__counters_create(&made->counters, CONV__CELLS)) {
        conv__release(made);
        return NULL;
    }
    pthread_mutex_init(&made->lock, NULL);
    for (size_t i = 0; i < CONV__COUNTER_ROWS; i++)
        pthread_mutex_init(&made->costs[i].lock, NULL);
    return made;
}

void conv__metrics_free(conv__metrics *metrics)
{
    if (metrics == NULL) return;
    for (size_t i = 0; i <= CONV__SERIES; i++) {
        conv__series *one = atomic_load_explicit(&metrics->series[i], memory_order_acquire);
        if (one == NULL) continue;
        conv__counters_free(&one->counters);
        conv__release(one);
    }
    pthread_mutex_destroy(&metrics->lock);
    for (size_t i = 0; i < CONV__COUNTER_ROWS; i++)
        pthread_mutex_destroy(&metrics->costs[i].lock);
    conv__counters_free(&metrics->counters);
    conv__release(metrics);
}

static void count(conv__metrics *metrics, size_t cell, int64_t more)
{
    if (more > 0) conv__count(&metrics->counters, cell, (uint64_t)more);
}

/* What a journal kept may be longer than a record may say today. */
static int64_t latency_us(const conv_event *event)
{
    int64_t most = CONV_LATENCY_MS_MAX;
    return (event->latency_ms < most ? event->latency_ms : most) * 1000;
}

static void count_series(conv__metrics *metrics, const conv_event *event)
{
    bool overflow = false;
    conv__series *series = conv__series_of(metrics, event, &overflow);
    if (overflow) count(metrics, CONV__CELL_OVERFLOW, 1);
    if (series == NULL) return;
    if (event->input_tokens >= 0)
        conv__histogram_count(&conv__histogram_tokens, &series->counters,
                              CONV__SERIES_INPUT * CONV__HISTOGRAM_CELLS, event->input_tokens);
    if (event->output_tokens >= 0)
        conv__histogram_count(&conv__histogram_tokens, &series->counters,
                              CONV__SERIES_OUTPUT * CONV__HISTOGRAM_CELLS, event->output_tokens);
    if (event->latency_ms >= 0 && (unsigned)event->outcome <= CONV_OUTCOME_FAILED)
        conv__histogram_count(&conv__histogram_operation, &series->counters,
                              (size_t)(CONV__SERIES_DURATION + (int)event->outcome) *
                                  CONV__HISTOGRAM_CELLS,
                              latency_us(event));
}

static void count_cost(conv__metrics *metrics, conv_decimal cost_usd)
{
    conv__cost *own = &metrics->costs[conv__counter_row()];
    pthread_mutex_lock(&own->lock);
    /* 38 digits do not overflow before the money in the world does. */
    (void)!conv_decimal_add(own->usd, cost_usd, &own->usd);
    pthread_mutex_unlock(&own->lock);
}

/* Of a usage record that is in the store, alone or with its exchange. */
static void count_usage(conv__metrics *metrics, const conv_event *event)
{
    const int64_t tokens[CONV__TOKEN_TYPES] = {event->input_tokens,       event->output_tokens,
                                               event->total_tokens,       event->cache_read_tokens,
                                               event->cache_write_tokens, event->reasoning_tokens};
    for (size_t i = 0; i < CONV__TOKEN_TYPES; i++)
        count(metrics, CONV__CELL_TOKENS + i, tokens[i]);
    count(metrics, event->priced ? CONV__CELL_PRICED : CONV__CELL_UNPRICED, 1);
    count_series(metrics, event);
    if (event->priced) count_cost(metrics, event->cost_usd);
}

static void count_failure(conv__metrics *metrics, const conv_event *event,
                          conv__save_outcome outcome)
{
    size_t cause = (size_t)conv__cause_of(event->status, event->sqlstate);
    count(metrics, CONV__CELL_FAILURES + cause * CONV__SAVE_OUTCOMES + outcome, 1);
}

static void count_save(conv__metrics *metrics, const conv_event *event, conv__save_outcome outcome)
{
    if (event->store_us >= 0)
        conv__histogram_count(&conv__histogram_save, &metrics->counters,
                              CONV__CELL_SAVE_DURATION + (size_t)outcome * CONV__HISTOGRAM_CELLS,
                              event->store_us);
    /* What was refused before anybody tried to save it is no failure of saving. */
    if (outcome == CONV__SAVE_SAVED || (event->store_us < 0 && outcome == CONV__SAVE_FAILED))
        return;
    count_failure(metrics, event, outcome);
}

void conv__metrics_observe(void *context, const conv_event *event)
{
    conv__metrics *metrics = context;
    count(metrics, CONV__CELL_EVENTS + event->kind, 1);
    switch (event->kind) {
    case CONV_EVENT_EXCHANGE_SAVED:
        count(metrics, CONV__CELL_MESSAGES, event->message_count);
        count_save(metrics, event, CONV__SAVE_SAVED);
        count_usage(metrics, event);
        break;
    case CONV_EVENT_EXCHANGE_JOURNALED:
        count_save(metrics, event, CONV__SAVE_JOURNALED);
        break;
    case CONV_EVENT_EXCHANGE_FAILED:
        count_save(metrics, event, event->dead ? CONV__SAVE_DEAD : CONV__SAVE_FAILED);
        break;
    case CONV_EVENT_USAGE_RECORDED:
        count_usage(metrics, event);
        break;
    case CONV_EVENT_USAGE_FAILED:
        count_failure(metrics, event, event->dead ? CONV__SAVE_DEAD : CONV__SAVE_FAILED);
        break;
    default:
        break;
    }
}

void conv__metrics_count_turn(conv__metrics *metrics, conv_status status, int64_t duration_us)
{
    size_t at = (unsigned)status < CONV__STATUSES ? (size_t)status : CONV_INTERNAL;
    count(metrics, CONV__CELL_TURNS + at, 1);
    conv__histogram_count(&conv__histogram_operation, &metrics->counters, CONV__CELL_TURN_DURATION,
                          duration_us);
}
