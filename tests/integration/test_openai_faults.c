/* The OpenAI provider and an endpoint that fails in every way one can: each failure has its status,
 * one line that tells no secret, the right number of tries, and keeps what came. */
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "providers/response.h"
#include "support/ask.h"
#include "support/failing_memory.h"
#include "support/http_server.h"
#include "support/test.h"

#define BODY        "{\"choices\":[{\"message\":{\"content\":\"Hi!\"},\"finish_reason\":\"stop\"}]}"
#define GOOD        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 66\r\n\r\n" BODY
#define STREAM      "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
#define DELTA(text) "data: {\"choices\":[{\"delta\":{\"content\":\"" text "\"}}]}\n\n"
#define AGAIN       "Retry-After-Ms: 1\r\nContent-Length: 0\r\n\r\n"

#define COUNT(replies) (sizeof(replies) / sizeof((replies)[0]))

/* What is set up for one question. Zero means the defaults. */
typedef struct fault_case {
    const http_reply *replies;
    size_t reply_count;
    bool stream;
    int max_retries; /* 0: the default; -1: none */
    int64_t timeout_ms;
    int64_t idle_timeout_ms;
    conv_status status;
    const char *message; /* a part of it */
    size_t requests;
} fault_case;

static conv_provider *make_openai(const char *url, const fault_case *wanted)
{
    conv_openai_params params = CONV_OPENAI_PARAMS_INIT;
    conv_error error = CONV_ERROR_INIT;
    conv_provider *openai = NULL;
    params.base_url = url;
    params.api_key = "sk-test-1234567890";
    params.model = "m";
    params.max_retries = wanted->max_retries;
    params.idle_timeout_ms = wanted->idle_timeout_ms;
    assert_ok(conv_provider_openai(&params, &openai, &error), error);
    return openai;
}

/* Asks, and checks status, message and number of requests; the rest is the caller's to check. */
static void ask_faulty(const fault_case *wanted, asked *made)
{
    http_server *server = http_server_start(wanted->replies, wanted->reply_count);
    conv_provider *openai = make_openai(http_server_url(server), wanted);
    conv_provider_request request = ask_request(wanted->stream);
    if (wanted->timeout_ms > 0) request.timeout_ms = wanted->timeout_ms;
    ask(made, openai, &request);
    if (made->status != wanted->status)
        fail_msg("%s: %s", conv_status_name(made->status), made->error.message);
    if (wanted->status != CONV_OK) {
        assert_int_equal(made->error.status, wanted->status);
        assert_string_equal(made->error.action, "ask provider");
        if (strstr(made->error.message, wanted->message) == NULL)
            fail_msg("'%s' is not in '%s'", wanted->message, made->error.message);
        assert_null(strstr(made->error.message, "sk-test"));
        assert_null(strstr(made->error.message, "Hello"));
        assert_null(strchr(made->error.message, '\n'));
    }
    assert_int_equal(http_server_requests(server), wanted->requests);
    conv_provider_free(openai);
    http_server_stop(server);
}

/* A failure that leaves nothing in the response. */
static void assert_fails(const fault_case *wanted)
{
    asked made = {0};
    ask_faulty(wanted, &made);
    assert_int_equal(made.count, 0);
    asked_free(&made);
}

/* Failures before an answer that another try mends. */
static void assert_mends(const fault_case *wanted)
{
    asked made = {0};
    ask_faulty(wanted, &made);
    assert_int_equal(made.count, 1);
    assert_bytes(made.messages[0].content, "Hi!");
    asked_free(&made);
}

static void passing_failures_are_tried_again(void **state)
{
    (void)state;
    const http_reply replies[] = {{.bytes = "HTTP/1.1 500 Oops\r\n" AGAIN},
                                  {.bytes = "HTTP/1.1 429 Slow\r\n" AGAIN},
                                  {.bytes = GOOD}};
    assert_mends(&(fault_case){.replies = replies, .reply_count = 3, .requests = 3});
    const http_reply other[] = {
        {.bytes = "HTTP/1.1 408 Late\r\nConnection: close\r\n" AGAIN, .end = HTTP_CLOSE},
        {.bytes = "HTTP/1.1 409 Busy\r\n" AGAIN},
        {.bytes = GOOD}};
    assert_mends(&(fault_case){.replies = other, .reply_count = 3, .requests = 3});
    const http_reply forced[] = {{.bytes = "HTTP/1.1 400 Hm\r\nX-Should-Retry: true\r\n" AGAIN},
                                 {.bytes = GOOD}};
    assert_mends(&(fault_case){.replies = forced, .reply_count = 2, .requests = 2});
}

static void tries_bear_the_same_idempotency_key(void **state)
{
    (void)state;
    const http_reply replies[] = {{.bytes = "HTTP/1.1 503 Oops\r\n" AGAIN}, {.bytes = GOOD}};
    http_server *server = http_server_start(replies, 2);
    conv_provider *openai = ask_openai(http_server_url(server), 0);
    conv_provider_request request = ask_request(false);
    asked made = {0};
    ask(&made, openai, &request);
    assert_int_equal(made.status, CONV_OK);
    for (size_t i = 0; i < 2; i++)
        assert_non_null(
            strstr(http_server_request(server, i), "\r\nIdempotency-Key: " ASK_TURN_ID "\r\n"));
    asked_free(&made);
    conv_provider_free(openai);
    http_server_stop(server);
}

static void broken_connections_are_tried_again(void **state)
{
    (void)state;
    const http_reply first[] = {
        {.bytes = NULL, .end = HTTP_CLOSE},
        {.bytes = NULL, .end = HTTP_RESET},
        {.bytes = "HTTP/1.1 200 OK\r\nContent-Length: 66\r\n\r\n{\"choices\"", .end = HTTP_CLOSE},
        {.bytes = "\0rubbish\r\n\r\n", .size = 12, .end = HTTP_CLOSE},
        {.bytes = STREAM "Connection: close\r\n\r\ndata: {\"choices\":[{\"delta\":{\"role\":"
                         "\"assistant\"}}]}\n\nda",
         .end = HTTP_RESET},
    };
    for (size_t i = 0; i < COUNT(first); i++) {
        const http_reply replies[] = {first[i], {.bytes = GOOD}};
        assert_mends(
            &(fault_case){.replies = replies, .reply_count = 2, .stream = i == 4, .requests = 2});
    }
}

static void tries_end(void **state)
{
    (void)state;
    const http_reply replies[] = {{.bytes = "HTTP/1.1 503 Oops\r\nX-Request-Id: req_42\r\n" AGAIN}};
    asked made = {0};
    ask_faulty(&(fault_case){.replies = replies,
                             .reply_count = 1,
                             .status = CONV_PROVIDER,
                             .message = "answered HTTP 503 (request req_42, tries 3); try again",
                             .requests = 3},
               &made);
    assert_int_equal(made.error.recovery, CONV_RECOVERY_BACKOFF);
    assert_true(conv_error_is_retryable(&made.error));
    asked_free(&made);
    assert_fails(&(fault_case){.replies = replies,
                               .reply_count = 1,
                               .max_retries = -1,
                               .status = CONV_PROVIDER,
                               .message = "answered HTTP 503 (request req_42); try again",
                               .requests = 1});
}

static void refusals_are_final_and_tell_no_text(void **state)
{
    (void)state;
    const struct {
        const char *bytes;
        const char *message;
        conv_recovery recovery;
    } rows[] = {
        {"HTTP/1.1 400 Bad\r\nX-Request-ID: req_1\r\nConnection: close\r\n\r\n"
         "{\"error\":{\"message\":\"You said Hello\",\"type\":\"invalid_request_error\",\"code\":"
         "\"bad_thing\",\"param\":\"messages[0].content\"}}",
         "answered HTTP 400 (type invalid_request_error, code bad_thing, param "
         "messages[0].content, request req_1); check the request",
         CONV_RECOVERY_NONE},
        {"HTTP/1.1 401 No\r\nConnection: close\r\n\r\n"
         "{\"error\":{\"message\":\"Incorrect key: sk-test-1234567890\",\"type\":\"auth\","
         "\"code\":\"sk-test-1234567890\"}}",
         "answered with an error", CONV_RECOVERY_OPERATOR},
        {"HTTP/1.1 403 No\r\nConnection: close\r\n\r\nHello <html>",
         "answered HTTP 403; check the API key", CONV_RECOVERY_OPERATOR},
        {"HTTP/1.1 404 No\r\nConnection: close\r\n\r\n{\"error\":\"Hello\"}",
         "answered HTTP 404; check base URL and model", CONV_RECOVERY_OPERATOR},
        {"HTTP/1.1 429 Slow\r\nX-Should-Retry: false\r\nConnection: close\r\n\r\n"
         "{\"error\":{\"type\":\"insufficient_quota\",\"code\":null}}",
         "answered HTTP 429 (type insufficient_quota); slow down", CONV_RECOVERY_BACKOFF},
        {"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:9/\r\nConnection: close\r\n\r\n",
         "answered HTTP 302; the base URL must name the final address", CONV_RECOVERY_OPERATOR},
        {"HTTP/1.1 400 Bad\r\nX-Request-Id: Hello \t world\r\nConnection: close\r\n\r\n"
         "{\"error\":{\"type\":\"Hello there\",\"code\":{\"a\":\"Hello\"},\"param\":[\"Hello\"]}}",
         "answered HTTP 400; check the request", CONV_RECOVERY_NONE},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        const http_reply reply = {.bytes = rows[i].bytes, .end = HTTP_CLOSE};
        asked made = {0};
        ask_faulty(&(fault_case){.replies = &reply,
                                 .reply_count = 1,
                                 .status = CONV_PROVIDER,
                                 .message = rows[i].message,
                                 .requests = 1},
                   &made);
        assert_int_equal(made.error.recovery, rows[i].recovery);
        assert_int_equal(made.count, 0);
        asked_free(&made);
    }
}

static void rubbish_is_refused_without_another_try(void **state)
{
    (void)state;
    const struct {
        const char *bytes;
        const char *message;
    } rows[] = {
        {"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n", "answered with nothing"},
        {"HTTP/1.1 204 Nothing\r\n\r\n", "answered with nothing"},
        {"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n<html>Hello", "not JSON"},
        {"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n" BODY, "not JSON"},
        {"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n{\"choices\":[]}", "without choices"},
        {"HTTP/1.1 200 OK\r\nX-Request-Id: r1\r\nConnection: close\r\n\r\n"
         "{\"error\":{\"message\":\"Hello\",\"code\":502}}",
         "answered with an error (code 502, request r1)"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        const http_reply reply = {.bytes = rows[i].bytes, .end = HTTP_CLOSE};
        assert_fails(&(fault_case){.replies = &reply,
                                   .reply_count = 1,
                                   .status = CONV_PROVIDER,
                                   .message = rows[i].message,
                                   .requests = 1});
    }
}

static void lengths_that_lie_are_noticed(void **state)
{
    (void)state;
    const http_reply longer = {.bytes = "HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n" BODY,
                               .end = HTTP_CLOSE};
    assert_fails(&(fault_case){.replies = &longer,
                               .reply_count = 1,
                               .max_retries = -1,
                               .status = CONV_UNAVAILABLE,
                               .message = "broke before the answer was complete",
                               .requests = 1});
    const http_reply no_end = {
        .bytes = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{\"a\":\r\n",
        .end = HTTP_CLOSE};
    assert_fails(&(fault_case){.replies = &no_end,
                               .reply_count = 1,
                               .max_retries = -1,
                               .status = CONV_UNAVAILABLE,
                               .message = "broke before",
                               .requests = 1});
    const http_reply no_http = {.bytes = "SSH-2.0-OpenSSH_9\r\n", .end = HTTP_CLOSE};
    assert_fails(&(fault_case){.replies = &no_http,
                               .reply_count = 1,
                               .max_retries = -1,
                               .status = CONV_PROVIDER,
                               .message = "did not answer in HTTP",
                               .requests = 1});
}

static void stream_that_breaks_is_kept_and_not_asked_again(void **state)
{
    (void)state;
    const struct {
        http_reply reply;
        conv_status status;
        const char *message;
    } rows[] = {
        {{.bytes = STREAM "Transfer-Encoding: chunked\r\n\r\n34\r\n" DELTA("Well, ") "\r\n",
          .end = HTTP_CLOSE},
         CONV_UNAVAILABLE,
         "broke before the answer was complete"},
        {{.bytes = STREAM "Connection: close\r\n\r\n" DELTA("Well, "), .end = HTTP_CLOSE},
         CONV_PROVIDER,
         "ended the stream before the reply was complete"},
        {{.bytes = STREAM "Connection: close\r\n\r\n" DELTA("Well, ") "data: {\"choi",
          .end = HTTP_CLOSE},
         CONV_PROVIDER,
         "ended the stream in the middle of a chunk"},
        {{.bytes = STREAM "Connection: close\r\n\r\n" DELTA(
              "Well, ") "data: {\"error\":{"
                        "\"message\":\"Hello\",\"type\":\"overloaded\"}}\n\n",
          .end = HTTP_KEEP},
         CONV_PROVIDER,
         "broke the stream off with an error (type overloaded)"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        asked made = {0};
        ask_faulty(&(fault_case){.replies = &rows[i].reply,
                                 .reply_count = 1,
                                 .stream = true,
                                 .status = rows[i].status,
                                 .message = rows[i].message,
                                 .requests = 1},
                   &made);
        assert_int_equal(made.count, 1);
        assert_bytes(made.messages[0].content, "Well, ");
        asked_free(&made);
    }
}

static void nobody_waits_for_ever(void **state)
{
    (void)state;
    const http_reply silent = {.bytes = NULL, .end = HTTP_HANG};
    assert_fails(&(fault_case){.replies = &silent,
                               .reply_count = 1,
                               .timeout_ms = 100,
                               .status = CONV_TIMEOUT,
                               .message = "did not answer in time",
                               .requests = 1});
    const http_reply drip = {.bytes = GOOD, .slice = 1, .pause_ms = 20};
    assert_fails(&(fault_case){.replies = &drip,
                               .reply_count = 1,
                               .timeout_ms = 200,
                               .status = CONV_TIMEOUT,
                               .message = "did not answer in time",
                               .requests = 1});
    const http_reply endless = {.bytes = "HTTP/1.1 500 Oops\r\nContent-Length: 99\r\n\r\nabc",
                                .end = HTTP_HANG};
    assert_fails(&(fault_case){.replies = &endless,
                               .reply_count = 1,
                               .timeout_ms = 100,
                               .status = CONV_TIMEOUT,
                               .message = "did not answer in time",
                               .requests = 1});
}

static void silence_within_an_answer_ends_it(void **state)
{
    (void)state;
    asked made = {0};
    const http_reply reply = {.bytes = STREAM "Connection: close\r\n\r\n" DELTA("Well, "),
                              .end = HTTP_HANG};
    ask_faulty(&(fault_case){.replies = &reply,
                             .reply_count = 1,
                             .stream = true,
                             .idle_timeout_ms = 100,
                             .status = CONV_TIMEOUT,
                             .message = "stopped sending",
                             .requests = 1},
               &made);
    assert_int_equal(made.count, 1);
    assert_bytes(made.messages[0].content, "Well, ");
    asked_free(&made);
    /* While the model thinks, silence is no failure. */
    const http_reply thinking = {.bytes = GOOD, .pause_ms = 300};
    assert_mends(&(fault_case){
        .replies = &thinking, .reply_count = 1, .idle_timeout_ms = 100, .requests = 1});
}

static void pause_beyond_the_deadline_is_not_begun(void **state)
{
    (void)state;
    const http_reply reply = {
        .bytes = "HTTP/1.1 503 Oops\r\nRetry-After: 30\r\nContent-Length: 0\r\n\r\n"};
    assert_fails(&(fault_case){.replies = &reply,
                               .reply_count = 1,
                               .timeout_ms = 5000,
                               .status = CONV_PROVIDER,
                               .message = "answered HTTP 503",
                               .requests = 1});
}

static void floods_are_bounded(void **state)
{
    (void)state;
    const struct {
        const char *bytes;
        const char *message;
        bool stream;
    } rows[] = {
        {"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n\"",
         "answered with more than 64 MiB", false},
        {STREAM "Connection: close\r\n\r\ndata: ", "answered with more than 64 MiB", true},
        {"HTTP/1.1 400 Bad\r\nConnection: close\r\n\r\n", "answered HTTP 400", false},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        const http_reply reply = {.bytes = rows[i].bytes, .repeat = 1200, .end = HTTP_CLOSE};
        assert_fails(&(fault_case){.replies = &reply,
                                   .reply_count = 1,
                                   .stream = rows[i].stream,
                                   .status = CONV_PROVIDER,
                                   .message = rows[i].message,
                                   .requests = 1});
    }
    const http_reply head = {
        .bytes = "HTTP/1.1 200 OK\r\nX-Flood: ", .repeat = 100, .end = HTTP_CLOSE};
    assert_fails(&(fault_case){.replies = &head,
                               .reply_count = 1,
                               .max_retries = -1,
                               .status = CONV_PROVIDER,
                               .message = "did not answer in HTTP",
                               .requests = 1});
}

static void endless_head_is_refused(void **state)
{
    (void)state;
    static const char line[] = "X-Header: a value of some length, again and again\r\n";
    conv__buffer head = {0};
    conv__buffer_append_text(&head, "HTTP/1.1 200 OK\r\n");
    for (size_t i = 0; head.size < (size_t)400 << 10; i++)
        conv__buffer_append_text(&head, line);
    const http_reply reply = {.bytes = head.data, .size = head.size, .end = HTTP_HANG};
    assert_fails(&(fault_case){.replies = &reply,
                               .reply_count = 1,
                               .max_retries = -1,
                               .status = CONV_PROVIDER,
                               .message = "did not answer in HTTP",
                               .requests = 1});
    conv__buffer_free(&head);
}

static void nobody_listening_is_told(void **state)
{
    (void)state;
    const http_reply reply = {.bytes = GOOD};
    http_server *server = http_server_start(&reply, 1);
    conv_provider *openai = make_openai(http_server_url(server), &(fault_case){.max_retries = -1});
    http_server_stop(server);
    conv_provider_request request = ask_request(false);
    asked made = {0};
    ask(&made, openai, &request);
    assert_int_equal(made.status, CONV_UNAVAILABLE);
    assert_non_null(strstr(made.error.message, "can't connect to 127.0.0.1:"));
    assert_int_equal(made.error.recovery, CONV_RECOVERY_WAIT);
    asked_free(&made);
    conv_provider_free(openai);
    openai =
        make_openai("http://user:pass@does-not-exist.invalid/v1", &(fault_case){.max_retries = -1});
    ask(&made, openai, &request);
    assert_int_equal(made.status, CONV_UNAVAILABLE);
    assert_non_null(strstr(made.error.message, "can't connect to does-not-exist.invalid:"));
    assert_null(strstr(made.error.message, "pass"));
    asked_free(&made);
    conv_provider_free(openai);
}

static void closed_idle_connection_is_replaced(void **state)
{
    (void)state;
    const http_reply replies[] = {{.bytes = GOOD, .end = HTTP_CLOSE}, {.bytes = GOOD}};
    http_server *server = http_server_start(replies, 2);
    conv_provider *openai = make_openai(http_server_url(server), &(fault_case){.max_retries = -1});
    conv_provider_request request = ask_request(false);
    for (int i = 0; i < 2; i++) {
        asked made = {0};
        ask(&made, openai, &request);
        if (made.status != CONV_OK) fail_msg("%s", made.error.message);
        asked_free(&made);
    }
    conv_provider_free(openai);
    http_server_stop(server);
}

/* A signal would end the program. */
static void peer_that_leaves_while_we_send_raises_no_signal(void **state)
{
    (void)state;
    const http_reply reply = {.bytes = NULL, .deaf = true, .end = HTTP_RESET};
    http_server *server = http_server_start(&reply, 1);
    conv_provider *openai = make_openai(http_server_url(server), &(fault_case){.max_retries = -1});
    conv_provider_request request = ask_request(false);
    size_t size = (size_t)16 << 20;
    char *text = malloc(size);
    assert_non_null(text);
    memset(text, 'a', size);
    const conv_message message = {.role = CONV_ROLE_USER, .content = conv_view(text, size)};
    request.messages = &message;
    asked made = {0};
    ask(&made, openai, &request);
    assert_int_equal(made.status, CONV_UNAVAILABLE);
    asked_free(&made);
    free(text);
    conv_provider_free(openai);
    http_server_stop(server);
}

/* The child's copy of the provider goes, and the parent's connection stays. */
static void forked_child_leaves_the_connection_alone(void **state)
{
    (void)state;
    const http_reply reply = {.bytes = GOOD};
    http_server *server = http_server_start(&reply, 1);
    conv_provider *openai = make_openai(http_server_url(server), &(fault_case){.max_retries = -1});
    conv_provider_request request = ask_request(false);
    asked made = {0};
    ask(&made, openai, &request);
    assert_int_equal(made.status, CONV_OK);
    asked_free(&made);
    pid_t child = fork();
    if (child == 0) {
        conv_provider_free(openai);
        _exit(0);
    }
    int status = 1;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    ask(&made, openai, &request);
    assert_int_equal(made.status, CONV_OK);
    assert_int_equal(http_server_connections(server), 1);
    asked_free(&made);
    conv_provider_free(openai);
    http_server_stop(server);
}

static conv_status make_and_ask(void *context)
{
    http_server *server = context;
    conv_openai_params params = CONV_OPENAI_PARAMS_INIT;
    conv_provider *openai = NULL;
    conv_provider_response *response = NULL;
    conv_provider_request request = ask_request(true);
    params.base_url = http_server_url(server);
    params.api_key = "sk-test-1234567890";
    params.model = "m";
    conv_status status = conv_provider_openai(&params, &openai, NULL);
    if (status == CONV_OK) status = conv__provider_response_create(NULL, NULL, &response);
    if (status == CONV_OK) status = openai->functions->complete(openai, &request, response, NULL);
    conv__provider_response_free(response);
    conv_provider_free(openai);
    return status;
}

static void every_failing_allocation_is_told(void **state)
{
    (void)state;
    const http_reply plain = {.bytes = GOOD};
    http_server *server = http_server_start(&plain, 1);
    assert_true(failing_memory_run(make_and_ask, server) > 8);
    http_server_stop(server);
    const http_reply stream = {.bytes = STREAM "Connection: close\r\n\r\n" DELTA(
                                   "Well, ") "data: "
                                             "{\"model\":\"m\",\"choices\":[{\"delta\":{\"tool_"
                                             "calls\":[{\"index\":0,\"id\":"
                                             "\"a\",\"function\":{\"name\":\"f\",\"arguments\":\"{}"
                                             "\"}}]},\"finish_reason\":\"stop\"}],"
                                             "\"usage\":{\"prompt_tokens\":3}}\n\ndata: [DONE]\n\n",
                               .end = HTTP_CLOSE};
    server = http_server_start(&stream, 1);
    assert_true(failing_memory_run(make_and_ask, server) > 12);
    http_server_stop(server);
}

int main(void)
{
    static const char *const variables[] = {"http_proxy", "https_proxy", "all_proxy",
                                            "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"};
    for (size_t i = 0; i < COUNT(variables); i++)
        unsetenv(variables[i]);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(passing_failures_are_tried_again),
        cmocka_unit_test(tries_bear_the_same_idempotency_key),
        cmocka_unit_test(broken_connections_are_tried_again),
        cmocka_unit_test(tries_end),
        cmocka_unit_test(refusals_are_final_and_tell_no_text),
        cmocka_unit_test(rubbish_is_refused_without_another_try),
        cmocka_unit_test(lengths_that_lie_are_noticed),
        cmocka_unit_test(stream_that_breaks_is_kept_and_not_asked_again),
        cmocka_unit_test(nobody_waits_for_ever),
        cmocka_unit_test(silence_within_an_answer_ends_it),
        cmocka_unit_test(pause_beyond_the_deadline_is_not_begun),
        cmocka_unit_test(floods_are_bounded),
        cmocka_unit_test(endless_head_is_refused),
        cmocka_unit_test(nobody_listening_is_told),
        cmocka_unit_test(closed_idle_connection_is_replaced),
        cmocka_unit_test(peer_that_leaves_while_we_send_raises_no_signal),
        cmocka_unit_test(forked_child_leaves_the_connection_alone),
        cmocka_unit_test(every_failing_allocation_is_told),
    };
    return RUN_TESTS("openai_faults", tests);
}
