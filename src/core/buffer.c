/* A growing byte buffer. It must not know what the bytes mean. */
#include "core/buffer.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "core/memory.h"

#define FIRST_CAPACITY ((size_t)64)

/* Makes room for `size` more bytes and the NUL. */
static bool reserve(conv__buffer *buffer, size_t size)
{
    if (buffer->failed) return false;
    if (size >= SIZE_MAX - buffer->size) {
        buffer->failed = true;
        return false;
    }
    size_t needed = buffer->size + size + 1;
    if (needed <= buffer->capacity) return true;

    size_t capacity = buffer->capacity < FIRST_CAPACITY ? FIRST_CAPACITY : buffer->capacity;
    while (capacity < needed) {
        capacity = capacity > SIZE_MAX / 2 ? needed : capacity * 2;
    }
    char *data = conv__resize(buffer->data, capacity);
    if (data == NULL) {
        buffer->failed = true;
        return false;
    }
    buffer->data = data;
    buffer->capacity = capacity;
    return true;
}

char *conv__buffer_extend(conv__buffer *buffer, size_t size)
{
    if (!reserve(buffer, size)) return NULL;
    char *start = buffer->data + buffer->size;
    buffer->size += size;
    buffer->data[buffer->size] = '\0';
    return start;
}

void conv__buffer_append(conv__buffer *buffer, const void *data, size_t size)
{
    char *start = conv__buffer_extend(buffer, size);
    if (start != NULL && size > 0) memcpy(start, data, size);
}

void conv__buffer_append_bytes(conv__buffer *buffer, conv_bytes bytes)
{
    conv__buffer_append(buffer, bytes.data, bytes.size);
}

void conv__buffer_append_text(conv__buffer *buffer, const char *text)
{
    conv__buffer_append(buffer, text, strlen(text));
}

void conv__buffer_format(conv__buffer *buffer, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int size = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    if (size < 0) {
        buffer->failed = true;
        return;
    }
    char *start = conv__buffer_extend(buffer, (size_t)size);
    if (start == NULL) return;
    va_start(arguments, format);
    vsnprintf(start, (size_t)size + 1, format, arguments);
    va_end(arguments);
}

conv_bytes conv__buffer_bytes(const conv__buffer *buffer)
{
    return conv_view(buffer->data == NULL ? "" : buffer->data, buffer->size);
}

void conv__buffer_clear(conv__buffer *buffer)
{
    buffer->size = 0;
    buffer->failed = false;
    if (buffer->data != NULL) buffer->data[0] = '\0';
}

void conv__buffer_free(conv__buffer *buffer)
{
    conv__release(buffer->data);
    *buffer = (conv__buffer){0};
}
