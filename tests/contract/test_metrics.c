/* Metrics through the public API, on either store: they agree with the store's sums, and
 * Prometheus' own programs take the text. */
#include "support/test.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#include "conversation/conversation.h"
#include "support/contract_client.h"
#include "support/program.h"
#include "support/store.h"

#define TAKE_AWAY  "ALTER TABLE chat_exchanges RENAME TO away"
#define BRING_BACK "ALTER TABLE away RENAME TO chat_exchanges"

static conv_provider *echo;
static conv_client *client;

static int setup(void **state)
{
    conv_error error;
    static const conv_price prices[] = {{.model = "priced", .input = "0.15", .output = "0.60"}};
    if (contract_client_setup(state) != 0) return -1;
    test_program_setup(NULL);
    conv_client_params params = contract_client_params();
    assert_ok(conv_provider_echo(&echo, &error), error);
    params.provider = echo;
    params.journal = contract_client_journal();
    params.prices = prices;
    params.price_count = 1;
    params.context_messages = -1;
    client = contract_client_open(&params);
    return 0;
}

static int teardown(void **state)
{
    (void)conv_client_close(client, 30000, NULL);
    conv_provider_free(echo);
    test_program_teardown();
    return contract_client_teardown(state);
}

static void ask(const char *model)
{
    conv_error error;
    conv_reply *reply = NULL;
    conv_turn turn = CONV_TURN_INIT;
    turn.session_id = "a session \"quoted\"";
    turn.message = conv_text("my password is hunter2");
    turn.model = model;
    assert_ok(conv_process_message(client, &turn, &reply, &error), error);
    conv_reply_free(reply);
}

static void track(const char *cost)
{
    conv_error error;
    conv_usage usage = CONV_USAGE_INIT;
    usage.operation = conv_text("embeddings");
    usage.input_tokens = 12;
    usage.total_tokens = 12;
    usage.priced = cost != NULL;
    if (cost != NULL)
        assert_int_equal(conv_decimal_parse(conv_text(cost), &usage.cost_usd), CONV_OK);
    assert_ok(conv_track_usage(client, &usage, &error), error);
    assert_ok(conv_track_flush(client, 30000, NULL, &error), error);
}

static char *read_text(conv_metrics_format format)
{
    conv_error error;
    conv_metrics *metrics = NULL;
    assert_ok(conv_metrics_read(client, format, &metrics, &error), error);
    assert_int_equal(strlen(conv_metrics_text(metrics)), conv_metrics_size(metrics));
    char *copy = strdup(conv_metrics_text(metrics));
    conv_metrics_free(metrics);
    assert_null(strstr(copy, "hunter2"));
    assert_null(strstr(copy, "session_id"));
    return copy;
}

/* The value behind a sample's name and labels. */
static void value_of(const char *all, const char *name, char *value, size_t size)
{
    char line[160];
    snprintf(line, sizeof line, "\n%s ", name);
    const char *at = strstr(all, line);
    if (at == NULL) fail_msg("%s is not in:\n%s", name, all);
    at += strlen(line);
    snprintf(value, size, "%.*s", (int)strcspn(at, "\n"), at);
}

static void assert_value(const char *all, const char *name, const char *sql)
{
    char value[64];
    conv_decimal got;
    conv_decimal wanted;
    value_of(all, name, value, sizeof value);
    assert_int_equal(conv_decimal_parse(conv_text(value), &got), CONV_OK);
    const char *stored = contract_value(sql);
    assert_int_equal(conv_decimal_parse(conv_text(stored), &wanted), CONV_OK);
    if (conv_decimal_compare(got, wanted) != 0)
        fail_msg("%s is %s, but the store has %s", name, value, stored);
}

static void metrics_agree_with_the_store(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++)
        ask(i == 0 ? "unknown" : "priced");
    track("0.000025");
    track(NULL);
    /* Two of them through the journal. */
    contract_execute(TAKE_AWAY);
    ask("priced");
    ask("priced");
    char *text = read_text(CONV_METRICS_PROMETHEUS);
    assert_contains(text, "\nconversation_journal_entries{kind=\"exchange\"} 2\n");
    assert_contains(text, "\nconversation_store_away 1\n");
    assert_contains(text, "result=\"journaled\"} ");
    free(text);
    contract_execute(BRING_BACK);
    for (int i = 0; i < 2000; i++) {
        text = read_text(CONV_METRICS_PROMETHEUS);
        bool done = strstr(text, "{event=\"exchange.saved\"} 5\n") != NULL;
        if (done) break;
        free(text);
        usleep(5000);
    }
    assert_value(text, "conversation_messages_saved_total", "SELECT count(*) FROM chat_messages");
    assert_value(text, "conversation_tokens_total{type=\"input\"}",
                 "SELECT sum(input_tokens) FROM usage_logs");
    assert_value(text, "conversation_tokens_total{type=\"total\"}",
                 "SELECT sum(total_tokens) FROM usage_logs");
    assert_value(text, "conversation_usage_records_total{priced=\"true\"}",
                 "SELECT count(cost_usd) FROM usage_logs");
    assert_value(text, "conversation_usage_records_total{priced=\"false\"}",
                 "SELECT count(*) - count(cost_usd) FROM usage_logs");
    assert_contains(text, "\nconversation_turns_total{status=\"ok\"} 5\n");
    free(text);

    conv_error error;
    conv_usage_totals *totals = NULL;
    char value[64];
    char cost[CONV_DECIMAL_TEXT_SIZE];
    assert_ok(conv_usage_sum(client, NULL, CONV_USAGE_GROUP_NONE, &totals, &error), error);
    conv_decimal_format(conv_usage_totals_row(totals, 0)->cost_usd, cost);
    conv_usage_totals_free(totals);
    text = read_text(CONV_METRICS_OPENMETRICS);
    value_of(text, "conversation_cost_usd_total", value, sizeof value);
    assert_string_equal(value, cost);
    free(text);
}

/* -1 when it can't be told. Also on the library's thread, so nothing is asserted. */
static int count_submitted(void)
{
    static const char name[] = "\nconversation_submitted_exchanges ";
    conv_metrics *metrics = NULL;
    int count = -1;
    if (conv_metrics_read(client, CONV_METRICS_PROMETHEUS, &metrics, NULL) != CONV_OK) return -1;
    const char *at = strstr(conv_metrics_text(metrics), name);
    if (at != NULL) count = atoi(at + strlen(name));
    conv_metrics_free(metrics);
    return count;
}

enum { NOT_TOLD = -2 };
static atomic_int told;

static void look_at_submitted(void *context, const conv_async_result *result)
{
    (void)context;
    (void)result;
    atomic_store(&told, count_submitted());
}

static void a_submitted_exchange_is_counted_until_it_is_settled(void **state)
{
    (void)state;
    conv_error error;
    conv_message message = {.role = CONV_ROLE_USER, .content = conv_text("a question")};
    conv_exchange exchange = CONV_EXCHANGE_INIT;
    conv_async_params params = CONV_ASYNC_PARAMS_INIT;
    exchange.messages = &message;
    exchange.message_count = 1;
    params.on_result = look_at_submitted;
    atomic_store(&told, NOT_TOLD);
    assert_int_equal(count_submitted(), 0);
    assert_ok(conv_async_submit(client, &exchange, &params, &error), error);
    for (int i = 0; i < 10000 && (atomic_load(&told) == NOT_TOLD || count_submitted() > 0); i++)
        usleep(1000);
    assert_int_equal(atomic_load(&told), 1);
    assert_int_equal(count_submitted(), 0);
}

static void prometheus_takes_the_text(void **state)
{
    (void)state;
    ask("priced");
    track("0.1");
    char *text = read_text(CONV_METRICS_PROMETHEUS);
    test_write_file("metrics.txt", text, strlen(text));
    free(text);
    int code = test_run("promtool check metrics <metrics.txt");
    if (code != 0 || test_errors[0] != '\0')
        fail_msg("promtool ended with %d: %s%s", code, test_output, test_errors);
    /* Its reader of OpenMetrics takes only samples with a time. */
    text = read_text(CONV_METRICS_OPENMETRICS);
    test_write_file("metrics.om", text, strlen(text));
    free(text);
    code = test_run("sed '/^#/!s/$/ 1700000000/' metrics.om >timed.om && "
                    "promtool tsdb create-blocks-from openmetrics timed.om blocks");
    if (code != 0) fail_msg("promtool ended with %d: %s%s", code, test_output, test_errors);
}

static void wrong_calls_are_refused(void **state)
{
    (void)state;
    conv_error error;
    conv_metrics *metrics = NULL;
    assert_status(conv_metrics_read(client, (conv_metrics_format)7, &metrics, &error),
                  CONV_INVALID_ARGUMENT, error);
    assert_null(metrics);
    assert_status(conv_metrics_read(client, CONV_METRICS_PROMETHEUS, NULL, &error),
                  CONV_INVALID_ARGUMENT, error);
    assert_status(conv_metrics_read(NULL, CONV_METRICS_PROMETHEUS, &metrics, &error),
                  CONV_INVALID_ARGUMENT, error);
    assert_null(conv_metrics_content_type((conv_metrics_format)7));
    conv_metrics_free(NULL);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(metrics_agree_with_the_store),
        TEST(a_submitted_exchange_is_counted_until_it_is_settled),
        TEST(prometheus_takes_the_text),
        TEST(wrong_calls_are_refused),
    };
    return RUN_TESTS("metrics", tests);
}
