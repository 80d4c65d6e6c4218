/* Cutting a text into pieces for deltas. Any bytes are a text. */
#include "providers/words.h"

#include <stdbool.h>

static bool is_blank(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static bool continues_character(char c)
{
    return ((unsigned char)c & 0xC0) == 0x80;
}

/* Bytes of the first word of a text that is not empty. */
static size_t word_length(conv_bytes text, size_t limit)
{
    size_t length = 0;
    while (length < text.size && is_blank(text.data[length]))
        length++;
    while (length < text.size && !is_blank(text.data[length]))
        length++;
    while (length < text.size && is_blank(text.data[length]))
        length++;
    if (length <= limit) return length;
    length = limit;
    /* Three steps at most: what follows is then no character anyway. */
    for (int i = 0; i < 3 && continues_character(text.data[length]); i++)
        length--;
    return length;
}

conv_status conv__put_words(conv_provider_response *response, conv_bytes text, size_t limit)
{
    while (text.size > 0) {
        size_t length = word_length(text, limit);
        conv_status status = conv_provider_response_delta(response, conv_view(text.data, length));
        if (status != CONV_OK) return status;
        text = conv_view(text.data + length, text.size - length);
    }
    return CONV_OK;
}

int64_t conv__word_count(conv_bytes text)
{
    int64_t count = 0;
    bool in_word = false;
    for (size_t i = 0; i < text.size; i++) {
        bool blank = is_blank(text.data[i]);
        if (!blank && !in_word) count++;
        in_word = !blank;
    }
    return count;
}
