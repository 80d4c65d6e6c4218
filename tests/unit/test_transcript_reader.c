/* Files of transcripts: lines and arrays, bad ones among good ones, from files and pipes. */
#include "conversation/transcript.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "support/failing_memory.h"
#include "support/test.h"

#define TALK(id) "{\"id\":\"" id "\",\"messages\":[{\"role\":\"user\",\"content\":\"[,]}\\\"{\"}]}"

static char path[64];

static const char *file_with(const char *data, size_t size)
{
    snprintf(path, sizeof path, "/tmp/conversation-test-XXXXXX");
    int file = mkstemp(path);
    assert_true(file >= 0);
    assert_int_equal(write(file, data, size), size);
    close(file);
    return path;
}

/* Reads everything: "id@number" for each conversation, "!message" for each error; static. */
static const char *read_all(conv_transcript_reader *reader)
{
    static char text[4096];
    size_t used = 0;
    text[0] = '\0';
    for (int calls = 0; calls < 100; calls++) {
        conv_transcript *transcript = NULL;
        conv_error error;
        conv_status status = conv_transcript_reader_next(reader, &transcript, &error);
        if (status == CONV_OK && transcript == NULL) return text;
        used += status == CONV_OK ? (size_t)snprintf(text + used, sizeof text - used, "%s@%zu ",
                                                     conv_transcript_id(transcript),
                                                     conv_transcript_reader_number(reader))
                                  : (size_t)snprintf(text + used, sizeof text - used, "!%s: %s ",
                                                     conv_status_name(status), error.message);
        conv_transcript_free(transcript);
    }
    fail_msg("no end: %s", text);
    return text;
}

static void assert_reads(const char *data, const char *wanted)
{
    conv_transcript_reader *reader = NULL;
    conv_error error;
    assert_ok(conv_transcript_reader_open(file_with(data, strlen(data)), &reader, &error), error);
    assert_int_equal(conv_transcript_reader_number(reader), 0);
    assert_int_equal(conv_transcript_reader_size(reader), strlen(data));
    assert_string_equal(read_all(reader), wanted);
    assert_string_equal(read_all(reader), "");
    assert_int_equal(conv_transcript_reader_offset(reader), strlen(data));
    conv_transcript_reader_close(reader);
    unlink(path);
}

static void lines_are_read_one_by_one(void **state)
{
    (void)state;
    assert_reads("", "");
    assert_reads(" \n\r\n\t", "");
    assert_reads(TALK("a"), "a@1 ");
    assert_reads(TALK("a") "\n", "a@1 ");
    assert_reads("\n\n" TALK("a") "\r\n \n  " TALK("b") "\n\n", "a@3 b@5 ");
    assert_reads("\xEF\xBB\xBF" TALK("a") "\n" TALK("b"), "a@1 b@2 ");
}

static void a_bad_line_is_named_and_the_rest_goes_on(void **state)
{
    (void)state;
    assert_reads(TALK("a") "\n{\"id\":\n\n[]\n" TALK("b") " x\n" TALK("c") "\n{}",
                 "a@1 !BAD_DATA: line 2: not JSON at byte 6 "
                 "!BAD_DATA: line 4: not a JSON object "
                 "!BAD_DATA: line 5: not JSON at byte 60 c@6 "
                 "!BAD_DATA: line 7: no messages in the object at byte 0 ");
    assert_reads("\xEF\xBB" TALK("a") "\n" TALK("b"), "a@1 b@2 ");
    assert_reads("nonsense", "!BAD_DATA: line 1: not JSON at byte 1 ");
}

static void arrays_are_read_one_by_one(void **state)
{
    (void)state;
    assert_reads("[]", "");
    assert_reads(" \n[ \n ] \n", "");
    assert_reads("[" TALK("a") "]", "a@1 ");
    assert_reads("[\n" TALK("a") "\n,\n" TALK("b") " , " TALK("c") "\n]\n", "a@1 b@2 c@3 ");
    assert_reads("[" TALK("a") ",]", "a@1 ");
    assert_reads(
        "[{\"conversation_id\":\"t\",\"mapping\":{\"n\":{\"message\":{\"author\":{\"role\":"
        "\"user\"},\"content\":{\"parts\":[\"x\"]}}}}}]",
        "t@1 ");
}

static void a_bad_conversation_of_an_array_is_named(void **state)
{
    (void)state;
    assert_reads("[" TALK("a") ", 5, {\"x\" 1}, ,[1,[2]], " TALK("b") "]",
                 "a@1 !BAD_DATA: conversation 2: not a JSON object "
                 "!BAD_DATA: conversation 3: not JSON at byte 5 "
                 "!BAD_DATA: conversation 4: not JSON at byte 0 "
                 "!BAD_DATA: conversation 5: not a JSON object b@6 ");
    assert_reads("[" TALK("a") ", {\"id\": [",
                 "a@1 !BAD_DATA: conversation 2: the file ends inside the array ");
    assert_reads("[" TALK("a") ",",
                 "a@1 !BAD_DATA: conversation 2: the file ends inside the array ");
    assert_reads("[", "!BAD_DATA: conversation 1: the file ends inside the array ");
}

static void text_behind_an_array_is_said(void **state)
{
    (void)state;
    conv_transcript_reader *reader = NULL;
    conv_error error;
    static const char data[] = "[" TALK("a") "\n]\n" TALK("b");
    assert_ok(conv_transcript_reader_open(file_with(data, strlen(data)), &reader, &error), error);
    assert_string_equal(read_all(reader), "a@1 !BAD_DATA: line 3: text behind the array ");
    assert_string_equal(read_all(reader), "");
    conv_transcript_reader_close(reader);
    unlink(path);
}

/* A conversation may be cut anywhere by the pieces in which the file is read. */
static void pieces_of_the_file_are_put_together(void **state)
{
    (void)state;
    for (int is_array = 0; is_array < 2; is_array++) {
        char *data = NULL;
        size_t size;
        FILE *file = open_memstream(&data, &size);
        if (is_array) fputc('[', file);
        for (int i = 0; i < 40; i++) {
            fprintf(file, "%s{\"id\":\"%d\",\"messages\":[{\"role\":\"user\",\"content\":\"",
                    i == 0     ? ""
                    : is_array ? ","
                               : "\n",
                    i);
            for (int k = 0; k < 3000 + i; k++) {
                fprintf(file, "\\\"]");
            }
            fprintf(file, "\"}]}");
        }
        if (is_array) fputc(']', file);
        fclose(file);
        conv_transcript_reader *reader = NULL;
        conv_error error;
        assert_ok(conv_transcript_reader_open(file_with(data, size), &reader, &error), error);
        for (int i = 0; i < 40; i++) {
            conv_transcript *transcript = NULL;
            assert_ok(conv_transcript_reader_next(reader, &transcript, &error), error);
            assert_int_equal(atol(conv_transcript_id(transcript)), i);
            assert_int_equal(conv_transcript_messages(transcript)->content.size, 2 * (3000 + i));
            conv_transcript_free(transcript);
        }
        assert_string_equal(read_all(reader), "");
        conv_transcript_reader_close(reader);
        unlink(path);
        free(data);
    }
}

static void standard_input_is_read(void **state)
{
    (void)state;
    int ends[2];
    int saved = dup(STDIN_FILENO);
    assert_int_equal(pipe(ends), 0);
    static const char data[] = TALK("a") "\n" TALK("b") "\n";
    assert_int_equal(write(ends[1], data, sizeof data - 1), sizeof data - 1);
    close(ends[1]);
    dup2(ends[0], STDIN_FILENO);
    close(ends[0]);
    conv_transcript_reader *reader = NULL;
    conv_error error;
    assert_ok(conv_transcript_reader_open("-", &reader, &error), error);
    assert_int_equal(conv_transcript_reader_size(reader), -1);
    assert_string_equal(read_all(reader), "a@1 b@2 ");
    conv_transcript_reader_close(reader);
    dup2(saved, STDIN_FILENO);
    close(saved);
}

static void files_that_can_not_be_opened_are_said(void **state)
{
    (void)state;
    conv_transcript_reader *reader = NULL;
    conv_error error;
    assert_status(conv_transcript_reader_open("/nowhere/x.jsonl", &reader, &error), CONV_NOT_FOUND,
                  error);
    assert_string_equal(error.message, "/nowhere/x.jsonl: no such file");
    assert_null(reader);
    assert_status(conv_transcript_reader_open("/dev/null/x", &reader, &error), CONV_NOT_FOUND,
                  error);
    assert_status(conv_transcript_reader_open("/tmp", &reader, &error), CONV_INVALID_ARGUMENT,
                  error);
    assert_string_equal(error.message, "/tmp: a folder, not a file");
    assert_status(conv_transcript_reader_open(NULL, &reader, &error), CONV_INVALID_ARGUMENT, error);
    assert_ok(conv_transcript_reader_open("/dev/null", &reader, &error), error);
    assert_string_equal(read_all(reader), "");
    conv_transcript_reader_close(reader);
    conv_transcript_reader_close(NULL);
    if (geteuid() != 0) {
        chmod(file_with("x", 1), 0);
        assert_status(conv_transcript_reader_open(path, &reader, &error), CONV_PERMISSION, error);
        unlink(path);
    }
}

static void an_error_while_reading_is_said_once(void **state)
{
    (void)state;
    /* Reading the memory of this process at address 0 gives EIO. */
    conv_transcript_reader *reader = NULL;
    conv_error error;
    assert_ok(conv_transcript_reader_open("/proc/self/mem", &reader, &error), error);
    assert_string_equal(read_all(reader), "!UNAVAILABLE: line 1: the system answers error 5 ");
    conv_transcript_reader_close(reader);
}

static conv_status read_file(void *context)
{
    conv_transcript_reader *reader = NULL;
    conv_error error;
    conv_status status = conv_transcript_reader_open(context, &reader, &error);
    if (status != CONV_OK) return status;
    int read = 0;
    for (int calls = 0; calls < 3; calls++) {
        conv_transcript *transcript = NULL;
        conv_status next = conv_transcript_reader_next(reader, &transcript, &error);
        if (next != CONV_OK) status = next;
        if (transcript != NULL) read++;
        conv_transcript_free(transcript);
    }
    if (status == CONV_OK) assert_int_equal(read, 2);
    conv_transcript_reader_close(reader);
    return status;
}

static void failing_allocations_are_said(void **state)
{
    (void)state;
    static const char data[] = TALK("a") "\n" TALK("b") "\n";
    char *name = (char *)(uintptr_t)file_with(data, sizeof data - 1);
    assert_in_range(failing_memory_run(read_file, name), 5, 40);
    unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_are_read_one_by_one),
        cmocka_unit_test(a_bad_line_is_named_and_the_rest_goes_on),
        cmocka_unit_test(arrays_are_read_one_by_one),
        cmocka_unit_test(a_bad_conversation_of_an_array_is_named),
        cmocka_unit_test(text_behind_an_array_is_said),
        cmocka_unit_test(pieces_of_the_file_are_put_together),
        cmocka_unit_test(standard_input_is_read),
        cmocka_unit_test(files_that_can_not_be_opened_are_said),
        cmocka_unit_test(an_error_while_reading_is_said_once),
        cmocka_unit_test(failing_allocations_are_said),
    };
    return RUN_TESTS("transcript reader", tests);
}
