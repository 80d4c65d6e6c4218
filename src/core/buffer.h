/* A growing byte buffer. A failed allocation sticks: append freely, then look at `failed` once. */
#ifndef CONV__CORE_BUFFER_H
#define CONV__CORE_BUFFER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "conversation/bytes.h"
#include "conversation/status.h"

/* Zero is an empty buffer. `data` is followed by a NUL as soon as something was appended. */
typedef struct conv__buffer {
    char *data;
    size_t size;
    size_t capacity;
    bool failed;
} conv__buffer;

void conv__buffer_append(conv__buffer *buffer, const void *data, size_t size);
void conv__buffer_append_bytes(conv__buffer *buffer, conv_bytes bytes);
void conv__buffer_append_text(conv__buffer *buffer, const char *text);
void conv__buffer_format(conv__buffer *buffer, const char *format, ...) CONV_PRINTF(2, 3);

/* Room for `size` more bytes at the end, uninitialised, already counted in; NULL when failed. */
char *conv__buffer_extend(conv__buffer *buffer, size_t size);

conv_bytes conv__buffer_bytes(const conv__buffer *buffer); /* never absent */
void conv__buffer_clear(conv__buffer *buffer);             /* keeps the memory */
void conv__buffer_free(conv__buffer *buffer);

#endif
