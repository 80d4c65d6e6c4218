/* Measures what one count costs, alone and with many threads at once; prints it and judges nothing.
 * Usage: measure_counting [THREADS] */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "core/time.h"
#include "events/bus.h"
#include "monitoring/counters.h"
#include "monitoring/metrics.h"

enum { MOST_THREADS = 256, COUNTS = 20000000, EVENTS = 500000 };

static conv__counters counters;
static conv__metrics *metrics;
static _Atomic uint64_t shared; /* what the rows are there to avoid */

static void *count_in_rows(void *context)
{
    for (int i = 0; i < COUNTS; i++)
        conv__count(&counters, 0, 1);
    return context;
}

static void *count_in_one(void *context)
{
    for (int i = 0; i < COUNTS; i++)
        atomic_fetch_add_explicit(&shared, 1, memory_order_relaxed);
    return context;
}

static void *observe_events(void *context)
{
    conv_event event = conv__event_make(CONV_EVENT_EXCHANGE_SAVED);
    conv__event_set_name(event.model, conv_text("a-model-2026"));
    event.input_tokens = 1000;
    event.output_tokens = 100;
    event.latency_ms = 700;
    event.store_us = 500;
    event.priced = context != NULL;
    (void)!conv_decimal_parse(conv_text("0.0123"), &event.cost_usd);
    for (int i = 0; i < EVENTS; i++)
        conv__metrics_observe(metrics, &event);
    return context;
}

/* Nanoseconds of processor time of each: threads beyond the processors wait their turn. */
static void measure(const char *what, void *(*work)(void *), void *context, int threads, int times)
{
    pthread_t running[MOST_THREADS];
    struct timespec before;
    struct timespec after;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &before);
    int64_t begun = conv__monotonic_ns();
    for (int i = 0; i < threads; i++)
        if (pthread_create(&running[i], NULL, work, context) != 0) exit(1);
    for (int i = 0; i < threads; i++)
        pthread_join(running[i], NULL);
    double wall = (double)(conv__monotonic_ns() - begun);
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &after);
    double cpu =
        (double)(after.tv_sec - before.tv_sec) * 1e9 + (double)(after.tv_nsec - before.tv_nsec);
    double all = (double)threads * times;
    printf("%-28s %3d threads  %7.1f ns of processor time each, %6.1f million a second\n", what,
           threads, cpu / all, all / wall * 1000);
}

int main(int count, char **arguments)
{
    int threads = count > 1 ? (int)strtol(arguments[1], NULL, 10) : 16;
    metrics = conv__metrics_create();
    if (threads < 1 || threads > MOST_THREADS || metrics == NULL ||
        !conv__counters_create(&counters, 8))
        return 1;
    for (int at = 1; at <= threads; at = at == 1 && threads > 1 ? threads : threads + 1) {
        measure("a count", count_in_rows, NULL, at, COUNTS);
        measure("a counter that all share", count_in_one, NULL, at, COUNTS);
        measure("an exchange without a price", observe_events, NULL, at, EVENTS);
        measure("an exchange with a price", observe_events, metrics, at, EVENTS);
    }
    conv__metrics_free(metrics);
    conv__counters_free(&counters);
    return 0;
}
