/* In ASCII letters and digits make words, beyond it all that separators.h does not name. */
#include "core/letters.h"

#include <stdint.h>

#include "core/separators.h"
#include "core/text.h"

typedef struct range {
    uint32_t first;
    uint32_t last;
} range;

#define AS_RANGE(first, last) {0x##first, 0x##last},
static const range separators[] = {CONV__SEPARATORS(AS_RANGE)};

static uint32_t code_of(const char *bytes, size_t length)
{
    const unsigned char *at = (const unsigned char *)bytes;
    if (length == 1) return at[0];
    uint32_t code = at[0] & (0xFFU >> (length + 1));
    for (size_t i = 1; i < length; i++)
        code = code << 6 | (at[i] & 0x3FU);
    return code;
}

static bool is_separator(uint32_t code)
{
    size_t low = 0;
    size_t high = sizeof separators / sizeof separators[0];
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (code > separators[middle].last)
            low = middle + 1;
        else if (code < separators[middle].first)
            high = middle;
        else
            return true;
    }
    return false;
}

static bool is_letter_code(uint32_t code)
{
    if (code < 0x80)
        return (code >= '0' && code <= '9') || (code >= 'a' && code <= 'z') ||
               (code >= 'A' && code <= 'Z');
    return !is_separator(code);
}

size_t conv__letters_step(conv_bytes rest, bool *is_letter)
{
    size_t length = conv__utf8_length(rest);
    *is_letter = length > 0 && is_letter_code(code_of(rest.data, length));
    return length == 0 ? 1 : length;
}

void conv__letters_append(conv__buffer *buffer, conv_bytes text)
{
    bool between = false;
    size_t start = buffer->size;
    for (size_t at = 0; at < text.size;) {
        bool is_letter = false;
        size_t length = conv__letters_step(conv_view(text.data + at, text.size - at), &is_letter);
        if (is_letter && between && buffer->size > start) conv__buffer_append_text(buffer, " ");
        if (is_letter) conv__buffer_append(buffer, text.data + at, length);
        between = !is_letter;
        at += length;
    }
}
