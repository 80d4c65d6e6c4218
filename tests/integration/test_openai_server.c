/* The OpenAI provider over a real socket: what it sends, and the answers that are as they should
 * be. */
#include <stdlib.h>

#include "core/json.h"
#include "providers/response.h"
#include "support/ask.h"
#include "support/http_server.h"
#include "support/test.h"

#define JSON_HEAD   "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
#define STREAM_HEAD "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
#define CHUNKED     "Transfer-Encoding: chunked\r\n\r\n"
#define CLOSE       "Connection: close\r\n\r\n"

#define HELLO_BODY                                                                                 \
    "{\"model\":\"m-1\",\"choices\":[{\"message\":{\"content\":\"Hi!\"},\"finish_reason\":"        \
    "\"stop\"}],\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":2}}"
#define HELLO JSON_HEAD "Content-Length: 130\r\n\r\n" HELLO_BODY

#define HELLO_EVENTS                                                                               \
    "data: {\"model\":\"m-1\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"Hi\"}}]}\n\n"     \
    "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"!\"},\"finish_reason\":\"stop\"}]}" \
    "\n\n"                                                                                         \
    "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":2}}\n\n"           \
    "data: [DONE]\n\n"

static void assert_hello(const asked *made)
{
    if (made->status != CONV_OK) fail_msg("%s", made->error.message);
    assert_int_equal(made->count, 1);
    assert_bytes(made->messages[0].content, "Hi!");
    assert_int_equal(conv__provider_response_usage(made->response)->input_tokens, 3);
    assert_int_equal(conv__provider_response_usage(made->response)->output_tokens, 2);
    assert_bytes(conv__provider_response_model(made->response), "m-1");
    assert_bytes(conv__provider_response_finish_reason(made->response), "stop");
}

/* Asks once; the answer must be the greeting. */
static void ask_for_hello(const http_reply *reply, bool stream, int deltas)
{
    asked made = {0};
    http_server *server = http_server_start(reply, 1);
    conv_provider *openai = ask_openai(http_server_url(server), 0);
    conv_provider_request request = ask_request(stream);
    ask(&made, openai, &request);
    assert_hello(&made);
    assert_int_equal(made.deltas, deltas);
    if (deltas > 0) assert_string_equal(made.heard.data, "Hi!");
    assert_int_equal(http_server_requests(server), 1);
    asked_free(&made);
    conv_provider_free(openai);
    http_server_stop(server);
}

static void plain_reply_is_read(void **state)
{
    (void)state;
    ask_for_hello(&(http_reply){.bytes = HELLO}, false, 0);
}

static void stream_is_read(void **state)
{
    (void)state;
    ask_for_hello(&(http_reply){.bytes = STREAM_HEAD CLOSE HELLO_EVENTS, .end = HTTP_CLOSE}, true,
                  2);
}

static void stream_is_read_in_single_bytes(void **state)
{
    (void)state;
    const http_reply reply = {
        .bytes = STREAM_HEAD CLOSE HELLO_EVENTS, .slice = 1, .end = HTTP_CLOSE};
    ask_for_hello(&reply, true, 2);
}

static void chunks_of_http_are_not_chunks_of_the_reply(void **state)
{
    (void)state;
    const http_reply reply = {.bytes = STREAM_HEAD CHUNKED
                              "47\r\ndata: {\"model\":\"m-1\",\"choices\":[{\"index\":0,\"delta\":"
                              "{\"content\":\"Hi\"}}]}\n\r\n"
                              "9\r\n\ndata: {\"\r\n"
                              "47\r\nchoices\":[{\"index\":0,\"delta\":{\"content\":\"!\"},"
                              "\"finish_reason\":\"stop\"}]}\n\r\n"
                              "56\r\n\ndata: {\"choices\":[],\"usage\":{\"prompt_tokens\":3,"
                              "\"completion_tokens\":2}}\n\ndata: [DONE]\n\r\n"
                              "1\r\n\n\r\n0\r\n\r\n"};
    ask_for_hello(&reply, true, 2);
}

static void forms_of_answers_may_be_mixed_up(void **state)
{
    (void)state;
    /* A whole answer where a stream was asked for, and the other way round. */
    ask_for_hello(&(http_reply){.bytes = HELLO}, true, 1);
    ask_for_hello(&(http_reply){.bytes = STREAM_HEAD CLOSE HELLO_EVENTS, .end = HTTP_CLOSE}, false,
                  2);
    /* No content type at all. */
    ask_for_hello(
        &(http_reply){.bytes = "HTTP/1.1 200 OK\r\n" CLOSE HELLO_EVENTS, .end = HTTP_CLOSE}, true,
        2);
    ask_for_hello(&(http_reply){.bytes = "HTTP/1.0 200 OK\r\n\r\n" HELLO_BODY, .end = HTTP_CLOSE},
                  false, 0);
    /* An interim answer before the real one, whose head is not the real one's. */
    ask_for_hello(&(http_reply){.bytes = "HTTP/1.1 100 Continue\r\nContent-Type: text/event-stream"
                                         "\r\n\r\nHTTP/1.1 200 OK\r\n" CLOSE HELLO_BODY,
                                .end = HTTP_CLOSE},
                  false, 0);
}

static void stream_that_never_closes_ends_with_its_mark(void **state)
{
    (void)state;
    ask_for_hello(&(http_reply){.bytes = STREAM_HEAD CLOSE HELLO_EVENTS, .end = HTTP_HANG}, true,
                  2);
}

static void request_is_as_the_official_clients_send_it(void **state)
{
    (void)state;
    const http_reply replies[] = {{.bytes = HELLO}};
    http_server *server = http_server_start(replies, 1);
    conv_error error = CONV_ERROR_INIT;
    conv_provider *openai = NULL;
    conv_openai_params params = CONV_OPENAI_PARAMS_INIT;
    char url[128];
    snprintf(url, sizeof url, "%s//?api-version=2", http_server_url(server));
    params.base_url = url;
    params.api_key = "sk-test-1234567890";
    params.organization = "org-7";
    params.project = "proj-8";
    params.model = "m";
    params.name = "azure";
    assert_ok(conv_provider_openai(&params, &openai, &error), error);
    assert_string_equal(openai->functions->name, "azure");
    conv_provider_request request = ask_request(true);
    asked made = {0};
    ask(&made, openai, &request);
    assert_hello(&made);
    const char *sent = http_server_request(server, 0);
    static const char *const lines[] = {
        "POST /v1/chat/completions?api-version=2 HTTP/1.1\r\n",
        "\r\nAuthorization: Bearer sk-test-1234567890\r\n",
        "\r\nIdempotency-Key: " ASK_TURN_ID "\r\n",
        "\r\nOpenAI-Organization: org-7\r\n",
        "\r\nOpenAI-Project: proj-8\r\n",
        "\r\nContent-Type: application/json\r\n",
        "\r\nAccept: text/event-stream\r\n",
        "\r\nUser-Agent: libconversation/",
        "\r\n\r\n{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"Hello\"}],"
        "\"stream\":true,\"stream_options\":{\"include_usage\":true}}",
    };
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        if (strstr(sent, lines[i]) == NULL) fail_msg("'%s' is not in '%s'", lines[i], sent);
    }
    asked_free(&made);
    conv_provider_free(openai);
    http_server_stop(server);
}

/* curl would ask for permission first and wait a second for it. */
static void long_question_is_sent_at_once(void **state)
{
    (void)state;
    const http_reply reply = {.bytes = HELLO};
    http_server *server = http_server_start(&reply, 1);
    conv_provider *openai = ask_openai(http_server_url(server), 0);
    conv_provider_request request = ask_request(false);
    size_t size = (size_t)3 << 20;
    char *text = malloc(size);
    assert_non_null(text);
    memset(text, 'a', size);
    const conv_message message = {.role = CONV_ROLE_USER, .content = conv_view(text, size)};
    request.messages = &message;
    asked made = {0};
    ask(&made, openai, &request);
    assert_hello(&made);
    const char *sent = http_server_request(server, 0);
    assert_null(strcasestr(sent, "\r\nExpect"));
    assert_true(strlen(sent) > size);
    asked_free(&made);
    free(text);
    conv_provider_free(openai);
    http_server_stop(server);
}

static void settings_come_from_the_environment(void **state)
{
    (void)state;
    const http_reply reply = {.bytes = HELLO};
    http_server *server = http_server_start(&reply, 1);
    setenv("OPENAI_BASE_URL", http_server_url(server), 1);
    setenv("OPENAI_API_KEY", "sk-env", 1);
    setenv("OPENAI_ORG_ID", "org-env", 1);
    setenv("OPENAI_PROJECT_ID", "", 1);
    conv_openai_params params = CONV_OPENAI_PARAMS_INIT;
    conv_error error = CONV_ERROR_INIT;
    conv_provider *openai = NULL;
    params.model = "m";
    assert_ok(conv_provider_openai(&params, &openai, &error), error);
    assert_string_equal(openai->functions->name, "openai");
    conv_provider_request request = ask_request(false);
    asked made = {0};
    ask(&made, openai, &request);
    assert_hello(&made);
    const char *sent = http_server_request(server, 0);
    assert_non_null(strstr(sent, "\r\nAuthorization: Bearer sk-env\r\n"));
    assert_non_null(strstr(sent, "\r\nOpenAI-Organization: org-env\r\n"));
    assert_non_null(strstr(sent, "\r\nAccept: application/json\r\n"));
    assert_null(strstr(sent, "OpenAI-Project"));
    asked_free(&made);
    conv_provider_free(openai);
    assert_ok(conv_provider_openai(NULL, &openai, &error), error);
    conv_provider_free(openai);
    /* An empty key is a setting: none is sent. */
    params.api_key = "";
    assert_ok(conv_provider_openai(&params, &openai, &error), error);
    ask(&made, openai, &request);
    assert_hello(&made);
    assert_null(strstr(http_server_request(server, 1), "Authorization"));
    asked_free(&made);
    conv_provider_free(openai);
    http_server_stop(server);
    unsetenv("OPENAI_BASE_URL");
    unsetenv("OPENAI_API_KEY");
    unsetenv("OPENAI_ORG_ID");
    unsetenv("OPENAI_PROJECT_ID");
}

static void wrong_settings_are_refused(void **state)
{
    (void)state;
    static const char *const urls[] = {
        "",        "api.openai.com", "ftp://x/v1",      "file:///etc/passwd",
        "http://", "http:// x",      "https://user:pw@"};
    conv_error error = CONV_ERROR_INIT;
    conv_provider *openai = NULL;
    for (size_t i = 0; i < sizeof urls / sizeof urls[0]; i++) {
        conv_openai_params params = CONV_OPENAI_PARAMS_INIT;
        params.base_url = urls[i];
        if (conv_provider_openai(&params, &openai, &error) != CONV_INVALID_ARGUMENT)
            fail_msg("'%s' was taken", urls[i]);
        assert_null(openai);
    }
    conv_openai_params params = CONV_OPENAI_PARAMS_INIT;
    params.api_key = "sk-secret\r\nX-Evil: 1";
    assert_status(conv_provider_openai(&params, &openai, &error), CONV_INVALID_ARGUMENT, error);
    assert_null(strstr(error.message, "secret"));
    params.api_key = NULL;
    params.project = "a\nb";
    assert_status(conv_provider_openai(&params, &openai, &error), CONV_INVALID_ARGUMENT, error);
    params.project = NULL;
    params.size = 8;
    assert_status(conv_provider_openai(&params, &openai, &error), CONV_INVALID_ARGUMENT, error);
}

static void connection_serves_many_calls(void **state)
{
    (void)state;
    const http_reply reply = {.bytes = HELLO};
    http_server *server = http_server_start(&reply, 1);
    conv_provider *openai = ask_openai(http_server_url(server), 0);
    conv_provider_request request = ask_request(false);
    for (int i = 0; i < 5; i++) {
        asked made = {0};
        ask(&made, openai, &request);
        assert_hello(&made);
        asked_free(&made);
    }
    assert_int_equal(http_server_requests(server), 5);
    assert_int_equal(http_server_connections(server), 1);
    conv_provider_free(openai);
    http_server_stop(server);
}

static void listener_breaks_the_transfer_off(void **state)
{
    (void)state;
    const http_reply reply = {.bytes = STREAM_HEAD CLOSE
                              "data: {\"choices\":[{\"delta\":{\"content\":\"one \"}}]}\n\n"
                              "data: {\"choices\":[{\"delta\":{\"content\":\"two \"}}]}\n\n"
                              "data: {\"choices\":[{\"delta\":{\"content\":\"three\"}}]}\n\n",
                              .end = HTTP_HANG};
    http_server *server = http_server_start(&reply, 1);
    conv_provider *openai = ask_openai(http_server_url(server), 0);
    conv_provider_request request = ask_request(true);
    asked made = {.stop_at = 2};
    ask(&made, openai, &request);
    assert_int_equal(made.status, CONV_CANCELLED);
    assert_int_equal(made.error.status, CONV_CANCELLED);
    assert_int_equal(made.deltas, 2);
    assert_int_equal(made.count, 1);
    assert_bytes(made.messages[0].content, "one two ");
    assert_int_equal(http_server_requests(server), 1);
    asked_free(&made);
    conv_provider_free(openai);
    http_server_stop(server);
}

/* A model may think for long before its first word, and an endpoint that is busy asks for a pause:
 * neither keeps a caller who wants no more. */
static void listener_ends_the_wait(void **state)
{
    (void)state;
    static const http_reply replies[] = {
        {.bytes = NULL, .end = HTTP_HANG},
        {.bytes = STREAM_HEAD CLOSE, .end = HTTP_HANG},
        {.bytes = STREAM_HEAD CLOSE "data: {\"choices\":[{\"delta\":{\"content\":\"one\"}}]}\n\n",
         .end = HTTP_HANG},
        {.bytes = "HTTP/1.1 503 Busy\r\nRetry-After: 19\r\nContent-Length: 0\r\n\r\n"},
    };
    for (size_t i = 0; i < sizeof replies / sizeof replies[0]; i++) {
        http_server *server = http_server_start(&replies[i], 1);
        conv_provider *openai = ask_openai(http_server_url(server), 1);
        conv_provider_request request = ask_request(true);
        asked made = {.impatient = true};
        ask(&made, openai, &request);
        assert_int_equal(made.status, CONV_CANCELLED);
        assert_int_equal(made.error.status, CONV_CANCELLED);
        assert_int_equal(made.count, i == 2 ? 1 : 0);
        assert_int_equal(http_server_requests(server), 1);
        asked_free(&made);
        conv_provider_free(openai);
        http_server_stop(server);
    }
}

int main(void)
{
    static const char *const variables[] = {
        "http_proxy", "https_proxy",     "all_proxy",      "HTTP_PROXY",    "HTTPS_PROXY",
        "ALL_PROXY",  "OPENAI_BASE_URL", "OPENAI_API_KEY", "OPENAI_ORG_ID", "OPENAI_PROJECT_ID"};
    for (size_t i = 0; i < sizeof variables / sizeof variables[0]; i++)
        unsetenv(variables[i]);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain_reply_is_read),
        cmocka_unit_test(stream_is_read),
        cmocka_unit_test(stream_is_read_in_single_bytes),
        cmocka_unit_test(chunks_of_http_are_not_chunks_of_the_reply),
        cmocka_unit_test(forms_of_answers_may_be_mixed_up),
        cmocka_unit_test(stream_that_never_closes_ends_with_its_mark),
        cmocka_unit_test(request_is_as_the_official_clients_send_it),
        cmocka_unit_test(long_question_is_sent_at_once),
        cmocka_unit_test(settings_come_from_the_environment),
        cmocka_unit_test(wrong_settings_are_refused),
        cmocka_unit_test(connection_serves_many_calls),
        cmocka_unit_test(listener_breaks_the_transfer_off),
        cmocka_unit_test(listener_ends_the_wait),
    };
    return RUN_TESTS("openai_server", tests);
}
