/* A reply that comes in one piece. */
#include "core/buffer.h"
#include "providers/openai_response.h"
#include "providers/response.h"
#include "support/failing_memory.h"
#include "support/test.h"

typedef struct plain_case {
    conv_provider_response *response;
    conv__openai_failure failure;
    conv__buffer heard;
    conv_status status;
    int answer; /* of the listener */
} plain_case;

static int hear(void *context, conv_bytes delta)
{
    plain_case *made = context;
    conv__buffer_append_bytes(&made->heard, delta);
    return made->answer;
}

static void read(plain_case *made, const char *body, bool stream, int answer)
{
    memset(made, 0, sizeof *made);
    made->answer = answer;
    assert_int_equal(conv__provider_response_create(hear, made, &made->response), CONV_OK);
    made->status = conv__openai_body_read(conv_text(body), stream, made->response, &made->failure);
}

static void drop(plain_case *made)
{
    conv__provider_response_free(made->response);
    conv__buffer_free(&made->heard);
}

static const conv_message *only_message(plain_case *made)
{
    size_t count = 0;
    const conv_message *messages = conv__provider_response_messages(made->response, &count);
    assert_int_equal(made->status, CONV_OK);
    assert_int_equal(count, 1);
    return messages;
}

static const char text_reply[] =
    "{\"id\":\"x\",\"model\":\"gpt-1\",\"choices\":[{\"index\":0,\"message\":{\"role\":"
    "\"assistant\",\"content\":\"Hello \\ud83d\\ude00\\u0000\",\"refusal\":null},"
    "\"finish_reason\":\"stop\"}],\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":2,"
    "\"total_tokens\":5}}";

static void text_is_read(void **state)
{
    (void)state;
    plain_case made;
    read(&made, text_reply, false, 0);
    const conv_message *message = only_message(&made);
    assert_int_equal(message->role, CONV_ROLE_ASSISTANT);
    assert_int_equal(message->content.size, 11);
    assert_memory_equal(message->content.data, "Hello \xF0\x9F\x98\x80\0", 11);
    assert_null(message->tool_calls.data);
    assert_bytes(conv__provider_response_model(made.response), "gpt-1");
    assert_bytes(conv__provider_response_finish_reason(made.response), "stop");
    assert_int_equal(conv__provider_response_usage(made.response)->total_tokens, 5);
    assert_int_equal(made.heard.size, 0);
    drop(&made);
}

static void calls_are_kept_as_they_came(void **state)
{
    (void)state;
    plain_case made;
    read(&made,
         "{\"choices\":[{\"message\":{\"content\":null,\"tool_calls\":[ {\"id\":\"c\", "
         "\"x\":1.50}]},\"finish_reason\":\"tool_calls\"}]}",
         false, 0);
    const conv_message *message = only_message(&made);
    assert_null(message->content.data);
    assert_bytes(message->tool_calls, "[ {\"id\":\"c\", \"x\":1.50}]");
    assert_int_equal(conv__provider_response_usage(made.response)->input_tokens, CONV_UNKNOWN);
    assert_null(conv__provider_response_usage(made.response)->raw.data);
    assert_null(conv__provider_response_model(made.response).data);
    drop(&made);
}

static void other_forms_are_read(void **state)
{
    (void)state;
    plain_case made;
    read(&made, "{\"model\":\"\",\"choices\":[{\"message\":{\"content\":\"\",\"tool_calls\":[]}}]}",
         false, 0);
    assert_null(conv__provider_response_model(made.response).data);
    assert_bytes(only_message(&made)->content, "");
    assert_null(only_message(&made)->tool_calls.data);
    drop(&made);
    read(&made, "{\"choices\":[{\"message\":{\"content\":[{\"type\":\"text\"}]}}],\"error\":null}",
         false, 0);
    assert_bytes(only_message(&made)->parts, "[{\"type\":\"text\"}]");
    drop(&made);
    read(&made, "{\"choices\":[{\"message\":{\"refusal\":\"No.\"}}]}", false, 0);
    assert_bytes(only_message(&made)->parts, "[{\"type\":\"refusal\",\"refusal\":\"No.\"}]");
    drop(&made);
    read(&made, "{\"choices\":[{\"message\":{\"content\":\"But\",\"refusal\":\"No.\"}}]}", false,
         0);
    assert_bytes(only_message(&made)->parts, "[{\"type\":\"text\",\"text\":\"But\"},"
                                             "{\"type\":\"refusal\",\"refusal\":\"No.\"}]");
    drop(&made);
}

static void rubbish_is_refused(void **state)
{
    (void)state;
    const struct {
        const char *body;
        const char *what;
    } rows[] = {
        {"<html>", "answered with something that is not JSON"},
        {"{\"choices\":[{\"message\":{\"content\":\"cut",
         "answered with something that is not JSON"},
        {"{}", "answered without choices"},
        {"[]", "answered without choices"},
        {"\"x\"", "answered without choices"},
        {"{\"choices\":[]}", "answered without choices"},
        {"{\"choices\":[{}]}", "answered without a message"},
        {"{\"choices\":[7]}", "answered without a message"},
        {"{\"choices\":[{\"message\":{\"content\":7}}]}",
         "answered with a content that is neither text nor parts"},
        {"{\"error\":{\"message\":\"m\",\"code\":\"c\"}}", "answered with an error"},
        {"{\"error\":\"boom\"}", "answered with an error"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        plain_case made;
        size_t count = 0;
        read(&made, rows[i].body, false, 0);
        assert_int_equal(made.status, CONV_PROVIDER);
        assert_string_equal(made.failure.what, rows[i].what);
        (void)conv__provider_response_messages(made.response, &count);
        assert_int_equal(count, 0);
        drop(&made);
    }
}

static void listener_hears_it_though_it_came_whole(void **state)
{
    (void)state;
    plain_case made;
    size_t count = 0;
    read(&made, text_reply, true, 0);
    (void)only_message(&made);
    assert_int_equal(made.heard.size, 11);
    drop(&made);
    read(&made, text_reply, true, 1);
    assert_int_equal(made.status, CONV_CANCELLED);
    (void)conv__provider_response_messages(made.response, &count);
    assert_int_equal(count, 1);
    assert_int_equal(conv__provider_response_usage(made.response)->total_tokens, 5);
    drop(&made);
}

static conv_status read_all(void *context)
{
    (void)context;
    conv_provider_response *response = NULL;
    conv__openai_failure failure = {0};
    conv_status status = conv__provider_response_create(NULL, NULL, &response);
    if (status == CONV_OK)
        status = conv__openai_body_read(
            conv_text("{\"model\":\"m\",\"choices\":[{\"message\":{\"content\":\"But\","
                      "\"refusal\":\"No.\"},\"finish_reason\":\"stop\"}],"
                      "\"usage\":{\"prompt_tokens\":3}}"),
            true, response, &failure);
    conv__provider_response_free(response);
    return status;
}

static void every_failing_allocation_is_told(void **state)
{
    (void)state;
    assert_true(failing_memory_run(read_all, NULL) > 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_is_read),
        cmocka_unit_test(calls_are_kept_as_they_came),
        cmocka_unit_test(other_forms_are_read),
        cmocka_unit_test(rubbish_is_refused),
        cmocka_unit_test(listener_hears_it_though_it_came_whole),
        cmocka_unit_test(every_failing_allocation_is_told),
    };
    return RUN_TESTS("openai_response", tests);
}
