/* Contexts, requests for summaries and the reading of their answers: what goes in, what is cut. */
#include "support/test.h"

#include "core/text.h"
#include "services/context.h"
#include "services/summary_text.h"

static conv__arena arena;

static int reset(void **state)
{
    (void)state;
    conv__arena_reset(&arena);
    return 0;
}

static void estimates_are_as_documented(void **state)
{
    (void)state;
    assert_int_equal(conv_token_estimate(conv_text(NULL)), 0);
    assert_int_equal(conv_token_estimate(conv_text("")), 0);
    assert_int_equal(conv_token_estimate(conv_text("a")), 1);
    assert_int_equal(conv_token_estimate(conv_text("abcd")), 1);
    assert_int_equal(conv_token_estimate(conv_text("abcde")), 2);
    const conv_message message = {.content = conv_text("abcde"), .tool_calls = conv_text("[]")};
    assert_int_equal(conv__message_tokens(&message), 4 + 2 + 1);
}

static void an_answer_is_read_as_far_as_it_is_one(void **state)
{
    (void)state;
    static const struct {
        const char *answer;
        const char *text; /* NULL: refused */
        const char *points;
    } cases[] = {
        {"{\"summary\": \"s\", \"key_points\": [\"a\", \"b\"]}", "s", "[\"a\", \"b\"]"},
        {"{\"summary\": \"s\"}", "s", NULL},
        {"Here it is:\n```json\n{\"summary\": \"s\", \"key_points\": [\"a\"]}\n```", "s",
         "[\"a\"]"},
        {"{\"summary\": \"s\", \"key_points\": [1, null, [\"x\"], \"a\"]}", "s", "[\"a\"]"},
        {"{\"summary\": \"s\", \"key_points\": \"x\"}", "s", NULL},
        {"plain words", "plain words", NULL},
        {"{\"summary\": 7}", "{\"summary\": 7}", NULL},
        {"} backwards {", "} backwards {", NULL},
        {"{\"summary\": \"\"}", NULL, NULL},
        {"", NULL, NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        conv__summary_row row = {.last_position = 0};
        conv_status status = conv__summary_read_answer(&arena, conv_text(cases[i].answer), &row);
        assert_int_equal(status, cases[i].text != NULL ? CONV_OK : CONV_PROVIDER);
        if (cases[i].text == NULL) continue;
        assert_bytes(row.text, cases[i].text);
        if (cases[i].points != NULL)
            assert_bytes(row.key_points, cases[i].points);
        else
            assert_null(row.key_points.data);
    }
    conv__summary_row row = {.last_position = 0};
    assert_int_equal(conv__summary_read_answer(&arena, conv_text(NULL), &row), CONV_PROVIDER);
}

/* Messages of 8 tokens each: a question, an answer, and so on. */
enum { ROWS = 8 };
static conv__message_row rows[ROWS];

static conv__message_list conversation(void)
{
    for (size_t i = 0; i < ROWS; i++)
        rows[i].message = (conv_message){.role = i % 2 == 0 ? CONV_ROLE_USER : CONV_ROLE_ASSISTANT,
                                         .content = conv_text("sixteen bytes ..")};
    return (conv__message_list){rows, ROWS, false};
}

enum { MOST = 60000 };

static size_t cut(const conv__message_list *list, int64_t keep_tokens)
{
    return conv__summary_cut(list, NULL, keep_tokens, MOST);
}

/* What one summary is made of follows the limit of the context, with the summary before. */
static void no_more_is_summarized_than_is_told(void **state)
{
    (void)state;
    conv__message_list list = conversation();
    const conv_summary earlier = {.text = conv_text("sixteen bytes .."),
                                  .key_points = conv_text("[\"a point ....\"]")};
    assert_int_equal(conv__summary_cut(&list, NULL, 0, 8 * ROWS), ROWS);
    assert_int_equal(conv__summary_cut(&list, NULL, 0, 8 * ROWS - 1), ROWS - 1);
    assert_int_equal(conv__summary_cut(&list, NULL, 16, 24), 3);
    assert_int_equal(conv__summary_cut(&list, NULL, 0, 1), 1);
    assert_int_equal(conv__summary_cut(&list, &earlier, 0, 24), 2);
    assert_int_equal(conv__summary_cut(&list, &earlier, 0, 1), 1);
    char text[1000];
    memset(text, 'a', sizeof text);
    const conv_summary wordy = {.text = conv_view(text, sizeof text)};
    assert_int_equal(conv__summary_cut(&list, &wordy, 0, 32), 2); /* it has half of that at most */
    conv_message request[2];
    assert_int_equal(conv__summary_request(&arena, NULL, &list, 1, 2, request), CONV_OK);
    assert_bytes(request[1].content, "Conversation:\n\nuser: sixteen ");
}

static void the_last_exchanges_stay_out_of_a_summary(void **state)
{
    (void)state;
    conv__message_list list = conversation();
    assert_int_equal(cut(&list, 0), ROWS);
    assert_int_equal(cut(&list, 7), ROWS);
    assert_int_equal(cut(&list, 15), ROWS); /* an answer alone is not kept */
    assert_int_equal(cut(&list, 16), ROWS - 2);
    assert_int_equal(cut(&list, 31), ROWS - 2);
    assert_int_equal(cut(&list, 32), ROWS - 4);
    assert_int_equal(cut(&list, 1000), 0);
    list.has_more = true;
    assert_int_equal(cut(&list, 32), ROWS);
    list.count = 0;
    assert_int_equal(cut(&list, 32), 0);
}

static void a_request_names_what_was_before_and_fails_for_nothing(void **state)
{
    (void)state;
    conv__message_list list = conversation();
    conv_message request[2];
    rows[1].message.status = CONV_OUTCOME_FAILED;
    rows[1].message.content = conv_text("never said");
    const conv_summary earlier = {.text = conv_text("so far"), .key_points = conv_text("[\"p\"]")};
    assert_int_equal(conv__summary_request(&arena, &earlier, &list, 3, MOST, request), CONV_OK);
    assert_int_equal(request[0].role, CONV_ROLE_SYSTEM);
    assert_bytes(request[1].content, "Summary of what was said before: so far\n"
                                     "Key points so far: [\"p\"]\n\n"
                                     "Conversation:\n\nuser: sixteen bytes .."
                                     "\n\nuser: sixteen bytes ..");
}

static void a_context_begins_with_a_question(void **state)
{
    (void)state;
    conv__message_list list = conversation();
    rows[0].message.role = CONV_ROLE_SYSTEM;
    for (size_t i = 0; i < ROWS; i++)
        rows[i].message.position = (int64_t)i + 1;
    rows[1].message.role = CONV_ROLE_USER;
    conv__context context = {.history = &list};
    conv_message *messages = NULL;
    size_t count = 0;
    static const struct {
        int64_t tokens;
        size_t count;
    } cases[] = {{0, 8}, {64, 8}, {63, 7}, {32, 3}, {24, 3}, {23, 1}, {1, 1}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        context.tokens = cases[i].tokens;
        assert_int_equal(conv__context_build(&arena, &context, &messages, &count), CONV_OK);
        assert_int_equal(count, cases[i].count);
        assert_int_equal(messages[0].role, CONV_ROLE_SYSTEM);
        if (count > 1) assert_int_equal(messages[1].role, CONV_ROLE_USER);
    }
    const conv_summary summary = {.text = conv_text("s"), .last_position = 4};
    context.summary = &summary;
    context.tokens = 0;
    assert_int_equal(conv__context_build(&arena, &context, &messages, &count), CONV_OK);
    assert_int_equal(count, 1 + 1 + 4);
    assert_bytes(messages[1].content, "Summary of the conversation so far:\ns");
    assert_int_equal(messages[2].position, 5);
    assert_int_equal(conv__context_tokens(&context), 4 * 8);
}

static int64_t tokens_of(const conv_message *messages, size_t count)
{
    int64_t tokens = 0;
    for (size_t i = 0; i < count; i++)
        tokens += conv__message_tokens(&messages[i]);
    return tokens;
}

/* The system message takes 8 tokens, as each message; the summary 4, its heading 9, its text of 300
 * letters of two bytes each 150, and its key point some more. */
static void a_summary_keeps_to_the_limit_as_well(void **state)
{
    (void)state;
    char text[601];
    for (size_t i = 0; i < 300; i++)
        memcpy(text + 2 * i, "\xC3\xA4", 3);
    conv__message_list list = conversation();
    rows[0].message.role = CONV_ROLE_SYSTEM;
    for (size_t i = 0; i < ROWS; i++)
        rows[i].message.position = (int64_t)i + 1;
    const conv_summary summary = {
        .text = conv_text(text), .key_points = conv_text("[\"order 4711\"]"), .last_position = 4};
    conv__context context = {.history = &list, .summary = &summary};
    conv_message *messages = NULL;
    size_t count = 0;
    for (int64_t limit = 1; limit < 240; limit++) {
        context.tokens = limit;
        assert_int_equal(conv__context_build(&arena, &context, &messages, &count), CONV_OK);
        assert_true(count > 0 && messages[0].role == CONV_ROLE_SYSTEM);
        bool told = count > 1 && messages[1].role == CONV_ROLE_SYSTEM;
        assert_int_equal(told, limit >= 8 + 24);
        assert_true(tokens_of(messages, count) <= (limit < 8 ? 8 : limit));
        if (!told) continue;
        conv_bytes said = messages[1].content;
        assert_true(conv__utf8_is_valid(said));
        bool whole = memmem(said.data, said.size, "4711", 4) != NULL;
        bool cut = memcmp(said.data + said.size - 3, "\xE2\x80\xA6", 3) == 0;
        assert_true(whole || cut);
        assert_true(whole || tokens_of(messages, count) + 1 >= limit); /* no more than needed */
        assert_int_equal(count > 2, limit >= 8 + (4 + (36 + 600 + 13 + 3) / 4) + 16);
    }
    assert_int_equal(count, 1 + 1 + 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(estimates_are_as_documented, reset),
        cmocka_unit_test_teardown(an_answer_is_read_as_far_as_it_is_one, reset),
        cmocka_unit_test_teardown(no_more_is_summarized_than_is_told, reset),
        cmocka_unit_test_teardown(the_last_exchanges_stay_out_of_a_summary, reset),
        cmocka_unit_test_teardown(a_request_names_what_was_before_and_fails_for_nothing, reset),
        cmocka_unit_test_teardown(a_context_begins_with_a_question, reset),
        cmocka_unit_test_teardown(a_summary_keeps_to_the_limit_as_well, reset),
    };
    return RUN_TESTS("summary text", tests);
}
