/* Surrogate halves at the seams of a text that comes in pieces. Knows nothing of JSON. */
#include "providers/surrogate.h"

#include <stdbool.h>
#include <stdint.h>

#define HALF_SIZE ((size_t)3)

/* Whether three bytes are a half whose second byte lies from `first` to `first` + 15. */
static bool is_half(const char *data, unsigned char first)
{
    const unsigned char *bytes = (const unsigned char *)data;
    return bytes[0] == 0xED && bytes[1] >= first && bytes[1] <= first + 15 &&
           (bytes[2] & 0xC0) == 0x80;
}

static uint32_t half_bits(const char *data)
{
    const unsigned char *bytes = (const unsigned char *)data;
    return ((uint32_t)(bytes[1] & 0x0F) << 6) | (bytes[2] & 0x3F);
}

static bool ends_with_high(conv_bytes text)
{
    return text.size >= HALF_SIZE && is_half(text.data + text.size - HALF_SIZE, 0xA0);
}

void conv__surrogate_append(conv__buffer *buffer, conv_bytes text)
{
    bool meet = ends_with_high(conv__buffer_bytes(buffer)) && text.size >= HALF_SIZE &&
                is_half(text.data, 0xB0);
    if (!meet) {
        conv__buffer_append_bytes(buffer, text);
        return;
    }
    uint32_t high = half_bits(buffer->data + buffer->size - HALF_SIZE);
    uint32_t point = 0x10000 + (high << 10) + half_bits(text.data);
    const unsigned char joined[4] = {
        (unsigned char)(0xF0 | (point >> 18)),
        (unsigned char)(0x80 | ((point >> 12) & 0x3F)),
        (unsigned char)(0x80 | ((point >> 6) & 0x3F)),
        (unsigned char)(0x80 | (point & 0x3F)),
    };
    buffer->size -= HALF_SIZE;
    conv__buffer_append(buffer, joined, sizeof joined);
    conv__buffer_append(buffer, text.data + HALF_SIZE, text.size - HALF_SIZE);
}

size_t conv__surrogate_complete(conv_bytes text)
{
    return ends_with_high(text) ? text.size - HALF_SIZE : text.size;
}
