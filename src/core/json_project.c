/* JSON that PostgreSQL's jsonb takes, as near as possible to JSON that it may not take. Source of
 * the bounds: PostgreSQL's documentation, sections 8.1.2 (numeric) and 8.14 (json types). */
#include "core/json.h"

#include <string.h>

#include "core/json_escape.h"
#include "core/text.h"

#define NUMERIC_DIGITS_BEFORE_POINT INT64_C(131072)
#define NUMERIC_DIGITS_AFTER_POINT  INT64_C(16383)
#define NUMERIC_EXPONENT            INT64_C(1073741822)

/* The text being read; `kept` is the start of what is still to be copied as it is. */
typedef struct json_projection {
    const char *at;
    const char *end;
    const char *kept;
    conv__buffer changed;
} json_projection;

/* Puts `replacement` in the place of the next `size` bytes. */
static void replace(json_projection *projection, size_t size, const char *replacement)
{
    conv__buffer_append(&projection->changed, projection->kept,
                        (size_t)(projection->at - projection->kept));
    conv__buffer_append_text(&projection->changed, replacement);
    projection->at += size;
    projection->kept = projection->at;
}

static void project_escape(json_projection *projection)
{
    int unit = conv__unicode_escape(projection->at, projection->end);
    if (unit == CONV__NO_UNIT) {
        projection->at += 2;
        return;
    }
    size_t size = CONV__UNICODE_ESCAPE_SIZE;
    if (conv__is_high_surrogate(unit) &&
        conv__is_low_surrogate(conv__unicode_escape(projection->at + size, projection->end))) {
        projection->at += 2 * size;
    } else if (unit == 0 || conv__is_high_surrogate(unit) || conv__is_low_surrogate(unit)) {
        replace(projection, size, "\\ufffd");
    } else {
        projection->at += size;
    }
}

static void project_string(json_projection *projection)
{
    projection->at++;
    while (*projection->at != '"') {
        if (*projection->at == '\\') {
            project_escape(projection);
            continue;
        }
        conv_bytes rest = conv_view(projection->at, (size_t)(projection->end - projection->at));
        size_t length = conv__utf8_length(rest);
        if (length > 0) {
            projection->at += length;
        } else {
            replace(projection, 1, "\xEF\xBF\xBD");
        }
    }
    projection->at++;
}

/* Whether a number of JSON's grammar is one that numeric can hold. */
static bool is_numeric(const char *at, const char *end)
{
    int64_t before_point = 0; /* digits from the first that is not 0 */
    int64_t after_point = 0;
    int64_t leading_zeros = 0; /* after the point */
    bool in_fraction = false;
    bool is_zero = true;
    for (; at < end && *at != 'e' && *at != 'E'; at++) {
        if (*at == '-') continue;
        if (*at == '.') {
            in_fraction = true;
            continue;
        }
        if (*at != '0') is_zero = false;
        if (in_fraction) after_point++;
        if (in_fraction && is_zero) leading_zeros++;
        if (!in_fraction && !is_zero) before_point++;
    }
    int64_t exponent = 0;
    if (at < end) at++;
    bool negative = at < end && *at == '-';
    if (at < end && (*at == '-' || *at == '+')) at++;
    for (; at < end; at++) {
        exponent = exponent * 10 + (*at - '0');
        if (exponent > NUMERIC_EXPONENT) return false;
    }
    if (negative) exponent = -exponent;
    int64_t highest = (before_point > 0 ? before_point : -leading_zeros) + exponent;
    if (!is_zero && highest > NUMERIC_DIGITS_BEFORE_POINT) return false;
    return after_point - exponent <= NUMERIC_DIGITS_AFTER_POINT;
}

static void project_number(json_projection *projection)
{
    size_t size = 0;
    size_t left = (size_t)(projection->end - projection->at);
    while (size < left && memchr("+-.0123456789Ee", projection->at[size], 15) != NULL) {
        size++;
    }
    if (is_numeric(projection->at, projection->at + size)) {
        projection->at += size;
    } else {
        replace(projection, size, "null");
    }
}

conv_status conv__json_project(conv__arena *arena, conv__json value, conv_bytes *storable)
{
    json_projection projection = {
        .at = value.text.data, .kept = value.text.data, .end = value.text.data + value.text.size};
    while (projection.at < projection.end) {
        char c = *projection.at;
        if (c == '"') {
            project_string(&projection);
        } else if (c == '-' || (c >= '0' && c <= '9')) {
            project_number(&projection);
        } else {
            projection.at++;
        }
    }
    if (projection.kept == value.text.data) {
        *storable = value.text;
        return CONV_OK;
    }
    replace(&projection, 0, "");
    conv_status status =
        projection.changed.failed
            ? CONV_NO_MEMORY
            : conv__arena_copy(arena, conv__buffer_bytes(&projection.changed), storable);
    conv__buffer_free(&projection.changed);
    return status;
}
