/* Calendar texts against Python's datetime, and deadlines. */
#include "core/time.h"

#include "support/test.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const struct {
    int64_t us;
    const char *text;
} moments[] = {
    {INT64_C(-62135596800000000), "0001-01-01T00:00:00.000000Z"},
    {INT64_C(-11670955199999999), "1600-02-29T12:00:00.000001Z"},
    {INT64_C(-2208988800000001), "1899-12-31T23:59:59.999999Z"},
    {INT64_C(-2203891201000000), "1900-02-28T23:59:59.000000Z"},
    {INT64_C(-1), "1969-12-31T23:59:59.999999Z"},
    {INT64_C(0), "1970-01-01T00:00:00.000000Z"},
    {INT64_C(946684799500000), "1999-12-31T23:59:59.500000Z"},
    {INT64_C(946684800000000), "2000-01-01T00:00:00.000000Z"},
    {INT64_C(951782400000000), "2000-02-29T00:00:00.000000Z"},
    {INT64_C(1709251199999999), "2024-02-29T23:59:59.999999Z"},
    {INT64_C(1795405480123456), "2026-11-23T03:44:40.123456Z"},
    {INT64_C(2147483648000000), "2038-01-19T03:14:08.000000Z"},
    {INT64_C(4107542400000000), "2100-03-01T00:00:00.000000Z"},
    {INT64_C(253402300799999999), "9999-12-31T23:59:59.999999Z"},
};

static void times_are_written_and_read_as_python_does(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(moments); i++) {
        char text[CONV__TIME_TEXT_SIZE];
        conv__time_format(moments[i].us, text);
        assert_string_equal(text, moments[i].text);
        int64_t us = 0;
        assert_true(conv__time_parse(conv_text(text), &us));
        assert_int_equal(us, moments[i].us);
    }
}

static void every_day_of_five_centuries_comes_back(void **state)
{
    (void)state;
    char last[CONV__TIME_TEXT_SIZE] = "";
    for (int64_t day = -135140; day < 50000; day++) {
        char text[CONV__TIME_TEXT_SIZE];
        int64_t us = day * INT64_C(86400000000) + 86399999999;
        int64_t read = 0;
        conv__time_format(us, text);
        assert_int_equal(strlen(text), 27);
        assert_true(strcmp(last, text) < 0);
        assert_true(conv__time_parse(conv_text(text), &read));
        assert_int_equal(read, us);
        memcpy(last, text, sizeof last);
    }
}

static void years_out_of_range_are_clamped(void **state)
{
    (void)state;
    char text[CONV__TIME_TEXT_SIZE];
    conv__time_format(INT64_MIN, text);
    assert_string_equal(text, "0000-01-01T00:00:00.000000Z");
    conv__time_format(INT64_MAX, text);
    assert_string_equal(text, "9999-12-31T23:59:59.999999Z");
    conv__time_format(INT64_C(253402300800000000), text);
    assert_string_equal(text, "9999-12-31T23:59:59.999999Z");
}

static void stores_keep_the_years_1_to_9999(void **state)
{
    (void)state;
    int64_t first, last;
    assert_true(conv__time_parse(conv_text("0001-01-01T00:00:00Z"), &first));
    assert_true(conv__time_parse(conv_text("9999-12-31T23:59:59.999999Z"), &last));
    assert_true(conv__time_is_storable(first) && conv__time_is_storable(last));
    assert_true(conv__time_is_storable(0));
    assert_false(conv__time_is_storable(first - 1) || conv__time_is_storable(last + 1));
    assert_false(conv__time_is_storable(INT64_MIN) || conv__time_is_storable(INT64_MAX));
}

static void other_spellings_are_read(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t us;
    } table[] = {
        {"1970-01-01", 0},
        {"1970-01-02", INT64_C(86400000000)},
        {"1970-01-01T00:00:01Z", 1000000},
        {"1970-01-01t00:00:01z", 1000000},
        {"1970-01-01 00:00:01Z", 1000000},
        {"1970-01-01 00:00:00.5Z", 500000},
        {"1970-01-01T00:00:00.000001Z", 1},
        {"1970-01-01T02:00:00+02:00", 0},
        {"1969-12-31T18:30:00-05:30", 0},
        {"1970-01-01T00:00:00-00:01", 60000000},
        {"1970-01-01T00:00:00.25+00:00", 250000},
    };
    for (size_t i = 0; i < COUNT(table); i++) {
        int64_t us = -1;
        if (!conv__time_parse(conv_text(table[i].text), &us)) fail_msg("%s", table[i].text);
        assert_int_equal(us, table[i].us);
    }
}

static void what_is_no_time_is_refused(void **state)
{
    (void)state;
    static const char *const table[] = {
        "",
        "1970",
        "1970-01",
        "1970-1-1",
        "70-01-01",
        "1970-01-01T",
        "1970-01-01T00:00Z",
        "1970-01-01T00:00:00",
        "1970-01-01T00:00:00.Z",
        "1970-01-01T00:00:00.1234567Z",
        "1970-01-01T24:00:00Z",
        "1970-01-01T00:60:00Z",
        "1970-01-01T00:00:61Z",
        "1970-13-01",
        "1970-00-01",
        "1970-01-00",
        "1970-01-32",
        "1970-02-29",
        "1900-02-29",
        "2024-02-30",
        "2023-04-31",
        "1970-01-01Z",
        "1970-01-01T00:00:00Z ",
        " 1970-01-01",
        "+1970-01-01",
        "-1970-01-01",
        "1970/01/01",
        "1970-01-01T00:00:00+0200",
        "1970-01-01T00:00:00+24:00",
        "1970-01-01T00:00:00+02:60",
        "1970-01-01T00:00:00ZZ",
        "infinity",
        "now",
        "10000-01-01",
    };
    for (size_t i = 0; i < COUNT(table); i++) {
        int64_t us = 4711;
        if (conv__time_parse(conv_text(table[i]), &us)) fail_msg("taken: %s", table[i]);
        assert_int_equal(us, 4711);
    }
    int64_t us;
    assert_false(conv__time_parse(conv_text(NULL), &us));
    assert_false(conv__time_parse(conv_view("1970-01-01\0", 11), &us));
}

static void deadlines_do_not_overflow(void **state)
{
    (void)state;
    int64_t now = conv__monotonic_ns();
    assert_int_equal(conv__deadline_in_ms(INT64_MAX), CONV__NO_DEADLINE);
    assert_true(conv__deadline_in_ms(1000) >= now + INT64_C(1000000000));
    assert_true(conv__deadline_in_ms(-5) >= now);
    assert_true(conv__deadline_passed(conv__deadline_in_ms(0)));
    assert_true(conv__deadline_passed(0));
    assert_false(conv__deadline_passed(CONV__NO_DEADLINE));
    assert_false(conv__deadline_passed(conv__deadline_in_ms(3600000)));
}

static void time_left_is_rounded_up(void **state)
{
    (void)state;
    assert_int_equal(conv__deadline_left_ms(CONV__NO_DEADLINE), INT32_MAX);
    assert_int_equal(conv__deadline_left_ms(conv__deadline_in_ms(INT64_C(1) << 40)), INT32_MAX);
    assert_int_equal(conv__deadline_left_ms(0), 0);
    assert_int_equal(conv__deadline_left_ms(conv__monotonic_ns()), 0);
    /* Never 0 while there is time left: a poll(2) loop would spin. */
    for (int i = 0; i < 1000; i++) {
        int64_t deadline = conv__monotonic_ns() + 999000;
        int left = conv__deadline_left_ms(deadline);
        assert_true(left == 1 || conv__deadline_passed(deadline));
    }
    assert_in_range(conv__deadline_left_ms(conv__deadline_in_ms(3600000)), 3500000, 3600000);
}

static void the_system_clock_is_the_clock(void **state)
{
    (void)state;
    const conv__clock *clock = conv__clock_system();
    int64_t before = conv__now_us();
    int64_t read = clock->functions->now_us(clock);
    assert_true(before <= read && read <= conv__now_us());
    int64_t ticks = conv__monotonic_ns();
    assert_true(ticks <= clock->functions->monotonic_ns(clock));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(times_are_written_and_read_as_python_does),
        cmocka_unit_test(every_day_of_five_centuries_comes_back),
        cmocka_unit_test(years_out_of_range_are_clamped),
        cmocka_unit_test(stores_keep_the_years_1_to_9999),
        cmocka_unit_test(other_spellings_are_read),
        cmocka_unit_test(what_is_no_time_is_refused),
        cmocka_unit_test(deadlines_do_not_overflow),
        cmocka_unit_test(time_left_is_rounded_up),
        cmocka_unit_test(the_system_clock_is_the_clock),
    };
    return RUN_TESTS("time", tests);
}
