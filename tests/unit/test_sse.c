/* Server-sent events come out the same, wherever the wire cuts them. */
#include "core/buffer.h"
#include <stdlib.h>

#include "providers/sse.h"
#include "support/test.h"

typedef struct sse_sample {
    const char *stream;
    size_t size;        /* 0: up to the NUL */
    const char *events; /* each followed by '|' */
} sse_sample;

static const sse_sample samples[] = {
    {"data: one\n\ndata: two\n\n", 0, "one|two|"},
    {"data: one\r\n\r\ndata: two\r\n\r\n", 0, "one|two|"},
    {"data: one\r\rdata: two\r\r", 0, "one|two|"},
    {"data: one\r\ndata: two\r\n\r\n", 0, "one\ntwo|"},
    {"data: one\rdata: two\r\r", 0, "one\ntwo|"},
    {"data: one\n\r\ndata: two\r\n\n", 0, "one|two|"},
    {"data:no space\n\n", 0, "no space|"},
    {"data:  two spaces\n\n", 0, " two spaces|"},
    {"data: first\ndata: second\ndata:third\n\n", 0, "first\nsecond\nthird|"},
    {": ping\n\ndata: x\n: pong\n\n:\n\n", 0, "x|"},
    {"event: message\nid: 7\nretry: 10\ndata: x\n\n", 0, "x|"},
    {"data: x\n\n\n\n\ndata: y\n\n", 0, "x|y|"},
    {"data: no blank line at the end\n", 0, "no blank line at the end|"},
    {"data: no line end", 0, "no line end|"},
    {"data: no line end\r", 0, "no line end|"},
    {"data\n\n", 0, "|"},
    {"data:\n\n", 0, "|"},
    {"data:\ndata:\n\n", 0, "\n|"},
    {"database: x\ndat: y\n data: z\n\n", 0, ""},
    {"\xEF\xBB\xBF"
     "data: after a mark\n\n",
     0, "after a mark|"},
    {"data: \xEF\xBB\xBF\n\n", 0, "\xEF\xBB\xBF|"},
    {"data: J\xC3\xB6rg \xF0\x9F\x98\x80 \xE3\x81\x82\n\n", 0,
     "J\xC3\xB6rg \xF0\x9F\x98\x80 \xE3\x81\x82|"},
    {"data: a:b: c\n\n", 0, "a:b: c|"},
    {"\n\n\n", 0, ""},
    {"data: {\"a\": 1}\n\ndata: [DONE]\n\n", 0, "{\"a\": 1}|[DONE]|"},
    {"data: nul \0 here\n\n", 18, "nul \1 here|"}, /* \1 stands for the NUL */
};

static conv_bytes stream_of(const sse_sample *sample)
{
    return sample->size > 0 ? conv_view(sample->stream, sample->size) : conv_text(sample->stream);
}

static conv_status gather(void *context, conv_bytes data)
{
    conv__buffer *events = context;
    for (size_t i = 0; i < data.size; i++)
        conv__buffer_append(events, data.data[i] == '\0' ? "\1" : &data.data[i], 1);
    conv__buffer_append(events, "|", 1);
    return CONV_OK;
}

/* Feeds the stream cut at two places; pieces are copied to exact size, for the sanitizer to watch.
 */
static void feed_cut(conv_bytes stream, size_t first, size_t second, const char *wanted)
{
    conv__buffer events = {0};
    conv__sse sse = {.on_event = gather, .context = &events, .limit = 1000};
    const size_t cuts[] = {0, first, second, stream.size};
    for (int i = 0; i < 3; i++) {
        size_t size = cuts[i + 1] - cuts[i];
        char *piece = malloc(size + (size == 0));
        memcpy(piece, stream.data + cuts[i], size);
        assert_int_equal(conv__sse_feed(&sse, conv_view(piece, size)), CONV_OK);
        free(piece);
    }
    assert_int_equal(conv__sse_finish(&sse), CONV_OK);
    assert_bytes(conv__buffer_bytes(&events), wanted);
    conv__sse_free(&sse);
    conv__buffer_free(&events);
}

static void every_cut_gives_the_same_events(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof samples / sizeof samples[0]; i++) {
        conv_bytes stream = stream_of(&samples[i]);
        for (size_t first = 0; first <= stream.size; first++) {
            for (size_t second = first; second <= stream.size; second++)
                feed_cut(stream, first, second, samples[i].events);
        }
    }
}

static void single_bytes_give_the_same_events(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof samples / sizeof samples[0]; i++) {
        conv__buffer events = {0};
        conv__sse sse = {.on_event = gather, .context = &events, .limit = 1000};
        conv_bytes stream = stream_of(&samples[i]);
        for (size_t at = 0; at < stream.size; at++)
            assert_int_equal(conv__sse_feed(&sse, conv_view(stream.data + at, 1)), CONV_OK);
        assert_int_equal(conv__sse_finish(&sse), CONV_OK);
        assert_bytes(conv__buffer_bytes(&events), samples[i].events);
        conv__sse_free(&sse);
        conv__buffer_free(&events);
    }
}

static void long_line_is_refused(void **state)
{
    (void)state;
    conv__buffer events = {0};
    conv__sse sse = {.on_event = gather, .context = &events, .limit = 16};
    assert_int_equal(conv__sse_feed(&sse, conv_text("data: 0123456789")), CONV_OK);
    assert_int_equal(conv__sse_feed(&sse, conv_text("0")), CONV_LIMIT);
    conv__sse_free(&sse);
    conv__buffer_free(&events);
}

static void event_of_many_lines_is_bounded_too(void **state)
{
    (void)state;
    conv__buffer events = {0};
    conv__sse sse = {.on_event = gather, .context = &events, .limit = 16};
    conv_status status = CONV_OK;
    int lines = 0;
    while (status == CONV_OK && lines < 100) {
        status = conv__sse_feed(&sse, conv_text("data: 12345\n"));
        lines++;
    }
    assert_int_equal(status, CONV_LIMIT);
    assert_int_equal(lines, 3);
    assert_int_equal(events.size, 0);
    conv__sse_free(&sse);
    conv__buffer_free(&events);
}

static conv_status refuse_second(void *context, conv_bytes data)
{
    (void)data;
    return ++*(int *)context == 2 ? CONV_CANCELLED : CONV_OK;
}

static void refusal_of_an_event_ends_the_feeding(void **state)
{
    (void)state;
    int count = 0;
    conv__sse sse = {.on_event = refuse_second, .context = &count, .limit = 100};
    assert_int_equal(conv__sse_feed(&sse, conv_text("data: 1\n\ndata: 2\n\ndata: 3\n\n")),
                     CONV_CANCELLED);
    assert_int_equal(count, 2);
    conv__sse_free(&sse);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_cut_gives_the_same_events),
        cmocka_unit_test(single_bytes_give_the_same_events),
        cmocka_unit_test(long_line_is_refused),
        cmocka_unit_test(event_of_many_lines_is_bounded_too),
        cmocka_unit_test(refusal_of_an_event_ends_the_feeding),
    };
    return RUN_TESTS("sse", tests);
}
