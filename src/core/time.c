/* The system's clocks, deadlines, and RFC 3339. It must not ask for a locale or a time zone: every
 * text is in UTC. */
#include "core/time.h"

#include <stdio.h>
#include <time.h>

#define US_PER_SECOND   INT64_C(1000000)
#define NS_PER_MS       INT64_C(1000000)
#define SECONDS_PER_DAY INT64_C(86400)

static int64_t system_now_us(const conv__clock *clock)
{
    (void)clock;
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * US_PER_SECOND + now.tv_nsec / 1000;
}

static int64_t system_monotonic_ns(const conv__clock *clock)
{
    (void)clock;
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

const conv__clock *conv__clock_system(void)
{
    static const conv__clock_functions functions = {system_now_us, system_monotonic_ns};
    static const conv__clock clock = {&functions};
    return &clock;
}

int64_t conv__monotonic_ns(void)
{
    return system_monotonic_ns(NULL);
}

int64_t conv__now_us(void)
{
    return system_now_us(NULL);
}

int64_t conv__deadline_later(int64_t deadline_ns, int64_t more_ms)
{
    if (more_ms <= 0) return deadline_ns;
    if (more_ms > (CONV__NO_DEADLINE - deadline_ns) / NS_PER_MS) return CONV__NO_DEADLINE;
    return deadline_ns + more_ms * NS_PER_MS;
}

int64_t conv__deadline_in_ms(int64_t timeout_ms)
{
    return conv__deadline_later(conv__monotonic_ns(), timeout_ms);
}

int conv__deadline_left_ms(int64_t deadline_ns)
{
    if (deadline_ns == CONV__NO_DEADLINE) return INT32_MAX;
    int64_t now_ns = conv__monotonic_ns();
    if (deadline_ns <= now_ns) return 0;
    int64_t left_ms = (deadline_ns - now_ns - 1) / NS_PER_MS + 1;
    return left_ms > INT32_MAX ? INT32_MAX : (int)left_ms;
}

bool conv__deadline_passed(int64_t deadline_ns)
{
    return deadline_ns != CONV__NO_DEADLINE && conv__monotonic_ns() >= deadline_ns;
}

int64_t conv__deadline_within(int64_t deadline_ns, const conv__latest *latest)
{
    int64_t moment_ns = latest == NULL ? 0 : atomic_load(&latest->moment_ns);
    return moment_ns != 0 && moment_ns < deadline_ns ? moment_ns : deadline_ns;
}

/* Years are counted from March, so that the leap day is the last of its year. */
int64_t conv__days_from_date(int64_t year, int64_t month, int64_t day)
{
    year -= month <= 2;
    int64_t era = (year >= 0 ? year : year - 399) / 400;
    int64_t year_of_era = year - era * 400;
    int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return era * 146097 + day_of_era - 719468;
}

static void date_from_days(int64_t days, int *year, int *month, int *day)
{
    days += 719468;
    int64_t era = (days >= 0 ? days : days - 146096) / 146097;
    int64_t day_of_era = days - era * 146097;
    int64_t year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t shifted_month = (5 * day_of_year + 2) / 153;
    *day = (int)(day_of_year - (153 * shifted_month + 2) / 5 + 1);
    *month = (int)(shifted_month < 10 ? shifted_month + 3 : shifted_month - 9);
    *year = (int)(year_of_era + era * 400 + (*month <= 2));
}

static int64_t start_of_year(int64_t year)
{
    return conv__days_from_date(year, 1, 1) * SECONDS_PER_DAY * US_PER_SECOND;
}

bool conv__time_is_storable(int64_t time_us)
{
    return time_us >= start_of_year(1) && time_us < start_of_year(10000);
}

void conv__time_format(int64_t time_us, char text[CONV__TIME_TEXT_SIZE])
{
    int64_t first = start_of_year(0);
    int64_t end = start_of_year(10000);
    if (time_us < first) time_us = first;
    if (time_us >= end) time_us = end - 1;

    int64_t since_first = time_us - first;
    int64_t us = since_first % US_PER_SECOND;
    int64_t seconds = since_first / US_PER_SECOND;
    int year, month, day;
    date_from_days(seconds / SECONDS_PER_DAY + conv__days_from_date(0, 1, 1), &year, &month, &day);
    int second_of_day = (int)(seconds % SECONDS_PER_DAY);
    /* The remainders tell the compiler, which checks the size, what is known of each part. */
    snprintf(text, CONV__TIME_TEXT_SIZE, "%04u-%02u-%02uT%02u:%02u:%02u.%06uZ",
             (unsigned)year % 10000u, (unsigned)month % 100u, (unsigned)day % 100u,
             (unsigned)(second_of_day / 3600) % 100u, (unsigned)(second_of_day / 60) % 60u,
             (unsigned)second_of_day % 60u, (unsigned)us % 1000000u);
}

/* A place in the text that is being read. */
typedef struct text_cursor {
    const char *at;
    const char *end;
} text_cursor;

static bool read_character(text_cursor *cursor, const char *any_of)
{
    if (cursor->at == cursor->end) return false;
    for (; *any_of != '\0'; any_of++) {
        if (*cursor->at != *any_of) continue;
        cursor->at++;
        return true;
    }
    return false;
}

static bool read_digits(text_cursor *cursor, int count, int64_t low, int64_t high, int64_t *number)
{
    int64_t read = 0;
    for (int i = 0; i < count; i++) {
        if (cursor->at == cursor->end || *cursor->at < '0' || *cursor->at > '9') return false;
        read = read * 10 + (*cursor->at++ - '0');
    }
    *number = read;
    return read >= low && read <= high;
}

static bool read_date(text_cursor *cursor, int64_t *days)
{
    int64_t year, month, day;
    if (!read_digits(cursor, 4, 0, 9999, &year) || !read_character(cursor, "-") ||
        !read_digits(cursor, 2, 1, 12, &month) || !read_character(cursor, "-") ||
        !read_digits(cursor, 2, 1, 31, &day))
        return false;
    *days = conv__days_from_date(year, month, day);
    /* The 30th of February comes back as a day of March. */
    int real_year, real_month, real_day;
    date_from_days(*days, &real_year, &real_month, &real_day);
    return real_month == month && real_day == day;
}

static bool read_fraction(text_cursor *cursor, int64_t *us)
{
    *us = 0;
    if (!read_character(cursor, ".")) return true;
    int64_t place = US_PER_SECOND;
    int64_t digit;
    while (place > 1 && read_digits(cursor, 1, 0, 9, &digit)) {
        place /= 10;
        *us += digit * place;
    }
    return place < US_PER_SECOND;
}

static bool read_offset(text_cursor *cursor, int64_t *seconds)
{
    *seconds = 0;
    if (read_character(cursor, "Zz")) return true;
    int64_t sign = read_character(cursor, "-") ? -1 : 1;
    if (sign > 0 && !read_character(cursor, "+")) return false;
    int64_t hours, minutes;
    if (!read_digits(cursor, 2, 0, 23, &hours) || !read_character(cursor, ":") ||
        !read_digits(cursor, 2, 0, 59, &minutes))
        return false;
    *seconds = sign * (hours * 3600 + minutes * 60);
    return true;
}

bool conv__time_parse(conv_bytes text, int64_t *time_us)
{
    if (text.data == NULL) return false;
    text_cursor cursor = {text.data, text.data + text.size};
    int64_t days, hour = 0, minute = 0, second = 0, us = 0, offset = 0;
    if (!read_date(&cursor, &days)) return false;
    if (cursor.at != cursor.end &&
        (!read_character(&cursor, "Tt ") || !read_digits(&cursor, 2, 0, 23, &hour) ||
         !read_character(&cursor, ":") || !read_digits(&cursor, 2, 0, 59, &minute) ||
         !read_character(&cursor, ":") || !read_digits(&cursor, 2, 0, 59, &second) ||
         !read_fraction(&cursor, &us) || !read_offset(&cursor, &offset)))
        return false;
    if (cursor.at != cursor.end) return false;
    int64_t seconds = days * SECONDS_PER_DAY + hour * 3600 + minute * 60 + second - offset;
    *time_us = seconds * US_PER_SECOND + us;
    return true;
}
