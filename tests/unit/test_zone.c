/* Time zones against the C library's own reading of the same files, and files that are none. */
#include "core/zone.h"

#include "support/test.h"

#include <stdlib.h>
#include <time.h>

#include "core/memory.h"
#include "core/time.h"
#include "core/zone_rule.h"
#include "support/program.h"

#define DATABASE "/usr/share/zoneinfo/"
#define HOUR_S   3600
#define US       INT64_C(1000000)

/* Half hours, quarters, a dateline moved, midnights skipped and doubled, negative summer time. */
static const char *const zones[] = {
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "America/St_Johns",
    "Asia/Kathmandu",
    "Pacific/Kiritimati",
    "Pacific/Apia",
    "Australia/Lord_Howe",
    "Europe/Dublin",
    "America/Sao_Paulo",
    "Africa/Casablanca",
    "Africa/Monrovia",
    "America/Nuuk",
    "Asia/Gaza",
    "America/Havana",
    "Pacific/Chatham",
    "Asia/Tehran",
    "Africa/Cairo",
    "Antarctica/Troll",
    "Etc/GMT+12",
};
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static conv_bytes read_zone(const char *name)
{
    char path[256];
    size_t size = 0;
    snprintf(path, sizeof path, DATABASE "%s", name);
    char *data = test_read_file(path, &size);
    return conv_view(data, size);
}

static conv__zone *open_zone(const char *name)
{
    conv__zone *zone = NULL;
    conv_bytes file = read_zone(name);
    if (conv__zone_parse(file, &zone) != CONV_OK) fail_msg("%s can't be read", name);
    free((char *)file.data);
    return zone;
}

static void use_zone(const char *name)
{
    setenv("TZ", name, 1);
    tzset();
}

static long offset_of_system(int64_t time_s)
{
    time_t clock = (time_t)time_s;
    struct tm parts;
    localtime_r(&clock, &parts);
    return parts.tm_gmtoff;
}

static void assert_offset(const conv__zone *zone, const char *name, int64_t at)
{
    if (conv__zone_offset_s(zone, at * US + 999999) != offset_of_system(at))
        fail_msg("%s: %lld", name, (long long)at);
}

/* The seconds around the change that lies between two moments. */
static void check_change(const conv__zone *zone, const char *name, int64_t before, int64_t after)
{
    long old = offset_of_system(before);
    while (after - before > 1) {
        int64_t middle = before + (after - before) / 2;
        if (offset_of_system(middle) == old)
            before = middle;
        else
            after = middle;
    }
    assert_offset(zone, name, before);
    assert_offset(zone, name, after);
}

/* Every two days from 1900 to 2200, and each change to the second; then far away in time. */
static void offsets_are_those_of_the_system(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(zones); i++) {
        conv__zone *zone = open_zone(zones[i]);
        use_zone(zones[i]);
        long last = offset_of_system(INT64_C(-2208988800));
        for (int64_t at = INT64_C(-2208988800); at < INT64_C(7258118400); at += 48 * HOUR_S) {
            assert_offset(zone, zones[i], at);
            if (offset_of_system(at) != last) check_change(zone, zones[i], at - 48 * HOUR_S, at);
            last = offset_of_system(at);
        }
        for (int64_t at = INT64_C(7258118400); at < INT64_C(253402300799); at += 86371111)
            assert_offset(zone, zones[i], at);
        conv__zone_free(zone);
    }
}

/* The first second of a day is the first whose date is the day's, going second by second. */
static void days_begin_where_the_date_changes(void **state)
{
    (void)state;
    static const char *const days[] = {"2018-11-04", "2011-12-31", "2026-03-29", "2026-10-25",
                                       "2006-10-29", "1999-12-31", "2400-02-29", "2024-04-26"};
    for (size_t i = 0; i < COUNT(zones); i++) {
        conv__zone *zone = open_zone(zones[i]);
        for (size_t k = 0; k < COUNT(days); k++) {
            char before[CONV__DATE_TEXT_SIZE];
            char after[CONV__DATE_TEXT_SIZE];
            int64_t start = 0;
            assert_true(conv__zone_day_start(zone, conv_text(days[k]), &start));
            conv__zone_date(zone, start - 1, before);
            conv__zone_date(zone, start, after);
            if (strcmp(before, days[k]) >= 0 || strcmp(after, days[k]) < 0)
                fail_msg("%s: %s begins between %s and %s", zones[i], days[k], before, after);
        }
        conv__zone_free(zone);
    }
}

static int64_t start_of(const char *zone_name, const char *day)
{
    int64_t start = 0;
    conv__zone *zone = open_zone(zone_name);
    assert_true(conv__zone_day_start(zone, conv_text(day), &start));
    conv__zone_free(zone);
    return start;
}

static void known_days_begin_when_they_did(void **state)
{
    (void)state;
    int64_t wanted;
    assert_true(conv__time_parse(conv_text("2026-03-28T23:00:00Z"), &wanted));
    assert_int_equal(start_of("Europe/Berlin", "2026-03-29"), wanted);
    assert_true(conv__time_parse(conv_text("2026-10-24T22:00:00Z"), &wanted));
    assert_int_equal(start_of("Europe/Berlin", "2026-10-25"), wanted);
    /* Midnight was skipped. */
    assert_true(conv__time_parse(conv_text("2018-11-04T03:00:00Z"), &wanted));
    assert_int_equal(start_of("America/Sao_Paulo", "2018-11-04"), wanted);
    assert_true(conv__time_parse(conv_text("2026-11-22T10:00:00Z"), &wanted));
    assert_int_equal(start_of("Pacific/Kiritimati", "2026-11-23"), wanted);
    /* There was no 30 December 2011 in Samoa: it begins where the 31st does. */
    assert_int_equal(start_of("Pacific/Apia", "2011-12-30"),
                     start_of("Pacific/Apia", "2011-12-31"));
}

static void what_is_no_day_is_refused(void **state)
{
    (void)state;
    static const char *const words[] = {"",           "2026-02-29", "2026-1-1",
                                        "2026-13-01", "yesterday",  "2026-11-23T00:00:00Z",
                                        "2026-11-23 "};
    int64_t start = 42;
    conv__zone *zone = open_zone("Europe/Berlin");
    for (size_t i = 0; i < COUNT(words); i++)
        assert_false(conv__zone_day_start(zone, conv_text(words[i]), &start));
    assert_false(conv__zone_day_start(zone, conv_text(NULL), &start));
    assert_int_equal(start, 42);
    conv__zone_free(zone);
}

/* Cut off anywhere, or with any byte changed, a file is refused or read; it never leads astray. */
static void broken_files_do_no_harm(void **state)
{
    (void)state;
    conv__zone *zone = NULL;
    conv_bytes file = read_zone("America/St_Johns");
    for (size_t size = 0; size < file.size; size++) {
        char *part = malloc(size + 1); /* exactly so large, for the sanitizer */
        assert_non_null(part);
        memcpy(part, file.data, size);
        part = realloc(part, size == 0 ? 1 : size);
        assert_int_equal(conv__zone_parse(conv_view(part, size), &zone), CONV_BAD_DATA);
        assert_null(zone);
        free(part);
    }
    char *changed = malloc(file.size);
    assert_non_null(changed);
    for (size_t at = 0; at < file.size; at++) {
        memcpy(changed, file.data, file.size);
        changed[at] = (char)~changed[at];
        if (conv__zone_parse(conv_view(changed, file.size), &zone) == CONV_OK) {
            char text[CONV__DATE_TEXT_SIZE];
            int64_t start;
            conv__zone_date(zone, INT64_MAX / 2, text);
            conv__zone_date(zone, INT64_MIN / 2, text);
            (void)conv__zone_day_start(zone, conv_text("2026-11-23"), &start);
        }
        conv__zone_free(zone);
    }
    free(changed);
    free((char *)file.data);
    assert_int_equal(conv__zone_parse(conv_text(NULL), &zone), CONV_BAD_DATA);
    assert_int_equal(conv__zone_parse(conv_text("Europe/Berlin"), &zone), CONV_BAD_DATA);
}

static void rules_are_read_as_posix_has_them(void **state)
{
    (void)state;
    static const char *const bad[] = {"",
                                      "CE-1",
                                      "CET",
                                      "CET-1CEST",
                                      "CET-1X",
                                      "CET-1CEST,M3",
                                      "<CET-1",
                                      "CET-1CEST,M13.1.0,M1.1.0",
                                      "CET-200",
                                      "CET-1CEST,J0,J1",
                                      "CET-1CEST,M3.5.0,M10.5.0,",
                                      "CET-1:60"};
    conv__zone_rule rule;
    int64_t to_daylight, to_standard;
    for (size_t i = 0; i < COUNT(bad); i++)
        if (conv__zone_rule_parse(conv_text(bad[i]), &rule)) fail_msg("%s was read", bad[i]);
    assert_true(conv__zone_rule_parse(conv_text("<+0545>-5:45"), &rule));
    assert_false(rule.changes);
    assert_int_equal(rule.standard_s, 20700);
    assert_true(conv__zone_rule_parse(conv_text("AAA3BBB,J60/0,J300"), &rule));
    conv__zone_rule_year(&rule, 2024, &to_daylight, &to_standard);
    assert_int_equal(to_daylight, 1709262000); /* 2024-03-01T03:00:00Z */
    assert_int_equal(to_standard, 1730001600); /* 2024-10-27T04:00:00Z */
    assert_true(conv__zone_rule_parse(conv_text("AAA0BBB,59/0,M12.5.6/-1:30:15"), &rule));
    conv__zone_rule_year(&rule, 2024, &to_daylight, &to_standard);
    assert_int_equal(to_daylight, 1709164800); /* 2024-02-29T00:00:00Z */
    assert_int_equal(to_standard, 1735334985); /* 2024-12-27T21:29:45Z */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(offsets_are_those_of_the_system),
        cmocka_unit_test(days_begin_where_the_date_changes),
        cmocka_unit_test(known_days_begin_when_they_did),
        cmocka_unit_test(what_is_no_day_is_refused),
        cmocka_unit_test(broken_files_do_no_harm),
        cmocka_unit_test(rules_are_read_as_posix_has_them),
    };
    return RUN_TESTS("zone", tests);
}
