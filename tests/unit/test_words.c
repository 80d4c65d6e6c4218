/* Queries taken apart, and snippets cut out of texts. */
#include "support/test.h"

#include "services/words.h"

static conv__arena arena;

static int reset(void **state)
{
    (void)state;
    conv__arena_reset(&arena);
    return 0;
}

/* The terms in brackets, with '*' where the last word may go on. */
static const char *parsed(conv_bytes query)
{
    static char text[512];
    conv__search_term *terms = NULL;
    size_t count = 0;
    assert_int_equal(conv__words_parse(&arena, query, &terms, &count), CONV_OK);
    text[0] = '\0';
    for (size_t i = 0; i < count; i++) {
        size_t used = strlen(text);
        snprintf(text + used, sizeof text - used, "[%s%s]", terms[i].words.data,
                 terms[i].prefix ? "*" : "");
    }
    return text;
}

static void words_quotes_and_prefixes(void **state)
{
    (void)state;
    static const struct {
        const char *query;
        const char *terms;
    } cases[] = {
        {"order", "[order]"},
        {" Where  is\tit ", "[Where][is][it]"},
        {"\"my order\" now", "[my order][now]"},
        {"\"open end", "[open end]"},
        {"a\"b c\"d", "[a][b c][d]"},
        {"foo-bar.com", "[foo bar com]"},
        {"pre* p-q*", "[pre*][p q*]"},
        {"*", ""},
        {"", ""},
        {"'; --", ""},
        {"'; DROP TABLE x; --", "[DROP][TABLE][x]"},
        {"\xC3\xA4\xE2\x80\x94\xC3\xB6", "[\xC3\xA4 \xC3\xB6]"},
        {"\xF0\x9F\x98\x80 \xFF\xFE \xED\xA0\x80", ""},
        {"\u0915\u0940\u0964\u00BDa\u00B7\u061Fb\u2028c", "[\u0915\u0940 \u00BDa b c]"},
        {"\xE6\x97\xA5\xE6\x9C\xAC\xE3\x80\x82", "[\xE6\x97\xA5\xE6\x9C\xAC]"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_string_equal(parsed(conv_text(cases[i].query)), cases[i].terms);
    assert_string_equal(parsed(conv_view("a\0b", 3)), "[a b]");
    assert_string_equal(parsed(conv_text(NULL)), "");
    char many[1024];
    memset(many, 0, sizeof many);
    for (size_t i = 0; i < 200; i++)
        memcpy(many + 2 * i, "w ", 2);
    conv__search_term *terms = NULL;
    size_t count = 0;
    assert_int_equal(conv__words_parse(&arena, conv_text(many), &terms, &count), CONV_OK);
    assert_int_equal(count, CONV__WORDS_TERMS);
}

static conv_search_hit snippet(const char *text, const char *query)
{
    conv__search_term *terms = NULL;
    size_t count = 0;
    conv_search_hit hit = {.position = 1};
    assert_int_equal(conv__words_parse(&arena, conv_text(query), &terms, &count), CONV_OK);
    assert_int_equal(conv__words_snippet(&arena, conv_text(text), terms, count, &hit), CONV_OK);
    return hit;
}

static void a_short_text_is_its_own_snippet(void **state)
{
    (void)state;
    conv_search_hit hit = snippet("Where is\nmy order?", "ORDER");
    assert_bytes(hit.snippet, "Where is my order?");
    assert_int_equal(hit.match_offset, 12);
    assert_int_equal(hit.match_size, 5);
    /* A word, not a part of one. */
    hit = snippet("orders and order", "order");
    assert_int_equal(hit.match_offset, 11);
    hit = snippet("reorder orders", "order*");
    assert_int_equal(hit.match_offset, 8);
    hit = snippet("\xC3\x96l", "\xC3\xB6l");
    assert_int_equal(hit.match_size, 0);
    assert_bytes(hit.snippet, "\xC3\x96l");
    hit = snippet("", "x");
    assert_bytes(hit.snippet, "");
}

/* Wherever the match is, no character is cut and nothing is read past the end. */
static void no_character_is_cut(void **state)
{
    (void)state;
    char text[1024];
    for (size_t before = 0; before < 200; before++) {
        size_t used = 0;
        for (size_t i = 0; i < before; i++)
            used += (size_t)snprintf(text + used, sizeof text - used, "\xE6\x97\xA5");
        used += (size_t)snprintf(text + used, sizeof text - used, " needle ");
        for (size_t i = 0; i < 100; i++)
            used += (size_t)snprintf(text + used, sizeof text - used, "\xC3\xA4");
        conv_search_hit hit = snippet(text, "needle");
        assert_int_equal(hit.match_size, 6);
        assert_memory_equal(hit.snippet.data + hit.match_offset, "needle", 6);
        for (size_t i = 0; i < hit.snippet.size;) {
            unsigned char first = (unsigned char)hit.snippet.data[i];
            assert_false((first & 0xC0) == 0x80);
            i += first < 0x80 ? 1 : first < 0xE0 ? 2 : 3;
            assert_true(i <= hit.snippet.size);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(words_quotes_and_prefixes, reset),
        cmocka_unit_test_teardown(a_short_text_is_its_own_snippet, reset),
        cmocka_unit_test_teardown(no_character_is_cut, reset),
    };
    return RUN_TESTS("words", tests);
}
