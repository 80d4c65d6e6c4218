/* What a provider answers, gathered while it comes. */
#include "core/buffer.h"
#include "providers/response.h"
#include "support/failing_memory.h"
#include "support/test.h"

typedef struct test_listener {
    conv__buffer heard;
    int calls;
    int stop_at; /* 0: never */
} test_listener;

static int hear(void *context, conv_bytes delta)
{
    test_listener *listener = context;
    conv__buffer_append_bytes(&listener->heard, delta);
    return ++listener->calls == listener->stop_at;
}

static conv_provider_response *make(test_listener *listener)
{
    conv_provider_response *response = NULL;
    assert_int_equal(conv__provider_response_create(hear, listener, &response), CONV_OK);
    return response;
}

static const conv_message *messages_of(conv_provider_response *response, size_t wanted)
{
    size_t count = 99;
    const conv_message *messages = conv__provider_response_messages(response, &count);
    assert_non_null(messages);
    assert_int_equal(count, wanted);
    return messages;
}

static void empty_response_has_nothing(void **state)
{
    (void)state;
    conv_provider_response *response = NULL;
    assert_int_equal(conv__provider_response_create(NULL, NULL, &response), CONV_OK);
    (void)messages_of(response, 0);
    assert_int_equal(conv__provider_response_usage(response)->input_tokens, CONV_UNKNOWN);
    assert_int_equal(conv__provider_response_usage(response)->total_tokens, CONV_UNKNOWN);
    assert_false(conv__provider_response_usage(response)->priced);
    assert_null(conv__provider_response_model(response).data);
    assert_null(conv__provider_response_finish_reason(response).data);
    assert_false(conv__provider_response_has_deltas(response));
    conv__provider_response_free(response);
    conv__provider_response_free(NULL);
}

static void deltas_alone_become_one_message(void **state)
{
    (void)state;
    test_listener listener = {0};
    conv_provider_response *response = make(&listener);
    assert_int_equal(conv_provider_response_delta(response, conv_text("Good ")), CONV_OK);
    assert_int_equal(conv_provider_response_delta(response, conv_text("")), CONV_OK);
    assert_int_equal(conv_provider_response_delta(response, conv_view("d\0y", 3)), CONV_OK);
    const conv_message *message = messages_of(response, 1);
    assert_int_equal(message->role, CONV_ROLE_ASSISTANT);
    assert_int_equal(message->content.size, 8);
    assert_memory_equal(message->content.data, "Good d\0y", 9);
    assert_int_equal(listener.calls, 2);
    assert_int_equal(listener.heard.size, 8);
    assert_true(conv__provider_response_has_deltas(response));
    conv__provider_response_free(response);
    conv__buffer_free(&listener.heard);
}

static void message_takes_the_place_of_its_deltas(void **state)
{
    (void)state;
    test_listener listener = {0};
    conv_provider_response *response = make(&listener);
    conv_message first = {.role = CONV_ROLE_ASSISTANT, .content = conv_text("one")};
    conv_message tool = {
        .role = CONV_ROLE_TOOL, .content = conv_text("42"), .tool_call_id = conv_text("call_1")};
    assert_int_equal(conv_provider_response_delta(response, conv_text("one")), CONV_OK);
    assert_int_equal(conv_provider_response_message(response, &first), CONV_OK);
    assert_int_equal(conv_provider_response_message(response, &tool), CONV_OK);
    (void)messages_of(response, 2);
    /* A second answer that breaks off is not lost. */
    assert_int_equal(conv_provider_response_delta(response, conv_text("tw")), CONV_OK);
    const conv_message *messages = messages_of(response, 3);
    assert_bytes(messages[0].content, "one");
    assert_bytes(messages[1].tool_call_id, "call_1");
    assert_bytes(messages[2].content, "tw");
    conv__provider_response_free(response);
    conv__buffer_free(&listener.heard);
}

static void messages_are_copied(void **state)
{
    (void)state;
    test_listener listener = {0};
    conv_provider_response *response = make(&listener);
    char text[] = "text";
    char calls[] = "[{\"id\":\"a\"}]";
    for (int i = 0; i < 40; i++) {
        text[0] = (char)('a' + i % 26);
        conv_message message = {.role = CONV_ROLE_ASSISTANT,
                                .created_us = i == 0 ? INT64_MAX : 7, /* the first is none */
                                .content = conv_text(text),
                                .tool_calls = conv_text(calls),
                                .metadata = conv_text("{}")};
        assert_int_equal(conv_provider_response_message(response, &message), CONV_OK);
    }
    memset(text, 'x', sizeof text - 1);
    memset(calls, 'x', sizeof calls - 1);
    const conv_message *messages = messages_of(response, 40);
    assert_bytes(messages[0].content, "aext");
    assert_bytes(messages[39].content, "next");
    assert_bytes(messages[39].tool_calls, "[{\"id\":\"a\"}]");
    assert_null(messages[39].parts.data);
    assert_int_equal(messages[0].created_us, 0);
    assert_int_equal(messages[39].created_us, 7);
    conv__provider_response_free(response);
    conv__buffer_free(&listener.heard);
}

static void what_a_store_would_refuse_is_refused(void **state)
{
    (void)state;
    test_listener listener = {0};
    conv_provider_response *response = make(&listener);
    const conv_message wrong[] = {
        {.content = conv_text("no role")},
        {.role = CONV_ROLE_ASSISTANT, .content = conv_text("x"), .parts = conv_text("[]")},
        {.role = CONV_ROLE_ASSISTANT, .parts = conv_text("{}")},
        {.role = CONV_ROLE_ASSISTANT, .parts = conv_text("[")},
        {.role = CONV_ROLE_ASSISTANT, .tool_calls = conv_text("\"x\"")},
        {.role = CONV_ROLE_ASSISTANT, .tool_calls = conv_text("")},
        {.role = CONV_ROLE_ASSISTANT, .content = conv_text("x"), .metadata = conv_text("[]")},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        assert_int_equal(conv_provider_response_message(response, &wrong[i]),
                         CONV_INVALID_ARGUMENT);
    (void)messages_of(response, 0);
    conv__provider_response_free(response);
    conv__buffer_free(&listener.heard);
}

static void cancelled_stays_cancelled(void **state)
{
    (void)state;
    test_listener listener = {.stop_at = 2};
    conv_provider_response *response = make(&listener);
    assert_int_equal(conv_provider_response_delta(response, conv_text("a")), CONV_OK);
    assert_false(conv__provider_response_is_cancelled(response));
    assert_int_equal(conv_provider_response_delta(response, conv_text("b")), CONV_CANCELLED);
    assert_int_equal(conv_provider_response_delta(response, conv_text("c")), CONV_CANCELLED);
    assert_true(conv__provider_response_is_cancelled(response));
    assert_int_equal(listener.calls, 2);
    assert_bytes(messages_of(response, 1)->content, "ab"); /* what was heard is kept */
    conv__provider_response_free(response);
    conv__buffer_free(&listener.heard);
}

static void waiting_asks_without_a_text(void **state)
{
    (void)state;
    test_listener listener = {.stop_at = 3};
    conv_provider_response *response = make(&listener);
    assert_int_equal(conv_provider_response_wanted(response), CONV_OK);
    assert_int_equal(conv_provider_response_delta(response, conv_text("a")), CONV_OK);
    assert_int_equal(conv_provider_response_wanted(response), CONV_CANCELLED);
    assert_int_equal(conv_provider_response_wanted(response), CONV_CANCELLED);
    assert_int_equal(conv_provider_response_delta(response, conv_text("b")), CONV_CANCELLED);
    assert_true(conv__provider_response_is_cancelled(response));
    assert_int_equal(listener.calls, 3);
    assert_bytes(messages_of(response, 1)->content, "a");
    conv__provider_response_free(response);
    assert_int_equal(conv__provider_response_create(NULL, NULL, &response), CONV_OK);
    assert_int_equal(conv_provider_response_wanted(response), CONV_OK);
    conv__provider_response_free(response);
    conv__buffer_free(&listener.heard);
}

static conv_usage counts(int64_t input, int64_t output, const char *raw)
{
    conv_usage usage = CONV_USAGE_INIT;
    usage.input_tokens = input;
    usage.output_tokens = output;
    usage.raw = conv_text(raw);
    return usage;
}

static void usage_is_merged(void **state)
{
    (void)state;
    test_listener listener = {0};
    conv_provider_response *response = make(&listener);
    conv_usage said[] = {counts(10, CONV_UNKNOWN, "{\"a\":1}"), counts(0, 3, "{\"b\":2}"),
                         counts(CONV_UNKNOWN, 2, NULL), counts(-7, -7, NULL),
                         counts(CONV_TOKENS_MAX + 1, INT64_MAX, NULL)};
    for (int i = 0; i < 5; i++)
        assert_int_equal(conv_provider_response_usage(response, &said[i]), CONV_OK);
    const conv_usage *usage = conv__provider_response_usage(response);
    assert_int_equal(usage->input_tokens, 10);
    assert_int_equal(usage->output_tokens, 3);
    assert_int_equal(usage->reasoning_tokens, CONV_UNKNOWN);
    assert_bytes(usage->raw, "{\"b\":2}");
    conv_usage broken = counts(1, 1, "{");
    assert_int_equal(conv_provider_response_usage(response, &broken), CONV_INVALID_ARGUMENT);
    assert_bytes(usage->raw, "{\"b\":2}");
    conv__provider_response_free(response);
    conv__buffer_free(&listener.heard);
}

static void larger_bill_wins(void **state)
{
    (void)state;
    test_listener listener = {0};
    conv_provider_response *response = make(&listener);
    const char *const costs[] = {"-1", "0.002", "0.03", "0.0299"};
    for (int i = 0; i < 4; i++) {
        assert_int_equal(conv__provider_response_usage(response)->priced, i > 1);
        conv_usage usage = counts(1, 1, NULL);
        usage.priced = true;
        assert_int_equal(conv_decimal_parse(conv_text(costs[i]), &usage.cost_usd), CONV_OK);
        assert_int_equal(conv_provider_response_usage(response, &usage), CONV_OK);
    }
    char text[CONV_DECIMAL_TEXT_SIZE];
    conv_decimal_format(conv__provider_response_usage(response)->cost_usd, text);
    assert_true(conv__provider_response_usage(response)->priced);
    assert_string_equal(text, "0.03");
    conv__provider_response_free(response);
    conv__buffer_free(&listener.heard);
}

static void absent_leaves_model_and_reason(void **state)
{
    (void)state;
    test_listener listener = {0};
    conv_bytes absent = {NULL, 0};
    conv_provider_response *response = make(&listener);
    assert_int_equal(conv_provider_response_model(response, conv_text("m-1"), absent), CONV_OK);
    assert_int_equal(conv_provider_response_model(response, absent, conv_text("stop")), CONV_OK);
    assert_bytes(conv__provider_response_model(response), "m-1");
    assert_bytes(conv__provider_response_finish_reason(response), "stop");
    conv__provider_response_free(response);
    conv__buffer_free(&listener.heard);
}

/* All of it, with the first, second … allocation failing. */
static conv_status fill(void *context)
{
    (void)context;
    conv_provider_response *response = NULL;
    conv_status status = conv__provider_response_create(NULL, NULL, &response);
    conv_message message = {.role = CONV_ROLE_ASSISTANT,
                            .content = conv_text("some text"),
                            .tool_calls = conv_text("[]")};
    conv_usage usage = counts(1, 2, "{\"prompt_tokens\":1}");
    for (int i = 0; i < 6 && status == CONV_OK; i++) {
        status = conv_provider_response_delta(response, conv_text("some text"));
        if (status == CONV_OK) status = conv_provider_response_message(response, &message);
    }
    if (status == CONV_OK) status = conv_provider_response_usage(response, &usage);
    if (status == CONV_OK)
        status = conv_provider_response_model(response, conv_text("m"), conv_text("stop"));
    conv__provider_response_free(response);
    return status;
}

static void every_failing_allocation_is_told(void **state)
{
    (void)state;
    assert_true(failing_memory_run(fill, NULL) >= 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(empty_response_has_nothing),
        cmocka_unit_test(deltas_alone_become_one_message),
        cmocka_unit_test(message_takes_the_place_of_its_deltas),
        cmocka_unit_test(messages_are_copied),
        cmocka_unit_test(what_a_store_would_refuse_is_refused),
        cmocka_unit_test(cancelled_stays_cancelled),
        cmocka_unit_test(waiting_asks_without_a_text),
        cmocka_unit_test(usage_is_merged),
        cmocka_unit_test(larger_bill_wins),
        cmocka_unit_test(absent_leaves_model_and_reason),
        cmocka_unit_test(every_failing_allocation_is_told),
    };
    return RUN_TESTS("provider_response", tests);
}
