/* conversation chat: for pipes and terminals, with providers that answer, fail, hang and die. */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "support/http_server.h"
#include "support/program.h"
#include "support/store.h"
#include "support/test.h"

static int setup(void **state)
{
    (void)state;
    test_program_setup(test_store_create("sqlite"));
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    test_program_teardown();
    test_store_drop("sqlite");
    return 0;
}

static const char *value(const char *sql)
{
    return test_store_value("sqlite", sql);
}

static void standard_output_holds_the_reply_only(void **state)
{
    (void)state;
    assert_int_equal(test_run("conversation chat --provider echo --session s hello there"), 0);
    assert_string_equal(test_output, "hello there\n");
    assert_contains(test_errors, "conversation: session s\nconversation: 2 tokens in, 2 out, "
                                 "unpriced, ");
    assert_string_equal(value("SELECT count(*) FROM chat_messages"), "2");
    assert_string_equal(value("SELECT count(*) FROM usage_logs"), "1");
    assert_int_equal(test_run("conversation chat --provider echo --session s --no-stream again"),
                     0);
    assert_string_equal(test_output, "again\n");
    assert_string_equal(value("SELECT message_count FROM chat_sessions"), "4");
}

static void a_pipe_is_one_message_byte_for_byte(void **state)
{
    (void)state;
    assert_int_equal(test_run("printf 'a\\000b\\377\\033[2Jc\\n\\n' | "
                              "conversation chat --provider echo --session s"),
                     0);
    assert_int_equal(test_output_size, 10);
    assert_memory_equal(test_output, "a\0b\377\033[2Jc\n", 10);
    assert_int_equal(test_run("conversation history s --limit 1"), 0);
    assert_contains(test_output, "  a\\x00b\\xff\\x1b[2Jc\n");
}

static void an_empty_message_is_refused(void **state)
{
    (void)state;
    assert_int_equal(test_run("conversation chat --provider echo ''"), 2);
    assert_contains(test_errors, "the message is empty");
    assert_int_equal(test_run("conversation chat --provider echo"), 2);
    assert_string_equal(test_output, "");
    assert_string_equal(value("SELECT count(*) FROM chat_sessions"), "0");
}

static void a_turn_id_gives_the_saved_reply(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        assert_int_equal(
            test_run("conversation chat --provider echo --turn-id t1 --system sys hello"), 0);
        assert_string_equal(test_output, "hello\n");
    }
    assert_contains(test_errors, "saved before");
    assert_string_equal(value("SELECT count(*) FROM chat_messages"), "3");
    assert_int_equal(test_run("conversation chat --provider echo --turn-id t1 other"), 1);
    assert_string_equal(test_output, "");
}

static void json_says_all_about_the_turn(void **state)
{
    (void)state;
    assert_int_equal(test_run("conversation chat --provider echo --session support-42 --json hi"),
                     0);
    assert_contains(test_output, "{\"session_id\": \"f119c983-4b70-5d0c-8545-3a92d58416a0\", "
                                 "\"turn_id\": \"");
    assert_contains(test_output, "\"status\": \"complete\", \"saved\": \"committed\", "
                                 "\"repeat\": false, ");
    assert_contains(test_output, "\"input_tokens\": 1, \"output_tokens\": 1, \"total_tokens\": 2, "
                                 "\"cost_usd\": null, ");
    assert_contains(test_output,
                    "\"messages\": [{\"role\": \"assistant\", \"content\": \"hi\"}]}\n");
}

static void a_recording_answers(void **state)
{
    (void)state;
    assert_int_equal(test_run("conversation chat --provider recorded:%s/examples/data/sample.jsonl "
                              "'nobody ever asked this'",
                              TEST_SOURCE_DIR),
                     5);
    assert_string_equal(test_output, "");
    assert_string_equal(value("SELECT status FROM chat_messages"), "failed");
}

static void the_key_comes_from_the_environment_only(void **state)
{
    (void)state;
    assert_int_equal(test_run("conversation chat --model m hi"), 5);
    assert_contains(test_errors, "OPENAI_API_KEY is not set");
    assert_int_equal(test_run("conversation chat --api-key k hi"), 2);
    assert_string_equal(test_output, "");
}

static void a_missing_model_is_refused_before_anything_is_saved(void **state)
{
    (void)state;
    static const char *const ways[] = {"OPENAI_API_KEY=k conversation chat",
                                       "OPENAI_BASE_URL=http://127.0.0.1:1/v1 conversation chat",
                                       "conversation chat --base-url http://127.0.0.1:1/v1",
                                       "OPENAI_API_KEY=k conversation chat --model ''"};
    for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++) {
        assert_int_equal(test_run("%s hi", ways[i]), 2);
        assert_string_equal(test_errors, "conversation: chat: no model: name one with --model\n");
        assert_string_equal(test_output, "");
    }
    assert_int_equal(test_run("conversation sessions"), 3); /* no store was made */
}

#define HEAD        "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"
#define CHUNK(text) "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"" text "\"}}]}\n\n"

static http_server *server;

/* Runs chat against a server that answers so. */
static int chat_with(const char *bytes, http_end end, const char *options)
{
    http_reply reply = {.bytes = bytes, .end = end};
    server = http_server_start(&reply, 1);
    int code = test_run("OPENAI_API_KEY=very-secret conversation chat --base-url %s --model m "
                        "--session s %s hi",
                        http_server_url(server), options);
    assert_null(strstr(test_errors, "very-secret"));
    http_server_stop(server);
    return code;
}

static void a_stream_is_printed_as_it_comes(void **state)
{
    (void)state;
    assert_int_equal(
        chat_with(HEAD CHUNK("Good ") CHUNK("day") "data: [DONE]\n\n", HTTP_CLOSE, "--system x"),
        0);
    assert_string_equal(test_output, "Good day\n");
    assert_contains(test_errors, "tokens unreported");
    assert_string_equal(value("SELECT count(*) FROM chat_messages"), "3");
}

static void a_stream_that_breaks_is_saved_as_far_as_it_came(void **state)
{
    (void)state;
    assert_int_equal(chat_with(HEAD CHUNK("Good ") CHUNK("da"), HTTP_RESET, ""), 5);
    assert_string_equal(test_output, "Good da\n");
    assert_contains(test_errors, "saved as interrupted");
    assert_string_equal(value("SELECT content FROM chat_messages WHERE role = 'assistant'"),
                        "Good da");
}

static void a_provider_that_fails_leaves_the_question(void **state)
{
    (void)state;
    assert_int_equal(
        chat_with("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n", HTTP_CLOSE, ""), 5);
    assert_string_equal(test_output, "");
    assert_contains(test_errors, "saved as failed");
    assert_contains(test_errors, "hint: the same with --turn-id ");
    assert_null(strstr(test_errors, "--session"));
    assert_int_equal(chat_with("rubbish", HTTP_CLOSE, "--timeout 2"), 5);
    assert_int_equal(chat_with(NULL, HTTP_HANG, "--timeout 1"), 5);
    assert_int_equal(test_run("conversation chat --base-url http://127.0.0.1:1/v1 --session s "
                              "--timeout 1 --model m hi"),
                     5);
    assert_string_equal(value("SELECT count(*) FROM chat_messages WHERE status = 'failed'"), "4");
    assert_string_equal(value("SELECT count(*) FROM chat_messages"), "4");
}

static void a_reply_that_can_not_be_saved_is_said_to_be_lost(void **state)
{
    (void)state;
    assert_int_equal(test_run("conversation migrate"), 0);
    test_store_execute("sqlite", "CREATE TRIGGER refuse BEFORE INSERT ON usage_logs "
                                 "BEGIN SELECT RAISE(ABORT, 'no'); END");
    assert_int_not_equal(chat_with(HEAD CHUNK("Good day") "data: [DONE]\n\n", HTTP_CLOSE, ""), 0);
    assert_string_equal(test_output, "Good day\n");
    assert_contains(test_errors, "\nconversation: the reply above was not saved\n"
                                 "hint: the same with --turn-id ");
    char *turn_id = strstr(test_errors, "--turn-id ");
    turn_id[strlen("--turn-id ") + 36] = '\0';
    char options[64];
    snprintf(options, sizeof options, "%s", turn_id);
    test_store_execute("sqlite", "DROP TRIGGER refuse");
    for (int i = 0; i < 2; i++)
        assert_int_equal(chat_with(HEAD CHUNK("Good day") "data: [DONE]\n\n", HTTP_CLOSE, options),
                         0);
    assert_contains(test_errors, "conversation: session s, saved before\n");
    assert_string_equal(value("SELECT count(*) FROM chat_messages"), "2");
}

static void a_reader_that_leaves_interrupts_the_turn(void **state)
{
    (void)state;
    static char bytes[65536] = HEAD;
    while (strlen(bytes) < sizeof bytes - 200)
        strcat(bytes, CHUNK("word "));
    strcat(bytes, "data: [DONE]\n\n");
    http_reply reply = {.bytes = bytes, .slice = 400, .pause_ms = 10, .end = HTTP_CLOSE};
    server = http_server_start(&reply, 1);
    assert_int_equal(test_run("OPENAI_API_KEY=k conversation chat --base-url %s --model m hi "
                              "| head -c 1",
                              http_server_url(server)),
                     0);
    http_server_stop(server);
    assert_string_equal(value("SELECT status FROM chat_messages WHERE role = 'assistant'"),
                        "interrupted");
}

static void a_terminal_is_a_conversation(void **state)
{
    (void)state;
    test_terminal terminal;
    test_terminal_start(&terminal, 80,
                        "conversation chat --no-color --provider echo --session talk");
    test_terminal_await(&terminal, "conversation: session talk\r\n");
    test_terminal_await(&terminal, "conversation: Ctrl-C interrupts a reply");
    test_terminal_await(&terminal, "> ");
    test_terminal_type(&terminal, "first words\n");
    test_terminal_await(&terminal, "\033[Kfirst words\r\n");
    test_terminal_await(&terminal, "> ");
    test_terminal_type(&terminal, "\n");
    test_terminal_await(&terminal, "> ");
    test_terminal_type(&terminal, "second\n");
    test_terminal_await(&terminal, "\033[Ksecond\r\n");
    test_terminal_await(&terminal, "> ");
    test_terminal_type(&terminal, "\003"); /* Ctrl-C at the prompt ends nothing */
    test_terminal_await(&terminal, "> ");
    test_terminal_type(&terminal, "\004"); /* Ctrl-D */
    assert_int_equal(test_terminal_end(&terminal), 0);
    assert_string_equal(value("SELECT message_count FROM chat_sessions"), "4");
}

static void ctrl_c_interrupts_the_reply_not_the_program(void **state)
{
    (void)state;
    char command[512];
    http_reply replies[] = {
        {.bytes = HEAD CHUNK("Good day") CHUNK("to"), .end = HTTP_HANG},
        {.bytes = HEAD CHUNK("Again") "data: [DONE]\n\n", .end = HTTP_CLOSE},
    };
    server = http_server_start(replies, 2);
    snprintf(command, sizeof command,
             "env OPENAI_API_KEY=k conversation chat --base-url %s --model m --session s",
             http_server_url(server));
    test_terminal terminal;
    test_terminal_start(&terminal, 80, command);
    test_terminal_await(&terminal, "> ");
    test_terminal_type(&terminal, "hi\n");
    test_terminal_await(&terminal, "Good day");
    test_terminal_type(&terminal, "\003");
    test_terminal_await(&terminal, "saved as interrupted");
    test_terminal_await(&terminal, "> ");
    test_terminal_type(&terminal, "and now\n");
    test_terminal_await(&terminal, "Again");
    test_terminal_await(&terminal, "> ");
    test_terminal_type(&terminal, "\004");
    assert_int_equal(test_terminal_end(&terminal), 0);
    http_server_stop(server);
    assert_string_equal(value("SELECT count(*) FROM chat_messages"), "4");
}

/* A model may think for long before its first word. */
static void ctrl_c_interrupts_the_wait_for_the_first_word(void **state)
{
    (void)state;
    char command[512];
    http_reply reply = {.bytes = HEAD, .end = HTTP_HANG};
    server = http_server_start(&reply, 1);
    snprintf(command, sizeof command,
             "env OPENAI_API_KEY=k conversation chat --base-url %s --model m --session s hi",
             http_server_url(server));
    test_terminal terminal;
    test_terminal_start(&terminal, 80, command);
    test_terminal_await(&terminal, "waiting for the reply");
    while (http_server_requests(server) == 0)
        usleep(5000);
    test_terminal_type(&terminal, "\003");
    assert_int_equal(test_terminal_end(&terminal), 130);
    http_server_stop(server);
    assert_string_equal(value("SELECT count(*) FROM chat_messages WHERE role = 'user'"), "1");
}

static void a_reply_can_not_steer_the_terminal(void **state)
{
    (void)state;
    test_terminal terminal;
    test_terminal_start(
        &terminal, 80,
        "conversation chat --no-color --provider echo \"$(printf '\\033]0;x\\007')\"");
    test_terminal_await(&terminal, "\\x1b]0;x\\x07");
    assert_int_equal(test_terminal_end(&terminal), 0);
    assert_null(strstr(terminal.screen, "\033]"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        TEST(standard_output_holds_the_reply_only),
        TEST(a_pipe_is_one_message_byte_for_byte),
        TEST(an_empty_message_is_refused),
        TEST(a_turn_id_gives_the_saved_reply),
        TEST(json_says_all_about_the_turn),
        TEST(a_recording_answers),
        TEST(the_key_comes_from_the_environment_only),
        TEST(a_missing_model_is_refused_before_anything_is_saved),
        TEST(a_stream_is_printed_as_it_comes),
        TEST(a_stream_that_breaks_is_saved_as_far_as_it_came),
        TEST(a_provider_that_fails_leaves_the_question),
        TEST(a_reply_that_can_not_be_saved_is_said_to_be_lost),
        TEST(a_reader_that_leaves_interrupts_the_turn),
        TEST(a_terminal_is_a_conversation),
        TEST(ctrl_c_interrupts_the_reply_not_the_program),
        TEST(ctrl_c_interrupts_the_wait_for_the_first_word),
        TEST(a_reply_can_not_steer_the_terminal),
#undef TEST
    };
    return RUN_TESTS("chat", tests);
}
