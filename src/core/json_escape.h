/* One \uXXXX escape of a JSON string, shared by what decodes strings and what projects them. */
#ifndef CONV__CORE_JSON_ESCAPE_H
#define CONV__CORE_JSON_ESCAPE_H

#include <stdbool.h>
#include <stddef.h>

#define CONV__UNICODE_ESCAPE_SIZE ((size_t)6)
#define CONV__NO_UNIT             (-1)

/* The UTF-16 unit of the escape at `at`, or CONV__NO_UNIT if there is none. */
static inline int conv__unicode_escape(const char *at, const char *end)
{
    if ((size_t)(end - at) < CONV__UNICODE_ESCAPE_SIZE || at[0] != '\\' || at[1] != 'u')
        return CONV__NO_UNIT;
    int unit = 0;
    for (size_t i = 2; i < CONV__UNICODE_ESCAPE_SIZE; i++) {
        int digit = at[i] <= '9' ? at[i] - '0' : (at[i] | 0x20) - 'a' + 10;
        unit = unit * 16 + digit;
    }
    return unit;
}

static inline bool conv__is_high_surrogate(int unit)
{
    return unit >= 0xD800 && unit <= 0xDBFF;
}

static inline bool conv__is_low_surrogate(int unit)
{
    return unit >= 0xDC00 && unit <= 0xDFFF;
}

#endif
