/* Dates and times of UTC, to and from text. It must not ask for the time zone or the locale. */
#include <stdio.h>
#include <time.h>

#include "cli/format.h"

static struct tm calendar(int64_t time_us, int64_t *fraction_us)
{
    int64_t seconds = time_us / 1000000;
    int64_t fraction = time_us % 1000000;
    if (fraction < 0) {
        fraction += 1000000;
        seconds--;
    }
    *fraction_us = fraction;
    time_t clock = (time_t)seconds;
    struct tm parts = {0};
    gmtime_r(&clock, &parts);
    return parts;
}

void cli_format_time(int64_t time_us, char text[CLI_FORMAT_SIZE])
{
    int64_t fraction;
    struct tm parts = calendar(time_us, &fraction);
    snprintf(text, CLI_FORMAT_SIZE, "%04d-%02d-%02d %02d:%02d:%02d", parts.tm_year + 1900,
             parts.tm_mon + 1, parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec);
}

void cli_format_timestamp(int64_t time_us, char text[CLI_FORMAT_SIZE])
{
    int64_t fraction;
    struct tm parts = calendar(time_us, &fraction);
    snprintf(text, CLI_FORMAT_SIZE, "%04d-%02d-%02dT%02d:%02d:%02d.%06dZ", parts.tm_year + 1900,
             parts.tm_mon + 1, parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec,
             (int)fraction);
}

/* Exactly `count` digits, whose number is at most `most`. */
static bool digits(const char **text, int count, int most, int *number)
{
    int value = 0;
    for (int i = 0; i < count; i++) {
        char digit = (*text)[i];
        if (digit < '0' || digit > '9') return false;
        value = value * 10 + (digit - '0');
    }
    *text += count;
    *number = value;
    return value <= most;
}

static bool mark(const char **text, char wanted)
{
    if (**text != wanted) return false;
    (*text)++;
    return true;
}

static bool read_day(const char **text, struct tm *parts)
{
    int year, month, day;
    if (!digits(text, 4, 9999, &year) || !mark(text, '-') || !digits(text, 2, 12, &month) ||
        !mark(text, '-') || !digits(text, 2, 31, &day))
        return false;
    if (year < 1970 || month < 1 || day < 1) return false;
    *parts = (struct tm){.tm_year = year - 1900, .tm_mon = month - 1, .tm_mday = day};
    /* timegm takes 31 February for 3 March: such a day does not come back as it went in. */
    struct tm normal = *parts;
    timegm(&normal);
    return normal.tm_mday == day;
}

/* The fraction of a second, any number of places of which six count. */
static bool read_fraction(const char **text, int64_t *fraction_us)
{
    int64_t unit = 100000;
    int places = 0;
    for (; **text >= '0' && **text <= '9'; (*text)++, places++) {
        *fraction_us += unit * (**text - '0');
        unit /= 10;
    }
    return places > 0;
}

static bool read_offset(const char **text, int64_t *offset_minutes)
{
    int sign = mark(text, '+') ? 1 : mark(text, '-') ? -1 : 0;
    if (sign == 0) {
        (void)(mark(text, 'Z') || mark(text, 'z'));
        return true;
    }
    int hours, minutes;
    if (!digits(text, 2, 23, &hours) || !mark(text, ':') || !digits(text, 2, 59, &minutes))
        return false;
    *offset_minutes = (int64_t)sign * (hours * 60 + minutes);
    return true;
}

bool cli_read_date(const char *text, int64_t *time_us, bool *is_day)
{
    struct tm parts;
    int64_t fraction_us = 0;
    int64_t offset_minutes = 0;
    if (!read_day(&text, &parts)) return false;
    bool day = *text == '\0';
    if (!day) {
        if (!mark(&text, 'T') && !mark(&text, 't') && !mark(&text, ' ')) return false;
        if (!digits(&text, 2, 23, &parts.tm_hour) || !mark(&text, ':') ||
            !digits(&text, 2, 59, &parts.tm_min))
            return false;
        if (mark(&text, ':') && !digits(&text, 2, 59, &parts.tm_sec)) return false;
        if (mark(&text, '.') && !read_fraction(&text, &fraction_us)) return false;
        if (!read_offset(&text, &offset_minutes) || *text != '\0') return false;
    }
    *time_us = ((int64_t)timegm(&parts) - offset_minutes * 60) * 1000000 + fraction_us;
    *is_day = day;
    return true;
}
