/* UTF-8 by the table of well-formed byte sequences (Unicode 15, table 3-7). No locale is asked. */
#include "core/text.h"

#include <stdint.h>
#include <string.h>

#define REPLACEMENT      "\xEF\xBF\xBD" /* U+FFFD */
#define REPLACEMENT_SIZE ((size_t)3)

static bool is_between(char byte, unsigned char low, unsigned char high)
{
    return (unsigned char)byte >= low && (unsigned char)byte <= high;
}

static bool is_continuation(char byte)
{
    return ((unsigned char)byte & 0xC0) == 0x80;
}

/* Of a text that is not empty. */
static inline size_t length_of_first(conv_bytes text)
{
    unsigned char first = (unsigned char)text.data[0];
    if (first < 0x80) return 1;
    if (first < 0xC2 || first > 0xF4) return 0;

    size_t length = first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;
    if (text.size < length) return 0;
    /* The second byte's range keeps out what is overlong, surrogates and all above U+10FFFF. */
    unsigned char low = first == 0xE0 ? 0xA0 : first == 0xF0 ? 0x90 : 0x80;
    unsigned char high = first == 0xED ? 0x9F : first == 0xF4 ? 0x8F : 0xBF;
    if (!is_between(text.data[1], low, high)) return 0;
    if (length > 2 && !is_continuation(text.data[2])) return 0;
    return length < 4 || is_continuation(text.data[3]) ? length : 0;
}

size_t conv__utf8_length(conv_bytes text)
{
    return text.size == 0 ? 0 : length_of_first(text);
}

/* Bytes at the start of `text` that are ASCII, counted in steps of eight. */
static size_t ascii_run(conv_bytes text)
{
    size_t size = 0;
    while (text.size - size >= 8) {
        uint64_t eight;
        memcpy(&eight, text.data + size, 8);
        if ((eight & UINT64_C(0x8080808080808080)) != 0) break;
        size += 8;
    }
    return size;
}

static conv_bytes rest_of(conv_bytes text, size_t offset)
{
    return conv_view(text.data + offset, text.size - offset);
}

bool conv__utf8_is_valid(conv_bytes text)
{
    size_t offset = 0;
    while (offset < text.size) {
        conv_bytes rest = rest_of(text, offset);
        size_t length = (unsigned char)rest.data[0] < 0x80 ? ascii_run(rest) : 0;
        if (length == 0) length = length_of_first(rest);
        if (length == 0) return false;
        offset += length;
    }
    return true;
}

bool conv__text_is_storable(conv_bytes text)
{
    if (text.size == 0) return true;
    return memchr(text.data, '\0', text.size) == NULL && conv__utf8_is_valid(text);
}

/* Writes the projection to `to`, or only measures it when `to` is NULL. */
static size_t project(conv_bytes text, char *to)
{
    size_t size = 0;
    for (size_t offset = 0; offset < text.size;) {
        const char *from = text.data + offset;
        size_t length = *from == '\0' ? 0 : conv__utf8_length(rest_of(text, offset));
        offset += length == 0 ? 1 : length;
        if (length == 0) {
            from = REPLACEMENT;
            length = REPLACEMENT_SIZE;
        }
        if (to != NULL) memcpy(to + size, from, length);
        size += length;
    }
    return size;
}

conv_status conv__text_project(conv__arena *arena, conv_bytes text, conv_bytes *storable)
{
    if (conv__text_is_storable(text)) {
        *storable = text;
        return CONV_OK;
    }
    if (text.size > SIZE_MAX / REPLACEMENT_SIZE) return CONV_NO_MEMORY;
    size_t size = project(text, NULL);
    char *data = conv__arena_allocate(arena, size + 1);
    if (data == NULL) return CONV_NO_MEMORY;
    project(text, data);
    *storable = conv_view(data, size);
    return CONV_OK;
}

size_t conv__utf8_count(conv_bytes text)
{
    size_t count = 0;
    for (size_t offset = 0; offset < text.size; count++) {
        size_t length = conv__utf8_length(rest_of(text, offset));
        offset += length == 0 ? 1 : length;
    }
    return count;
}

conv_bytes conv__utf8_cut(conv_bytes text, size_t most)
{
    if (text.size <= most) return text;
    while (most > 0 && is_continuation(text.data[most]))
        most--;
    return conv_view(text.data, most);
}
