/* Text on a terminal: its width, its wrapping, and that it can't steer the terminal. */
#include <stdlib.h>
#include <string.h>

#include "cli/display.h"
#include "cli/table.h"
#include "support/test.h"

static char *text;
static size_t text_size;
static FILE *file;

static FILE *begin(void)
{
    free(text);
    text = NULL;
    file = open_memstream(&text, &text_size);
    assert_non_null(file);
    return file;
}

static const char *end(void)
{
    assert_int_equal(fclose(file), 0);
    return text;
}

static int free_text(void **state)
{
    (void)state;
    free(text);
    text = NULL;
    return 0;
}

static const char *line(conv_bytes bytes, size_t most)
{
    cli_display_line(begin(), bytes, most);
    return end();
}

static const char *wrapped(const char *bytes, size_t width, const char *indent)
{
    cli_display_wrapped(begin(), conv_text(bytes), width, indent);
    return end();
}

static void widths_are_columns_not_bytes(void **state)
{
    (void)state;
    assert_int_equal(cli_display_width(conv_text("")), 0);
    assert_int_equal(cli_display_width(conv_text(NULL)), 0);
    assert_int_equal(cli_display_width(conv_text("abc")), 3);
    assert_int_equal(cli_display_width(conv_text("äöü")), 3);
    assert_int_equal(cli_display_width(conv_text("日本語")), 6);
    assert_int_equal(cli_display_width(conv_text("한국")), 4);
    assert_int_equal(cli_display_width(conv_text("ｱｲｳ")), 3);       /* half width */
    assert_int_equal(cli_display_width(conv_text("e\xcc\x81")), 1); /* e and a combining accent */
    assert_int_equal(cli_display_width(conv_text("😀")), 2);
    assert_int_equal(cli_display_width(conv_text("مرحبا")), 5);
    assert_int_equal(cli_display_width(conv_text("a\xe2\x80\x8d"
                                                 "b")),
                     2); /* zero width joiner */
}

static void what_could_steer_the_terminal_is_an_escape(void **state)
{
    (void)state;
    assert_string_equal(line(conv_text("\033[31mred\033]0;title\007"), 0),
                        "\\x1b[31mred\\x1b]0;title\\x07");
    assert_string_equal(line(conv_text("a\nb\tc\rd\x7f"), 0), "a\\nb\\tc\\rd\\x7f");
    assert_string_equal(line(conv_view("a\0b", 3), 0), "a\\x00b");
    assert_string_equal(line(conv_text("\xc2\x9b"
                                       "31m"),
                             0),
                        "\\u{9b}31m"); /* CSI in one character */
    assert_string_equal(line(conv_text("a\xe2\x80\xae"
                                       "b"),
                             0),
                        "a\\u{202e}b");
    assert_string_equal(line(conv_text("a\xe2\x81\xa6"
                                       "b"),
                             0),
                        "a\\u{2066}b");
    assert_string_equal(line(conv_text("\xf3\xa0\x81\x81"), 0), "\\u{e0041}");
}

static void stray_bytes_are_visible(void **state)
{
    (void)state;
    assert_string_equal(line(conv_text("a\xff"
                                       "b"),
                             0),
                        "a\\xffb");
    assert_string_equal(line(conv_text("\xc3"), 0), "\\xc3");                   /* cut */
    assert_string_equal(line(conv_text("\xe3\x81"), 0), "\\xe3\\x81");          /* cut */
    assert_string_equal(line(conv_text("\xc0\xaf"), 0), "\\xc0\\xaf");          /* overlong */
    assert_string_equal(line(conv_text("\xed\xa0\x80"), 0), "\\xed\\xa0\\x80"); /* surrogate */
    assert_string_equal(line(conv_text("\xf4\x90\x80\x80"), 0), "\\xf4\\x90\\x80\\x80");
    assert_int_equal(cli_display_width(conv_text("\xff")), 4);
}

static void a_long_line_ends_with_an_ellipsis(void **state)
{
    (void)state;
    assert_string_equal(line(conv_text("abcdef"), 6), "abcdef");
    assert_string_equal(line(conv_text("abcdefg"), 6), "abcde…");
    assert_string_equal(line(conv_text("日本語版"), 6), "日本…");
    assert_int_equal(cli_display_line(begin(), conv_text("日本語版"), 6), 5);
    end();
    assert_string_equal(line(conv_text("日本"), 1), "…");
    assert_string_equal(line(conv_text("ab\x1b"), 4), "ab…"); /* an escape is never cut in two */
}

static void text_is_wrapped_between_words(void **state)
{
    (void)state;
    assert_string_equal(wrapped("one two three four five six seven", 20, ""),
                        "one two three four\nfive six seven\n");
    assert_string_equal(wrapped("one two three four five", 24, "  "),
                        "  one two three four\n  five\n");
    assert_string_equal(wrapped("", 20, "  "), "\n");
    assert_string_equal(wrapped("a\n", 20, ""), "a\n");
    assert_string_equal(wrapped("a\n\nb", 20, "> "), "> a\n\n> b\n");
}

static void a_hanging_text_goes_on_below_itself(void **state)
{
    (void)state;
    cli_display_hanging(begin(), conv_text("one → two → three four five"), 26, 6);
    assert_string_equal(end(), "one → two → three\n      four five\n");
    cli_display_hanging(begin(), conv_text("one"), 26, 6);
    assert_string_equal(end(), "one\n");
}

static void a_word_longer_than_the_line_is_cut(void **state)
{
    (void)state;
    assert_string_equal(wrapped("aaaaaaaaaaaaaaaaaaaaaaaaa", 20, ""),
                        "aaaaaaaaaaaaaaaaaaaa\naaaaa\n");
    assert_string_equal(wrapped("日本語日本語日本語日本語", 20, ""),
                        "日本語日本語日本語日\n本語\n");
}

static void indentation_of_code_stays(void **state)
{
    (void)state;
    assert_string_equal(wrapped("if x:\n    pass\n\ttab", 20, ""), "if x:\n    pass\n    tab\n");
}

static const char *streamed(bool safe, const char *bytes, size_t size, size_t step)
{
    cli_stream stream = {.file = begin(), .safe = safe};
    for (size_t i = 0; i < size; i += step)
        cli_stream_write(&stream, conv_view(bytes + i, size - i < step ? size - i : step));
    cli_stream_end(&stream);
    return end();
}

static void a_stream_may_be_cut_anywhere(void **state)
{
    (void)state;
    static const char bytes[] = "Grüße 日本 😀\n\033[2J\xff\tx\xe3\x81";
    for (size_t step = 1; step < sizeof bytes; step++)
        assert_string_equal(streamed(true, bytes, sizeof bytes - 1, step),
                            "Grüße 日本 😀\n\\x1b[2J\\xff\tx\\xe3\\x81\n");
}

static void a_stream_into_a_file_keeps_every_byte(void **state)
{
    (void)state;
    static const char bytes[] = "a\0\033[2J\xff\xe3\x81";
    streamed(false, bytes, sizeof bytes - 1, 2);
    assert_int_equal(text_size, sizeof bytes);
    assert_memory_equal(text, bytes, sizeof bytes - 1);
    assert_int_equal(text[text_size - 1], '\n');
    assert_string_equal(streamed(false, "a\n", 2, 1), "a\n");
    assert_string_equal(streamed(false, "", 0, 1), "");
}

static const cli_column columns[] = {
    {"name", false, CLI_LEAST_TEXT}, {"note", false, CLI_LEAST_TEXT}, {"count", true, 0}};

static const char *table_of(size_t width, const char *first, const char *second)
{
    cli_table *table = cli_table_create(columns, 3);
    assert_non_null(table);
    conv_bytes one[] = {conv_text(first), conv_text("x"), conv_text("1,234")};
    conv_bytes two[] = {conv_text(second), conv_text(NULL), conv_text("7")};
    assert_true(cli_table_add(table, one));
    assert_true(cli_table_rule(table));
    assert_true(cli_table_add(table, two));
    cli_table_print(table, begin(), width);
    cli_table_free(table);
    return end();
}

static void columns_are_as_wide_as_their_cells(void **state)
{
    (void)state;
    assert_string_equal(table_of(0, "日本語", "abc"), "name    note  count\n"
                                                      "日本語  x     1,234\n"
                                                      "───────────────────\n"
                                                      "abc     —         7\n");
}

static void what_yields_is_cut_to_the_terminal(void **state)
{
    (void)state;
    assert_string_equal(table_of(22, "a-very-long-session-name", "abc"),
                        "name       note  count\n"
                        "a-very-l…  x     1,234\n"
                        "──────────────────────\n"
                        "abc        —         7\n");
}

/* What is typed again is cut last, and a column without any cell leaves its room to the others. */
static void an_id_yields_last(void **state)
{
    (void)state;
    cli_table *table = cli_table_create(columns, 3);
    assert_non_null(table);
    cli_table_keep(table, 0);
    conv_bytes cells[] = {conv_text("an-id-of-a-session"), conv_text("a long note"),
                          conv_text("1")};
    assert_true(cli_table_add(table, cells));
    cli_table_print(table, begin(), 33);
    assert_string_equal(end(), "name                note    count\n"
                               "an-id-of-a-session  a lon…      1\n");
    cli_table_print(table, begin(), 24);
    assert_string_equal(end(), "name       note    count\n"
                               "an-id-of…  a lon…      1\n");
    cli_table_free(table);
}

static void an_empty_column_is_left_out_where_room_is_short(void **state)
{
    (void)state;
    cli_table *table = cli_table_create(columns, 3);
    assert_non_null(table);
    conv_bytes cells[] = {conv_text("an-id-of-a-session"), conv_text(NULL), conv_text(NULL)};
    assert_true(cli_table_add(table, cells));
    cli_table_print(table, begin(), 31);
    assert_string_equal(end(), "name                note  count\n"
                               "an-id-of-a-session  —         —\n");
    cli_table_print(table, begin(), 30);
    assert_string_equal(end(), "name                count\n"
                               "an-id-of-a-session      —\n");
    cli_table_free(table);
}

static void no_blanks_end_a_line(void **state)
{
    (void)state;
    static const cli_column two[] = {{"day", false, 0}, {"", false, 0}};
    cli_table *table = cli_table_create(two, 2);
    assert_non_null(table);
    conv_bytes bar[] = {conv_text("monday"), conv_text("##")};
    conv_bytes none[] = {conv_text("friday"), conv_text("")};
    assert_true(cli_table_add(table, bar));
    assert_true(cli_table_add(table, none));
    cli_table_print(table, begin(), 0);
    assert_string_equal(end(), "day\nmonday  ##\nfriday\n");
    cli_table_free(table);
}

static void the_last_column_may_wrap(void **state)
{
    (void)state;
    static const cli_column two[] = {{"check", false, 0}, {"why", false, CLI_LEAST_WRAPPED}};
    cli_table *table = cli_table_create(two, 2);
    assert_non_null(table);
    cli_table_wrap(table);
    conv_bytes long_one[] = {conv_text("schema"), conv_text("older: run `conversation migrate`")};
    conv_bytes short_one[] = {conv_text("pool"), conv_text("idle")};
    assert_true(cli_table_add(table, long_one));
    assert_true(cli_table_add(table, short_one));
    cli_table_print(table, begin(), 30);
    assert_string_equal(end(), "check   why\n"
                               "schema  older: run\n"
                               "        `conversation migrate`\n"
                               "pool    idle\n");
    cli_table_print(table, begin(), 0);
    assert_string_equal(end(), "check   why\n"
                               "schema  older: run `conversation migrate`\n"
                               "pool    idle\n");
    cli_table_free(table);
}

static void a_cell_stays_in_its_line(void **state)
{
    (void)state;
    assert_string_equal(table_of(0, "a\nb\033c", "d"), "name       note  count\n"
                                                       "a\\nb\\x1bc  x     1,234\n"
                                                       "──────────────────────\n"
                                                       "d          —         7\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(widths_are_columns_not_bytes),
        cmocka_unit_test(what_could_steer_the_terminal_is_an_escape),
        cmocka_unit_test(stray_bytes_are_visible),
        cmocka_unit_test(a_long_line_ends_with_an_ellipsis),
        cmocka_unit_test(text_is_wrapped_between_words),
        cmocka_unit_test(a_hanging_text_goes_on_below_itself),
        cmocka_unit_test(a_word_longer_than_the_line_is_cut),
        cmocka_unit_test(indentation_of_code_stays),
        cmocka_unit_test(a_stream_may_be_cut_anywhere),
        cmocka_unit_test(a_stream_into_a_file_keeps_every_byte),
        cmocka_unit_test(columns_are_as_wide_as_their_cells),
        cmocka_unit_test(what_yields_is_cut_to_the_terminal),
        cmocka_unit_test(an_id_yields_last),
        cmocka_unit_test(an_empty_column_is_left_out_where_room_is_short),
        cmocka_unit_test(no_blanks_end_a_line),
        cmocka_unit_test(the_last_column_may_wrap),
        cmocka_unit_test(a_cell_stays_in_its_line),
    };
    return RUN_TESTS_WITH("display", tests, NULL, free_text);
}
