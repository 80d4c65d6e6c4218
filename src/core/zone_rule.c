/* POSIX TZ rules: reading, and the two moments of a year. It knows no file and no clock. */
#include "core/zone_rule.h"

#include <string.h>

#include "core/time.h"

enum { DAY_S = 86400, HOURS_MOST = 167 };

/* What is left of the text. */
typedef struct reader {
    const char *at;
    const char *end;
} reader;

static bool take(reader *text, char wanted)
{
    if (text->at == text->end || *text->at != wanted) return false;
    text->at++;
    return true;
}

static bool number(reader *text, int most, int *value)
{
    const char *start = text->at;
    *value = 0;
    for (; text->at < text->end && *text->at >= '0' && *text->at <= '9'; text->at++) {
        *value = *value * 10 + (*text->at - '0');
        if (*value > most) return false;
    }
    return text->at > start;
}

static bool is_letter(char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

/* The abbreviation: three letters or more, or anything else in <>. */
static bool skip_name(reader *text)
{
    const char *start = text->at;
    if (take(text, '<')) {
        while (text->at < text->end && *text->at != '>')
            text->at++;
        return take(text, '>');
    }
    while (text->at < text->end && is_letter(*text->at))
        text->at++;
    return text->at - start >= 3;
}

/* [+-]hh[:mm[:ss]] */
static bool read_clock(reader *text, int32_t *seconds)
{
    int hours;
    int minutes = 0;
    int rest = 0;
    bool negative = take(text, '-');
    if (!negative) (void)take(text, '+');
    if (!number(text, HOURS_MOST, &hours)) return false;
    if (take(text, ':')) {
        if (!number(text, 59, &minutes)) return false;
        if (take(text, ':') && !number(text, 59, &rest)) return false;
    }
    *seconds = hours * 3600 + minutes * 60 + rest;
    if (negative) *seconds = -*seconds;
    return true;
}

static bool read_day(reader *text, conv__zone_change *change)
{
    if (take(text, 'M')) {
        change->form = CONV__ZONE_DAY_OF_MONTH;
        return number(text, 12, &change->month) && change->month >= 1 && take(text, '.') &&
               number(text, 5, &change->week) && change->week >= 1 && take(text, '.') &&
               number(text, 6, &change->day);
    }
    if (take(text, 'J')) {
        change->form = CONV__ZONE_DAY_WITHOUT_29;
        return number(text, 365, &change->day) && change->day >= 1;
    }
    change->form = CONV__ZONE_DAY_FROM_ZERO;
    return number(text, 365, &change->day);
}

static bool read_change(reader *text, conv__zone_change *change)
{
    change->second = 2 * 3600;
    if (!take(text, ',') || !read_day(text, change)) return false;
    return !take(text, '/') || read_clock(text, &change->second);
}

bool conv__zone_rule_parse(conv_bytes bytes, conv__zone_rule *rule)
{
    reader text = {bytes.data, bytes.data + bytes.size};
    int32_t west;
    memset(rule, 0, sizeof *rule);
    if (!skip_name(&text) || !read_clock(&text, &west)) return false;
    rule->standard_s = -west;
    if (text.at == text.end) return true;
    if (!skip_name(&text)) return false;
    rule->changes = true;
    rule->daylight_s = rule->standard_s + 3600;
    if (text.at < text.end && *text.at != ',') {
        if (!read_clock(&text, &west)) return false;
        rule->daylight_s = -west;
    }
    return read_change(&text, &rule->to_daylight) && read_change(&text, &rule->to_standard) &&
           text.at == text.end;
}

static bool is_leap(int64_t year)
{
    return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

static int64_t day_of(const conv__zone_change *change, int64_t year)
{
    if (change->form == CONV__ZONE_DAY_FROM_ZERO)
        return conv__days_from_date(year, 1, 1) + change->day;
    if (change->form == CONV__ZONE_DAY_WITHOUT_29)
        return conv__days_from_date(year, 1, 1) + change->day - 1 +
               (is_leap(year) && change->day >= 60);
    int64_t first = conv__days_from_date(year, change->month, 1);
    int64_t next = change->month == 12 ? conv__days_from_date(year + 1, 1, 1)
                                       : conv__days_from_date(year, change->month + 1, 1);
    int64_t week_day = ((first + 4) % 7 + 7) % 7; /* 1970-01-01 was a Thursday */
    int64_t day = first + (change->day - week_day + 7) % 7 + 7 * (change->week - 1);
    return day < next ? day : day - 7;
}

void conv__zone_rule_year(const conv__zone_rule *rule, int64_t year, int64_t *to_daylight,
                          int64_t *to_standard)
{
    *to_daylight =
        day_of(&rule->to_daylight, year) * DAY_S + rule->to_daylight.second - rule->standard_s;
    *to_standard =
        day_of(&rule->to_standard, year) * DAY_S + rule->to_standard.second - rule->daylight_s;
}
