/* Transcripts: reading a line, its turns, and writing it again byte for byte. */
#include "conversation/transcript.h"

#include <stdlib.h>

#include "support/failing_memory.h"
#include "support/test.h"
#include "support/transcripts.h"

static void a_line_is_read(void **state)
{
    (void)state;
    conv_transcript *transcript = transcript_of(
        "{\"id\": \"support-42\", \"user\": \"customer-0\", \"model\": \"gpt-4o\", \"other\": [1],"
        " \"messages\": [{\"role\": \"system\", \"content\": \"Be kind.\"},"
        " {\"content\": \"Gr\\u00fc\\u00df\\u0000\\ud800\", \"role\": \"user\", \"name\": \"Ann\"},"
        " {\"role\": \"assistant\", \"content\": null, \"tool_calls\": [ {\"id\" : \"c1\"} ]},"
        " {\"role\": \"tool\", \"tool_call_id\": \"c1\", \"name\": \"find\", \"content\": \"\"},"
        " {\"role\": \"developer\", \"content\": [{\"type\":\"text\",\"text\":\"x\"} ]}]}");
    assert_string_equal(conv_transcript_id(transcript), "support-42");
    assert_string_equal(conv_transcript_user(transcript), "customer-0");
    assert_string_equal(conv_transcript_model(transcript), "gpt-4o");
    assert_int_equal(conv_transcript_message_count(transcript), 5);
    const conv_message *messages = conv_transcript_messages(transcript);
    assert_int_equal(messages[0].role, CONV_ROLE_SYSTEM);
    assert_bytes(messages[0].content, "Be kind.");
    assert_int_equal(messages[1].content.size, 10);
    assert_memory_equal(messages[1].content.data, "Gr\xc3\xbc\xc3\x9f\0\xed\xa0\x80", 11);
    assert_bytes(messages[1].name, "Ann");
    assert_null(messages[2].content.data);
    assert_bytes(messages[2].tool_calls, "[ {\"id\" : \"c1\"} ]");
    assert_bytes(messages[3].content, "");
    assert_bytes(messages[3].tool_call_id, "c1");
    assert_bytes(messages[3].name, "find");
    assert_int_equal(messages[4].role, CONV_ROLE_DEVELOPER);
    assert_null(messages[4].content.data);
    assert_bytes(messages[4].parts, "[{\"type\":\"text\",\"text\":\"x\"} ]");
    conv_transcript_free(transcript);
    conv_transcript_free(NULL);
}

/* OpenAI's own JSON Lines have no id. */
static void the_same_conversation_gets_the_same_id(void **state)
{
    (void)state;
    static const char line[] = "{\"messages\": [{\"role\": \"user\", \"content\": \"hi\"}]}";
    static const char with_line_end[] =
        " {\"messages\": [{\"role\": \"user\", \"content\": \"hi\"}]}\r\n";
    static const char other[] = "{\"messages\": [{\"role\": \"user\", \"content\": \"ho\"}]}";
    conv_transcript *transcript = transcript_of(line);
    /* "import-" and hashlib.sha256(line).hexdigest()[:32] in Python. */
    assert_string_equal(conv_transcript_id(transcript), "import-44d291b4074f69ac79453f989636416e");
    assert_null(conv_transcript_user(transcript));
    assert_null(conv_transcript_model(transcript));
    conv_transcript *again = transcript_of(with_line_end);
    assert_string_equal(conv_transcript_id(again), conv_transcript_id(transcript));
    conv_transcript *different = transcript_of(other);
    assert_string_not_equal(conv_transcript_id(different), conv_transcript_id(transcript));
    conv_transcript_free(transcript);
    conv_transcript_free(again);
    conv_transcript_free(different);
}

static void ids_may_be_numbers_or_empty(void **state)
{
    (void)state;
    conv_transcript *transcript = transcript_of(
        "{\"id\": 12345678901234567890.50, \"user\": 7, \"messages\": [{\"role\": \"user\"}]}");
    assert_string_equal(conv_transcript_id(transcript), "12345678901234567890.50");
    assert_string_equal(conv_transcript_user(transcript), "7");
    conv_transcript_free(transcript);
    transcript =
        transcript_of("{\"id\": \"\", \"user\": null, \"messages\": [{\"role\": \"user\"}]}");
    assert_string_equal(conv_transcript_id(transcript), "");
    assert_null(conv_transcript_user(transcript));
    conv_transcript_free(transcript);
}

static void bad_lines_are_refused_with_the_reason(void **state)
{
    (void)state;
    static const char *const table[][2] = {
        {"", "not JSON at byte 0"},
        {"{\"messages\": [}", "not JSON at byte 14"},
        {"[]", "not a JSON object"},
        {"\"x\"", "not a JSON object"},
        {"{}", "no messages in the object at byte 0"},
        {" {\"messages\": []}", "no messages in the object at byte 1"},
        {"{\"messages\": null}", "no messages in the object at byte 0"},
        {"{\"messages\": {\"role\": \"user\"}}", "no messages in the object at byte 0"},
        {"{\"messages\": [1]}", "a message is not an object at byte 14"},
        {"{\"messages\": [{\"content\": \"x\"}]}", "a message without a known role at byte 14"},
        {"{\"messages\": [{\"role\": \"user\"}, {\"role\": \"robot\"}]}",
         "a message without a known role at byte 32"},
        {"{\"messages\": [{\"role\": null, \"from\": \"user\"}]}",
         "a message without a known role at byte 14"},
        {"{\"messages\": [{\"role\": \"none\"}]}", "a message without a known role at byte 14"},
        {"{\"messages\": [{\"role\": \"user\", \"content\": 5}]}",
         "\"content\" is not a string at byte 42"},
        {"{\"messages\": [{\"role\": \"user\", \"tool_calls\": {}}]}",
         "\"tool_calls\" is not an array at byte 45"},
        {"{\"messages\": [{\"role\": \"user\", \"name\": [\"x\"]}]}",
         "\"name\" is not a string at byte 39"},
        {"{\"messages\": [{\"role\": \"user\", \"content_base64\": \"=\"}]}",
         "\"content\" is not Base64 at byte 49"},
        {"{\"messages\": [{\"role\": \"user\", \"content_base64\": 5}]}",
         "\"content\" is not Base64 at byte 49"},
        {"{\"id\": \"a\\u0000b\", \"messages\": [{\"role\": \"user\"}]}",
         "an id with a NUL at byte 7"},
        {"{\"id\": [], \"messages\": [{\"role\": \"user\"}]}", "\"id\" is not a string at byte 7"},
        {"{\"usage\": [5], \"messages\": [{\"role\": \"user\"}]}",
         "an entry of usage is not an object at byte 11"},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        assert_no_transcript(table[i][0], table[i][1]);
    }
}

#define U "{\"role\":\"user\"}"
#define A "{\"role\":\"assistant\"}"
#define S "{\"role\":\"system\"}"
#define D "{\"role\":\"developer\"}"
#define T "{\"role\":\"tool\"}"

static void turns_begin_with_the_user(void **state)
{
    (void)state;
    static const struct {
        const char *messages;
        size_t turns[4][2]; /* request, reply; ends with zeros */
    } table[] = {
        {U, {{1, 0}}},
        {U "," A, {{1, 1}}},
        {S "," U "," A "," U "," A, {{2, 1}, {1, 1}}},
        {S "," D "," U "," A "," T "," A "," U, {{3, 3}, {1, 0}}},
        {U "," U "," A, {{1, 0}, {1, 1}}},
        {A "," U "," A, {{2, 1}}},
        {U "," A "," S "," U "," A, {{1, 2}, {1, 1}}},
        {S, {{1, 0}}},
        {S "," D "," A "," A, {{2, 2}}},
        {A "," A, {{1, 1}}},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        char line[512];
        snprintf(line, sizeof line, "{\"messages\":[%s]}", table[i].messages);
        conv_transcript *transcript = transcript_of(line);
        conv_transcript_turn turn;
        size_t index = 0, first = 0;
        for (; table[i].turns[index][0] > 0; index++) {
            assert_true(conv_transcript_turn_get(transcript, index, &turn));
            assert_ptr_equal(turn.messages, conv_transcript_messages(transcript) + first);
            assert_int_equal(turn.request_count, table[i].turns[index][0]);
            assert_int_equal(turn.reply_count, table[i].turns[index][1]);
            assert_int_equal(turn.usage.input_tokens, CONV_UNKNOWN);
            first += turn.request_count + turn.reply_count;
        }
        assert_int_equal(first, conv_transcript_message_count(transcript));
        assert_int_equal(conv_transcript_turn_count(transcript), index);
        assert_false(conv_transcript_turn_get(transcript, index, &turn));
        conv_transcript_free(transcript);
    }
}

static void usage_belongs_to_its_turn(void **state)
{
    (void)state;
    conv_transcript *transcript = transcript_of(
        "{\"messages\":[" U "," A "," U "," A "," U "," A "," U "," A "],\"usage\":["
        "{\"prompt_tokens\": 12, \"completion_tokens\": 5, \"total_tokens\": 17,"
        " \"prompt_tokens_details\": {\"cached_tokens\": 3}}, null, {\"prompt_tokens\": 1}]}");
    conv_transcript_turn turn;
    assert_true(conv_transcript_turn_get(transcript, 0, &turn));
    assert_int_equal(turn.usage.input_tokens, 12);
    assert_int_equal(turn.usage.output_tokens, 5);
    assert_int_equal(turn.usage.total_tokens, 17);
    assert_int_equal(turn.usage.cache_read_tokens, 3);
    assert_int_equal(turn.usage.reasoning_tokens, CONV_UNKNOWN);
    assert_non_null(turn.usage.raw.data);
    assert_true(conv_transcript_turn_get(transcript, 1, &turn));
    assert_int_equal(turn.usage.input_tokens, CONV_UNKNOWN);
    assert_null(turn.usage.raw.data);
    assert_true(conv_transcript_turn_get(transcript, 2, &turn));
    assert_int_equal(turn.usage.input_tokens, 1);
    assert_int_equal(turn.usage.output_tokens, CONV_UNKNOWN);
    assert_true(conv_transcript_turn_get(transcript, 3, &turn));
    assert_int_equal(turn.usage.input_tokens, CONV_UNKNOWN);
    conv_transcript_free(transcript);
}

/* uuid5(uuid5(NAMESPACE_DNS, id), "turn/<n>") in Python. */
static void turn_ids_derive_from_the_conversation(void **state)
{
    (void)state;
    char id[CONV_TURN_ID_SIZE];
    conv_transcript_turn_id("airline-task-0-trial-0", 1, id);
    assert_string_equal(id, "9aa7486e-20ec-531d-b229-aa43a39bd147");
    conv_transcript_turn_id("airline-task-0-trial-0", 12, id);
    assert_string_equal(id, "5adec618-d80c-571a-8600-7b1bd3f2d745");
}

static void lines_are_written_as_python_does(void **state)
{
    (void)state;
    static const char *const lines[] = {
        "{\"id\": \"a\", \"messages\": [{\"role\": \"user\", \"content\": \"x\"}]}\n",
        "{\"id\": \"a\", \"user\": \"u\", \"model\": \"m\", \"messages\": ["
        "{\"role\": \"system\", \"content\": \"\"}, {\"role\": \"user\", \"content\": null}, "
        "{\"role\": \"assistant\", \"content\": null, \"tool_calls\": [{\"id\":\"c1\", \"b\" : "
        "1.50,"
        "\"a\":\"\\u00e4\\/\"} ]}, "
        "{\"role\": \"tool\", \"content\": \"\\\"\\\\/\\b\\f\\n\\r\\t\\u0001\\u001f\x7f\xc3\xa4"
        "\xf0\x9f\x98\x80\", \"tool_call_id\": \"c1\", \"name\": \"find\"}, "
        "{\"role\": \"developer\", \"content\": [ {\"type\":\"text\"} ]}]}\n",
        "{\"id\": \"\xc3\xa4\\n\", \"messages\": [{\"role\": \"user\", "
        "\"content\": \"\\u0000\\ud800x\\udc00\"}]}\n",
        "{\"id\": \"a\", \"messages\": [{\"role\": \"user\", \"content\": null, "
        "\"content_base64\": \"Yf9i\", \"name\": null, \"name_base64\": \"gA==\"}]}\n",
        "{\"id\": null, \"id_base64\": \"/w==\", \"messages\": [{\"role\": \"user\", "
        "\"content\": \"x\"}]}\n",
    };
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        conv_transcript *transcript = transcript_of(lines[i]);
        char *written = transcript_written(transcript, NULL);
        assert_string_equal(written, lines[i]);
        free(written);
        conv_transcript_free(transcript);
    }
}

/* Reading gives the bytes, whatever they are, and writing keeps them. */
static void any_bytes_come_back(void **state)
{
    (void)state;
    static const char *const pieces[] = {
        "a",        "\"",           "\\",           "\0",   "\n",
        "\xc3\xa4", "\xed\xa0\xbd", "\xed\xb8\x80", "\xff", "\xf0\x9f\x98\x80",
        "\xf0\x9f"};
    static const size_t sizes[] = {1, 1, 1, 1, 1, 2, 3, 3, 1, 4, 2};
    uint64_t seed = 99;
    for (int round = 0; round < 2000; round++) {
        char bytes[64];
        size_t size = 0;
        for (unsigned i = 0; i < (unsigned)round % 7; i++) {
            seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407;
            size_t piece = (size_t)(seed >> 33) % (sizeof sizes / sizeof sizes[0]);
            memcpy(bytes + size, pieces[piece], sizes[piece]);
            size += sizes[piece];
        }
        conv_message message = {.role = CONV_ROLE_USER,
                                .content = conv_view(bytes, size),
                                .name = conv_view(bytes, size),
                                .tool_call_id = conv_view(bytes, size)};
        char *text = NULL;
        size_t written;
        conv_error error;
        FILE *file = open_memstream(&text, &written);
        assert_ok(conv_transcript_write_begin(file, conv_text("x"), conv_text(NULL),
                                              conv_text(NULL), &error),
                  error);
        assert_ok(conv_transcript_write_message(file, &message, true, &error), error);
        assert_ok(conv_transcript_write_end(file, &error), error);
        fclose(file);
        conv_transcript *transcript = NULL;
        assert_ok(conv_transcript_parse(conv_view(text, written), &transcript, &error), error);
        const conv_message *read = conv_transcript_messages(transcript);
        assert_true(conv_bytes_equal(read->content, message.content));
        assert_true(conv_bytes_equal(read->name, message.name));
        assert_true(conv_bytes_equal(read->tool_call_id, message.tool_call_id));
        conv_transcript_free(transcript);
        free(text);
    }
}

static void a_line_stays_one_line(void **state)
{
    (void)state;
    conv_transcript *transcript = transcript_of(
        "{\"id\":\"a\",\n\"messages\":[\n{\"role\":\"user\",\"content\":[\n1,\r\n\"\\n\"]}]}");
    assert_bytes(conv_transcript_messages(transcript)->parts, "[\n1,\r\n\"\\n\"]");
    char *written = transcript_written(transcript, NULL);
    assert_string_equal(written, "{\"id\": \"a\", \"messages\": [{\"role\": \"user\", "
                                 "\"content\": [ 1,  \"\\n\"]}]}\n");
    free(written);
    conv_transcript_free(transcript);
}

static void a_full_disk_is_said(void **state)
{
    (void)state;
    FILE *full = fopen("/dev/full", "w");
    assert_non_null(full);
    conv_error error;
    conv_status status =
        conv_transcript_write_begin(full, conv_text("a"), conv_text(NULL), conv_text(NULL), &error);
    if (status == CONV_OK) status = conv_transcript_write_end(full, &error);
    assert_int_equal(status, CONV_UNAVAILABLE);
    assert_string_equal(error.message, "the file can't be written; is the disk full?");
    fclose(full);
}

static conv_status read_and_write(void *context)
{
    static const char line[] =
        "{\"user\":\"u\",\"messages\":[" S ",{\"role\":\"user\",\"content_base64\":\"/w==\"},"
        "{\"role\":\"assistant\",\"content\":[1],\"tool_calls\":[2]}],\"usage\":[{\"prompt_"
        "tokens\":1}]}";
    conv_transcript *transcript = NULL;
    conv_error error;
    conv_status status = conv_transcript_parse(conv_text(line), &transcript, &error);
    if (status != CONV_OK) return status;
    const conv_message *messages = conv_transcript_messages(transcript);
    for (size_t i = 0; i < 3 && status == CONV_OK; i++) {
        status = conv_transcript_write_message(context, &messages[i], i == 0, &error);
    }
    conv_transcript_free(transcript);
    return status;
}

static void failing_allocations_are_said(void **state)
{
    (void)state;
    FILE *nowhere = fopen("/dev/null", "w");
    assert_in_range(failing_memory_run(read_and_write, nowhere), 6, 40);
    fclose(nowhere);
}

/* No cut and no changed byte may do more than be refused. */
static void damaged_lines_are_harmless(void **state)
{
    (void)state;
    static const char line[] =
        "{\"id\":\"\\u00e4\",\"messages\":[" S "," U ",{\"role\":\"tool\",\"content\":[1],"
        "\"name\":\"\\ud800\"}],\"usage\":[{\"prompt_tokens\":1}]}";
    static const char bytes[] = "\"\\[]{},:1eu \xff";
    for (size_t place = 0; place < sizeof line - 1; place++) {
        for (size_t i = 0; i < sizeof bytes; i++) {
            char *copy = malloc(sizeof line - 1);
            memcpy(copy, line, sizeof line - 1);
            copy[place] = bytes[i];
            conv_transcript *transcript = NULL;
            size_t size = i == 0 ? place : sizeof line - 1;
            conv_status status = conv_transcript_parse(conv_view(copy, size), &transcript, NULL);
            assert_true(status == CONV_OK || status == CONV_BAD_DATA);
            assert_int_equal(status == CONV_OK, transcript != NULL);
            free(copy);
            if (transcript != NULL) free(transcript_written(transcript, NULL));
            conv_transcript_free(transcript);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_is_read),
        cmocka_unit_test(the_same_conversation_gets_the_same_id),
        cmocka_unit_test(ids_may_be_numbers_or_empty),
        cmocka_unit_test(bad_lines_are_refused_with_the_reason),
        cmocka_unit_test(turns_begin_with_the_user),
        cmocka_unit_test(usage_belongs_to_its_turn),
        cmocka_unit_test(turn_ids_derive_from_the_conversation),
        cmocka_unit_test(lines_are_written_as_python_does),
        cmocka_unit_test(any_bytes_come_back),
        cmocka_unit_test(a_line_stays_one_line),
        cmocka_unit_test(a_full_disk_is_said),
        cmocka_unit_test(failing_allocations_are_said),
        cmocka_unit_test(damaged_lines_are_harmless),
    };
    return RUN_TESTS("transcript", tests);
}
