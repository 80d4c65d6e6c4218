/* Bars and sparklines of exact numbers. */
#include <stdlib.h>
#include <string.h>

#include "cli/chart.h"
#include "support/sample.h"
#include "support/test.h"

static size_t level(const char *value, const char *most, size_t steps)
{
    return cli_chart_level(sample_decimal(value), sample_decimal(most), steps);
}

static void levels_are_in_proportion(void **state)
{
    (void)state;
    assert_int_equal(level("0", "5", 8), 0);
    assert_int_equal(level("5", "5", 8), 8);
    assert_int_equal(level("2.5", "5", 8), 4);
    assert_int_equal(level("2.51", "5", 8), 5);
    assert_int_equal(level("0", "0", 8), 0);
    assert_int_equal(level("0.05", "0.10", 100), 50);
}

static void little_is_not_nothing(void **state)
{
    (void)state;
    assert_int_equal(level("0.000001", "1000000", 8), 1);
    assert_int_equal(level("99999999999999999999999999999999999999",
                           "99999999999999999999999999999999999999", 192),
                     192);
    assert_true(level("1", "99999999999999999999999999999999999999", 192) >= 1);
}

static void a_bar_has_eighths_of_a_column(void **state)
{
    (void)state;
    char text[CLI_BAR_SIZE];
    cli_chart_bar(sample_decimal("3"), sample_decimal("8"), 1, text);
    assert_string_equal(text, "▍");
    cli_chart_bar(sample_decimal("1"), sample_decimal("1"), 3, text);
    assert_string_equal(text, "███");
    cli_chart_bar(sample_decimal("0"), sample_decimal("1"), 3, text);
    assert_string_equal(text, "");
    cli_chart_bar(sample_decimal("1"), sample_decimal("1"), 1000, text);
    assert_int_equal(strlen(text), CLI_BAR_SIZE - 1);
}

static void a_sparkline_has_a_character_for_each_value(void **state)
{
    (void)state;
    char *text = NULL;
    size_t size = 0;
    const conv_decimal values[] = {sample_decimal("0.8"), sample_decimal("0"),
                                   sample_decimal("0.1"), sample_decimal("0.4")};
    FILE *file = open_memstream(&text, &size);
    assert_non_null(file);
    cli_chart_spark(file, values, 4);
    cli_chart_spark(file, values, 0);
    assert_int_equal(fclose(file), 0);
    assert_string_equal(text, "█ ▁▄");
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(levels_are_in_proportion),
        cmocka_unit_test(little_is_not_nothing),
        cmocka_unit_test(a_bar_has_eighths_of_a_column),
        cmocka_unit_test(a_sparkline_has_a_character_for_each_value),
    };
    return RUN_TESTS("cli chart", tests);
}
