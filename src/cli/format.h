/* Numbers, times and dates as people read them. Pure, and independent of the locale. */
#ifndef CLI_FORMAT_H
#define CLI_FORMAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "conversation/bytes.h"

#define CLI_FORMAT_SIZE 80

/* 1234567 as "1,234,567". */
void cli_format_count(int64_t count, char text[CLI_FORMAT_SIZE]);

/* A plain decimal literal ("1234.5") with thousands separators and at least `places` digits after
 * the point: "1,234.50". No digit is ever dropped. */
void cli_format_decimal(const char *literal, size_t places, char text[CLI_FORMAT_SIZE]);

/* Digits after the point of a plain decimal literal. */
size_t cli_decimal_places(const char *literal);

/* "512 B", "3.2 MB" (powers of 1000, cut, not rounded up). */
void cli_format_bytes(int64_t bytes, char text[CLI_FORMAT_SIZE]);

/* "450 ms", "12.3 s", "4 min 05 s", "2 h 07 min". */
void cli_format_duration(int64_t milliseconds, char text[CLI_FORMAT_SIZE]);

/* "2026-11-23 03:44:40", the time of day of UTC. */
void cli_format_time(int64_t time_us, char text[CLI_FORMAT_SIZE]);

/* "2026-11-23T03:44:40.123456Z" (RFC 3339). */
void cli_format_timestamp(int64_t time_us, char text[CLI_FORMAT_SIZE]);

/* Reads "2026-11-23" (a day of UTC) or "2026-11-23T03:44[:40[.123456]][Z|+01:00]", also with a
 * blank for T; without an offset it is UTC. `is_day` says which. False if it is neither. */
bool cli_read_date(const char *text, int64_t *time_us, bool *is_day);

#define CLI_DAY_US INT64_C(86400000000)

#endif
