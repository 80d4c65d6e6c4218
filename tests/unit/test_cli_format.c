/* Numbers, dates and progress as people read them. */
#include <string.h>

#include "cli/format.h"
#include "cli/progress.h"
#include "cli/usage_print.h"
#include "support/test.h"

static char text[CLI_FORMAT_SIZE];

static const char *count(int64_t number)
{
    cli_format_count(number, text);
    return text;
}

static const char *decimal(const char *literal, size_t places)
{
    cli_format_decimal(literal, places, text);
    return text;
}

static void counts_have_separators(void **state)
{
    (void)state;
    assert_string_equal(count(0), "0");
    assert_string_equal(count(999), "999");
    assert_string_equal(count(1000), "1,000");
    assert_string_equal(count(-1234567), "-1,234,567");
    assert_string_equal(count(INT64_MAX), "9,223,372,036,854,775,807");
    assert_string_equal(count(INT64_MIN), "-9,223,372,036,854,775,808");
}

static void decimals_lose_no_digit(void **state)
{
    (void)state;
    assert_string_equal(decimal("0", 0), "0");
    assert_string_equal(decimal("0", 2), "0.00");
    assert_string_equal(decimal("0.000375", 2), "0.000375");
    assert_string_equal(decimal("1234567.5", 4), "1,234,567.5000");
    assert_string_equal(decimal("-1234.5", 2), "-1,234.50");
    assert_string_equal(decimal("12345678901234567890123456789012345678", 0),
                        "12,345,678,901,234,567,890,123,456,789,012,345,678");
    assert_int_equal(cli_decimal_places("12.3450"), 4);
    assert_int_equal(cli_decimal_places("12"), 0);
}

static void sizes_and_durations_are_short(void **state)
{
    (void)state;
    cli_format_bytes(999, text);
    assert_string_equal(text, "999 B");
    cli_format_bytes(3274290, text);
    assert_string_equal(text, "3.2 MB");
    cli_format_bytes(INT64_MAX, text);
    assert_string_equal(text, "9.2 EB");
    cli_format_duration(450, text);
    assert_string_equal(text, "450 ms");
    cli_format_duration(245000, text);
    assert_string_equal(text, "4 min 05 s");
    cli_format_duration(7620000, text);
    assert_string_equal(text, "2 h 07 min");
}

static void times_are_of_utc(void **state)
{
    (void)state;
    cli_format_time(1795405480123456, text);
    assert_string_equal(text, "2026-11-23 03:44:40");
    cli_format_timestamp(1795405480123456, text);
    assert_string_equal(text, "2026-11-23T03:44:40.123456Z");
    cli_format_timestamp(-1, text);
    assert_string_equal(text, "1969-12-31T23:59:59.999999Z");
}

static void dates_are_read_strictly(void **state)
{
    (void)state;
    int64_t time_us = 0;
    bool is_day = false;
    assert_true(cli_read_date("2026-11-23", &time_us, &is_day));
    assert_true(is_day);
    assert_true(time_us == 1795392000000000);
    static const char *const same[] = {"2026-11-23T03:44:40Z", "2026-11-23 03:44:40",
                                       "2026-11-23T05:44:40+02:00", "2026-11-22T22:14:40.0-05:30",
                                       "2026-11-23t03:44:40.000000z"};
    for (size_t i = 0; i < sizeof same / sizeof same[0]; i++) {
        assert_true(cli_read_date(same[i], &time_us, &is_day));
        assert_false(is_day);
        assert_true(time_us == 1795405480000000);
    }
    assert_true(cli_read_date("2026-11-23T03:44:40.1234567Z", &time_us, &is_day));
    assert_true(time_us == 1795405480123456);
    static const char *const wrong[] = {"",
                                        "today",
                                        "2026-11",
                                        "2026-13-01",
                                        "2026-02-30",
                                        "2026-00-10",
                                        "2026-1-1",
                                        "26-11-23",
                                        "2026-11-23T",
                                        "2026-11-23T25:00",
                                        "2026-11-23T03:44:4",
                                        "2026-11-23T03:44:40+2",
                                        "2026-11-23 x",
                                        "2026-11-231",
                                        "1969-12-31",
                                        " 2026-11-23"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        time_us = 7;
        if (cli_read_date(wrong[i], &time_us, &is_day)) fail_msg("%s was taken", wrong[i]);
        assert_true(time_us == 7);
    }
}

static const char *progress(int64_t done, int64_t all, int64_t exchanges, int64_t ms, size_t width)
{
    static char line[CLI_PROGRESS_SIZE];
    cli_progress state = {done, all, exchanges, ms};
    cli_progress_text(&state, width, line);
    return line;
}

static void progress_fits_its_width(void **state)
{
    (void)state;
    assert_string_equal(progress(50, 100, 1204, 2000, 79),
                        "[==================>                  ]  50 %  1,204 exchanges  602/s  "
                        "2 s left");
    assert_string_equal(progress(0, 100, 0, 0, 40), "[>             ]   0 %  0 exchanges  0/s");
    assert_string_equal(progress(100, 100, 1, 1000, 60),
                        "[===================================] 100 %  1 exchange  1/s");
    assert_string_equal(progress(10, 100, 1, 7000, 60),
                        "[=>                ]  10 %  1 exchange  0/s  1 min 03 s left");
    assert_string_equal(progress(12345678, -1, 1204, 1000, 79),
                        "1,204 exchanges  1,204/s  12.3 MB read");
    for (size_t width = 1; width < 200; width++)
        assert_true(strlen(progress(33, 100, 1234567, 123456, width)) <= width);
}

static void progress_has_a_plain_form(void **state)
{
    (void)state;
    char line[CLI_PROGRESS_SIZE];
    cli_progress known = {50, 100, 1204, 2000};
    cli_progress_line(&known, line);
    assert_string_equal(line, "1,204 exchanges, 50 % of the file, 602/s");
    cli_progress unknown = {1500, -1, 1, 2000};
    cli_progress_line(&unknown, line);
    assert_string_equal(line, "1 exchange, 1.5 kB read, 0/s");
}

static void progress_survives_large_numbers(void **state)
{
    (void)state;
    assert_true(cli_progress_rate(INT64_MAX, 2000) == INT64_MAX / 2);
    assert_int_equal(cli_progress_rate(5, 0), 0);
    assert_non_null(strstr(progress(INT64_MAX / 2, INT64_MAX, 1, 1000, 79), "50 %"));
    /* A file that grows while it is read. */
    assert_non_null(strstr(progress(200, 100, 1, 1000, 79), "100 %"));
}

static conv_usage_total row_of(int64_t tokens, const char *cost)
{
    conv_usage_total row = {.records = 1, .input_tokens = tokens};
    assert_int_equal(conv_decimal_parse(conv_text(cost), &row.cost_usd), CONV_OK);
    return row;
}

static void totals_are_exact_or_refused(void **state)
{
    (void)state;
    char literal[CONV_DECIMAL_TEXT_SIZE];
    conv_usage_total sum = {0};
    conv_usage_total row = row_of(10, "0.1");
    for (int i = 0; i < 3; i++)
        assert_true(cli_usage_add(&sum, &row));
    conv_decimal_format(sum.cost_usd, literal);
    assert_string_equal(literal, "0.3");
    assert_int_equal(sum.records, 3);
    assert_int_equal(sum.input_tokens, 30);
    conv_usage_total largest = row_of(INT64_MAX, "0");
    assert_false(cli_usage_add(&sum, &largest));
    conv_usage_total dear = row_of(0, "99999999999999999999999999999999999999");
    conv_usage_total other = {0};
    assert_true(cli_usage_add(&other, &dear));
    assert_false(cli_usage_add(&other, &dear));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counts_have_separators),
        cmocka_unit_test(decimals_lose_no_digit),
        cmocka_unit_test(sizes_and_durations_are_short),
        cmocka_unit_test(times_are_of_utc),
        cmocka_unit_test(dates_are_read_strictly),
        cmocka_unit_test(progress_fits_its_width),
        cmocka_unit_test(progress_has_a_plain_form),
        cmocka_unit_test(progress_survives_large_numbers),
        cmocka_unit_test(totals_are_exact_or_refused),
    };
    return RUN_TESTS("formats", tests);
}
