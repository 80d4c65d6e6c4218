/* JSON strings to bytes and back, without loss. */
#include "core/json.h"

#include <string.h>

#include "core/json_escape.h"
#include "core/text.h"

/* What stands between the quotes. */
static conv_bytes inside(conv__json string)
{
    return conv_view(string.text.data + 1, string.text.size - 2);
}

/* UTF-8 of a code point; three bytes for a surrogate, as WTF-8 has it. */
static size_t encode(int code, char bytes[4])
{
    if (code < 0x80) {
        bytes[0] = (char)code;
        return 1;
    }
    if (code < 0x800) {
        bytes[0] = (char)(0xC0 | code >> 6);
        bytes[1] = (char)(0x80 | (code & 0x3F));
        return 2;
    }
    if (code < 0x10000) {
        bytes[0] = (char)(0xE0 | code >> 12);
        bytes[1] = (char)(0x80 | (code >> 6 & 0x3F));
        bytes[2] = (char)(0x80 | (code & 0x3F));
        return 3;
    }
    bytes[0] = (char)(0xF0 | code >> 18);
    bytes[1] = (char)(0x80 | (code >> 12 & 0x3F));
    bytes[2] = (char)(0x80 | (code >> 6 & 0x3F));
    bytes[3] = (char)(0x80 | (code & 0x3F));
    return 4;
}

static char decode_short_escape(char c)
{
    switch (c) {
    case 'b':
        return '\b';
    case 'f':
        return '\f';
    case 'n':
        return '\n';
    case 'r':
        return '\r';
    case 't':
        return '\t';
    default:
        return c;
    }
}

/* Decodes the escape at `*at` and steps over it. */
static size_t decode_escape(const char **at, const char *end, char bytes[4])
{
    int unit = conv__unicode_escape(*at, end);
    if (unit == CONV__NO_UNIT) {
        bytes[0] = decode_short_escape((*at)[1]);
        *at += 2;
        return 1;
    }
    *at += CONV__UNICODE_ESCAPE_SIZE;
    if (!conv__is_high_surrogate(unit)) return encode(unit, bytes);
    int low = conv__unicode_escape(*at, end);
    if (!conv__is_low_surrogate(low)) return encode(unit, bytes);
    *at += CONV__UNICODE_ESCAPE_SIZE;
    return encode(0x10000 + ((unit - 0xD800) << 10) + (low - 0xDC00), bytes);
}

conv_status conv__json_string(conv__arena *arena, conv__json value, conv_bytes *bytes)
{
    if (value.kind != CONV__JSON_STRING) {
        *bytes = conv_text(NULL);
        return CONV_OK;
    }
    conv_bytes text = inside(value);
    conv_bytes copy;
    if (conv__arena_copy(arena, text, &copy) != CONV_OK) return CONV_NO_MEMORY;

    /* No escape is shorter than what it stands for, so decoding fits in the place of the text. */
    char *to = (char *)copy.data;
    const char *at = text.data;
    const char *end = text.data + text.size;
    while (at < end) {
        const char *backslash = memchr(at, '\\', (size_t)(end - at));
        size_t plain = (size_t)((backslash == NULL ? end : backslash) - at);
        memcpy(to, at, plain);
        to += plain;
        at += plain;
        if (backslash != NULL) to += decode_escape(&at, end, to);
    }
    *to = '\0';
    *bytes = conv_view(copy.data, (size_t)(to - copy.data));
    return CONV_OK;
}

bool conv__json_string_is(conv__json value, const char *text)
{
    if (value.kind != CONV__JSON_STRING) return false;
    conv_bytes string = inside(value);
    const char *at = string.data;
    const char *end = string.data + string.size;
    size_t left = strlen(text);
    while (at < end) {
        char bytes[4] = {*at};
        size_t size = 1;
        if (*at == '\\') {
            size = decode_escape(&at, end, bytes);
        } else {
            at++;
        }
        if (size > left || memcmp(bytes, text, size) != 0) return false;
        text += size;
        left -= size;
    }
    return left == 0;
}

/* The surrogate that three bytes at the start of `text` stand for in WTF-8, or CONV__NO_UNIT. */
static int wtf8_surrogate(conv_bytes text)
{
    if (text.size < 3) return CONV__NO_UNIT;
    unsigned char first = (unsigned char)text.data[0];
    unsigned char second = (unsigned char)text.data[1];
    unsigned char third = (unsigned char)text.data[2];
    if (first != 0xED || second < 0xA0 || second > 0xBF || third < 0x80 || third > 0xBF)
        return CONV__NO_UNIT;
    return 0xD000 | (second & 0x3F) << 6 | (third & 0x3F);
}

static void append_escape(conv__buffer *buffer, unsigned unit)
{
    static const char digits[] = "0123456789abcdef";
    char escape[] = {'\\',
                     'u',
                     digits[unit >> 12 & 0xF],
                     digits[unit >> 8 & 0xF],
                     digits[unit >> 4 & 0xF],
                     digits[unit & 0xF]};
    conv__buffer_append(buffer, escape, sizeof escape);
}

static void append_ascii(conv__buffer *buffer, char c)
{
    static const char escaped[] = "\"\\\b\f\n\r\t";
    static const char letters[] = "\"\\bfnrt";
    const char *found = c == '\0' ? NULL : strchr(escaped, c);
    if (found == NULL) {
        append_escape(buffer, (unsigned char)c);
        return;
    }
    char escape[] = {'\\', letters[found - escaped]};
    conv__buffer_append(buffer, escape, sizeof escape);
}

/* Bytes at the start of `text` that come out as they are. */
static size_t plain_run(conv_bytes text)
{
    size_t size = 0;
    while (size < text.size) {
        unsigned char c = (unsigned char)text.data[size];
        if (c < 0x20 || c == '"' || c == '\\') break;
        size_t length = conv__utf8_length(conv_view(text.data + size, text.size - size));
        if (length == 0) break;
        size += length;
    }
    return size;
}

bool conv__json_append_string(conv__buffer *buffer, conv_bytes text)
{
    bool is_text = true;
    bool after_high = false;
    conv__buffer_append(buffer, "\"", 1);
    for (size_t offset = 0; offset < text.size;) {
        conv_bytes rest = conv_view(text.data + offset, text.size - offset);
        size_t plain = plain_run(rest);
        if (plain > 0) {
            conv__buffer_append(buffer, rest.data, plain);
            offset += plain;
            after_high = false;
            continue;
        }
        if ((unsigned char)rest.data[0] < 0x80) {
            append_ascii(buffer, rest.data[0]);
            offset++;
            after_high = false;
            continue;
        }
        /* A high surrogate and then a low one are no WTF-8: read back, they would be one character.
         */
        int surrogate = wtf8_surrogate(rest);
        if (surrogate == CONV__NO_UNIT || (after_high && conv__is_low_surrogate(surrogate))) {
            append_escape(buffer, 0xFFFD);
            is_text = false;
            offset++;
            after_high = false;
            continue;
        }
        append_escape(buffer, (unsigned)surrogate);
        offset += 3;
        after_high = conv__is_high_surrogate(surrogate);
    }
    conv__buffer_append(buffer, "\"", 1);
    return is_text;
}
