/* The text of all metrics. Source: Prometheus' text format 0.0.4, and OpenMetrics 1.0. */
#include <string.h>

#include "conversation/version.h"
#include "core/text.h"
#include "monitoring/metrics_internal.h"

#define MICROSECONDS 1000000

typedef struct writer {
    conv__buffer *text;
    bool open_metrics;
    const conv__family *family;
} writer;

static void begin(writer *out, conv__family_index index)
{
    const conv__family *family = &conv__families[index];
    const char *type = conv__family_type_name(family->type);
    const char *suffix = "";
    out->family = family;
    if (!out->open_metrics && family->type == CONV__COUNTER) suffix = "_total";
    if (!out->open_metrics && family->type == CONV__INFO) {
        suffix = "_info";
        type = "gauge";
    }
    conv__buffer_format(out->text, "# HELP %s%s %s\n# TYPE %s%s %s\n", family->name, suffix,
                        family->meaning, family->name, suffix, type);
}

/* A label's value: escaped, and UTF-8 whatever it was. */
static void append_value(conv__buffer *text, const char *value)
{
    for (size_t left = strlen(value); left > 0;) {
        size_t length = conv__utf8_length(conv_view(value, left));
        if (length == 0)
            conv__buffer_append_text(text, "\xEF\xBF\xBD");
        else if (*value == '\n')
            conv__buffer_append_text(text, "\\n");
        else if (*value == '"' || *value == '\\')
            conv__buffer_format(text, "\\%c", *value);
        else
            conv__buffer_append(text, value, length);
        if (length == 0) length = 1;
        value += length;
        left -= length;
    }
}

/* Labels as pairs of name and value; a value that is empty is left out, as it says nothing. */
static void append_labels(conv__buffer *text, const char *const *labels, size_t count,
                          const char *bound)
{
    const char *between = "{";
    for (size_t i = 0; i < count; i++) {
        if (labels[2 * i + 1][0] == '\0') continue;
        conv__buffer_format(text, "%s%s=\"", between, labels[2 * i]);
        append_value(text, labels[2 * i + 1]);
        conv__buffer_append_text(text, "\"");
        between = ",";
    }
    if (bound != NULL) {
        conv__buffer_format(text, "%sle=\"%s\"", between, bound);
        between = ",";
    }
    if (between[0] == ',') conv__buffer_append_text(text, "}");
}

/* One line up to its value. */
static void append_name(writer *out, const char *suffix, const char *const *labels, size_t count,
                        const char *bound)
{
    conv__buffer_format(out->text, "%s%s", out->family->name, suffix);
    append_labels(out->text, labels, count, bound);
    conv__buffer_append_text(out->text, " ");
}

static void sample(writer *out, const char *label, const char *value, int64_t number)
{
    const char *const labels[] = {label, value};
    const char *suffix = out->family->type == CONV__COUNTER ? "_total" : "";
    append_name(out, suffix, labels, label != NULL, NULL);
    conv__buffer_format(out->text, "%lld\n", (long long)number);
}

static void gauge(writer *out, conv__family_index index, int64_t number)
{
    begin(out, index);
    sample(out, NULL, NULL, number);
}

/* Seconds without trailing zeros; OpenMetrics wants a point in every bound. */
static void append_seconds(conv__buffer *text, int64_t microseconds, bool with_point)
{
    conv__buffer_format(text, "%lld", (long long)(microseconds / MICROSECONDS));
    int64_t rest = microseconds % MICROSECONDS;
    if (rest == 0) {
        if (with_point) conv__buffer_append_text(text, ".0");
        return;
    }
    conv__buffer_format(text, ".%06lld", (long long)rest);
    while (!text->failed && text->data[text->size - 1] == '0')
        text->data[--text->size] = '\0';
}

static void append_bound(conv__buffer *text, const conv__histogram *histogram, int64_t bound,
                         bool with_point)
{
    if (histogram->seconds)
        append_seconds(text, bound, with_point);
    else
        conv__buffer_format(text, with_point ? "%lld.0" : "%lld", (long long)bound);
}

static void append_histogram(writer *out, const conv__histogram *histogram,
                             const conv__counters *counters, size_t cell, const char *const *labels,
                             size_t count)
{
    uint64_t so_far = 0;
    int64_t bound = histogram->first;
    for (size_t i = 0; i <= CONV__BUCKETS; i++) {
        conv__buffer text = {0};
        so_far += conv__counters_read(counters, cell + i);
        if (i < CONV__BUCKETS)
            append_bound(&text, histogram, bound, out->open_metrics);
        else
            conv__buffer_append_text(&text, "+Inf");
        if (text.failed)
            out->text->failed = true;
        else
            append_name(out, "_bucket", labels, count, text.data);
        conv__buffer_format(out->text, "%llu\n", (unsigned long long)so_far);
        conv__buffer_free(&text);
        bound *= histogram->factor;
    }
    int64_t sum = (int64_t)conv__counters_read(counters, cell + CONV__HISTOGRAM_SUM);
    append_name(out, "_sum", labels, count, NULL);
    append_bound(out->text, histogram, sum, false);
    conv__buffer_append_text(out->text, "\n");
    append_name(out, "_count", labels, count, NULL);
    conv__buffer_format(out->text, "%llu\n", (unsigned long long)so_far);
}

static bool is_empty(const conv__counters *counters, size_t cell)
{
    for (size_t i = 0; i <= CONV__BUCKETS; i++)
        if (conv__counters_read(counters, cell + i) > 0) return false;
    return true;
}

/* The histograms `from` to `to` of each series; `label` and `values` tell them apart. */
static void append_series(writer *out, conv__metrics *metrics, const conv__histogram *histogram,
                          size_t from, size_t to, const char *label, const char *const *values)
{
    for (size_t i = 0; i <= CONV__SERIES; i++) {
        conv__series *one = atomic_load_explicit(&metrics->series[i], memory_order_acquire);
        if (one == NULL) continue;
        for (size_t at = from; at <= to; at++) {
            const char *const labels[] = {"gen_ai_operation_name",
                                          one->operation,
                                          "gen_ai_provider_name",
                                          one->provider,
                                          "gen_ai_response_model",
                                          one->model,
                                          label,
                                          values[at - from]};
            size_t cell = at * CONV__HISTOGRAM_CELLS;
            if (!is_empty(&one->counters, cell))
                append_histogram(out, histogram, &one->counters, cell, labels, 4);
        }
    }
}

static const char *const outcome_names[] = {"saved", "journaled", "failed", "dead"};

static int64_t read_cell(const conv__metrics *metrics, size_t cell)
{
    return (int64_t)conv__counters_read(&metrics->counters, cell);
}

static void append_failures(writer *out, const conv__metrics *metrics)
{
    begin(out, CONV__FAMILY_SAVE_FAILURES);
    for (size_t i = 0; i < CONV__CAUSES * CONV__SAVE_OUTCOMES; i++) {
        const char *const labels[] = {"cause", conv__cause_name((int)(i / CONV__SAVE_OUTCOMES)),
                                      "result", outcome_names[i % CONV__SAVE_OUTCOMES]};
        int64_t number = read_cell(metrics, CONV__CELL_FAILURES + i);
        if (number == 0) continue;
        append_name(out, "_total", labels, 2, NULL);
        conv__buffer_format(out->text, "%lld\n", (long long)number);
    }
}

static void append_counted(writer *out, conv__metrics *metrics)
{
    static const char *const token_types[] = {"input",      "output",      "total",
                                              "cache_read", "cache_write", "reasoning"};
    begin(out, CONV__FAMILY_EVENTS);
    for (int i = 0; i < CONV_EVENT_KINDS; i++)
        sample(out, "event", conv_event_kind_name((conv_event_kind)i),
               read_cell(metrics, CONV__CELL_EVENTS + (size_t)i));
    begin(out, CONV__FAMILY_TURNS);
    for (int i = 0; i < CONV__STATUSES; i++)
        sample(out, "status", conv__cause_name(conv__cause_of((conv_status)i, "")),
               read_cell(metrics, CONV__CELL_TURNS + (size_t)i));
    begin(out, CONV__FAMILY_TURN_DURATION);
    append_histogram(out, &conv__histogram_operation, &metrics->counters, CONV__CELL_TURN_DURATION,
                     NULL, 0);
    begin(out, CONV__FAMILY_SAVE_DURATION);
    for (size_t i = 0; i < CONV__SAVE_OUTCOMES; i++) {
        const char *const labels[] = {"result", outcome_names[i]};
        append_histogram(out, &conv__histogram_save, &metrics->counters,
                         CONV__CELL_SAVE_DURATION + i * CONV__HISTOGRAM_CELLS, labels, 1);
    }
    begin(out, CONV__FAMILY_MESSAGES);
    sample(out, NULL, NULL, read_cell(metrics, CONV__CELL_MESSAGES));
    begin(out, CONV__FAMILY_USAGE_RECORDS);
    sample(out, "priced", "false", read_cell(metrics, CONV__CELL_UNPRICED));
    sample(out, "priced", "true", read_cell(metrics, CONV__CELL_PRICED));
    begin(out, CONV__FAMILY_TOKENS);
    for (size_t i = 0; i < CONV__TOKEN_TYPES; i++)
        sample(out, "type", token_types[i], read_cell(metrics, CONV__CELL_TOKENS + i));
    begin(out, CONV__FAMILY_SERIES_OVERFLOW);
    sample(out, NULL, NULL, read_cell(metrics, CONV__CELL_OVERFLOW));
}

static void append_cost(writer *out, conv__metrics *metrics)
{
    char text[CONV_DECIMAL_TEXT_SIZE];
    conv_decimal cost = {0};
    for (size_t i = 0; i < CONV__COUNTER_ROWS; i++) {
        pthread_mutex_lock(&metrics->costs[i].lock);
        (void)!conv_decimal_add(cost, metrics->costs[i].usd, &cost);
        pthread_mutex_unlock(&metrics->costs[i].lock);
    }
    conv_decimal_format(cost, text);
    begin(out, CONV__FAMILY_COST);
    append_name(out, "_total", NULL, 0, NULL);
    conv__buffer_format(out->text, "%s\n", text);
}

static void append_journal(writer *out, const conv__gauges *gauges)
{
    const conv__journal_counts *journal = &gauges->journal;
    if (!gauges->has_journal) return;
    begin(out, CONV__FAMILY_JOURNAL_ENTRIES);
    sample(out, "kind", "turn", journal->turns);
    sample(out, "kind", "exchange", journal->exchanges);
    sample(out, "kind", "usage", journal->usage);
    sample(out, "kind", "dead", journal->dead);
    gauge(out, CONV__FAMILY_JOURNAL_BYTES, journal->bytes);
    begin(out, CONV__FAMILY_JOURNAL_AGE);
    append_name(out, "", NULL, 0, NULL);
    append_seconds(out->text, gauges->oldest_age_us, false);
    conv__buffer_append_text(out->text, "\n");
}

static void append_gauges(writer *out, const conv__gauges *gauges)
{
    gauge(out, CONV__FAMILY_STORE_AWAY, gauges->store_away);
    append_journal(out, gauges);
    gauge(out, CONV__FAMILY_TRACKER_BUFFERED, gauges->tracker_buffered);
    gauge(out, CONV__FAMILY_WRITER_WAITING, gauges->writer_waiting);
    gauge(out, CONV__FAMILY_SUBMITTED, gauges->submitted);
    if (gauges->has_pool) {
        begin(out, CONV__FAMILY_POOL_CONNECTIONS);
        sample(out, "state", "idle", gauges->pool_idle);
        sample(out, "state", "used", gauges->pool_open - gauges->pool_idle);
        gauge(out, CONV__FAMILY_POOL_LIMIT, gauges->pool_limit);
        gauge(out, CONV__FAMILY_POOL_WAITING, gauges->pool_waiting);
    }
    begin(out, CONV__FAMILY_HEALTH);
    for (int i = 0; i < CONV__HEALTH_CHECKS; i++)
        if (gauges->health[i] != CONV_HEALTH_UNKNOWN)
            sample(out, "check", conv__health_check_name(i), gauges->health[i] == CONV_HEALTH_OK);
    gauge(out, CONV__FAMILY_SUBSCRIPTIONS, gauges->subscriptions);
    gauge(out, CONV__FAMILY_EVENTS_WAITING, gauges->events_waiting);
    begin(out, CONV__FAMILY_EVENT_DELIVERIES);
    sample(out, "result", "ok", gauges->events_delivered - gauges->events_failed);
    sample(out, "result", "failed", gauges->events_failed);
    gauge(out, CONV__FAMILY_EVENTS_DROPPED, gauges->events_dropped);
}

void conv__metrics_append(conv__metrics *metrics, const conv__gauges *gauges,
                          conv_metrics_format format, conv__buffer *text)
{
    static const char *const token_types[] = {"input", "output"};
    static const char *const error_types[] = {"", "interrupted", "failed"};
    static const char *const version[] = {"version", CONV_VERSION};
    writer out = {.text = text, .open_metrics = format == CONV_METRICS_OPENMETRICS};
    append_failures(&out, metrics);
    begin(&out, CONV__FAMILY_TOKEN_USAGE);
    append_series(&out, metrics, &conv__histogram_tokens, CONV__SERIES_INPUT, CONV__SERIES_OUTPUT,
                  "gen_ai_token_type", token_types);
    begin(&out, CONV__FAMILY_OPERATION_DURATION);
    append_series(&out, metrics, &conv__histogram_operation, CONV__SERIES_DURATION,
                  CONV__SERIES_HISTOGRAMS - 1, "error_type", error_types);
    append_counted(&out, metrics);
    append_cost(&out, metrics);
    append_gauges(&out, gauges);
    begin(&out, CONV__FAMILY_BUILD);
    append_name(&out, "_info", version, 1, NULL);
    conv__buffer_append_text(text, "1\n");
    if (out.open_metrics) conv__buffer_append_text(text, "# EOF\n");
}
