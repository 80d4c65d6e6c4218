/* Counts, decimals, sizes and durations for people. It must not use floating point or the locale.
 */
#include "cli/format.h"

#include <stdio.h>
#include <string.h>

/* Copies `size` digits with a comma after each third from the right. */
static size_t group(const char *digits, size_t size, char *text)
{
    size_t used = 0;
    for (size_t i = 0; i < size; i++) {
        if (i > 0 && (size - i) % 3 == 0) text[used++] = ',';
        text[used++] = digits[i];
    }
    return used;
}

void cli_format_count(int64_t count, char text[CLI_FORMAT_SIZE])
{
    char digits[24];
    snprintf(digits, sizeof digits, "%lld", (long long)count);
    bool negative = digits[0] == '-';
    text[0] = '-';
    size_t start = negative ? 1 : 0;
    size_t used = group(digits + start, strlen(digits) - start, text + start);
    text[start + used] = '\0';
}

size_t cli_decimal_places(const char *literal)
{
    const char *point = strchr(literal, '.');
    return point == NULL ? 0 : strlen(point + 1);
}

void cli_format_decimal(const char *literal, size_t places, char text[CLI_FORMAT_SIZE])
{
    /* 38 digits, their separators, sign and point always fit. */
    size_t start = literal[0] == '-' ? 1 : 0;
    text[0] = '-';
    size_t whole = strcspn(literal + start, ".");
    size_t used = start + group(literal + start, whole, text + start);
    size_t given = cli_decimal_places(literal);
    if (places > 38) places = 38;
    if (given > 0 || places > 0) text[used++] = '.';
    memcpy(text + used, literal + start + whole + (given > 0 ? 1 : 0), given);
    used += given;
    for (; given < places; given++)
        text[used++] = '0';
    text[used] = '\0';
}

void cli_format_bytes(int64_t bytes, char text[CLI_FORMAT_SIZE])
{
    static const char *const units[] = {"B", "kB", "MB", "GB", "TB", "PB", "EB"};
    int64_t tenths = 0;
    size_t unit = 0;
    while (bytes >= 1000) {
        tenths = bytes % 1000 / 100;
        bytes /= 1000;
        unit++;
    }
    if (unit == 0)
        snprintf(text, CLI_FORMAT_SIZE, "%lld B", (long long)bytes);
    else
        snprintf(text, CLI_FORMAT_SIZE, "%lld.%lld %s", (long long)bytes, (long long)tenths,
                 units[unit]);
}

void cli_format_duration(int64_t milliseconds, char text[CLI_FORMAT_SIZE])
{
    long long seconds = milliseconds / 1000;
    if (milliseconds < 1000)
        snprintf(text, CLI_FORMAT_SIZE, "%lld ms", (long long)milliseconds);
    else if (seconds < 60)
        snprintf(text, CLI_FORMAT_SIZE, "%lld.%lld s", seconds,
                 (long long)(milliseconds % 1000 / 100));
    else if (seconds < 3600)
        snprintf(text, CLI_FORMAT_SIZE, "%lld min %02lld s", seconds / 60, seconds % 60);
    else
        snprintf(text, CLI_FORMAT_SIZE, "%lld h %02lld min", seconds / 3600, seconds % 3600 / 60);
}
