#include "support/transcripts.h"

#include <stdlib.h>

#include "support/test.h"

conv_transcript *transcript_of(const char *line)
{
    conv_transcript *transcript = NULL;
    conv_error error;
    assert_ok(conv_transcript_parse(conv_text(line), &transcript, &error), error);
    assert_non_null(transcript);
    return transcript;
}

void assert_no_transcript(const char *line, const char *message)
{
    conv_transcript *transcript = (conv_transcript *)(void *)&transcript;
    conv_error error;
    conv_status status = conv_transcript_parse(conv_text(line), &transcript, &error);
    if (status != CONV_BAD_DATA) fail_msg("%s: %s", conv_status_name(status), line);
    assert_null(transcript);
    assert_string_equal(error.message, message);
}

char *transcript_written(const conv_transcript *transcript, size_t *size)
{
    char *text = NULL;
    size_t written;
    conv_error error;
    FILE *file = open_memstream(&text, &written);
    assert_non_null(file);
    assert_ok(conv_transcript_write_begin(file, conv_text(conv_transcript_id(transcript)),
                                          conv_text(conv_transcript_user(transcript)),
                                          conv_text(conv_transcript_model(transcript)), &error),
              error);
    const conv_message *messages = conv_transcript_messages(transcript);
    for (size_t i = 0; i < conv_transcript_message_count(transcript); i++) {
        assert_ok(conv_transcript_write_message(file, &messages[i], i == 0, &error), error);
    }
    assert_ok(conv_transcript_write_end(file, &error), error);
    assert_int_equal(fclose(file), 0);
    if (size != NULL) *size = written;
    return text;
}

const char *transcript_texts(const conv_transcript *transcript)
{
    static char text[4096];
    size_t used = 0;
    text[0] = '\0';
    const conv_message *messages = conv_transcript_messages(transcript);
    for (size_t i = 0; i < conv_transcript_message_count(transcript); i++) {
        const char *content = messages[i].content.data;
        used += (size_t)snprintf(text + used, sizeof text - used, "%s%s:%s", i == 0 ? "" : "|",
                                 conv_role_name(messages[i].role), content == NULL ? "-" : content);
    }
    return text;
}
