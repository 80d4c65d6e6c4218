/* What health says of the provider, through the public API, on either store: it follows the calls
 * that were made anyhow, asks nobody by itself, and never makes the client not ready. */
#include "support/test.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "conversation/conversation.h"
#include "support/program.h"
#include "support/store.h"

enum { KEPT = 16 };

static const char *kind;
static const char *url;
static conv_provider *moody;
static conv_provider *echo;
static conv_client *client;
static atomic_int mood; /* the status that it answers with */
static atomic_int asked;
static conv_event told[KEPT];
static int told_count;

static conv_status hear(void *context, const conv_event *event)
{
    (void)context;
    if (told_count < KEPT) told[told_count++] = *event;
    return CONV_OK;
}

static conv_status answer(void *context, const conv_provider_request *request,
                          conv_provider_response *response, conv_error *error)
{
    (void)context;
    conv_usage usage = CONV_USAGE_INIT;
    usage.input_tokens = 11;
    usage.output_tokens = 1;
    atomic_fetch_add(&asked, 1);
    if (request->message_count == 0 || request->timeout_ms <= 0) return CONV_INVALID_ARGUMENT;
    conv_status status = (conv_status)atomic_load(&mood);
    snprintf(error->message, sizeof error->message, "HTTP 503");
    if (status != CONV_OK) return status;
    status = conv_provider_response_usage(response, &usage);
    return status == CONV_OK ? conv_provider_response_delta(response, conv_text("ok")) : status;
}

static void open_client(conv_provider *provider, bool read_only)
{
    conv_error error;
    uint64_t number = 0;
    conv_client_params params = CONV_CLIENT_PARAMS_INIT;
    conv_subscription_params subscription = CONV_SUBSCRIPTION_PARAMS_INIT;
    params.store = url;
    params.schema = read_only ? CONV_SCHEMA_DEFAULT : CONV_SCHEMA_MIGRATE;
    params.provider = provider;
    params.model = "m1";
    params.read_only = read_only;
    params.context_messages = -1;
    assert_ok(conv_client_open(&params, &client, &error), error);
    subscription.handler = hear;
    subscription.kinds = CONV_EVENT_SET(CONV_EVENT_HEALTH_CHANGED);
    assert_ok(conv_event_subscribe(client, &subscription, &number, &error), error);
    told_count = 0;
}

static void close_client(void)
{
    conv_error error;
    conv_client *closing = client;
    client = NULL;
    assert_ok(conv_client_close(closing, 30000, &error), error);
}

static int setup(void **state)
{
    (void)state;
    conv_error error;
    kind = test_store_kind();
    url = test_store_create(kind);
    test_program_setup(NULL);
    assert_ok(conv_provider_callback("moody", answer, NULL, &moody, &error), error);
    assert_ok(conv_provider_echo(&echo, &error), error);
    atomic_store(&mood, CONV_OK);
    atomic_store(&asked, 0);
    open_client(moody, false);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    (void)conv_client_close(client, 30000, NULL);
    client = NULL;
    conv_provider_free(moody);
    conv_provider_free(echo);
    test_program_teardown();
    test_store_drop(kind);
    return 0;
}

static conv_status ask(conv_provider *provider)
{
    conv_error error;
    conv_reply *reply = NULL;
    conv_turn turn = CONV_TURN_INIT;
    turn.message = conv_text("my password is hunter2");
    turn.session_id = "s";
    turn.provider = provider;
    conv_status status = conv_process_message(client, &turn, &reply, &error);
    conv_reply_free(reply);
    return status;
}

static void fail_turns(int times)
{
    atomic_store(&mood, CONV_PROVIDER);
    for (int i = 0; i < times; i++)
        assert_int_equal(ask(NULL), CONV_PROVIDER);
}

/* The provider's check is in this state, and its message has this part; nothing else of the client
 * is worse for it. */
static void assert_health(conv_health_state wanted, int64_t failures, const char *part)
{
    conv_error error;
    conv_health *health = NULL;
    const conv_health_check *check = NULL;
    assert_ok(conv_health_read(client, NULL, &health, &error), error);
    for (size_t i = 0; i < conv_health_check_count(health); i++)
        if (strcmp(conv_health_check_at(health, i)->name, "provider") == 0)
            check = conv_health_check_at(health, i);
    assert_non_null(check);
    assert_contains(check->message, part);
    assert_null(strstr(check->message, "hunter2"));
    assert_int_equal(check->state, wanted);
    assert_int_equal(check->value, failures);
    assert_string_equal(check->unit, failures == CONV_UNKNOWN ? "" : "failures");
    assert_int_equal(check->latency_us >= 0, failures != CONV_UNKNOWN);
    assert_int_equal(conv_health_overall(health),
                     wanted == CONV_HEALTH_UNKNOWN ? CONV_HEALTH_OK : wanted);
    assert_true(conv_health_is_live(health));
    assert_true(conv_health_is_ready(health));
    conv_health_free(health);
}

static void assert_told(int index, const char *check, conv_health_state now)
{
    assert_true(index < told_count);
    assert_string_equal(told[index].check, check);
    assert_int_equal(told[index].health, now);
}

static void assert_gauge(const char *value)
{
    conv_error error;
    conv_metrics *metrics = NULL;
    char line[80];
    snprintf(line, sizeof line, "\nconversation_health_ok{check=\"provider\"} %s\n", value);
    assert_ok(conv_metrics_read(client, CONV_METRICS_PROMETHEUS, &metrics, &error), error);
    assert_contains(conv_metrics_text(metrics), line);
    conv_metrics_free(metrics);
}

static void three_failures_in_a_row_degrade_and_an_answer_mends(void **state)
{
    (void)state;
    assert_health(CONV_HEALTH_OK, CONV_UNKNOWN, "configured; nobody was asked yet");
    assert_int_equal(ask(NULL), CONV_OK);
    assert_health(CONV_HEALTH_OK, 0, "moody: 1 call, 0 failed; last answer at 20");
    fail_turns(2);
    assert_health(CONV_HEALTH_OK, 2, "moody: 3 calls, 2 failed, the last 2 in a row; last answer");
    assert_int_equal(told_count, 0);
    fail_turns(1);
    assert_health(CONV_HEALTH_DEGRADED, 3, "Z: provider error: HTTP 503");
    assert_gauge("0");
    assert_health(CONV_HEALTH_DEGRADED, 3, "the last 3 in a row"); /* told once */
    assert_told(0, "provider", CONV_HEALTH_DEGRADED);
    assert_told(1, "overall", CONV_HEALTH_DEGRADED);
    assert_int_equal(told_count, 2);
    atomic_store(&mood, CONV_OK);
    assert_int_equal(ask(NULL), CONV_OK);
    assert_health(CONV_HEALTH_OK, 0, "moody: 5 calls, 3 failed; last answer at 20");
    assert_gauge("1");
    assert_told(2, "provider", CONV_HEALTH_OK);
    assert_told(3, "overall", CONV_HEALTH_OK);
    assert_int_equal(atomic_load(&asked), 5); /* by turns alone */
}

static void a_turn_that_was_stopped_is_no_failure(void **state)
{
    (void)state;
    atomic_store(&mood, CONV_CANCELLED);
    for (int i = 0; i < 5; i++)
        assert_int_equal(ask(NULL), CONV_CANCELLED);
    assert_health(CONV_HEALTH_OK, 0, "moody: 5 calls, 0 failed; no answer yet");
}

static void a_turn_s_own_provider_counts_by_its_name(void **state)
{
    (void)state;
    close_client();
    open_client(NULL, false);
    assert_health(CONV_HEALTH_UNKNOWN, CONV_UNKNOWN, "each turn brings its own");
    atomic_store(&mood, CONV_UNAVAILABLE);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(ask(moody), CONV_UNAVAILABLE);
        assert_int_equal(ask(echo), CONV_OK);
    }
    assert_health(CONV_HEALTH_DEGRADED, 3, "moody: 3 calls, 3 failed");
    atomic_store(&mood, CONV_OK);
    assert_int_equal(ask(moody), CONV_OK);
    assert_health(CONV_HEALTH_OK, 0, "2 providers were asked");
}

static void summaries_count_as_turns_do(void **state)
{
    (void)state;
    conv_error error;
    conv_summary_page *page = NULL;
    assert_int_equal(ask(NULL), CONV_OK);
    atomic_store(&mood, CONV_TIMEOUT);
    for (int i = 0; i < 3; i++)
        assert_status(conv_summary_make(client, "s", &page, &error), CONV_TIMEOUT, error);
    assert_health(CONV_HEALTH_DEGRADED, 3, "moody: 4 calls, 3 failed, the last 3 in a row");
    atomic_store(&mood, CONV_OK);
    assert_ok(conv_summary_make(client, "s", &page, &error), error);
    conv_summary_page_free(page);
    assert_health(CONV_HEALTH_OK, 0, "moody: 5 calls");
}

static const char *health_records(const char *column)
{
    char sql[128];
    snprintf(sql, sizeof sql,
             "SELECT %s FROM usage_logs WHERE service = 'health' AND operation = 'check'", column);
    return test_store_value(kind, sql);
}

static void a_check_on_purpose_asks_once_and_is_in_the_ledger(void **state)
{
    (void)state;
    conv_error error;
    int64_t latency_us = CONV_UNKNOWN;
    assert_ok(conv_health_check_provider(client, 0, &latency_us, &error), error);
    assert_true(latency_us >= 0);
    assert_int_equal(atomic_load(&asked), 1);
    assert_health(CONV_HEALTH_OK, 0, "moody: 1 call, 0 failed");
    assert_int_equal(told_count, 0);
    atomic_store(&mood, CONV_UNAVAILABLE);
    assert_status(conv_health_check_provider(client, 5000, NULL, &error), CONV_UNAVAILABLE, error);
    assert_string_equal(error.message, "HTTP 503");
    assert_told(0, "provider", CONV_HEALTH_DEGRADED);
    assert_health(CONV_HEALTH_DEGRADED, 1, "Z: unavailable: HTTP 503");
    assert_int_equal(told_count, 2);
    atomic_store(&mood, CONV_OK);
    assert_int_equal(ask(NULL), CONV_OK);
    assert_health(CONV_HEALTH_OK, 0, "moody: 3 calls, 1 failed");
    close_client();
    assert_string_equal(health_records("count(*)"), "2");
    assert_string_equal(health_records("sum(total_tokens)"), "12");
    assert_string_equal(health_records("min(model)"), "m1");
    assert_string_equal(health_records("max(error)"), "HTTP 503");
    /* The turn's alone. */
    assert_string_equal(test_store_value(kind, "SELECT count(*) FROM chat_sessions"), "1");
    assert_string_equal(test_store_value(kind, "SELECT count(*) FROM chat_exchanges"), "1");
    assert_string_equal(test_store_value(kind, "SELECT count(*) FROM chat_messages"), "2");
}

static void a_check_on_purpose_that_can_not_be_made_is_refused(void **state)
{
    (void)state;
    conv_error error;
    int64_t latency_us = 0;
    assert_status(conv_health_check_provider(client, -1, &latency_us, &error),
                  CONV_INVALID_ARGUMENT, error);
    assert_int_equal(latency_us, CONV_UNKNOWN);
    assert_status(conv_health_check_provider(NULL, 0, NULL, &error), CONV_INVALID_ARGUMENT, error);
    close_client();
    open_client(NULL, false);
    assert_status(conv_health_check_provider(client, 0, NULL, &error), CONV_INVALID_ARGUMENT,
                  error);
    assert_health(CONV_HEALTH_UNKNOWN, CONV_UNKNOWN, "none is configured");
    close_client();
    open_client(moody, true);
    assert_status(conv_health_check_provider(client, 0, NULL, &error), CONV_STATE, error);
    assert_int_equal(atomic_load(&asked), 0);
}

enum { THREADS = 16, ROUNDS = 20 };

static void *talk(void *context)
{
    atomic_int *wrong = context;
    for (int i = 0; i < ROUNDS; i++) {
        conv_error error;
        conv_health *health = NULL;
        conv_reply *reply = NULL;
        conv_turn turn = CONV_TURN_INIT;
        turn.message = conv_text("hello");
        if (conv_process_message(client, &turn, &reply, &error) != CONV_OK ||
            (i % 10 == 0 && conv_health_read(client, NULL, &health, &error) != CONV_OK))
            atomic_fetch_add(wrong, 1);
        conv_health_free(health);
        conv_reply_free(reply);
    }
    return NULL;
}

static void every_call_of_every_thread_counts(void **state)
{
    (void)state;
    atomic_int wrong = 0;
    pthread_t threads[THREADS];
    char part[64];
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, talk, &wrong), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(wrong, 0);
    snprintf(part, sizeof part, "moody: %d calls, 0 failed; ", THREADS * ROUNDS);
    assert_health(CONV_HEALTH_OK, 0, part);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(three_failures_in_a_row_degrade_and_an_answer_mends),
        TEST(a_turn_that_was_stopped_is_no_failure),
        TEST(a_turn_s_own_provider_counts_by_its_name),
        TEST(summaries_count_as_turns_do),
        TEST(a_check_on_purpose_asks_once_and_is_in_the_ledger),
        TEST(a_check_on_purpose_that_can_not_be_made_is_refused),
        TEST(every_call_of_every_thread_counts),
    };
    return RUN_TESTS("health of the provider", tests);
}
