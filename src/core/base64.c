/* Base64 in its plain alphabet, with padding and without line breaks. */
#include "core/base64.h"

#include <string.h>

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void conv__base64_append(conv__buffer *buffer, conv_bytes bytes)
{
    for (size_t offset = 0; offset < bytes.size; offset += 3) {
        size_t left = bytes.size - offset;
        unsigned group = (unsigned)(unsigned char)bytes.data[offset] << 16;
        if (left > 1) group |= (unsigned)(unsigned char)bytes.data[offset + 1] << 8;
        if (left > 2) group |= (unsigned)(unsigned char)bytes.data[offset + 2];
        char text[4] = {alphabet[group >> 18], alphabet[group >> 12 & 63],
                        left > 1 ? alphabet[group >> 6 & 63] : '=',
                        left > 2 ? alphabet[group & 63] : '='};
        conv__buffer_append(buffer, text, sizeof text);
    }
}

/* The six bits of a character; 64 if it stands for none. */
static unsigned bits_of(char c)
{
    if (c >= 'A' && c <= 'Z') return (unsigned)(c - 'A');
    if (c >= 'a' && c <= 'z') return (unsigned)(c - 'a') + 26;
    if (c >= '0' && c <= '9') return (unsigned)(c - '0') + 52;
    return c == '+' ? 62 : c == '/' ? 63 : 64;
}

bool conv__base64_decode(conv__buffer *buffer, conv_bytes text)
{
    if (text.size % 4 != 0) return false;
    for (size_t offset = 0; offset < text.size; offset += 4) {
        const char *four = text.data + offset;
        size_t padding = 0;
        if (offset + 4 == text.size && four[3] == '=') padding = four[2] == '=' ? 2 : 1;
        unsigned group = 0;
        for (size_t i = 0; i < 4; i++) {
            unsigned bits = i < 4 - padding ? bits_of(four[i]) : 0;
            if (bits == 64) return false;
            group = group << 6 | bits;
        }
        /* Bits behind the last byte are 0, or two texts would stand for the same bytes. */
        if ((padding == 1 && (group & 0xFF) != 0) || (padding == 2 && (group & 0xFFFF) != 0))
            return false;
        char bytes[3] = {(char)(group >> 16), (char)(group >> 8), (char)group};
        conv__buffer_append(buffer, bytes, sizeof bytes - padding);
    }
    return true;
}
