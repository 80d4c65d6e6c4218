/* Counting and the text by themselves: what an event counts as, what many threads count together,
 * what the text looks like, and whether the page for people says the same as the code. */
#include "support/test.h"

#include <pthread.h>
#include <stdlib.h>
#include <strings.h>

#include "core/memory.h"
#include "events/bus.h"
#include "monitoring/families.h"
#include "monitoring/metrics.h"
#include "support/failing_memory.h"
#include "support/program.h"

static conv__metrics *metrics;
static conv__buffer text;

static int setup(void **state)
{
    (void)state;
    metrics = conv__metrics_create();
    return metrics == NULL ? -1 : 0;
}

static int teardown(void **state)
{
    (void)state;
    conv__metrics_free(metrics);
    conv__buffer_free(&text);
    return 0;
}

static const char *render(conv_metrics_format format)
{
    conv__gauges gauges = {.has_journal = true,
                           .journal = {.exchanges = 3, .dead = 1, .bytes = 4096},
                           .oldest_age_us = 1500000,
                           .has_pool = true,
                           .pool_limit = 8,
                           .pool_open = 5,
                           .pool_idle = 2};
    conv__buffer_clear(&text);
    conv__metrics_append(metrics, &gauges, format, &text);
    assert_false(text.failed);
    return text.data;
}

static conv_event saved_event(const char *model)
{
    conv_event event = conv__event_make(CONV_EVENT_EXCHANGE_SAVED);
    conv__event_set_name(event.operation, conv_text("chat"));
    conv__event_set_name(event.model, conv_text(model));
    event.message_count = 2;
    event.input_tokens = 17;
    event.output_tokens = 5;
    event.total_tokens = 22;
    event.latency_ms = 1300;
    event.store_us = 700;
    event.priced = true;
    assert_int_equal(conv_decimal_parse(conv_text("0.1"), &event.cost_usd), CONV_OK);
    return event;
}

#define LABELS "{gen_ai_operation_name=\"chat\",gen_ai_response_model=\"m\","

static void an_event_is_counted_where_it_belongs(void **state)
{
    (void)state;
    conv_event event = saved_event("m");
    for (int i = 0; i < 3; i++)
        conv__metrics_observe(metrics, &event);
    const char *got = render(CONV_METRICS_PROMETHEUS);
    assert_contains(got, "\nconversation_events_total{event=\"exchange.saved\"} 3\n");
    assert_contains(got, "\nconversation_events_total{event=\"health.changed\"} 0\n");
    assert_contains(got, "\nconversation_messages_saved_total 6\n");
    assert_contains(got, "\nconversation_tokens_total{type=\"input\"} 51\n");
    assert_contains(got, "\nconversation_usage_records_total{priced=\"true\"} 3\n");
    assert_contains(got, "\nconversation_cost_usd_total 0.3\n"); /* not 0.30000000000000004 */
    assert_contains(got, "\ngen_ai_client_token_usage_bucket" LABELS
                         "gen_ai_token_type=\"input\",le=\"16\"} 0\n");
    assert_contains(got, "\ngen_ai_client_token_usage_bucket" LABELS
                         "gen_ai_token_type=\"input\",le=\"64\"} 3\n");
    assert_contains(got,
                    "\ngen_ai_client_token_usage_sum" LABELS "gen_ai_token_type=\"input\"} 51\n");
    assert_contains(got,
                    "\ngen_ai_client_operation_duration_seconds_bucket" LABELS "le=\"1.28\"} 0\n");
    assert_contains(got,
                    "\ngen_ai_client_operation_duration_seconds_bucket" LABELS "le=\"2.56\"} 3\n");
    assert_contains(got, "\ngen_ai_client_operation_duration_seconds_sum{gen_ai_operation_name="
                         "\"chat\",gen_ai_response_model=\"m\"} 3.9\n");
    assert_contains(got,
                    "\nconversation_save_duration_seconds_bucket{result=\"saved\",le=\"0.0005\"}"
                    " 0\n");
    assert_contains(got,
                    "\nconversation_save_duration_seconds_bucket{result=\"saved\",le=\"0.001\"}"
                    " 3\n");
    assert_contains(got, "\nconversation_journal_oldest_age_seconds 1.5\n");
    assert_contains(got, "\nconversation_pool_connections{state=\"used\"} 3\n");
}

static void failures_are_counted_by_cause(void **state)
{
    static const struct {
        conv_event_kind kind;
        conv_status status;
        const char *sqlstate;
        bool dead;
        const char *line;
    } cases[] = {
        {CONV_EVENT_EXCHANGE_FAILED, CONV_UNAVAILABLE, "08006", false,
         "cause=\"connection_exception\",result=\"failed\"} 1\n"},
        {CONV_EVENT_EXCHANGE_JOURNALED, CONV_UNAVAILABLE, "57P01", false,
         "cause=\"operator_intervention\",result=\"journaled\"} 1\n"},
        {CONV_EVENT_EXCHANGE_FAILED, CONV_BAD_DATA, "22021", true,
         "cause=\"data_exception\",result=\"dead\"} 1\n"},
        {CONV_EVENT_EXCHANGE_FAILED, CONV_TIMEOUT, "", false,
         "cause=\"timeout\",result=\"failed\"} 1\n"},
        {CONV_EVENT_EXCHANGE_FAILED, CONV_INTERNAL, "F0001", false,
         "cause=\"other_sqlstate\",result=\"failed\"} 1\n"},
        {CONV_EVENT_EXCHANGE_FAILED, (conv_status)99, "", false,
         "cause=\"internal\",result=\"failed\"} 1\n"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        conv_event event = conv__event_make(cases[i].kind);
        event.status = cases[i].status;
        event.dead = cases[i].dead;
        event.store_us = cases[i].dead ? CONV_UNKNOWN : 1000;
        memcpy(event.sqlstate, cases[i].sqlstate, strlen(cases[i].sqlstate));
        conv__metrics_observe(metrics, &event);
    }
    conv_event refused = conv__event_make(CONV_EVENT_EXCHANGE_FAILED); /* nobody tried to save it */
    refused.status = CONV_PERMISSION;
    conv__metrics_observe(metrics, &refused);
    const char *got = render(CONV_METRICS_PROMETHEUS);
    assert_null(strstr(got, "cause=\"permission\""));
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_contains(got, cases[i].line);
    assert_contains(got, "\nconversation_tokens_total{type=\"input\"} 0\n");
}

static void every_status_has_its_name(void **state)
{
    (void)state;
    for (int status = CONV_OK; status <= CONV_INTERNAL; status++) {
        const char *name = conv__cause_name(conv__cause_of((conv_status)status, ""));
        assert_int_equal(strcasecmp(name, conv_status_name((conv_status)status)), 0);
    }
}

static void names_are_bounded_and_escaped(void **state)
{
    (void)state;
    conv_event event = saved_event("say \"hi\\\"\n\xFF");
    conv__metrics_observe(metrics, &event);
    for (int i = 0; i < 100; i++) {
        char name[24];
        snprintf(name, sizeof name, "model-%d", i);
        event = saved_event(name);
        conv__metrics_observe(metrics, &event);
    }
    const char *got = render(CONV_METRICS_PROMETHEUS);
    assert_contains(got, "gen_ai_response_model=\"say \\\"hi\\\\\\\"\\n\xEF\xBF\xBD\"");
    assert_contains(got, "\"model-62\"");
    assert_null(strstr(got, "\"model-63\""));
    assert_contains(got, "gen_ai_response_model=\"other\",gen_ai_token_type=\"input\"} 37\n");
    assert_contains(got, "\nconversation_metric_overflows_total 37\n");
    assert_contains(got, "\nconversation_tokens_total{type=\"input\"} 1717\n");
}

enum { THREADS = 16, EACH = 2000 };

static void *count_much(void *context)
{
    const conv_event *event = context;
    for (int i = 0; i < EACH; i++) {
        conv__metrics_observe(metrics, event);
        conv__metrics_count_turn(metrics, CONV_OK, i);
    }
    return NULL;
}

static void sixteen_threads_lose_no_count(void **state)
{
    (void)state;
    conv_event events[2] = {saved_event("a"), saved_event("b")};
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, count_much, &events[i % 2]), 0);
    (void)render(CONV_METRICS_PROMETHEUS);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    const char *got = render(CONV_METRICS_PROMETHEUS);
    assert_contains(got, "\nconversation_events_total{event=\"exchange.saved\"} 32000\n");
    assert_contains(got, "\nconversation_turns_total{status=\"ok\"} 32000\n");
    assert_contains(got, "\nconversation_turn_duration_seconds_count 32000\n");
    assert_contains(got, "\nconversation_cost_usd_total 3200\n");
    assert_contains(got, "gen_ai_response_model=\"b\",gen_ai_token_type=\"output\"} 16000\n");
}

static void open_metrics_has_its_own_form(void **state)
{
    (void)state;
    conv_event event = saved_event("m");
    conv__metrics_observe(metrics, &event);
    const char *got = render(CONV_METRICS_OPENMETRICS);
    assert_contains(got, "# TYPE conversation_messages_saved counter\n");
    assert_contains(got, "\nconversation_messages_saved_total 2\n");
    assert_contains(got, "# TYPE conversation_build info\n");
    assert_contains(got, "le=\"1.0\"");
    assert_string_equal(got + text.size - 6, "# EOF\n");
    got = render(CONV_METRICS_PROMETHEUS);
    assert_contains(got, "# TYPE conversation_messages_saved_total counter\n");
    assert_contains(got, "# TYPE conversation_build_info gauge\n");
    assert_null(strstr(got, "# EOF"));
}

/* The page's row of a family, from the bar to the line's end. */
static void row_of(const conv__family *family, conv__buffer *row)
{
    const char *suffix = family->type == CONV__COUNTER ? "_total"
                         : family->type == CONV__INFO  ? "_info"
                                                       : "";
    conv__buffer_clear(row);
    conv__buffer_format(row, "| `%s%s` | %s | %s | %s |\n", family->name, suffix,
                        conv__family_type_name(family->type), family->unit, family->meaning);
}

static void the_page_lists_each_metric_as_the_code_does(void **state)
{
    (void)state;
    conv__buffer row = {0};
    size_t rows = 0;
    char *page = test_read_file(TEST_SOURCE_DIR "/docs/metrics.md", NULL);
    const char *last = page;
    for (int i = 0; i < CONV__FAMILIES; i++) {
        row_of(&conv__families[i], &row);
        assert_contains(last, row.data); /* in the same order */
        last = strstr(last, row.data);
    }
    char *end = strstr(page, "## Labels");
    assert_non_null(end);
    *end = '\0';
    for (const char *at = page; (at = strstr(at, "\n| `")) != NULL; at++)
        rows++;
    assert_int_equal(rows, CONV__FAMILIES);
    conv__buffer_free(&row);
    free(page);
}

static void every_family_is_in_the_text(void **state)
{
    (void)state;
    const char *got = render(CONV_METRICS_OPENMETRICS);
    static const char first[] = "# HELP conversation_save_failures ";
    assert_memory_equal(got, first, sizeof first - 1); /* what nobody may overlook */
    for (int i = 0; i < CONV__FAMILIES; i++) {
        char line[160];
        snprintf(line, sizeof line, "# TYPE %s %s\n", conv__families[i].name,
                 conv__family_type_name(conv__families[i].type));
        assert_contains(got, line);
    }
}

static conv_status memory_scenario(void *context)
{
    conv__gauges gauges = {0};
    conv__buffer own = {0};
    conv__metrics *made = conv__metrics_create();
    if (made == NULL) return CONV_NO_MEMORY;
    conv__metrics_observe(made, context);
    conv__metrics_append(made, &gauges, CONV_METRICS_PROMETHEUS, &own);
    conv_status status = own.failed ? CONV_NO_MEMORY : CONV_OK;
    conv__buffer_free(&own);
    conv__metrics_free(made);
    return status;
}

static void out_of_memory_is_told(void **state)
{
    (void)state;
    conv_event event = saved_event("m");
    assert_true(failing_memory_run(memory_scenario, &event) > 4);
}

static void no_latency_is_too_long_to_count(void **state)
{
    (void)state;
    conv_event event = saved_event("m");
    event.latency_ms = INT64_MAX; /* kept by a journal, before that was refused */
    conv__metrics_observe(metrics, &event);
    assert_contains(render(CONV_METRICS_PROMETHEUS),
                    "\ngen_ai_client_operation_duration_seconds_sum{gen_ai_operation_name=\"chat\","
                    "gen_ai_response_model=\"m\"} 315360000\n");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(an_event_is_counted_where_it_belongs),
        TEST(failures_are_counted_by_cause),
        TEST(every_status_has_its_name),
        TEST(names_are_bounded_and_escaped),
        TEST(sixteen_threads_lose_no_count),
        TEST(open_metrics_has_its_own_form),
        TEST(the_page_lists_each_metric_as_the_code_does),
        TEST(no_latency_is_too_long_to_count),
        TEST(every_family_is_in_the_text),
        TEST(out_of_memory_is_told),
    };
    return RUN_TESTS("metrics", tests);
}
