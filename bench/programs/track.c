/* Usage records tracked one by one: what a call costs its caller, and how many reach the store in a
 * second. Prints one line of JSON.
 *
 *   bench_track --store STORE [--journal FILE] [--tracker-records N]
 *               --seconds N [--calls-per-ms N]   the cost of a call, at a steady pace
 *               --records N [--callers N]        or so many as fast as possible, until all are
 * saved */
#include <inttypes.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "common.h"
#include "measure.h"

enum { FLUSH_TIMEOUT_MS = 60000 };

typedef struct tracking {
    conv_client *client;
    int64_t records_each;
    unsigned callers;
    histogram latency;
    histogram first; /* of them the first call after each pause */
    histogram others;
} tracking;

typedef struct caller {
    pthread_t thread;
    tracking *tracking;
    unsigned number;
} caller;

static void fill(conv_usage *usage, const uuid_text *user)
{
    *usage = (conv_usage)CONV_USAGE_INIT;
    usage->user_id = conv_view(user->text, 36);
    usage->service = conv_text("documents");
    usage->operation = conv_text("embeddings");
    usage->model = conv_text(BENCH_MODEL);
    usage->provider = conv_text("openai");
    usage->input_tokens = 1200;
    usage->output_tokens = 0;
    usage->latency_ms = 85;
}

/* Back pressure is an answer: the caller waits and offers the record again. */
static void track(conv_client *client, const conv_usage *usage)
{
    for (;;) {
        conv_error error = CONV_ERROR_INIT;
        conv_status status = conv_track_usage(client, usage, &error);
        if (status == CONV_OK) return;
        if (status != CONV_LIMIT) give_up("track", &error);
        nanosleep(&(struct timespec){0, 1000000}, NULL);
    }
}

static void flush(conv_client *client)
{
    conv_error error = CONV_ERROR_INIT;
    size_t pending = 0;
    if (conv_track_flush(client, FLUSH_TIMEOUT_MS, &pending, &error) != CONV_OK)
        give_up("flush", &error);
}

/* Some calls, then a pause: what a program does that has something else to do. */
static void measure_calls(tracking *self, int64_t seconds, int64_t calls_per_ms)
{
    int64_t end_ns = clock_ns() + seconds * 1000000000;
    int64_t warm_ns = clock_ns() + 200000000;
    uint64_t calls = 0;
    for (int64_t next_ns = clock_ns(); next_ns < end_ns; next_ns += 1000000) {
        for (int64_t i = 0; i < calls_per_ms; i++, calls++) {
            conv_usage usage;
            uuid_text user = uuid_of(2, 0, calls % 900);
            fill(&usage, &user);
            int64_t began = clock_ns();
            track(self->client, &usage);
            int64_t ended = clock_ns();
            if (began <= warm_ns) continue;
            histogram_add(&self->latency, ended - began);
            histogram_add(i == 0 ? &self->first : &self->others, ended - began);
        }
        int64_t left_ns = next_ns + 1000000 - clock_ns();
        if (left_ns > 0) nanosleep(&(struct timespec){0, left_ns}, NULL);
    }
    flush(self->client);
    histogram empty = {0};
    for (int i = 0; i < 100000; i++) {
        int64_t began = clock_ns();
        histogram_add(&empty, clock_ns() - began);
    }
    printf("{\"calls\": %" PRIu64 ", \"saved\": %" PRIu64 ", \"p50_ns\": %" PRId64
           ", \"p99_ns\": %" PRId64 ", \"clock_ns\": %" PRId64 ", \"first_p50_ns\": %" PRId64
           ", \"first_p90_ns\": %" PRId64 ", \"others_p50_ns\": %" PRId64
           ", \"others_p99_ns\": %" PRId64 ", \"failed\": 0}\n",
           calls, calls, histogram_at(&self->latency, 0.5), histogram_at(&self->latency, 0.99),
           histogram_at(&empty, 0.5), histogram_at(&self->first, 0.5),
           histogram_at(&self->first, 0.9), histogram_at(&self->others, 0.5),
           histogram_at(&self->others, 0.99));
}

static void *pour(void *argument)
{
    caller *self = argument;
    for (int64_t i = 0; i < self->tracking->records_each; i++) {
        conv_usage usage;
        uuid_text user = uuid_of(2, 0, (uint64_t)i % 900);
        fill(&usage, &user);
        track(self->tracking->client, &usage);
    }
    return NULL;
}

static void measure_rate(tracking *self)
{
    caller *all = calloc(self->callers, sizeof *all);
    if (all == NULL) give_up("out of memory", NULL);
    int64_t began = clock_ns();
    for (unsigned i = 0; i < self->callers; i++) {
        all[i].tracking = self;
        if (pthread_create(&all[i].thread, NULL, pour, &all[i]) != 0) give_up("no thread", NULL);
    }
    for (unsigned i = 0; i < self->callers; i++)
        pthread_join(all[i].thread, NULL);
    flush(self->client);
    double seconds = (double)(clock_ns() - began) / 1e9;
    int64_t records = self->records_each * self->callers;
    printf("{\"saved\": %" PRId64 ", \"seconds\": %.6f, \"per_second\": %.1f, \"failed\": 0, "
           "\"rss_kib\": %ld}\n",
           records, seconds, (double)records / seconds, memory_kib("VmHWM:"));
    free(all);
}

int main(int count, char **words)
{
    static tracking self;
    conv_error error = CONV_ERROR_INIT;
    conv_client_params params = CONV_CLIENT_PARAMS_INIT;
    params.store = option_text(count, words, "store", NULL);
    params.journal = option_text(count, words, "journal", NULL);
    params.prices = &bench_price;
    params.price_count = 1;
    params.tracker_records =
        (int)option_number(count, words, "tracker-records", params.tracker_records);
    if (conv_client_open(&params, &self.client, &error) != CONV_OK) give_up("open", &error);
    int64_t records = option_number(count, words, "records", 0);
    if (records > 0) {
        self.callers = (unsigned)option_number(count, words, "callers", 1);
        self.records_each = records / self.callers;
        measure_rate(&self);
    } else {
        measure_calls(&self, option_number(count, words, "seconds", 3),
                      option_number(count, words, "calls-per-ms", 10));
    }
    if (conv_client_close(self.client, 10000, &error) != CONV_OK) give_up("close", &error);
    return 0;
}
