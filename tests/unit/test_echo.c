/* The providers that need no network: echo, and the application's own function. */
#include "core/buffer.h"
#include "core/error.h"
#include "providers/response.h"
#include "support/failing_memory.h"
#include "support/test.h"

typedef struct heard_words {
    conv__buffer text; /* deltas, each followed by '|' */
    int count;
    int stop_at;
} heard_words;

static int hear(void *context, conv_bytes delta)
{
    heard_words *heard = context;
    conv__buffer_append_bytes(&heard->text, delta);
    conv__buffer_append_text(&heard->text, "|");
    return ++heard->count == heard->stop_at;
}

static conv_provider_request request_of(const conv_message *messages, size_t count, bool stream)
{
    conv_provider_request request = {.size = sizeof request,
                                     .messages = messages,
                                     .message_count = count,
                                     .stream = stream,
                                     .timeout_ms = 1000,
                                     .session_id = "s",
                                     .turn_id = "t"};
    return request;
}

static conv_provider *make_echo(void)
{
    conv_error error = CONV_ERROR_INIT;
    conv_provider *provider = NULL;
    assert_ok(conv_provider_echo(&provider, &error), error);
    assert_string_equal(provider->functions->name, "echo");
    return provider;
}

static const conv_message talk[] = {
    {.role = CONV_ROLE_SYSTEM, .content = {"Be kind", 7}},
    {.role = CONV_ROLE_USER, .content = {"first", 5}},
    {.role = CONV_ROLE_ASSISTANT, .content = {"reply", 5}},
    {.role = CONV_ROLE_USER, .content = {" Where is\nmy  order? ", 21}},
};

static void echo_says_the_last_question(void **state)
{
    (void)state;
    conv_error error = CONV_ERROR_INIT;
    conv_provider *echo = make_echo();
    conv_provider_response *response = NULL;
    conv_provider_request request = request_of(talk, 4, false);
    heard_words heard = {0};
    size_t count = 0;
    assert_int_equal(conv__provider_response_create(hear, &heard, &response), CONV_OK);
    assert_ok(echo->functions->complete(echo, &request, response, &error), error);
    const conv_message *messages = conv__provider_response_messages(response, &count);
    assert_int_equal(count, 1);
    assert_bytes(messages[0].content, " Where is\nmy  order? ");
    assert_int_equal(conv__provider_response_usage(response)->input_tokens, 8);
    assert_int_equal(conv__provider_response_usage(response)->output_tokens, 4);
    assert_bytes(conv__provider_response_model(response), "echo");
    assert_bytes(conv__provider_response_finish_reason(response), "stop");
    assert_int_equal(heard.count, 0);
    conv__provider_response_free(response);
    conv_provider_free(echo);
}

static void echo_streams_word_by_word(void **state)
{
    (void)state;
    conv_error error = CONV_ERROR_INIT;
    conv_provider *echo = make_echo();
    conv_provider_response *response = NULL;
    conv_provider_request request = request_of(talk, 4, true);
    heard_words heard = {0};
    size_t count = 0;
    assert_int_equal(conv__provider_response_create(hear, &heard, &response), CONV_OK);
    assert_ok(echo->functions->complete(echo, &request, response, &error), error);
    assert_string_equal(heard.text.data, " Where |is\n|my  |order? |");
    (void)conv__provider_response_messages(response, &count);
    assert_int_equal(count, 1);
    conv__provider_response_free(response);
    conv__buffer_free(&heard.text);
    conv_provider_free(echo);
}

static void echo_stops_when_asked(void **state)
{
    (void)state;
    conv_error error = CONV_ERROR_INIT;
    conv_provider *echo = make_echo();
    conv_provider_response *response = NULL;
    conv_provider_request request = request_of(talk, 4, true);
    heard_words heard = {.stop_at = 2};
    size_t count = 0;
    assert_int_equal(conv__provider_response_create(hear, &heard, &response), CONV_OK);
    assert_status(echo->functions->complete(echo, &request, response, &error), CONV_CANCELLED,
                  error);
    const conv_message *messages = conv__provider_response_messages(response, &count);
    assert_int_equal(count, 1);
    assert_bytes(messages[0].content, " Where is\n");
    assert_int_equal(heard.count, 2);
    conv__provider_response_free(response);
    conv__buffer_free(&heard.text);
    conv_provider_free(echo);
}

static void echo_needs_a_question(void **state)
{
    (void)state;
    conv_error error = CONV_ERROR_INIT;
    conv_provider *echo = make_echo();
    conv_provider_response *response = NULL;
    conv_provider_request request = request_of(talk, 1, true);
    assert_int_equal(conv__provider_response_create(NULL, NULL, &response), CONV_OK);
    assert_status(echo->functions->complete(echo, &request, response, &error), CONV_PROVIDER,
                  error);
    conv__provider_response_free(response);
    conv_provider_free(echo);
}

static void echo_gives_parts_back(void **state)
{
    (void)state;
    conv_error error = CONV_ERROR_INIT;
    const conv_message message = {.role = CONV_ROLE_USER,
                                  .parts = conv_text("[{\"type\":\"text\",\"text\":\"x\"}]")};
    conv_provider *echo = make_echo();
    conv_provider_response *response = NULL;
    conv_provider_request request = request_of(&message, 1, true);
    size_t count = 0;
    assert_int_equal(conv__provider_response_create(NULL, NULL, &response), CONV_OK);
    assert_ok(echo->functions->complete(echo, &request, response, &error), error);
    const conv_message *messages = conv__provider_response_messages(response, &count);
    assert_bytes(messages[0].parts, "[{\"type\":\"text\",\"text\":\"x\"}]");
    conv__provider_response_free(response);
    conv_provider_free(echo);
}

static conv_status answer(void *context, const conv_provider_request *request,
                          conv_provider_response *response, conv_error *error)
{
    conv_status *wanted = context;
    assert_int_equal(request->message_count, 4);
    if (*wanted == CONV_OK) return conv_provider_response_delta(response, conv_text("mine"));
    if (*wanted == CONV_TIMEOUT) conv__fail(error, CONV_TIMEOUT, "ask oracle", "it sleeps");
    return *wanted;
}

static void own_function_answers(void **state)
{
    (void)state;
    const struct {
        conv_status status;
        const char *message;
    } rows[] = {
        {CONV_OK, ""},
        {CONV_TIMEOUT, "it sleeps"},
        {CONV_PROVIDER, "the function of provider 'oracle' failed"},
    };
    for (size_t i = 0; i < 3; i++) {
        conv_error error = CONV_ERROR_INIT;
        conv_status wanted = rows[i].status;
        char name[] = "oracle";
        conv_provider *provider = NULL;
        conv_provider_response *response = NULL;
        assert_ok(conv_provider_callback(name, answer, &wanted, &provider, &error), error);
        name[0] = 'x';
        assert_string_equal(provider->functions->name, "oracle");
        conv_provider_request request = request_of(talk, 4, false);
        assert_int_equal(conv__provider_response_create(NULL, NULL, &response), CONV_OK);
        assert_int_equal(provider->functions->complete(provider, &request, response, &error),
                         rows[i].status);
        assert_int_equal(error.status, rows[i].status);
        assert_string_equal(error.message, rows[i].message);
        /* An application may not want to know why. */
        assert_int_equal(provider->functions->complete(provider, &request, response, NULL),
                         rows[i].status);
        conv__provider_response_free(response);
        conv_provider_free(provider);
    }
}

static conv_status answer_carelessly(void *context, const conv_provider_request *request,
                                     conv_provider_response *response, conv_error *error)
{
    (void)request;
    (void)response;
    snprintf(error->message, sizeof error->message, "two\nlines\033[31m");
    return *(conv_status *)context;
}

static void what_a_function_says_is_made_presentable(void **state)
{
    (void)state;
    const struct {
        conv_status said;
        conv_status heard;
    } rows[] = {{CONV_UNAVAILABLE, CONV_UNAVAILABLE},
                {CONV_NOT_FOUND, CONV_PROVIDER},
                {(conv_status)99, CONV_PROVIDER}};
    for (size_t i = 0; i < 3; i++) {
        conv_error error = CONV_ERROR_INIT;
        conv_status said = rows[i].said;
        conv_provider *provider = NULL;
        conv_provider_response *response = NULL;
        conv_provider_request request = request_of(talk, 4, false);
        assert_ok(conv_provider_callback("own", answer_carelessly, &said, &provider, &error),
                  error);
        assert_int_equal(conv__provider_response_create(NULL, NULL, &response), CONV_OK);
        assert_int_equal(provider->functions->complete(provider, &request, response, &error),
                         rows[i].heard);
        assert_int_equal(error.status, rows[i].heard);
        assert_string_equal(error.message, "two lines [31m");
        assert_string_equal(error.action, "ask provider");
        conv__provider_response_free(response);
        conv_provider_free(provider);
    }
}

static void own_function_must_be_there(void **state)
{
    (void)state;
    conv_error error = CONV_ERROR_INIT;
    conv_provider *provider = NULL;
    assert_status(conv_provider_callback(NULL, answer, NULL, &provider, &error),
                  CONV_INVALID_ARGUMENT, error);
    assert_status(conv_provider_callback("x", NULL, NULL, &provider, &error), CONV_INVALID_ARGUMENT,
                  error);
    assert_null(provider);
    conv_provider_free(NULL);
}

static conv_status make_and_ask(void *context)
{
    (void)context;
    conv_status wanted = CONV_OK;
    conv_provider *own = NULL;
    conv_provider *echo = NULL;
    conv_provider_response *response = NULL;
    conv_provider_request request = request_of(talk, 4, true);
    conv_status status = conv_provider_callback("oracle", answer, &wanted, &own, NULL);
    if (status == CONV_OK) status = conv_provider_echo(&echo, NULL);
    if (status == CONV_OK) status = conv__provider_response_create(NULL, NULL, &response);
    if (status == CONV_OK) status = own->functions->complete(own, &request, response, NULL);
    if (status == CONV_OK) status = echo->functions->complete(echo, &request, response, NULL);
    conv__provider_response_free(response);
    conv_provider_free(echo);
    conv_provider_free(own);
    return status;
}

static void every_failing_allocation_is_told(void **state)
{
    (void)state;
    assert_true(failing_memory_run(make_and_ask, NULL) > 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(echo_says_the_last_question),
        cmocka_unit_test(echo_streams_word_by_word),
        cmocka_unit_test(echo_stops_when_asked),
        cmocka_unit_test(echo_needs_a_question),
        cmocka_unit_test(echo_gives_parts_back),
        cmocka_unit_test(own_function_answers),
        cmocka_unit_test(what_a_function_says_is_made_presentable),
        cmocka_unit_test(own_function_must_be_there),
        cmocka_unit_test(every_failing_allocation_is_told),
    };
    return RUN_TESTS("echo", tests);
}
