/* A reply in chunks: the same however it is cut, kept as far as it came, refused where it is
 * rubbish. */
#include "core/buffer.h"
#include "providers/openai_stream.h"
#include "providers/response.h"
#include "support/failing_memory.h"
#include "support/test.h"

/* One try, and what a listener heard of it. */
typedef struct stream_case {
    conv__buffer heard;
    int stop_at; /* at which delta to stop; 0: never */
    int deltas;
    conv_provider_response *response;
    conv__openai_stream stream;
    conv_status status;
} stream_case;

static int hear(void *context, conv_bytes delta)
{
    stream_case *made = context;
    conv__buffer_append_bytes(&made->heard, delta);
    return ++made->deltas == made->stop_at;
}

static void begin(stream_case *made, int stop_at)
{
    memset(made, 0, sizeof *made);
    made->stop_at = stop_at;
    assert_int_equal(conv__provider_response_create(hear, made, &made->response), CONV_OK);
    conv__openai_stream_begin(&made->stream, made->response);
}

static void feed(stream_case *made, conv_bytes piece)
{
    if (made->status == CONV_OK) made->status = conv__openai_stream_feed(&made->stream, piece);
}

static void end(stream_case *made)
{
    if (made->status == CONV_OK) made->status = conv__openai_stream_finish(&made->stream);
    assert_int_equal(conv__openai_stream_put(&made->stream, made->status == CONV_OK), CONV_OK);
}

static void drop(stream_case *made)
{
    conv__openai_stream_free(&made->stream);
    conv__provider_response_free(made->response);
    conv__buffer_free(&made->heard);
}

static const conv_message *only_message(stream_case *made)
{
    size_t count = 0;
    const conv_message *messages = conv__provider_response_messages(made->response, &count);
    assert_int_equal(count, 1);
    assert_int_equal(messages[0].role, CONV_ROLE_ASSISTANT);
    return messages;
}

static size_t message_count(stream_case *made)
{
    size_t count = 0;
    (void)conv__provider_response_messages(made->response, &count);
    return count;
}

#define DELTA(text) "data: {\"choices\":[{\"index\":0,\"delta\":{" text "}}]}\n\n"
#define FINISH(reason)                                                                             \
    "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"" reason "\"}]}\n\n"
#define DONE "data: [DONE]\n\n"

static void run(stream_case *made, const char *stream)
{
    begin(made, 0);
    feed(made, conv_text(stream));
    end(made);
}

static const char whole[] =
    "data: {\"id\":\"x\",\"model\":\"gpt-1\",\"choices\":[{\"index\":0,\"delta\":{\"role\":"
    "\"assistant\",\"content\":\"\"},\"finish_reason\":null}],\"usage\":null}\r\n\r\n"
    ": ping\n\n" DELTA("\"content\":\"J\xC3\xB6rg \\ud83d\"")
        DELTA("\"content\":\"\\ude00 \\u0000\"") DELTA("\"content\":\"\\ud800\"") DELTA(
            "\"tool_calls\":[{\"index\":0,\"id\":\"c1\",\"type\":\"function\",\"function\":{"
            "\"name\":\"get\",\"arguments\":\"\"}}]")
            DELTA("\"tool_calls\":[{\"index\":0,\"function\":{\"arguments\":\"{\\\"a\\\":\\ud83d\"}"
                  "}]")
                DELTA("\"tool_calls\":[{\"index\":0,\"function\":{\"arguments\":\"\\ude01}\"}}]")
                    FINISH("tool_calls") "data: "
                                         "{\"choices\":[],\"usage\":{\"prompt_tokens\":9,"
                                         "\"completion_tokens\":4}}\n\n" DONE;

static void check_whole(stream_case *made)
{
    assert_int_equal(made->status, CONV_OK);
    const conv_message *message = only_message(made);
    static const char text[] = "J\xC3\xB6rg \xF0\x9F\x98\x80 \0\xED\xA0\x80";
    assert_int_equal(message->content.size, sizeof text - 1);
    assert_memory_equal(message->content.data, text, sizeof text - 1);
    assert_int_equal(made->heard.size, sizeof text - 1);
    assert_memory_equal(made->heard.data, text, sizeof text - 1);
    assert_bytes(message->tool_calls,
                 "[{\"id\":\"c1\",\"type\":\"function\",\"function\":{\"name\":\"get\","
                 "\"arguments\":\"{\\\"a\\\":\xF0\x9F\x98\x81}\"}}]");
    assert_int_equal(message->status, CONV_OUTCOME_COMPLETE);
    assert_bytes(conv__provider_response_model(made->response), "gpt-1");
    assert_bytes(conv__provider_response_finish_reason(made->response), "tool_calls");
    const conv_usage *usage = conv__provider_response_usage(made->response);
    assert_int_equal(usage->input_tokens, 9);
    assert_int_equal(usage->output_tokens, 4);
    assert_bytes(usage->raw, "{\"prompt_tokens\":9,\"completion_tokens\":4}");
}

static void every_cut_gives_the_same_reply(void **state)
{
    (void)state;
    for (size_t cut = 0; cut < sizeof whole; cut++) {
        stream_case made;
        begin(&made, 0);
        feed(&made, conv_view(whole, cut));
        feed(&made, conv_view(whole + cut, sizeof whole - 1 - cut));
        end(&made);
        check_whole(&made);
        drop(&made);
    }
}

/* Whatever byte the stream breaks off at: text as far as it was heard, never more, never an error
 * of our own making. */
static void every_break_keeps_what_came(void **state)
{
    (void)state;
    for (size_t cut = 0; cut < sizeof whole - 1; cut++) {
        stream_case made;
        begin(&made, 0);
        feed(&made, conv_view(whole, cut));
        assert_int_equal(made.status, CONV_OK);
        assert_int_equal(conv__openai_stream_put(&made.stream, false), CONV_OK);
        size_t count = 0;
        const conv_message *messages = conv__provider_response_messages(made.response, &count);
        assert_true(count <= 1);
        if (count == 1 && made.heard.size > 0) {
            assert_int_equal(messages[0].content.size, made.heard.size);
            assert_memory_equal(messages[0].content.data, made.heard.data, made.heard.size);
        }
        drop(&made);
    }
}

static void half_a_call_is_kept_once_its_arguments_began(void **state)
{
    (void)state;
    stream_case made;
    static const char start[] = DELTA("\"content\":\"Hm\"") DELTA(
        "\"tool_calls\":[{\"index\":0,\"id\":\"a\",\"function\":{\"name\":\"f\",\"arguments\":"
        "\"{\\\"x\"}},{\"index\":1,\"id\":\"b\",\"function\":{\"name\":\"g\"}}]");
    run(&made, start);
    assert_int_equal(made.status, CONV_PROVIDER);
    const conv_message *message = only_message(&made);
    assert_bytes(message->content, "Hm");
    assert_bytes(message->tool_calls, "[{\"id\":\"a\",\"type\":\"function\",\"function\":{\"name\":"
                                      "\"f\",\"arguments\":\"{\\\"x\"}}]");
    assert_int_equal(message->status, CONV_OUTCOME_INTERRUPTED);
    drop(&made);
}

static void end_of_stream_is_judged(void **state)
{
    (void)state;
    const struct {
        const char *stream;
        const char *what; /* NULL: complete */
    } rows[] = {
        {DELTA("\"content\":\"a\"") FINISH("stop") DONE, NULL},
        {DELTA("\"content\":\"a\"") FINISH("stop"), NULL}, /* no [DONE] */
        {DELTA("\"content\":\"a\"") DONE, NULL},           /* no reason */
        {DELTA("\"content\":\"a\"") FINISH("stop") "data: [DONE]", NULL},
        {DELTA("\"content\":\"a\"") "data:[DONE] \n\n", NULL},
        {DELTA("\"content\":\"a\"") DONE "data: rubbish\n\n", NULL}, /* nobody reads on */
        {DELTA("\"content\":\"a\""), "ended the stream before the reply was complete"},
        {"", "answered without choices"},
        {DONE, "answered without choices"},
        {"data: {\"choices\":[],\"usage\":null}\n\n" DONE, "answered without choices"},
        {"<html>oops</html>", "answered without choices"},
        {"data: {\"choices\":[\n\n", "sent a chunk that is not JSON"},
        {"data: <html>\n\n", "sent a chunk that is not JSON"},
        {DELTA("\"content\":\"a\"") "data: {\"choices\":[{\"del",
         "ended the stream in the middle of a chunk"},
        {DELTA("\"content\":\"a\"") FINISH("stop") "data: [DO",
         "ended the stream in the middle of a chunk"},
        {DELTA("\"content\":\"a\"") "data: {\"error\":{\"message\":\"m\"}}\n\n" DONE,
         "broke the stream off with an error"},
        {"event: error\ndata: {\"error\":\"overloaded\"}\n\n",
         "broke the stream off with an error"},
        {"data: {\"error\":null,\"choices\":[{\"delta\":{\"content\":\"a\"},\"finish_reason\":"
         "\"stop\"}]}\n\n",
         NULL},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        stream_case made;
        run(&made, rows[i].stream);
        if (rows[i].what == NULL) {
            assert_int_equal(made.status, CONV_OK);
            assert_bytes(only_message(&made)->content, "a");
        } else {
            assert_int_equal(made.status, CONV_PROVIDER);
            assert_string_equal(made.stream.failure.what, rows[i].what);
        }
        drop(&made);
    }
}

static void error_in_the_stream_tells_its_names_only(void **state)
{
    (void)state;
    stream_case made;
    run(&made, DELTA("\"content\":\"secret \"") "data: "
                                                "{\"error\":{\"message\":\"secret\",\"type\":"
                                                "\"server_error\",\"code\":503,"
                                                "\"param\":\"my secret question\"}}\n\n");
    assert_int_equal(made.status, CONV_PROVIDER);
    assert_string_equal(made.stream.failure.error.type, "server_error");
    assert_string_equal(made.stream.failure.error.code, "503");
    assert_string_equal(made.stream.failure.error.param, "");
    assert_bytes(only_message(&made)->content, "secret ");
    drop(&made);
}

static void fragments_find_their_call(void **state)
{
    (void)state;
    const struct {
        const char *what;
        const char *stream;
        const char *calls;
    } rows[] = {
        {"interleaved by index",
         DELTA("\"tool_calls\":[{\"index\":1,\"id\":\"b\",\"function\":{\"name\":\"g\"}}]")
             DELTA("\"tool_calls\":[{\"index\":0,\"id\":\"a\",\"function\":{\"name\":\"f\"}}]")
                 DELTA("\"tool_calls\":[{\"index\":1,\"function\":{\"arguments\":\"2\"}}]")
                     DELTA("\"tool_calls\":[{\"index\":0,\"function\":{\"arguments\":\"1\"}}]"),
         "[{\"id\":\"b\",\"type\":\"function\",\"function\":{\"name\":\"g\",\"arguments\":\"2\"}},"
         "{\"id\":\"a\",\"type\":\"function\",\"function\":{\"name\":\"f\",\"arguments\":\"1\"}}]"},
        {"id and name repeated",
         DELTA("\"tool_calls\":[{\"index\":0,\"id\":\"a\",\"type\":\"function\",\"function\":{"
               "\"name\":\"f\",\"arguments\":\"1\"}}]")
             DELTA("\"tool_calls\":[{\"index\":0,\"id\":\"a\",\"type\":\"function\",\"function\":{"
                   "\"name\":\"f\",\"arguments\":\"1\"}}]"),
         "[{\"id\":\"a\",\"type\":\"function\",\"function\":{\"name\":\"f\",\"arguments\":\"11\"}}"
         "]"},
        {"same index, other id",
         DELTA("\"tool_calls\":[{\"index\":0,\"id\":\"a\",\"function\":{\"name\":\"f\","
               "\"arguments\":\"1\"}},{\"index\":0,\"id\":\"b\",\"function\":{\"name\":\"g\","
               "\"arguments\":\"2\"}}]"),
         "[{\"id\":\"a\",\"type\":\"function\",\"function\":{\"name\":\"f\",\"arguments\":\"1\"}},"
         "{\"id\":\"b\",\"type\":\"function\",\"function\":{\"name\":\"g\",\"arguments\":\"2\"}}]"},
        {"no index",
         DELTA("\"tool_calls\":[{\"id\":\"a\",\"function\":{\"name\":\"f\",\"arguments\":\"1\"}}]")
             DELTA("\"tool_calls\":[{\"function\":{\"arguments\":\"1\"}}]")
                 DELTA("\"tool_calls\":[{\"id\":\"b\",\"function\":{\"name\":\"g\",\"arguments\":"
                       "\"2\"}}]"),
         "[{\"id\":\"a\",\"type\":\"function\",\"function\":{\"name\":\"f\",\"arguments\":\"11\"}},"
         "{\"id\":\"b\",\"type\":\"function\",\"function\":{\"name\":\"g\",\"arguments\":\"2\"}}]"},
        {"empty id goes on",
         DELTA("\"tool_calls\":[{\"index\":0,\"id\":\"a\",\"function\":{\"name\":\"f\","
               "\"arguments\":\"1\"}}]") DELTA("\"tool_calls\":[{\"index\":0,\"id\":\"\",\"type\":"
                                               "null,\"function\":{\"name\":null,"
                                               "\"arguments\":\"1\"}}]"),
         "[{\"id\":\"a\",\"type\":\"function\",\"function\":{\"name\":\"f\",\"arguments\":\"11\"}}"
         "]"},
        {"arguments as an object, a signature kept",
         DELTA("\"tool_calls\":[{\"index\":0,\"id\":\"a\",\"extra_content\":{\"s\": 1},"
               "\"function\":{\"name\":\"f\",\"arguments\":{\"x\": 1}}}]"),
         "[{\"id\":\"a\",\"type\":\"function\",\"function\":{\"name\":\"f\",\"arguments\":"
         "\"{\\\"x\\\": 1}\"},\"extra_content\":{\"s\": 1}}]"},
        {"custom tool",
         DELTA("\"tool_calls\":[{\"index\":0,\"id\":\"a\",\"type\":\"custom\",\"custom\":{"
               "\"name\":\"f\",\"input\":\"h\"}}]")
             DELTA("\"tool_calls\":[{\"index\":0,\"custom\":{\"input\":\"i\"}}]"),
         "[{\"id\":\"a\",\"type\":\"custom\",\"custom\":{\"name\":\"f\",\"input\":\"hi\"}}]"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        stream_case made;
        begin(&made, 0);
        feed(&made, conv_text(rows[i].stream));
        feed(&made, conv_text(FINISH("tool_calls") DONE));
        end(&made);
        if (made.status != CONV_OK) fail_msg("%s", rows[i].what);
        const conv_message *message = only_message(&made);
        assert_bytes(message->tool_calls, rows[i].calls);
        assert_null(message->content.data);
        drop(&made);
    }
}

static void refusal_becomes_a_part(void **state)
{
    (void)state;
    stream_case made;
    run(&made, DELTA("\"content\":null,\"refusal\":\"I \"") DELTA("\"refusal\":\"won't\"")
                   FINISH("stop") DONE);
    assert_int_equal(made.status, CONV_OK);
    const conv_message *message = only_message(&made);
    assert_null(message->content.data);
    assert_bytes(message->parts, "[{\"type\":\"refusal\",\"refusal\":\"I won't\"}]");
    assert_string_equal(made.heard.data, "I won't");
    drop(&made);
}

static void liberal_forms_are_read(void **state)
{
    (void)state;
    stream_case made;
    run(&made,
        "data: {\"model\":\"\",\"choices\":[],\"prompt_filter_results\":[]}\n\n"
        "data: {\"model\":\"m\",\"choices\":[{\"delta\":{\"content\":[{\"type\":\"thinking\"},"
        "{\"type\":\"text\",\"text\":\"a\"}]}},{\"index\":1,\"delta\":{\"content\":\"other\"}}]}"
        "\n\n"
        "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":3}}\n\n"
        "data: {\"choices\":[{\"index\":0,\"message\":{\"content\":\"b\"},\"finish_reason\":"
        "\"stop\"}]}\n\n");
    assert_int_equal(made.status, CONV_OK);
    assert_bytes(only_message(&made)->content, "ab");
    assert_bytes(conv__provider_response_model(made.response), "m");
    assert_bytes(conv__provider_response_usage(made.response)->raw, "{\"prompt_tokens\":3}");
    drop(&made);
}

static void empty_reply_is_a_reply(void **state)
{
    (void)state;
    stream_case made;
    run(&made, DELTA("\"role\":\"assistant\",\"content\":\"\"") FINISH("length") DONE);
    assert_int_equal(made.status, CONV_OK);
    assert_bytes(only_message(&made)->content, "");
    assert_bytes(conv__provider_response_finish_reason(made.response), "length");
    drop(&made);
}

static void listener_stops_the_stream(void **state)
{
    (void)state;
    stream_case made;
    begin(&made, 2);
    feed(&made, conv_text("data: {\"model\":\"m\",\"choices\":[{\"delta\":{\"content\":\"a\"}}],"
                          "\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":1}}\n\n"));
    feed(&made, conv_text(DELTA("\"content\":\"b\"")));
    assert_int_equal(made.status, CONV_CANCELLED);
    end(&made);
    assert_bytes(only_message(&made)->content, "ab");
    assert_int_equal(conv__provider_response_usage(made.response)->input_tokens, 3);
    assert_bytes(conv__provider_response_model(made.response), "m");
    drop(&made);
}

static void too_many_calls_are_refused(void **state)
{
    (void)state;
    stream_case made;
    char chunk[160];
    begin(&made, 0);
    for (int i = 0; i <= CONV__OPENAI_CALLS; i++) {
        snprintf(chunk, sizeof chunk, DELTA("\"tool_calls\":[{\"index\":%d,\"id\":\"x\"}]"), i);
        feed(&made, conv_text(chunk));
    }
    assert_int_equal(made.status, CONV_PROVIDER);
    assert_string_equal(made.stream.failure.what, "sent too many tool calls");
    end(&made);
    assert_int_equal(message_count(&made), 0);
    drop(&made);
}

static conv_status run_whole(void *context)
{
    (void)context;
    conv_provider_response *response = NULL;
    conv__openai_stream stream;
    conv_status status = conv__provider_response_create(NULL, NULL, &response);
    if (status != CONV_OK) return status;
    conv__openai_stream_begin(&stream, response);
    status = conv__openai_stream_feed(&stream, conv_view(whole, sizeof whole - 1));
    if (status == CONV_OK) status = conv__openai_stream_finish(&stream);
    if (status == CONV_OK) status = conv__openai_stream_put(&stream, true);
    conv__openai_stream_free(&stream);
    conv__provider_response_free(response);
    return status;
}

static void every_failing_allocation_is_told(void **state)
{
    (void)state;
    assert_true(failing_memory_run(run_whole, NULL) > 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_cut_gives_the_same_reply),
        cmocka_unit_test(every_break_keeps_what_came),
        cmocka_unit_test(half_a_call_is_kept_once_its_arguments_began),
        cmocka_unit_test(end_of_stream_is_judged),
        cmocka_unit_test(error_in_the_stream_tells_its_names_only),
        cmocka_unit_test(fragments_find_their_call),
        cmocka_unit_test(refusal_becomes_a_part),
        cmocka_unit_test(liberal_forms_are_read),
        cmocka_unit_test(empty_reply_is_a_reply),
        cmocka_unit_test(listener_stops_the_stream),
        cmocka_unit_test(too_many_calls_are_refused),
        cmocka_unit_test(every_failing_allocation_is_told),
    };
    return RUN_TESTS("openai_stream", tests);
}
