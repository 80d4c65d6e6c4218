/* Summaries and health checks of a client whose chain redacts: they pass no chain, and nothing
 * unredacted may be kept of them, nor be sent for them. On either store. */
#include "support/test.h"

#include <stdlib.h>

#include "conversation/conversation.h"
#include "support/contract_client.h"
#include "support/store.h"
#include "support/store_rows.h"

#define SECRET "joe@example.com"

static conv_provider *provider;
static conv_middleware *redact;
static char asked[4096];   /* the last request for a summary */
static const char *answer; /* NULL: it fails */
static int leaks;          /* events that have it */

static conv_status complete(void *context, const conv_provider_request *request,
                            conv_provider_response *response, conv_error *error)
{
    (void)context;
    const conv_bytes last = request->messages[request->message_count - 1].content;
    conv_message message = {.role = CONV_ROLE_ASSISTANT, .content = conv_text(answer)};
    conv_usage usage = CONV_USAGE_INIT;
    snprintf(asked, sizeof asked, "%.*s", (int)last.size, last.data);
    usage.input_tokens = 100;
    usage.raw = conv_text("{\"for\": \"" SECRET "\"}");
    conv_status status = conv_provider_response_usage(response, &usage);
    if (status != CONV_OK) return status;
    if (answer != NULL) return conv_provider_response_message(response, &message);
    snprintf(error->message, sizeof error->message, "bad input near: I am " SECRET);
    return CONV_PROVIDER;
}

static int setup(void **state)
{
    conv_error error;
    if (contract_client_setup(state) != 0) return -1;
    assert_ok(conv_provider_callback("own", complete, NULL, &provider, &error), error);
    assert_ok(conv_middleware_redact(NULL, &redact, &error), error);
    leaks = 0;
    return 0;
}

static int teardown(void **state)
{
    conv_middleware_free(redact);
    conv_provider_free(provider);
    return contract_client_teardown(state);
}

static conv_status hear(void *context, const conv_event *event)
{
    char text[CONV_EVENT_TEXT_SIZE];
    (void)context;
    (void)conv_event_format(event, text, sizeof text);
    if (strstr(text, SECRET) != NULL) leaks++;
    return CONV_OK;
}

static conv_client *open_client(bool redacts)
{
    conv_middleware *const chain[] = {
        redact,
        conv_middleware_validate_ids(),
        conv_middleware_provider(),
        conv_middleware_save_to_database(),
        conv_middleware_track_usage(),
        conv_middleware_publish(),
    };
    conv_client_params params = contract_client_params();
    conv_subscription_params subscription = CONV_SUBSCRIPTION_PARAMS_INIT;
    uint64_t number = 0;
    conv_error error;
    params.provider = provider;
    if (redacts) params.chain = chain;
    if (redacts) params.chain_count = sizeof chain / sizeof chain[0];
    conv_client *client = contract_client_open(&params);
    subscription.handler = hear;
    assert_ok(conv_event_subscribe(client, &subscription, &number, &error), error);
    return client;
}

static void say(conv_client *client, const char *text)
{
    conv_turn turn = CONV_TURN_INIT;
    conv_reply *reply = NULL;
    conv_error error;
    turn.session_id = "s";
    turn.message = conv_text(text);
    answer = "yes";
    assert_ok(conv_process_message(client, &turn, &reply, &error), error);
    conv_reply_free(reply);
}

static void assert_lacks(const char *text, const char *what)
{
    if (strstr(text, what) != NULL) fail_msg("\"%s\" in: %s", what, text);
}

static void assert_nothing_is_stored(void)
{
    size_t size = 0;
    char *everything = store_everything(test_store_kind(), contract_client_url(), &size);
    assert_lacks(everything, SECRET);
    assert_non_null(strstr(everything, "[redacted:email]"));
    free(everything);
}

static void summaries_keep_nothing(void **state)
{
    (void)state;
    static const char *const answers[] = {
        "{\"summary\": \"write to " SECRET "\", \"key_points\": [\"" SECRET "\", \"soon\"]}",
        /* As plain text nothing would be found in it. */
        "```json\n{\"summary\": \"write to joe\\u0040example.com\","
        " \"key_points\": [\"joe\\u0040example.com\", \"soon\"]}\n```"};
    conv_client *client = open_client(true);
    conv_summary_page *page = NULL;
    conv_error error;
    for (int i = 0; i < 2; i++) {
        say(client, "I am " SECRET);
        answer = answers[i];
        assert_ok(conv_summary_make(client, "s", &page, &error), error);
        const conv_summary *made = conv_summary_page_summary(page, 0);
        assert_bytes(made->text, "write to [redacted:email]");
        assert_bytes(made->key_points, "[\"[redacted:email]\",\"soon\"]");
        conv_summary_page_free(page);
    }
    say(client, "and now?");
    answer = NULL;
    assert_status(conv_summary_make(client, "s", &page, &error), CONV_PROVIDER, error);
    assert_string_equal(error.message, "bad input near: I am [redacted:email]");
    assert_string_equal(contract_value("SELECT error FROM usage_logs WHERE status = 'failed'"),
                        "bad input near: I am [redacted:email]");
    assert_int_equal(contract_count("SELECT count(*) FROM usage_logs WHERE service = 'summary'"
                                    " AND CAST(raw AS text) LIKE '%%[redacted:email]%%'"),
                     3);
    contract_client_close(&client);
    assert_nothing_is_stored();
    assert_int_equal(leaks, 0);
}

static void assert_health_lacks(conv_client *client)
{
    conv_health *health = NULL;
    conv_error error;
    bool found = false;
    assert_ok(conv_health_read(client, NULL, &health, &error), error);
    for (size_t i = 0; i < conv_health_check_count(health); i++) {
        const char *message = conv_health_check_at(health, i)->message;
        assert_lacks(message, SECRET);
        found = found || strstr(message, "bad input near: I am [redacted:email]") != NULL;
    }
    assert_true(found);
    conv_health_free(health);
}

static void health_keeps_nothing(void **state)
{
    (void)state;
    conv_client *client = open_client(true);
    conv_turn turn = CONV_TURN_INIT;
    conv_reply *reply = NULL;
    conv_error error;
    turn.message = conv_text("I am " SECRET);
    answer = NULL;
    assert_status(conv_process_message(client, &turn, &reply, &error), CONV_PROVIDER, error);
    conv_reply_free(reply);
    assert_health_lacks(client);
    assert_status(conv_health_check_provider(client, 0, NULL, &error), CONV_PROVIDER, error);
    assert_lacks(error.message, SECRET);
    assert_health_lacks(client);
    contract_client_close(&client);
    assert_int_equal(contract_count("SELECT count(*) FROM usage_logs WHERE service = 'health'"
                                    " AND error LIKE '%%[redacted:email]'"
                                    " AND CAST(raw AS text) LIKE '%%[redacted:email]%%'"),
                     1);
    assert_nothing_is_stored();
    assert_int_equal(leaks, 0);
}

static void make(conv_client *client)
{
    conv_summary_page *page = NULL;
    conv_error error;
    answer = "{\"summary\": \"of " SECRET "\", \"key_points\": [\"" SECRET "\"]}";
    assert_ok(conv_summary_make(client, "s", &page, &error), error);
    assert_int_equal(conv_summary_page_count(page), 1);
    conv_summary_page_free(page);
}

/* The earlier summary as well as the messages. */
static void what_was_stored_before_is_not_sent(void **state)
{
    (void)state;
    conv_client *client = open_client(false);
    say(client, "one of " SECRET);
    make(client);
    say(client, "two of " SECRET);
    contract_client_close(&client);
    client = open_client(true);
    say(client, "three of " SECRET);
    make(client);
    contract_client_close(&client);
    assert_lacks(asked, SECRET);
    assert_non_null(strstr(asked, "before: of [redacted:email]\nKey points so far: "
                                  "[\"[redacted:email]\"]"));
    assert_non_null(strstr(asked, "user: two of [redacted:email]"));
    assert_non_null(strstr(asked, "user: three of [redacted:email]"));
    assert_null(strstr(asked, "one of"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(summaries_keep_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(health_keeps_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(what_was_stored_before_is_not_sent, setup, teardown),
    };
    return RUN_TESTS("summary redaction", tests);
}
