/* Callers that save exchanges as fast as the library takes them, and what they saw: how many were
 * committed in a second, how long each waited, how much memory it took. Prints one line of JSON.
 *
 *   bench_exchanges --store STORE --samples FILE [--callers N] [--seconds N] [--warmup N]
 *                   [--way save|alone|turn] [--journal FILE]
 *                   [--exchanges N]      so many in all instead of a time
 *
 * The ways: conv_save_exchange, conv_save_exchanges of one, conv_process_message. */
#include <inttypes.h>
#include <malloc.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common.h"
#include "measure.h"

enum { STACK_BYTES = 256 << 10, MEMORY_LOOKS = 10 };

typedef enum way { WAY_SAVE, WAY_ALONE, WAY_TURN } way;

typedef struct workload {
    conv_client *client;
    conv_provider *provider;
    sample_set samples;
    way way;
    int64_t exchanges_each; /* 0: until `end_ns` */
    int64_t begin_ns;       /* what ends earlier is warming up */
    int64_t end_ns;
    atomic_llong done; /* calls that have ended, of all callers */
    histogram latency; /* of those that count; one for all callers, to keep memory flat */
} workload;

typedef struct caller {
    pthread_t thread;
    workload *run;
    unsigned number;
    int64_t saved;   /* all that were acknowledged as committed */
    int64_t counted; /* of them, in the time that counts */
    int64_t journaled;
    int64_t failed;
    conv_error first_error;
} caller;

static conv_status save(caller *self, uint64_t number, conv_saved *saved, conv_error *error)
{
    one_exchange made;
    conv_reply *reply = NULL;
    make_exchange(&self->run->samples, self->number, number, &made);
    conv_status status = conv_save_exchange(self->run->client, &made.exchange, &reply, error);
    if (status == CONV_OK) *saved = conv_reply_saved(reply);
    conv_reply_free(reply);
    return status;
}

static conv_status save_alone(caller *self, uint64_t number, conv_saved *saved, conv_error *error)
{
    one_exchange made;
    conv_exchange_result result;
    make_exchange(&self->run->samples, self->number, number, &made);
    conv_status status = conv_save_exchanges(self->run->client, &made.exchange, 1, &result, error);
    if (status != CONV_OK) return status;
    *saved = result.saved;
    *error = result.error;
    return result.status;
}

static conv_status take_turn(caller *self, uint64_t number, conv_saved *saved, conv_error *error)
{
    conv_reply *reply = NULL;
    uuid_text session = uuid_of(1, self->number, number / SESSION_EXCHANGES);
    uuid_text user = uuid_of(2, 0, self->number);
    conv_turn turn = CONV_TURN_INIT;
    turn.session_id = session.text;
    turn.user_id = user.text;
    turn.message =
        self->run->samples.questions[sample_of(&self->run->samples, self->number, number)];
    conv_status status = conv_process_message(self->run->client, &turn, &reply, error);
    if (status == CONV_OK) *saved = conv_reply_saved(reply);
    conv_reply_free(reply);
    return status;
}

typedef conv_status (*one_call)(caller *self, uint64_t number, conv_saved *saved,
                                conv_error *error);
static const one_call calls[] = {save, save_alone, take_turn};

static way way_of(const char *name)
{
    static const char *const names[] = {"save", "alone", "turn"};
    for (int i = 0; i < 3; i++)
        if (strcmp(name, names[i]) == 0) return (way)i;
    give_up("--way is save, alone or turn", NULL);
}

/* The provider of --way turn: the answer is there already. */
static conv_status answer(void *context, const conv_provider_request *request,
                          conv_provider_response *response, conv_error *error)
{
    static atomic_uint next;
    const sample_set *samples = context;
    size_t sample = atomic_fetch_add(&next, 1) % samples->count;
    conv_usage usage = CONV_USAGE_INIT;
    conv_message message = {.role = CONV_ROLE_ASSISTANT,
                            .content = samples->answers[sample],
                            .model = conv_text(BENCH_MODEL)};
    (void)error;
    fill_usage(&usage, request->messages[request->message_count - 1].content, message.content);
    conv_status status = conv_provider_response_message(response, &message);
    if (status == CONV_OK) status = conv_provider_response_usage(response, &usage);
    return status;
}

static bool goes_on(const caller *self, uint64_t number)
{
    const workload *run = self->run;
    if (run->exchanges_each > 0) return number < (uint64_t)run->exchanges_each;
    return clock_ns() < run->end_ns;
}

static void *call(void *argument)
{
    caller *self = argument;
    workload *run = self->run;
    for (uint64_t number = 0; goes_on(self, number); number++) {
        conv_error error = CONV_ERROR_INIT;
        conv_saved saved = CONV_SAVED_NOT;
        int64_t began = clock_ns();
        conv_status status = calls[run->way](self, number, &saved, &error);
        int64_t ended = clock_ns();
        atomic_fetch_add(&run->done, 1);
        if (status != CONV_OK) {
            if (self->failed++ == 0) self->first_error = error;
        } else if (saved == CONV_SAVED_COMMITTED) {
            bool counts =
                run->exchanges_each > 0 || (ended >= run->begin_ns && ended < run->end_ns);
            self->saved++;
            if (counts) {
                self->counted++;
                histogram_add(&run->latency, ended - began);
            }
        } else {
            self->journaled++;
        }
    }
    return NULL;
}

static void open_client(int count, char **words, workload *run)
{
    conv_error error = CONV_ERROR_INIT;
    conv_client_params params = CONV_CLIENT_PARAMS_INIT;
    params.store = option_text(count, words, "store", NULL);
    params.schema = CONV_SCHEMA_MIGRATE;
    params.journal = option_text(count, words, "journal", NULL);
    params.prices = &bench_price;
    params.price_count = 1;
    params.model = BENCH_MODEL;
    if (conv_provider_callback("bench", answer, &run->samples, &run->provider, &error) != CONV_OK)
        give_up("provider", &error);
    params.provider = run->provider;
    if (conv_client_open(&params, &run->client, &error) != CONV_OK) give_up("open", &error);
}

static void start(caller *callers, size_t count)
{
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, STACK_BYTES);
    for (size_t i = 0; i < count; i++)
        if (pthread_create(&callers[i].thread, &attributes, call, &callers[i]) != 0)
            give_up("no thread for a caller", NULL);
    pthread_attr_destroy(&attributes);
}

static void print(const workload *run, const caller *sum, size_t callers, int64_t began,
                  int64_t ended)
{
    double seconds = run->exchanges_each > 0 ? (double)(ended - began) / 1e9
                                             : (double)(run->end_ns - run->begin_ns) / 1e9;
    printf("{\"callers\": %zu, \"exchanges\": %" PRId64 ", \"seconds\": %.6f, "
           "\"per_second\": %.1f, \"saved\": %" PRId64 ", \"journaled\": %" PRId64
           ", \"failed\": %" PRId64,
           callers, sum->counted, seconds, (double)sum->counted / seconds, sum->saved,
           sum->journaled, sum->failed);
    static const struct {
        const char *name;
        double share;
    } marks[] = {{"p10_us", 0.1}, {"p50_us", 0.5}, {"p90_us", 0.9}, {"p99_us", 0.99}};
    for (size_t i = 0; i < sizeof marks / sizeof marks[0]; i++)
        printf(", \"%s\": %.1f", marks[i].name,
               (double)histogram_at(&run->latency, marks[i].share) / 1e3);
}

/* What is resident, and what the heap has handed out and has free. What glibc keeps for a thread
 * counts as handed out. */
typedef struct memory_look {
    long resident_kib;
    size_t held_kib;
    size_t free_kib;
} memory_look;

static memory_look look_at_memory(void)
{
    struct mallinfo2 heap = mallinfo2();
    return (memory_look){.resident_kib = memory_kib("VmRSS:"),
                         .held_kib = (heap.uordblks + heap.hblkhd) / 1024,
                         .free_kib = heap.fordblks / 1024};
}

/* While the callers are at work, at equal steps of their calls or of the time. */
static void watch_memory(workload *run, int64_t exchanges, memory_look seen[MEMORY_LOOKS])
{
    const struct timespec pause = {0, 10000000};
    int64_t last_ns = run->end_ns - 50000000;
    for (int i = 0; i < MEMORY_LOOKS; i++) {
        int64_t calls_done = (int64_t)((double)exchanges * (i + 1) / (MEMORY_LOOKS + 0.5));
        int64_t time_ns = run->begin_ns + (last_ns - run->begin_ns) * i / (MEMORY_LOOKS - 1);
        while (exchanges > 0 ? atomic_load(&run->done) < calls_done : clock_ns() < time_ns)
            nanosleep(&pause, NULL);
        seen[i] = look_at_memory();
    }
}

static void print_memory(const memory_look seen[MEMORY_LOOKS])
{
    const memory_look *last = &seen[MEMORY_LOOKS - 1];
    printf(", \"rss_early_kib\": %ld, \"rss_kib\": %ld, \"heap_used_kib\": %zu, "
           "\"heap_free_kib\": %zu",
           seen[0].resident_kib, last->resident_kib, last->held_kib, last->free_kib);
    printf(", \"rss_steps_kib\": [");
    for (int i = 0; i < MEMORY_LOOKS; i++)
        printf("%s%ld", i > 0 ? ", " : "", seen[i].resident_kib);
    printf("], \"heap_used_steps_kib\": [");
    for (int i = 0; i < MEMORY_LOOKS; i++)
        printf("%s%zu", i > 0 ? ", " : "", seen[i].held_kib);
    printf("], \"heap_free_steps_kib\": [");
    for (int i = 0; i < MEMORY_LOOKS; i++)
        printf("%s%zu", i > 0 ? ", " : "", seen[i].free_kib);
    printf("]");
}

int main(int count, char **words)
{
    static workload run;
    static caller sum;
    conv_error error = CONV_ERROR_INIT;
    size_t callers = (size_t)option_number(count, words, "callers", 1);
    int64_t exchanges = option_number(count, words, "exchanges", 0);
    int64_t warmup_ns = option_number(count, words, "warmup", 1) * 1000000000;
    int64_t measured_ns = option_number(count, words, "seconds", 5) * 1000000000;
    samples_read(option_text(count, words, "samples", ""), &run.samples);
    run.way = way_of(option_text(count, words, "way", "save"));
    run.exchanges_each = exchanges / (int64_t)callers;
    open_client(count, words, &run);

    caller *all = calloc(callers, sizeof *all);
    if (all == NULL) give_up("out of memory", NULL);
    double used_us = processor_us();
    int64_t began = clock_ns();
    run.begin_ns = began + warmup_ns;
    run.end_ns = run.begin_ns + measured_ns;
    for (size_t i = 0; i < callers; i++) {
        all[i].run = &run;
        all[i].number = (unsigned)i;
    }
    start(all, callers);
    memory_look seen[MEMORY_LOOKS];
    watch_memory(&run, exchanges, seen);
    for (size_t i = 0; i < callers; i++)
        pthread_join(all[i].thread, NULL);
    int64_t ended = clock_ns();
    used_us = processor_us() - used_us;
    for (size_t i = 0; i < callers; i++) {
        sum.saved += all[i].saved;
        sum.counted += all[i].counted;
        sum.journaled += all[i].journaled;
        if (all[i].failed > 0 && sum.failed == 0) sum.first_error = all[i].first_error;
        sum.failed += all[i].failed;
    }
    print(&run, &sum, callers, began, ended);
    print_memory(seen);
    printf(", \"client_cpu_us\": %.2f}\n", sum.saved > 0 ? used_us / (double)sum.saved : 0.0);
    if (sum.failed > 0) give_up("some exchanges failed, the first one", &sum.first_error);
    if (conv_client_close(run.client, 10000, &error) != CONV_OK) give_up("close", &error);
    conv_provider_free(run.provider);
    samples_free(&run.samples);
    free(all);
    return 0;
}
