/* The JSON body of a chat completions request. */
#include "core/json.h"
#include "core/text.h"
#include "providers/openai_request.h"
#include "support/failing_memory.h"
#include "support/test.h"

static conv_provider_request request_of(const conv_message *messages, size_t count)
{
    conv_provider_request request = {.size = sizeof request,
                                     .messages = messages,
                                     .message_count = count,
                                     .timeout_ms = 1000,
                                     .session_id = "s",
                                     .turn_id = "t"};
    return request;
}

static void assert_body(const conv_provider_request *request, const char *wanted)
{
    conv_error error = CONV_ERROR_INIT;
    conv__buffer body = {0};
    conv__json parsed;
    assert_ok(conv__openai_request_write(request, conv_text("gpt"), &body, &error), error);
    assert_string_equal(body.data, wanted);
    assert_true(conv__json_parse(conv__buffer_bytes(&body), &parsed, NULL));
    assert_true(conv__utf8_is_valid(conv__buffer_bytes(&body)));
    conv__buffer_free(&body);
}

static void assert_refused(const conv_provider_request *request, const char *model,
                           const char *words)
{
    conv_error error = CONV_ERROR_INIT;
    conv__buffer body = {0};
    assert_status(conv__openai_request_write(request, conv_text(model), &body, &error),
                  CONV_INVALID_ARGUMENT, error);
    if (strstr(error.message, words) == NULL) fail_msg("%s", error.message);
    conv__buffer_free(&body);
}

static void every_kind_of_message_is_written(void **state)
{
    (void)state;
    const conv_message messages[] = {
        {.role = CONV_ROLE_SYSTEM, .content = conv_text("Be \"kind\"\n")},
        {.role = CONV_ROLE_DEVELOPER, .content = conv_text("")},
        {.role = CONV_ROLE_USER, .content = conv_text("Hi"), .name = conv_text("J\xC3\xB6rg")},
        {.role = CONV_ROLE_ASSISTANT,
         .tool_calls = conv_text("[{\"id\":\"c1\", \"type\":\"function\",\"function\":{\"name\":"
                                 "\"f\",\"arguments\":\"{}\"}}]")},
        {.role = CONV_ROLE_TOOL, .content = conv_text("42"), .tool_call_id = conv_text("c1")},
        {.role = CONV_ROLE_USER, .parts = conv_text("[{\"type\":\"text\",\"text\":\"\\u00e9\"}]")},
        {.role = CONV_ROLE_ASSISTANT},
    };
    conv_provider_request request = request_of(messages, 7);
    assert_body(&request,
                "{\"model\":\"gpt\",\"messages\":["
                "{\"role\":\"system\",\"content\":\"Be \\\"kind\\\"\\n\"},"
                "{\"role\":\"developer\",\"content\":\"\"},"
                "{\"role\":\"user\",\"content\":\"Hi\",\"name\":\"J\xC3\xB6rg\"},"
                "{\"role\":\"assistant\",\"content\":null,\"tool_calls\":[{\"id\":\"c1\", "
                "\"type\":\"function\",\"function\":{\"name\":\"f\",\"arguments\":\"{}\"}}]},"
                "{\"role\":\"tool\",\"content\":\"42\",\"tool_call_id\":\"c1\"},"
                "{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"\\u00e9\"}]},"
                "{\"role\":\"assistant\",\"content\":\"\"}]}");
}

static void what_the_wire_can_not_carry_is_replaced(void **state)
{
    (void)state;
    const conv_message messages[] = {
        {.role = CONV_ROLE_USER, .content = conv_view("a\0b\xFFz\xED\xA0\x80", 8)},
        {.role = CONV_ROLE_USER, .parts = conv_text("[{\"text\":\"\xFF\\ud800\"}]")},
    };
    conv_provider_request request = request_of(messages, 2);
    conv_error error = CONV_ERROR_INIT;
    conv__buffer body = {0};
    assert_ok(conv__openai_request_write(&request, conv_text("m"), &body, &error), error);
    assert_true(conv__utf8_is_valid(conv__buffer_bytes(&body)));
    assert_non_null(strstr(body.data, "a\xEF\xBF\xBD"
                                      "b\xEF\xBF\xBDz"));
    assert_null(strstr(body.data, "\\ud800"));
    conv__buffer_free(&body);
}

static void model_of_the_request_wins(void **state)
{
    (void)state;
    const conv_message message = {.role = CONV_ROLE_USER, .content = conv_text("x")};
    conv_provider_request request = request_of(&message, 1);
    request.model = conv_text("own");
    assert_body(&request,
                "{\"model\":\"own\",\"messages\":[{\"role\":\"user\",\"content\":\"x\"}]}");
    request.model = (conv_bytes){NULL, 0};
    assert_refused(&request, NULL, "no model");
}

static void options_and_streaming_are_added(void **state)
{
    (void)state;
    const conv_message message = {.role = CONV_ROLE_USER, .content = conv_text("x")};
    conv_provider_request request = request_of(&message, 1);
    request.options = conv_text(" { \"temperature\" : 0.10 , \"tools\":[{\"a\": 1}], \"n\":1 } ");
    request.stream = true;
    assert_body(&request, "{\"model\":\"gpt\",\"messages\":[{\"role\":\"user\",\"content\":\"x\"}],"
                          "\"temperature\":0.10,\"tools\":[{\"a\": 1}],\"n\":1,"
                          "\"stream\":true,\"stream_options\":{\"include_usage\":true}}");
    request.options = conv_text("{\"stream_options\":null}");
    assert_body(&request, "{\"model\":\"gpt\",\"messages\":[{\"role\":\"user\",\"content\":\"x\"}],"
                          "\"stream\":true}");
    request.options = conv_text("{\"stream_options\":{\"include_usage\":false}}");
    assert_body(&request, "{\"model\":\"gpt\",\"messages\":[{\"role\":\"user\",\"content\":\"x\"}],"
                          "\"stream_options\":{\"include_usage\":false},\"stream\":true}");
    request.options = conv_text("{}");
    request.stream = false;
    assert_body(&request,
                "{\"model\":\"gpt\",\"messages\":[{\"role\":\"user\",\"content\":\"x\"}]}");
}

static void options_may_not_take_the_turns_place(void **state)
{
    (void)state;
    const conv_message message = {.role = CONV_ROLE_USER, .content = conv_text("x")};
    const struct {
        const char *options;
        const char *words;
    } rows[] = {
        {"{\"messages\":[]}", "'messages'"},
        {"{\"model\":\"x\"}", "'model'"},
        {"{\"stream\":false}", "'stream'"},
        {"{\"n\":2}", "'n'"},
        {"{\"n\":\"1\"}", "'n'"},
        {"[]", "JSON object"},
        {"{", "JSON object"},
        {"", "JSON object"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        conv_provider_request request = request_of(&message, 1);
        request.options = conv_text(rows[i].options);
        assert_refused(&request, "gpt", rows[i].words);
    }
}

static void calls_of_an_interrupted_reply_are_not_sent(void **state)
{
    (void)state;
    const conv_message messages[] = {
        {.role = CONV_ROLE_USER, .content = conv_text("x")},
        {.role = CONV_ROLE_ASSISTANT,
         .content = conv_text("Let me see"),
         .tool_calls = conv_text("[{\"id\":\"c\"}]"),
         .status = CONV_OUTCOME_INTERRUPTED},
        {.role = CONV_ROLE_ASSISTANT,
         .tool_calls = conv_text("[{\"id\":\"c\"}]"),
         .status = CONV_OUTCOME_INTERRUPTED},
        {.role = CONV_ROLE_USER, .content = conv_text("y")},
    };
    conv_provider_request request = request_of(messages, 4);
    assert_body(&request, "{\"model\":\"gpt\",\"messages\":["
                          "{\"role\":\"user\",\"content\":\"x\"},"
                          "{\"role\":\"assistant\",\"content\":\"Let me see\"},"
                          "{\"role\":\"user\",\"content\":\"y\"}]}");
}

static void damaged_json_is_named(void **state)
{
    (void)state;
    const conv_message messages[] = {
        {.role = CONV_ROLE_USER, .content = conv_text("x")},
        {.role = CONV_ROLE_ASSISTANT, .tool_calls = conv_text("[{")},
    };
    conv_provider_request request = request_of(messages, 2);
    assert_refused(&request, "gpt", "message 2");
}

static conv_status write_all(void *context)
{
    (void)context;
    const conv_message messages[] = {
        {.role = CONV_ROLE_USER, .content = conv_view("a\0b\xFF", 4)},
        {.role = CONV_ROLE_USER, .parts = conv_text("[\"\\u0000\"]"), .name = conv_text("\xFF")},
        {.role = CONV_ROLE_TOOL, .content = conv_text("x"), .tool_call_id = conv_text("\xFF")},
    };
    conv_provider_request request = request_of(messages, 3);
    request.options = conv_text("{\"stop\":\"\\u0000\"}");
    request.stream = true;
    conv__buffer body = {0};
    conv_status status = conv__openai_request_write(&request, conv_text("m"), &body, NULL);
    conv__buffer_free(&body);
    return status;
}

static void every_failing_allocation_is_told(void **state)
{
    (void)state;
    assert_true(failing_memory_run(write_all, NULL) > 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind_of_message_is_written),
        cmocka_unit_test(what_the_wire_can_not_carry_is_replaced),
        cmocka_unit_test(model_of_the_request_wins),
        cmocka_unit_test(options_and_streaming_are_added),
        cmocka_unit_test(options_may_not_take_the_turns_place),
        cmocka_unit_test(calls_of_an_interrupted_reply_are_not_sent),
        cmocka_unit_test(damaged_json_is_named),
        cmocka_unit_test(every_failing_allocation_is_told),
    };
    return RUN_TESTS("openai_request", tests);
}
