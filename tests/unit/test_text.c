/* UTF-8 against the table of well-formed byte sequences (Unicode 15, table 3-7), and projection. */
#include "core/text.h"

#include "support/failing_memory.h"
#include "support/test.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* Table 3-7 as it is printed: a range for each byte. */
static const struct row {
    size_t length;
    unsigned char low[4];
    unsigned char high[4];
} table[] = {
    {1, {0x00}, {0x7F}},
    {2, {0xC2, 0x80}, {0xDF, 0xBF}},
    {3, {0xE0, 0xA0, 0x80}, {0xE0, 0xBF, 0xBF}},
    {3, {0xE1, 0x80, 0x80}, {0xEC, 0xBF, 0xBF}},
    {3, {0xED, 0x80, 0x80}, {0xED, 0x9F, 0xBF}},
    {3, {0xEE, 0x80, 0x80}, {0xEF, 0xBF, 0xBF}},
    {4, {0xF0, 0x90, 0x80, 0x80}, {0xF0, 0xBF, 0xBF, 0xBF}},
    {4, {0xF1, 0x80, 0x80, 0x80}, {0xF3, 0xBF, 0xBF, 0xBF}},
    {4, {0xF4, 0x80, 0x80, 0x80}, {0xF4, 0x8F, 0xBF, 0xBF}},
};

/* Bytes of the character at the start by the table, 0 if there is none. */
static size_t length_by_table(const unsigned char *bytes, size_t size)
{
    for (size_t i = 0; i < COUNT(table); i++) {
        size_t matched = 0;
        while (matched < table[i].length && matched < size &&
               bytes[matched] >= table[i].low[matched] &&
               bytes[matched] <= table[i].high[matched]) {
            matched++;
        }
        if (matched == table[i].length) return matched;
    }
    return 0;
}

static bool is_valid_by_table(const unsigned char *bytes, size_t size)
{
    for (size_t offset = 0; offset < size;) {
        size_t length = length_by_table(bytes + offset, size - offset);
        if (length == 0) return false;
        offset += length;
    }
    return true;
}

static void check(const unsigned char *bytes, size_t size)
{
    conv_bytes text = conv_view((const char *)bytes, size);
    if (conv__utf8_length(text) != length_by_table(bytes, size) ||
        conv__utf8_is_valid(text) != is_valid_by_table(bytes, size))
        fail_msg("%zu bytes: %02x %02x %02x %02x", size, bytes[0], bytes[1], bytes[2], bytes[3]);
}

static void all_sequences_of_one_to_three_bytes_follow_the_table(void **state)
{
    (void)state;
    for (unsigned code = 0; code < 0x1000000; code++) {
        unsigned char bytes[4] = {(unsigned char)(code >> 16), (unsigned char)(code >> 8),
                                  (unsigned char)code, 0};
        check(bytes, 3);
        if (bytes[2] == 0) check(bytes, 2);
        if (bytes[1] == 0 && bytes[2] == 0) check(bytes, 1);
    }
}

/* Each byte at the edges of the table's ranges. */
static void sequences_of_four_bytes_follow_the_table(void **state)
{
    (void)state;
    static const unsigned char edges[] = {0x00, 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF,
                                          0xC0, 0xC2, 0xED, 0xF0, 0xF4, 0xF5, 0xFF};
    for (unsigned first = 0; first < 256; first++) {
        for (size_t i = 0; i < COUNT(edges) * COUNT(edges) * COUNT(edges); i++) {
            unsigned char bytes[4] = {(unsigned char)first, edges[i % COUNT(edges)],
                                      edges[i / COUNT(edges) % COUNT(edges)],
                                      edges[i / COUNT(edges) / COUNT(edges)]};
            check(bytes, 4);
        }
    }
}

/* Validity looks at eight bytes at a time: a stray byte must show at every place. */
static void a_stray_byte_shows_at_every_place(void **state)
{
    (void)state;
    char text[40];
    for (size_t size = 1; size <= sizeof text; size++) {
        memset(text, 'a', size);
        assert_true(conv__utf8_is_valid(conv_view(text, size)));
        assert_true(conv__text_is_storable(conv_view(text, size)));
        for (size_t place = 0; place < size; place++) {
            text[place] = (char)0x80;
            assert_false(conv__utf8_is_valid(conv_view(text, size)));
            text[place] = '\0';
            assert_true(conv__utf8_is_valid(conv_view(text, size)));
            assert_false(conv__text_is_storable(conv_view(text, size)));
            text[place] = 'a';
        }
    }
}

static void absent_and_empty_are_storable(void **state)
{
    (void)state;
    assert_true(conv__text_is_storable(conv_text(NULL)));
    assert_true(conv__text_is_storable(conv_text("")));
    assert_true(conv__utf8_is_valid(conv_text("")));
    assert_int_equal(conv__utf8_length(conv_text("")), 0);
}

#define FFFD "\xEF\xBF\xBD"

static void what_no_column_takes_becomes_fffd(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t size;
        const char *projected;
    } cases[] = {
        {"\0", 1, FFFD},
        {"a\0b", 3, "a" FFFD "b"},
        {"\xFF", 1, FFFD},
        {"a\xC3", 2, "a" FFFD},
        {"\xC3\xA4\xC3", 3, "\xC3\xA4" FFFD},
        {"\xED\xA0\x80", 3, FFFD FFFD FFFD},
        {"\xF0\x9F\x98", 3, FFFD FFFD FFFD},
        {"\xF0\x9F\x98\x80\x80", 5, "\xF0\x9F\x98\x80" FFFD},
        {"\xC0\x80", 2, FFFD FFFD},
        {"\xF4\x90\x80\x80", 4, FFFD FFFD FFFD FFFD},
    };
    conv__arena arena = {0};
    for (size_t i = 0; i < COUNT(cases); i++) {
        conv_bytes projected;
        assert_int_equal(
            conv__text_project(&arena, conv_view(cases[i].text, cases[i].size), &projected),
            CONV_OK);
        assert_bytes(projected, cases[i].projected);
        assert_int_equal(projected.data[projected.size], 0);
        assert_true(conv__text_is_storable(projected));
    }
    conv__arena_reset(&arena);
}

static void storable_text_is_not_copied(void **state)
{
    (void)state;
    static const char *const texts[] = {"", "a",
                                        "Gr\xC3\xB6\xC3\x9F"
                                        "e \xE2\x82\xAC \xF0\x9F\x98\x80"};
    conv__arena arena = {0};
    for (size_t i = 0; i < COUNT(texts); i++) {
        conv_bytes projected;
        assert_int_equal(conv__text_project(&arena, conv_text(texts[i]), &projected), CONV_OK);
        assert_ptr_equal(projected.data, texts[i]);
        assert_int_equal(projected.size, strlen(texts[i]));
    }
    conv_bytes absent;
    assert_int_equal(conv__text_project(&arena, conv_text(NULL), &absent), CONV_OK);
    assert_null(absent.data);
    assert_null(arena.chunks);
}

static void characters_are_counted(void **state)
{
    (void)state;
    assert_int_equal(conv__utf8_count(conv_text(NULL)), 0);
    assert_int_equal(conv__utf8_count(conv_text("abc")), 3);
    assert_int_equal(conv__utf8_count(conv_text("\xC3\xA4\xE2\x82\xAC\xF0\x9F\x98\x80")), 3);
    assert_int_equal(conv__utf8_count(conv_text("\xC3\xA4\xC3\xFF")), 3);
    assert_int_equal(conv__utf8_count(conv_view("a\0b", 3)), 3);
}

static void a_text_is_cut_at_a_character(void **state)
{
    (void)state;
    static const size_t wanted[] = {0, 1, 1, 3, 3, 3, 6, 6, 6, 6, 10, 10};
    const conv_bytes text = conv_text("a\xC3\xA4\xE2\x82\xAC\xF0\x9F\x98\x80");
    for (size_t most = 0; most < sizeof wanted / sizeof wanted[0]; most++) {
        conv_bytes beginning = conv__utf8_cut(text, most);
        assert_ptr_equal(beginning.data, text.data);
        assert_int_equal(beginning.size, wanted[most]);
    }
    assert_null(conv__utf8_cut(conv_text(NULL), 1).data);
}

static conv_status project_once(void *context)
{
    conv__arena arena = {0};
    conv_status status = conv__text_project(&arena, conv_view("a\0b", 3), context);
    conv__arena_reset(&arena);
    return status;
}

static void a_failing_allocation_is_said(void **state)
{
    (void)state;
    conv_bytes projected;
    assert_int_equal(failing_memory_run(project_once, &projected), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_sequences_of_one_to_three_bytes_follow_the_table),
        cmocka_unit_test(sequences_of_four_bytes_follow_the_table),
        cmocka_unit_test(a_stray_byte_shows_at_every_place),
        cmocka_unit_test(absent_and_empty_are_storable),
        cmocka_unit_test(what_no_column_takes_becomes_fffd),
        cmocka_unit_test(storable_text_is_not_copied),
        cmocka_unit_test(characters_are_counted),
        cmocka_unit_test(a_text_is_cut_at_a_character),
        cmocka_unit_test(a_failing_allocation_is_said),
    };
    return RUN_TESTS("text", tests);
}
