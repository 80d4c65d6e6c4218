/* Looking at everything, and judging it. The judgements are rules of thumb; their bounds stand in
 * the public header. */
#include "monitoring/health.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "core/error.h"
#include "core/memory.h"
#include "core/thread.h"
#include "core/time.h"
#include "monitoring/probe.h"
#include "repositories/store.h"

#define ACTION "read health"

enum {
    DEFAULT_TIMEOUT_MS = 5000,
    DEFAULT_JOURNAL_AGE_MS = 60000,
    MOST_WAITING = 4096,
    LEAST_BUFFERED = 1000,
    MESSAGE_SIZE = CONV_MESSAGE_SIZE
};

static const char *const check_names[CONV__HEALTH_CHECKS] = {
#define CHECK_NAME(symbol, name) name,
    CONV__HEALTH_MAP(CHECK_NAME)
#undef CHECK_NAME
};

const char *conv__health_check_name(int check)
{
    return check_names[check];
}

struct conv__health {
    conv__health_sources sources;
    conv__timed_lock one_at_a_time; /* of the probe */
    conv__probe probe;
    pthread_mutex_t lock; /* of what follows */
    conv_health_state last[CONV__HEALTH_CHECKS];
    conv_health_state last_overall;
};

struct conv_health {
    conv_health_check checks[CONV__HEALTH_CHECKS];
    char messages[CONV__HEALTH_CHECKS][MESSAGE_SIZE];
};

conv__health *conv__health_create(const conv__health_sources *sources)
{
    conv__health *made = conv__allocate(sizeof *made);
    if (made == NULL) return NULL;
    made->sources = *sources;
    conv__timed_lock_init(&made->one_at_a_time);
    pthread_mutex_init(&made->lock, NULL);
    return made;
}

void conv__health_free(conv__health *health, int64_t deadline_ns)
{
    if (health == NULL) return;
    (void)!conv__probe_clean(&health->probe, health->sources.saving, deadline_ns, NULL);
    conv__timed_lock_destroy(&health->one_at_a_time);
    pthread_mutex_destroy(&health->lock);
    conv__release(health);
}

static void tell(conv__health *health, const char *check, conv_health_state before,
                 conv_health_state now)
{
    /* Before anything was looked at, all counts as ok. */
    if (before == CONV_HEALTH_UNKNOWN) before = CONV_HEALTH_OK;
    if (now == CONV_HEALTH_UNKNOWN || now == before) return;
    conv_event event = conv__event_make(CONV_EVENT_HEALTH_CHANGED);
    event.health = now;
    event.health_before = before;
    conv__event_set_name(event.check, conv_text(check));
    conv__bus_emit(health->sources.bus, &event);
}

static conv_health_state worst_of(const conv_health_state *states)
{
    conv_health_state worst = CONV_HEALTH_OK;
    for (size_t i = 0; i < CONV__HEALTH_CHECKS; i++)
        if (states[i] > worst) worst = states[i];
    return worst;
}

/* Remembers the state of each check that was looked at, and tells what has changed. Two readings at
 * once each tell against the other's. */
static void remember(conv__health *health, const conv_health_state *now)
{
    conv_health_state before[CONV__HEALTH_CHECKS];
    pthread_mutex_lock(&health->lock);
    memcpy(before, health->last, sizeof before);
    for (size_t i = 0; i < CONV__HEALTH_CHECKS; i++)
        if (now[i] != CONV_HEALTH_UNKNOWN) health->last[i] = now[i];
    conv_health_state overall_before = health->last_overall;
    conv_health_state overall = worst_of(health->last);
    health->last_overall = overall;
    pthread_mutex_unlock(&health->lock);
    for (size_t i = 0; i < CONV__HEALTH_CHECKS; i++)
        tell(health, check_names[i], before[i], now[i]);
    tell(health, "overall", overall_before, overall);
}

void conv__health_last(conv__health *health, conv_health_state states[CONV__HEALTH_CHECKS])
{
    pthread_mutex_lock(&health->lock);
    memcpy(states, health->last, sizeof health->last);
    pthread_mutex_unlock(&health->lock);
}

static conv_status run_probe(conv__health *health, int64_t timeout_ms, conv_save_latency *latency,
                             conv_error *error)
{
    if (health->sources.read_only)
        return conv__fail(error, CONV_STATE, "check saving",
                          "the client was opened with read_only and saves nothing");
    int64_t deadline =
        conv__deadline_in_ms(timeout_ms > 0 ? timeout_ms : (int64_t)DEFAULT_TIMEOUT_MS);
    if (!conv__timed_lock_take(&health->one_at_a_time, deadline))
        return conv__fail(error, CONV_TIMEOUT, "check saving",
                          "another check was under way for all of the time: the store is slow, or "
                          "the time limit is short");
    conv_status status =
        conv__probe_run(&health->probe, health->sources.saving, deadline, latency, error);
    conv__timed_lock_release(&health->one_at_a_time);
    return status;
}

conv_status conv__health_check_saves(conv__health *health, int64_t timeout_ms,
                                     conv_save_latency *latency, conv_error *error)
{
    conv_save_latency unused;
    conv_health_state now[CONV__HEALTH_CHECKS] = {CONV_HEALTH_UNKNOWN};
    conv_status status = run_probe(health, timeout_ms, latency != NULL ? latency : &unused, error);
    if (!health->sources.read_only && status != CONV_NO_MEMORY) {
        now[CONV__HEALTH_DATABASE_SAVES] = status == CONV_OK ? CONV_HEALTH_OK : CONV_HEALTH_FAILING;
        remember(health, now);
    }
    return status;
}

void conv__health_judge_provider(conv__health *health, const conv__provider_gauges *gauges)
{
    char message[MESSAGE_SIZE];
    conv_health_state now[CONV__HEALTH_CHECKS] = {CONV_HEALTH_UNKNOWN};
    now[CONV__HEALTH_PROVIDER] =
        conv__provider_health(gauges, health->sources.has_provider, message);
    remember(health, now);
}

/* What is being filled in. */
typedef struct reading_run {
    conv__health *health;
    const conv__gauges *gauges;
    int64_t timeout_ms;
    int64_t journal_age_us;
    conv_health *reading;
} reading_run;

static void set(reading_run *run, conv__health_index index, conv_health_state state,
                const char *format, ...) CONV_PRINTF(4, 5);

static void set(reading_run *run, conv__health_index index, conv_health_state state,
                const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(run->reading->messages[index], MESSAGE_SIZE, format, arguments);
    va_end(arguments);
    run->reading->checks[index].state = state;
}

static void set_value(reading_run *run, conv__health_index index, int64_t value, const char *unit)
{
    run->reading->checks[index].value = value;
    run->reading->checks[index].unit = unit;
}

static void check_saves(reading_run *run)
{
    conv_error error = CONV_ERROR_INIT;
    conv_save_latency latency;
    conv_health_check *check = &run->reading->checks[CONV__HEALTH_DATABASE_SAVES];
    int64_t begun = conv__monotonic_ns();
    conv_status status = run_probe(run->health, run->timeout_ms, &latency, &error);
    if (run->health->sources.read_only) {
        set(run, CONV__HEALTH_DATABASE_SAVES, CONV_HEALTH_UNKNOWN, "%s", error.message);
        return;
    }
    check->latency_us = (conv__monotonic_ns() - begun) / 1000;
    set(run, CONV__HEALTH_DATABASE_SAVES, status == CONV_OK ? CONV_HEALTH_OK : CONV_HEALTH_FAILING,
        "%s",
        status == CONV_OK ? "a test exchange was saved, read back and removed" : error.message);
}

static void check_schema(reading_run *run)
{
    conv_error error = CONV_ERROR_INIT;
    conv_schema_state state = {0};
    conv__store *store = conv__saving_store(run->health->sources.saving);
    int64_t begun = conv__monotonic_ns();
    conv_status status =
        store->functions->read_schema(store, conv__deadline_in_ms(run->timeout_ms), &state, &error);
    run->reading->checks[CONV__HEALTH_SCHEMA].latency_us = (conv__monotonic_ns() - begun) / 1000;
    if (status != CONV_OK) {
        set(run, CONV__HEALTH_SCHEMA, CONV_HEALTH_FAILING, "%s", error.message);
        return;
    }
    set_value(run, CONV__HEALTH_SCHEMA, state.version, "version");
    if (state.version == state.wanted)
        set(run, CONV__HEALTH_SCHEMA, CONV_HEALTH_OK, "the version is this library's");
    else
        set(run, CONV__HEALTH_SCHEMA, CONV_HEALTH_FAILING, "%s",
            state.version < state.wanted ? "older than this library: run `conversation migrate`"
                                         : "newer than this library: update the program");
}

static void check_pool(reading_run *run)
{
    const conv__gauges *gauges = run->gauges;
    if (!gauges->has_pool) {
        set(run, CONV__HEALTH_POOL, CONV_HEALTH_UNKNOWN, "this store has no pool");
        return;
    }
    bool full = gauges->pool_waiting > 0 && gauges->pool_idle == 0;
    int used = gauges->pool_open - gauges->pool_idle;
    set_value(run, CONV__HEALTH_POOL, used, "connections");
    set(run, CONV__HEALTH_POOL, full ? CONV_HEALTH_DEGRADED : CONV_HEALTH_OK,
        "%d of %d connections are in use, %d callers wait for one", used, gauges->pool_limit,
        gauges->pool_waiting);
}

static void check_writer(reading_run *run)
{
    int64_t waiting = run->gauges->writer_waiting;
    set_value(run, CONV__HEALTH_WRITER, waiting, "exchanges");
    set(run, CONV__HEALTH_WRITER, waiting > MOST_WAITING ? CONV_HEALTH_DEGRADED : CONV_HEALTH_OK,
        "%lld exchanges wait for a transaction", (long long)waiting);
}

static void check_journal(reading_run *run)
{
    const conv__gauges *gauges = run->gauges;
    const conv__journal_counts *journal = &gauges->journal;
    int64_t limit = run->health->sources.journal_bytes;
    if (!conv__saving_has_journal(run->health->sources.saving)) {
        set(run, CONV__HEALTH_JOURNAL, CONV_HEALTH_UNKNOWN,
            "there is none: a store that is away is an error of each call");
        return;
    }
    /* Others had it for all of the time: that is no word against the file. */
    if (gauges->journal_status == CONV_TIMEOUT || gauges->journal_status == CONV_LIMIT) {
        set(run, CONV__HEALTH_JOURNAL, CONV_HEALTH_UNKNOWN,
            "it was in use for longer than counting may wait: look again");
        return;
    }
    if (!gauges->has_journal) {
        set(run, CONV__HEALTH_JOURNAL, CONV_HEALTH_FAILING, "its file can't be read");
        return;
    }
    bool old = gauges->oldest_age_us > run->journal_age_us;
    bool full = limit > 0 && journal->bytes > limit / 10 * 9;
    bool degraded = old || full || journal->dead > 0;
    int64_t waiting = journal->exchanges + journal->usage;
    set_value(run, CONV__HEALTH_JOURNAL, waiting, "entries");
    conv_health_state state = degraded ? CONV_HEALTH_DEGRADED : CONV_HEALTH_OK;
    const char *filled = full ? ", nearly full" : "";
    long long bytes = journal->bytes;
    if (waiting > 0)
        set(run, CONV__HEALTH_JOURNAL, state,
            "%lld entries wait, the oldest for %lld s; %lld dead letters; %lld bytes%s",
            (long long)waiting, (long long)(gauges->oldest_age_us / 1000000),
            (long long)journal->dead, bytes, filled);
    else if (journal->dead > 0)
        set(run, CONV__HEALTH_JOURNAL, state, "nothing waits; %lld dead letters; %lld bytes%s",
            (long long)journal->dead, bytes, filled);
    else
        set(run, CONV__HEALTH_JOURNAL, state, "empty; %lld bytes%s", bytes, filled);
}

static void check_tracker(reading_run *run)
{
    int64_t buffered = run->gauges->tracker_buffered;
    bool behind =
        buffered >= LEAST_BUFFERED && buffered >= 10 * run->health->sources.tracker_records;
    set_value(run, CONV__HEALTH_TRACKER, buffered, "records");
    set(run, CONV__HEALTH_TRACKER, behind ? CONV_HEALTH_DEGRADED : CONV_HEALTH_OK,
        "%lld %s buffered", (long long)buffered, buffered == 1 ? "record is" : "records are");
}

static void check_provider(reading_run *run)
{
    char message[MESSAGE_SIZE];
    const conv__provider_gauges *gauges = &run->gauges->provider;
    conv_health_state state =
        conv__provider_health(gauges, run->health->sources.has_provider, message);
    set(run, CONV__HEALTH_PROVIDER, state, "%s", message);
    if (gauges->asked == 0) return;
    set_value(run, CONV__HEALTH_PROVIDER, gauges->worst.failures_in_row, "failures");
    run->reading->checks[CONV__HEALTH_PROVIDER].latency_us = gauges->worst.latency_us;
}

static conv_health *create_reading(void)
{
    conv_health *made = conv__allocate(sizeof *made);
    for (size_t i = 0; made != NULL && i < CONV__HEALTH_CHECKS; i++)
        made->checks[i] = (conv_health_check){.name = check_names[i],
                                              .value = CONV_UNKNOWN,
                                              .unit = "",
                                              .latency_us = CONV_UNKNOWN,
                                              .message = made->messages[i]};
    return made;
}

conv_status conv__health_read(conv__health *health, const conv_health_params *params,
                              const conv__gauges *gauges, conv_health **reading, conv_error *error)
{
    conv_health_state now[CONV__HEALTH_CHECKS];
    int64_t age_ms =
        params->journal_age_ms > 0 ? params->journal_age_ms : (int64_t)DEFAULT_JOURNAL_AGE_MS;
    reading_run run = {.health = health,
                       .gauges = gauges,
                       .timeout_ms = params->timeout_ms > 0 ? params->timeout_ms
                                                            : (int64_t)DEFAULT_TIMEOUT_MS,
                       .journal_age_us = age_ms < INT64_MAX / 1000 ? age_ms * 1000 : INT64_MAX,
                       .reading = create_reading()};
    if (run.reading == NULL) return conv__fail_memory(error, ACTION);
    check_saves(&run);
    check_schema(&run);
    check_pool(&run);
    check_writer(&run);
    check_journal(&run);
    check_tracker(&run);
    check_provider(&run);
    for (size_t i = 0; i < CONV__HEALTH_CHECKS; i++)
        now[i] = run.reading->checks[i].state;
    remember(health, now);
    *reading = run.reading;
    return CONV_OK;
}

conv_health_state conv_health_overall(const conv_health *health)
{
    conv_health_state states[CONV__HEALTH_CHECKS];
    for (size_t i = 0; i < CONV__HEALTH_CHECKS; i++)
        states[i] = health->checks[i].state;
    return worst_of(states);
}

bool conv_health_is_live(const conv_health *health)
{
    return health->checks[CONV__HEALTH_JOURNAL].state != CONV_HEALTH_FAILING;
}

bool conv_health_is_ready(const conv_health *health)
{
    return conv_health_overall(health) != CONV_HEALTH_FAILING;
}

size_t conv_health_check_count(const conv_health *health)
{
    (void)health;
    return CONV__HEALTH_CHECKS;
}

const conv_health_check *conv_health_check_at(const conv_health *health, size_t index)
{
    return index < CONV__HEALTH_CHECKS ? &health->checks[index] : NULL;
}

void conv_health_free(conv_health *health)
{
    conv__release(health);
}
