/* Time: the clock as an interface, deadlines, and calendar texts. */
#ifndef CONV__CORE_TIME_H
#define CONV__CORE_TIME_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "conversation/bytes.h"

typedef struct conv__clock conv__clock;

typedef struct conv__clock_functions {
    int64_t (*now_us)(const conv__clock *clock);       /* microseconds since 1970 UTC */
    int64_t (*monotonic_ns)(const conv__clock *clock); /* never steps back; any origin */
} conv__clock_functions;

struct conv__clock {
    const conv__clock_functions *functions;
};

const conv__clock *conv__clock_system(void);

/* A deadline is a moment of the monotonic clock, in nanoseconds. */
#define CONV__NO_DEADLINE INT64_MAX

int64_t conv__monotonic_ns(void);
int64_t conv__now_us(void);
int64_t conv__deadline_in_ms(int64_t timeout_ms); /* now + timeout, without overflow */
int64_t conv__deadline_later(int64_t deadline_ns, int64_t more_ms); /* without overflow */

/* Milliseconds left, rounded up; 0 when it has passed; INT32_MAX at most, fit for poll(2). */
int conv__deadline_left_ms(int64_t deadline_ns);
bool conv__deadline_passed(int64_t deadline_ns);

/* A moment by which everything must end, whatever deadline it began with: set from another thread
 * when its owner is being closed. Whoever waits looks at it every so often. */
typedef struct conv__latest {
    _Atomic int64_t moment_ns; /* 0: none */
} conv__latest;

enum { CONV__LATEST_CHECK_MS = 100 };

/* The earlier of both; `latest` NULL: none. */
int64_t conv__deadline_within(int64_t deadline_ns, const conv__latest *latest);

/* Days since 1970-01-01 of a date of the proleptic Gregorian calendar. */
int64_t conv__days_from_date(int64_t year, int64_t month, int64_t day);

/* Whether it is within the years 1 to 9999, which every store keeps exactly. */
bool conv__time_is_storable(int64_t time_us);

#define CONV__TIME_TEXT_SIZE 28

/* "2026-11-23T03:44:40.123456Z": RFC 3339 with six places, always 27 characters, so that order of
 * texts is order of times. Years 0000 to 9999; others are clamped. */
void conv__time_format(int64_t time_us, char text[CONV__TIME_TEXT_SIZE]);

/* Reads that form, and also fewer places, an offset (+02:00), a space for T, or a date alone
 * (midnight UTC). False if it is none of these; then `time_us` is left alone. */
bool conv__time_parse(conv_bytes text, int64_t *time_us);

#endif
