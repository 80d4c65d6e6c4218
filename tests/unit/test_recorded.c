/* The provider that answers from recordings: finds the turn, replays it whole and streamed, and
 * says what it does not have. */
#include <stdlib.h>
#include <unistd.h>

#include "conversation/transcript.h"
#include "providers/response.h"
#include "support/ask.h"
#include "support/failing_memory.h"
#include "support/test.h"

static const char first_line[] =
    "{\"id\": \"talk-1\", \"model\": \"m-1\", \"messages\": ["
    "{\"role\": \"system\", \"content\": \"Be kind\"},"
    "{\"role\": \"user\", \"content\": \"yes\"},"
    "{\"role\": \"assistant\", \"content\": null, \"tool_calls\": [{\"id\": \"c1\"}]},"
    "{\"role\": \"tool\", \"tool_call_id\": \"c1\", \"content\": \"42\"},"
    "{\"role\": \"assistant\", \"content\": \"It is 42, I think.\"},"
    "{\"role\": \"user\", \"content\": \"yes\"},"
    "{\"role\": \"assistant\", \"content\": \"\\u3042\\u3044\\u3046\\u3048\\u304a"
    "\\u304b\\u304d\\u304f\\u3051\\u3053\\u3055\\u3057\\u3059\\u305b\\u305d\\u305f"
    "\\u3061\\u3064\\u3066\\u3068\\u306a\\u306b\\u306c\\u306d\\u306e\"},"
    "{\"role\": \"user\", \"content\": [{\"type\": \"text\", \"text\": \"look\"}]},"
    "{\"role\": \"assistant\", \"content\": \"seen\"},"
    "{\"role\": \"user\", \"content\": \"bye\"}],"
    "\"usage\": [{\"prompt_tokens\": 7, \"completion_tokens\": 3}, null]}\n";

static const char second_line[] = "{\"id\": \"talk-2\", \"messages\": ["
                                  "{\"role\": \"user\", \"content\": \"yes\"},"
                                  "{\"role\": \"assistant\", \"content\": \"Another one.\"}]}\n";

static char path[64];

static void write_file(const char *text)
{
    snprintf(path, sizeof path, "/tmp/conversation-recorded-XXXXXX");
    int file = mkstemp(path);
    assert_true(file >= 0);
    assert_int_equal(write(file, text, strlen(text)), strlen(text));
    close(file);
}

static int write_recording(void **state)
{
    (void)state;
    static char both[sizeof first_line + sizeof second_line];
    snprintf(both, sizeof both, "%s%s", first_line, second_line);
    write_file(both);
    return 0;
}

static int remove_recording(void **state)
{
    (void)state;
    return unlink(path);
}

/* Asks for turn `number` (from 1) of a conversation, or by the question alone where it is NULL. */
static void ask_turn(asked *made, const char *conversation, size_t number, conv_message question,
                     bool stream)
{
    conv_error error = CONV_ERROR_INIT;
    conv_provider *recorded = NULL;
    char turn_id[CONV_TURN_ID_SIZE] = ASK_TURN_ID;
    assert_ok(conv_provider_recorded(path, &recorded, &error), error);
    assert_string_equal(recorded->functions->name, "recorded");
    if (conversation != NULL) conv_transcript_turn_id(conversation, number, turn_id);
    question.role = CONV_ROLE_USER;
    const conv_message messages[] = {
        {.role = CONV_ROLE_USER, .content = conv_text("bye")},
        question,
        {.role = CONV_ROLE_ASSISTANT, .content = conv_text("half a reply")},
    };
    conv_provider_request request = ask_request(stream);
    request.messages = messages;
    request.message_count = 3;
    request.turn_id = turn_id;
    ask(made, recorded, &request);
    conv_provider_free(recorded); /* what was answered is the response's own */
}

static conv_message text(const char *content)
{
    return (conv_message){.content = conv_text(content)};
}

static void turn_is_found_by_its_id(void **state)
{
    (void)state;
    asked made = {0};
    ask_turn(&made, "talk-2", 1, text("something else"), false);
    assert_ok(made.status, made.error);
    assert_int_equal(made.count, 1);
    assert_bytes(made.messages[0].content, "Another one.");
    assert_null(conv__provider_response_model(made.response).data);
    assert_int_equal(conv__provider_response_usage(made.response)->input_tokens, CONV_UNKNOWN);
    assert_int_equal(made.deltas, 0);
    asked_free(&made);
}

static void whole_turn_is_replayed(void **state)
{
    (void)state;
    for (int stream = 0; stream < 2; stream++) {
        asked made = {0};
        ask_turn(&made, "talk-1", 1, text("yes"), stream == 1);
        assert_ok(made.status, made.error);
        assert_int_equal(made.count, 3);
        assert_null(made.messages[0].content.data);
        assert_bytes(made.messages[0].tool_calls, "[{\"id\": \"c1\"}]");
        assert_int_equal(made.messages[1].role, CONV_ROLE_TOOL);
        assert_bytes(made.messages[1].tool_call_id, "c1");
        assert_bytes(made.messages[2].content, "It is 42, I think.");
        assert_bytes(conv__provider_response_model(made.response), "m-1");
        assert_int_equal(conv__provider_response_usage(made.response)->input_tokens, 7);
        assert_int_equal(conv__provider_response_usage(made.response)->output_tokens, 3);
        assert_int_equal(made.deltas, stream == 1 ? 5 : 0);
        if (stream == 1) assert_bytes(conv__buffer_bytes(&made.heard), "It is 42, I think.");
        asked_free(&made);
    }
}

static void text_without_blanks_is_cut_between_characters(void **state)
{
    (void)state;
    asked made = {0};
    ask_turn(&made, "talk-1", 2, text("yes"), true);
    assert_ok(made.status, made.error);
    assert_int_equal(made.deltas, 2); /* 75 bytes, 63 of them in whole characters of the first 64 */
    assert_int_equal(made.heard.size, 75);
    assert_true(conv_bytes_equal(made.messages[0].content, conv__buffer_bytes(&made.heard)));
    assert_int_equal(conv__provider_response_usage(made.response)->input_tokens, CONV_UNKNOWN);
    asked_free(&made);
}

static void turn_is_found_by_its_question(void **state)
{
    (void)state;
    asked made = {0};
    ask_turn(&made, NULL, 0, text("yes"), false);
    assert_int_equal(made.count, 3); /* of those with this question the first in the file */
    asked_free(&made);
    ask_turn(&made, NULL, 0,
             (conv_message){.parts = conv_text("[{\"type\": \"text\", \"text\": \"look\"}]")},
             false);
    assert_ok(made.status, made.error);
    assert_bytes(made.messages[0].content, "seen");
    asked_free(&made);
}

static void question_without_an_answer_stays_without(void **state)
{
    (void)state;
    asked made = {0};
    ask_turn(&made, "talk-1", 4, text("x"), true);
    assert_ok(made.status, made.error);
    assert_int_equal(made.count, 0);
    asked_free(&made);
}

static void what_was_not_recorded_is_refused(void **state)
{
    (void)state;
    asked made = {0};
    ask_turn(&made, "talk-1", 5, text("my secret question"), false);
    assert_status(made.status, CONV_PROVIDER, made.error);
    assert_null(strstr(made.error.message, "secret"));
    assert_int_equal(made.count, 0);
    asked_free(&made);
    ask_turn(&made, NULL, 0, text(""), false);
    assert_status(made.status, CONV_PROVIDER, made.error);
    asked_free(&made);
}

static void listener_stops_the_replay(void **state)
{
    (void)state;
    asked made = {.stop_at = 2};
    ask_turn(&made, "talk-1", 1, text("yes"), true);
    assert_status(made.status, CONV_CANCELLED, made.error);
    assert_int_equal(made.count, 3);
    assert_bytes(made.messages[2].content, "It is ");
    asked_free(&made);
}

static void one_transcript_will_do(void **state)
{
    (void)state;
    conv_error error = CONV_ERROR_INIT;
    conv_transcript *transcript = NULL;
    conv_provider *recorded = NULL;
    const conv_message yes = {.role = CONV_ROLE_USER, .content = conv_text("yes")};
    assert_ok(conv_transcript_parse(conv_text(second_line), &transcript, &error), error);
    assert_ok(conv_provider_recorded_transcript(transcript, &recorded, &error), error);
    conv_provider_request request = ask_request(false);
    request.messages = &yes;
    asked made = {0};
    ask(&made, recorded, &request);
    assert_ok(made.status, made.error);
    assert_bytes(made.messages[0].content, "Another one.");
    asked_free(&made);
    conv_provider_free(recorded);
    assert_string_equal(conv_transcript_id(transcript), "talk-2"); /* borrowed, not taken */
    conv_transcript_free(transcript);
}

static void bad_recordings_are_told(void **state)
{
    (void)state;
    conv_error error = CONV_ERROR_INIT;
    conv_provider *recorded = NULL;
    assert_status(conv_provider_recorded("/nonexistent/file.jsonl", &recorded, &error),
                  CONV_NOT_FOUND, error);
    write_file("{\"messages\": [{\"role\": \"user\", \"content\": \"x\"}]}\n{\"messages\": [\n");
    assert_status(conv_provider_recorded(path, &recorded, &error), CONV_BAD_DATA, error);
    if (strstr(error.message, "line 2") == NULL) fail_msg("%s", error.message);
    assert_null(recorded);
    unlink(path);
    write_file("");
    assert_ok(conv_provider_recorded(path, &recorded, &error), error);
    conv_provider_free(recorded);
    unlink(path);
}

static conv_status replay(void *context)
{
    (void)context;
    const conv_message yes = {.role = CONV_ROLE_USER, .content = conv_text("yes")};
    conv_provider *recorded = NULL;
    conv_provider_response *response = NULL;
    conv_provider_request request = ask_request(true);
    request.messages = &yes;
    conv_status status = conv_provider_recorded(path, &recorded, NULL);
    if (status == CONV_OK) status = conv__provider_response_create(NULL, NULL, &response);
    if (status == CONV_OK)
        status = recorded->functions->complete(recorded, &request, response, NULL);
    conv__provider_response_free(response);
    conv_provider_free(recorded);
    return status;
}

static void every_failing_allocation_is_told(void **state)
{
    (void)state;
    assert_true(failing_memory_run(replay, NULL) > 12);
}

int main(void)
{
#define WITH_RECORDING(test)                                                                       \
    cmocka_unit_test_setup_teardown(test, write_recording, remove_recording)
    const struct CMUnitTest tests[] = {
        WITH_RECORDING(turn_is_found_by_its_id),
        WITH_RECORDING(whole_turn_is_replayed),
        WITH_RECORDING(text_without_blanks_is_cut_between_characters),
        WITH_RECORDING(turn_is_found_by_its_question),
        WITH_RECORDING(question_without_an_answer_stays_without),
        WITH_RECORDING(what_was_not_recorded_is_refused),
        WITH_RECORDING(listener_stops_the_replay),
        cmocka_unit_test(one_transcript_will_do),
        cmocka_unit_test(bad_recordings_are_told),
        WITH_RECORDING(every_failing_allocation_is_told),
    };
    return RUN_TESTS("recorded", tests);
}
