/* A view of bytes that somebody else owns. */
#ifndef CONVERSATION_BYTES_H
#define CONVERSATION_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#ifdef __cplusplus
extern "C" {
#endif

/* `data` NULL means absent (SQL's NULL, JSON's null), which differs from an empty text (`data` not
 * NULL, `size` 0). Any bytes are allowed, NUL and invalid UTF-8 too. What the library gives out is
 * also followed by one NUL byte that `size` does not count. */
typedef struct conv_bytes {
    const char *data;
    size_t size;
} conv_bytes;

/* A view of a C string without its NUL; NULL gives an absent value. Borrows `text`.
 * Thread: any. Round trips: none. */
static inline conv_bytes conv_text(const char *text)
{
    conv_bytes bytes;
    bytes.data = text;
    bytes.size = text == NULL ? 0 : strlen(text);
    return bytes;
}

/* A view of `size` bytes at `data`. Borrows `data`. Thread: any. Round trips: none. */
static inline conv_bytes conv_view(const char *data, size_t size)
{
    conv_bytes bytes;
    bytes.data = data;
    bytes.size = size;
    return bytes;
}

/* Whether both are absent, or both are present with the same bytes. Thread: any. */
static inline bool conv_bytes_equal(conv_bytes a, conv_bytes b)
{
    if (a.data == NULL || b.data == NULL) return a.data == b.data;
    return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

#ifdef __cplusplus
}
#endif
#endif
