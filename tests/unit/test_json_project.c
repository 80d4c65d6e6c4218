/* JSON that jsonb does not take becomes the nearest that it does. What jsonb really takes is asked
 * in tests/integration/test_projection.c. */
#include "core/json.h"
#include "support/test.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define FFFD         "\xEF\xBF\xBD"

static conv_bytes projected(conv__arena *arena, conv_bytes text)
{
    conv__json value;
    conv_bytes storable;
    if (!conv__json_parse(text, &value, NULL)) fail_msg("no JSON: %s", text.data);
    assert_int_equal(conv__json_project(arena, value, &storable), CONV_OK);
    return storable;
}

static void what_jsonb_refuses_is_replaced(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *projected;
    } table[] = {
        {"\"\\u0000\"", "\"\\ufffd\""},
        {"\"a\\u0000b\\u0000\"", "\"a\\ufffdb\\ufffd\""},
        {"\"\\ud800\"", "\"\\ufffd\""},
        {"\"\\udc00\"", "\"\\ufffd\""},
        {"\"\\ud83dx\"", "\"\\ufffdx\""},
        {"\"\\ud83d\\n\"", "\"\\ufffd\\n\""},
        {"\"\\ud83d\\u0041\"", "\"\\ufffd\\u0041\""},
        {"\"\\ud83d\\ud83d\\ude00\"", "\"\\ufffd\\ud83d\\ude00\""},
        {"\"\\ude00\\ud83d\"", "\"\\ufffd\\ufffd\""},
        {"\"\\\\\\u0000\"", "\"\\\\\\ufffd\""},
        {"\"\xff\"", "\"" FFFD "\""},
        {"\"\xed\xa0\x80\"", "\"" FFFD FFFD FFFD "\""},
        {"\"\xc3\"", "\"" FFFD "\""},
        {" {\"k\\u0000\" : [1, \"\\uD800\" ]} ", "{\"k\\ufffd\" : [1, \"\\ufffd\" ]}"},
        {"[1e131072, 1e131071]", "[null, 1e131071]"},
        {"[1e-16384, 1e-16383]", "[null, 1e-16383]"},
        {"[1.0e-16383,1.0e-16382]", "[null,1.0e-16382]"},
        {"[-123e131070,0.001e131075]", "[null,null]"},
        {"[0.001e131074]", "[0.001e131074]"},
        {"[1e99999999999999999999]", "[null]"},
        {"[0e1073741823,0e1073741822]", "[null,0e1073741822]"},
    };
    conv__arena arena = {0};
    for (size_t i = 0; i < COUNT(table); i++) {
        assert_bytes(projected(&arena, conv_text(table[i].text)), table[i].projected);
    }
    conv__arena_reset(&arena);
}

static void storable_json_stays_where_it_is(void **state)
{
    (void)state;
    static const char *const table[] = {
        "null",
        "[]",
        "{\"a\":[1,2.5e3,-0,true]}",
        "\"\\u0001\\u00e4\\ud83d\\ude00\\\\u0000\"",
        "\"Gr\xc3\xb6\xc3\x9f \xf0\x9f\x98\x80\"",
        "\"\\\\ud800\"",
        "[0e99999]",
        "[0.00]",
    };
    conv__arena arena = {0};
    for (size_t i = 0; i < COUNT(table); i++) {
        conv_bytes storable = projected(&arena, conv_text(table[i]));
        assert_ptr_equal(storable.data, table[i]);
        assert_int_equal(storable.size, strlen(table[i]));
    }
    assert_null(arena.chunks);
    conv_bytes absent = conv_text("x");
    assert_int_equal(conv__json_project(&arena, (conv__json){0}, &absent), CONV_OK);
    assert_null(absent.data);
}

/* The bounds of numbers that are written out instead of with an exponent. */
static void long_literals_have_the_same_bounds(void **state)
{
    (void)state;
    conv__arena arena = {0};
    for (size_t extra = 0; extra < 2; extra++) {
        conv__buffer whole = {0}, fraction = {0};
        memset(conv__buffer_extend(&whole, 131072 + extra), '9', 131072 + extra);
        conv__buffer_append_text(&fraction, "0.");
        memset(conv__buffer_extend(&fraction, 16383 + extra), '0', 16383 + extra);
        assert_int_equal(projected(&arena, conv__buffer_bytes(&whole)).size,
                         extra == 0 ? 131072 : 4);
        assert_int_equal(projected(&arena, conv__buffer_bytes(&fraction)).size,
                         extra == 0 ? 16385 : 4);
        conv__buffer_free(&whole);
        conv__buffer_free(&fraction);
    }
    conv__arena_reset(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_jsonb_refuses_is_replaced),
        cmocka_unit_test(storable_json_stays_where_it_is),
        cmocka_unit_test(long_literals_have_the_same_bounds),
    };
    return RUN_TESTS("json projection", tests);
}
