/* The shared real conversations: each line read and written again is the same conversation, byte
 * for byte in its texts and tool calls; judged by jansson, which shares no code with the library.
 */
#include <dirent.h>
#include <jansson.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "conversation/transcript.h"
#include "core/buffer.h"
#include "core/json.h"
#include "support/test.h"

static char folder[4096];

/* Where the shared conversations are, or NULL. */
static const char *data_folder(void)
{
    const char *named = getenv("CONVERSATION_SHARED_DATA");
    struct stat found;
    snprintf(folder, sizeof folder, "%s",
             named != NULL ? named : TEST_SOURCE_DIR "/../shared/data");
    return stat(folder, &found) == 0 ? folder : NULL;
}

static json_t *load(const char *text, size_t size)
{
    json_error_t error;
    json_t *loaded = json_loadb(text, size, JSON_ALLOW_NUL, &error);
    if (loaded == NULL) fail_msg("jansson: %s in %.80s", error.text, text);
    return loaded;
}

/* The line that the library writes for a transcript. */
static char *write_again(const conv_transcript *transcript, size_t *size)
{
    char *text = NULL;
    conv_error error;
    FILE *file = open_memstream(&text, size);
    assert_ok(conv_transcript_write_begin(file, conv_text(conv_transcript_id(transcript)),
                                          conv_text(conv_transcript_user(transcript)),
                                          conv_text(conv_transcript_model(transcript)), &error),
              error);
    const conv_message *messages = conv_transcript_messages(transcript);
    for (size_t i = 0; i < conv_transcript_message_count(transcript); i++) {
        assert_ok(conv_transcript_write_message(file, &messages[i], i == 0, &error), error);
    }
    assert_ok(conv_transcript_write_end(file, &error), error);
    fclose(file);
    return text;
}

/* The exact text of a member of each message of a line. */
static void assert_same_slices(conv_bytes before, conv_bytes after, const char *key)
{
    conv__json a = {0}, b = {0}, message_a, message_b;
    assert_true(conv__json_parse(before, &a, NULL));
    assert_true(conv__json_parse(after, &b, NULL));
    a = conv__json_get(a, "messages");
    b = conv__json_get(b, "messages");
    size_t position_a = 0, position_b = 0;
    while (conv__json_next(a, &position_a, NULL, &message_a)) {
        assert_true(conv__json_next(b, &position_b, NULL, &message_b));
        assert_true(conv_bytes_equal(conv__json_get(message_a, key).text,
                                     conv__json_get(message_b, key).text));
    }
    assert_false(conv__json_next(b, &position_b, NULL, &message_b));
}

/* What the library read is what jansson reads. */
static void assert_same_texts(const conv_transcript *transcript, const json_t *line)
{
    const json_t *list = json_object_get(line, "messages");
    const conv_message *messages = conv_transcript_messages(transcript);
    assert_int_equal(json_array_size(list), conv_transcript_message_count(transcript));
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *object = json_array_get(list, i);
        const json_t *content = json_object_get(object, "content");
        assert_string_equal(json_string_value(json_object_get(object, "role")),
                            conv_role_name(messages[i].role));
        assert_int_equal(json_is_string(content), messages[i].content.data != NULL);
        if (json_is_string(content))
            assert_true(
                conv_bytes_equal(messages[i].content, conv_view(json_string_value(content),
                                                                json_string_length(content))));
        assert_int_equal(json_object_get(object, "tool_calls") != NULL,
                         messages[i].tool_calls.data != NULL);
    }
}

static void check_turns(const conv_transcript *transcript)
{
    conv_transcript_turn turn;
    size_t messages = 0;
    for (size_t i = 0; conv_transcript_turn_get(transcript, i, &turn); i++) {
        assert_ptr_equal(turn.messages, conv_transcript_messages(transcript) + messages);
        assert_int_equal(turn.messages[turn.request_count - 1].role, CONV_ROLE_USER);
        for (size_t k = 0; k < turn.reply_count; k++) {
            assert_int_not_equal(turn.messages[turn.request_count + k].role, CONV_ROLE_USER);
        }
        messages += turn.request_count + turn.reply_count;
    }
    assert_int_equal(messages, conv_transcript_message_count(transcript));
}

static void check_line(const conv_transcript *transcript, conv_bytes line)
{
    json_t *before = load(line.data, line.size);
    assert_string_equal(conv_transcript_id(transcript),
                        json_string_value(json_object_get(before, "id")));
    assert_same_texts(transcript, before);
    check_turns(transcript);

    size_t size = 0;
    char *text = write_again(transcript, &size);
    assert_int_equal(text[size - 1], '\n');
    assert_null(memchr(text, '\n', size - 1));
    json_t *after = load(text, size);
    assert_true(json_equal(before, after));
    assert_same_slices(line, conv_view(text, size), "content");
    assert_same_slices(line, conv_view(text, size), "tool_calls");
    json_decref(before);
    json_decref(after);
    free(text);
}

static size_t check_file(const char *name)
{
    char path[8192];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *lines = fopen(path, "r");
    assert_non_null(lines);
    conv_transcript_reader *reader = NULL;
    conv_error error;
    assert_ok(conv_transcript_reader_open(path, &reader, &error), error);
    char *line = NULL;
    size_t capacity = 0, count = 0;
    for (;; count++) {
        conv_transcript *transcript = NULL;
        assert_ok(conv_transcript_reader_next(reader, &transcript, &error), error);
        ssize_t size = getline(&line, &capacity, lines);
        if (transcript == NULL) {
            assert_int_equal(size, -1);
            break;
        }
        assert_int_equal(conv_transcript_reader_number(reader), count + 1);
        check_line(transcript, conv_view(line, (size_t)size));
        conv_transcript_free(transcript);
    }
    assert_int_equal(conv_transcript_reader_offset(reader), conv_transcript_reader_size(reader));
    conv_transcript_reader_close(reader);
    free(line);
    fclose(lines);
    return count;
}

static void the_shared_conversations_come_back_byte_for_byte(void **state)
{
    (void)state;
    if (data_folder() == NULL) {
        print_message("the shared conversations are not at %s: nothing was compared\n", folder);
        skip();
    }
    DIR *directory = opendir(folder);
    assert_non_null(directory);
    size_t conversations = 0;
    for (struct dirent *entry; (entry = readdir(directory)) != NULL;) {
        const char *dot = strrchr(entry->d_name, '.');
        if (dot != NULL && strcmp(dot, ".jsonl") == 0) conversations += check_file(entry->d_name);
    }
    closedir(directory);
    print_message("%zu conversations compared\n", conversations);
    assert_true(conversations > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_shared_conversations_come_back_byte_for_byte),
    };
    return RUN_TESTS("transcript data", tests);
}
