/* The OpenAI provider against a fake endpoint that nobody here wrote: npm's @copilotkit/aimock.
 * What it answers to which question stands in tests/node/aimock.mjs. */
#include <stdlib.h>

#include "providers/response.h"
#include "support/ask.h"
#include "support/node_server.h"
#include "support/test.h"

#define LONG_PART "The quick brown fox. Ünïcödé, 日本語, العربية. "
#define LONG      LONG_PART LONG_PART LONG_PART "🦊🦊🦊🦊🦊🦊🦊🦊 too."

static char base_url[300];

static int start(void **state)
{
    (void)state;
    snprintf(base_url, sizeof base_url, "%s/api/v1", node_server_start("aimock.mjs", NULL));
    return 0;
}

static int stop(void **state)
{
    (void)state;
    node_server_stop();
    return 0;
}

static void ask_text(asked *made, const char *text, bool stream, int max_retries)
{
    const conv_message message = {.role = CONV_ROLE_USER, .content = conv_text(text)};
    conv_provider *openai = ask_openai(base_url, max_retries);
    conv_provider_request request = ask_request(stream);
    request.messages = &message;
    ask(made, openai, &request);
    conv_provider_free(openai);
}

static void assert_reply(const asked *made)
{
    if (made->status != CONV_OK) fail_msg("%s", made->error.message);
    assert_int_equal(made->count, 1);
    assert_int_equal(made->messages[0].role, CONV_ROLE_ASSISTANT);
    const conv_usage *usage = conv__provider_response_usage(made->response);
    assert_int_equal(usage->input_tokens, 120);
    assert_int_equal(usage->output_tokens, 45);
    assert_int_equal(usage->total_tokens, 165);
    assert_int_equal(usage->cache_read_tokens, 64);
    assert_int_equal(usage->reasoning_tokens, 32);
    assert_int_equal(usage->cache_write_tokens, CONV_UNKNOWN);
    assert_non_null(usage->raw.data);
}

static void assert_failure(const asked *made, conv_status status, const char *words,
                           const char *secret)
{
    if (made->status != status)
        fail_msg("%s: %s", conv_status_name(made->status), made->error.message);
    if (strstr(made->error.message, words) == NULL) fail_msg("%s", made->error.message);
    assert_null(strstr(made->error.message, secret));
}

static void text_comes_in_both_ways(void **state)
{
    (void)state;
    for (int stream = 0; stream < 2; stream++) {
        asked made = {0};
        ask_text(&made, "ask-text", stream == 1, 0);
        assert_reply(&made);
        assert_bytes(made.messages[0].content, LONG);
        assert_bytes(conv__provider_response_model(made.response), "served-model");
        assert_bytes(conv__provider_response_finish_reason(made.response), "stop");
        assert_false(conv__provider_response_usage(made.response)->priced);
        if (stream == 1) {
            assert_true(made.deltas > 10);
            assert_bytes(conv__buffer_bytes(&made.heard), LONG);
        }
        asked_free(&made);
    }
}

static void tools_are_called_in_both_ways(void **state)
{
    (void)state;
    for (int stream = 0; stream < 2; stream++) {
        asked made = {0};
        ask_text(&made, "ask-tools", stream == 1, 0);
        assert_reply(&made);
        assert_null(made.messages[0].content.data);
        assert_bytes(made.messages[0].tool_calls,
                     "[{\"id\":\"call_1\",\"type\":\"function\",\"function\":{\"name\":"
                     "\"get_weather\",\"arguments\":\"{\\\"city\\\":\\\"Zürich\\\","
                     "\\\"unit\\\":\\\"°C\\\"}\"}},"
                     "{\"id\":\"call_2\",\"type\":\"function\",\"function\":{\"name\":"
                     "\"get_time\",\"arguments\":\"{\\\"zone\\\":\\\"Asia/Tokyo\\\"}\"}}]");
        assert_bytes(conv__provider_response_finish_reason(made.response), "tool_calls");
        asked_free(&made);
    }
}

static void text_and_call_come_together(void **state)
{
    (void)state;
    for (int stream = 0; stream < 2; stream++) {
        asked made = {0};
        ask_text(&made, "ask-both", stream == 1, 0);
        assert_reply(&made);
        assert_bytes(made.messages[0].content, "One moment.");
        assert_non_null(strstr(made.messages[0].tool_calls.data, "get_weather"));
        asked_free(&made);
    }
}

static void result_of_a_tool_is_sent_back(void **state)
{
    (void)state;
    const conv_message messages[] = {
        {.role = CONV_ROLE_USER, .content = conv_text("ask-tools")},
        {.role = CONV_ROLE_ASSISTANT,
         .tool_calls = conv_text("[{\"id\":\"call_1\",\"type\":\"function\",\"function\":{\"name\":"
                                 "\"get_weather\",\"arguments\":\"{}\"}}]")},
        {.role = CONV_ROLE_TOOL, .content = conv_text("21"), .tool_call_id = conv_text("call_1")},
    };
    asked made = {0};
    conv_provider *openai = ask_openai(base_url, 0);
    conv_provider_request request = ask_request(true);
    request.messages = messages;
    request.message_count = 3;
    ask(&made, openai, &request);
    assert_reply(&made);
    assert_bytes(made.messages[0].content, "It is 21 °C.");
    asked_free(&made);
    conv_provider_free(openai);
}

static void bill_of_the_endpoint_is_taken(void **state)
{
    (void)state;
    for (int stream = 0; stream < 2; stream++) {
        char cost[CONV_DECIMAL_TEXT_SIZE];
        asked made = {0};
        ask_text(&made, "ask-cost", stream == 1, 0);
        assert_reply(&made);
        assert_true(conv__provider_response_usage(made.response)->priced);
        conv_decimal_format(conv__provider_response_usage(made.response)->cost_usd, cost);
        assert_string_equal(cost, "0.000123");
        asked_free(&made);
    }
}

static void reason_to_finish_is_told(void **state)
{
    (void)state;
    asked made = {0};
    ask_text(&made, "ask-length", true, 0);
    assert_reply(&made);
    assert_bytes(conv__provider_response_finish_reason(made.response), "length");
    asked_free(&made);
}

static void comment_lines_are_passed_over(void **state)
{
    (void)state;
    asked made = {0};
    ask_text(&made, "ask-keepalive", true, 0);
    assert_reply(&made);
    assert_bytes(made.messages[0].content, "Here.");
    asked_free(&made);
}

static void failure_that_passes_is_mended(void **state)
{
    (void)state;
    asked made = {0};
    ask_text(&made, "ask-twice", false, 0);
    assert_reply(&made);
    assert_bytes(made.messages[0].content, "Second try.");
    asked_free(&made);
}

static void faults_are_told_as_they_are(void **state)
{
    (void)state;
    const struct {
        const char *question;
        conv_status status;
        const char *words;
    } rows[] = {
        {"ask-refused", CONV_PROVIDER, "HTTP 400 (code 400, request req-"},
        {"ask-malformed", CONV_PROVIDER, "not JSON (request req-"},
        {"ask-dropped", CONV_PROVIDER, "HTTP 500 (type server_error, code chaos_drop"},
        {"ask-limited", CONV_PROVIDER, "HTTP 429 (type rate_limit_error, code chaos_ratelimit"},
        {"ask-disconnect", CONV_UNAVAILABLE, "broke before the answer was complete"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        for (int stream = 0; stream < 2; stream++) {
            asked made = {0};
            ask_text(&made, rows[i].question, stream == 1, -1);
            assert_failure(&made, rows[i].status, rows[i].words, rows[i].question);
            assert_int_equal(made.count, 0);
            asked_free(&made);
        }
    }
}

static void slow_endpoint_is_not_waited_for(void **state)
{
    (void)state;
    const conv_message message = {.role = CONV_ROLE_USER, .content = conv_text("ask-slow")};
    asked made = {0};
    conv_provider *openai = ask_openai(base_url, 0);
    conv_provider_request request = ask_request(true);
    request.messages = &message;
    request.timeout_ms = 200;
    ask(&made, openai, &request);
    assert_failure(&made, CONV_TIMEOUT, "did not answer in time", "ask-slow");
    asked_free(&made);
    conv_provider_free(openai);
}

static void stream_that_breaks_keeps_what_came(void **state)
{
    (void)state;
    asked made = {0};
    ask_text(&made, "ask-truncated", true, 0);
    assert_failure(&made, CONV_UNAVAILABLE, "broke before the answer was complete", "quick");
    assert_int_equal(made.count, 1);
    assert_true(made.messages[0].content.size > 0 &&
                made.messages[0].content.size < sizeof LONG - 1);
    assert_memory_equal(made.messages[0].content.data, LONG, made.messages[0].content.size);
    assert_int_equal(made.messages[0].content.size, made.heard.size);
    asked_free(&made);
}

int main(void)
{
    unsetenv("http_proxy");
    unsetenv("all_proxy");
    unsetenv("ALL_PROXY");
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_comes_in_both_ways),
        cmocka_unit_test(tools_are_called_in_both_ways),
        cmocka_unit_test(text_and_call_come_together),
        cmocka_unit_test(result_of_a_tool_is_sent_back),
        cmocka_unit_test(bill_of_the_endpoint_is_taken),
        cmocka_unit_test(reason_to_finish_is_told),
        cmocka_unit_test(comment_lines_are_passed_over),
        cmocka_unit_test(failure_that_passes_is_mended),
        cmocka_unit_test(faults_are_told_as_they_are),
        cmocka_unit_test(slow_endpoint_is_not_waited_for),
        cmocka_unit_test(stream_that_breaks_keeps_what_came),
    };
    return RUN_TESTS_WITH("openai_aimock", tests, start, stop);
}
