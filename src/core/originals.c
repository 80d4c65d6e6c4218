/* The form of the column `originals`. It must not know what the fields mean, and never change: it
 * is stored. */
#include "core/originals.h"

#define HEAD_SIZE ((size_t)9) /* the field's byte and the length's eight */

void conv__originals_append(conv__buffer *originals, conv__original field, conv_bytes bytes)
{
    uint8_t head[HEAD_SIZE];
    head[0] = (uint8_t)field;
    for (size_t i = 1; i < HEAD_SIZE; i++) {
        head[i] = (uint8_t)((uint64_t)bytes.size >> (8 * (HEAD_SIZE - 1 - i)));
    }
    conv__buffer_append(originals, head, sizeof head);
    conv__buffer_append_bytes(originals, bytes);
    conv__buffer_append(originals, "", 1);
}

bool conv__originals_next(conv_bytes originals, size_t *position, unsigned *field,
                          conv_bytes *bytes)
{
    if (*position > originals.size || originals.size - *position < HEAD_SIZE) return false;
    const uint8_t *head = (const uint8_t *)originals.data + *position;
    uint64_t size = 0;
    for (size_t i = 1; i < HEAD_SIZE; i++) {
        size = size << 8 | head[i];
    }
    const char *data = (const char *)head + HEAD_SIZE;
    if (size >= originals.size - *position - HEAD_SIZE || data[size] != '\0') return false;
    *field = head[0];
    *bytes = conv_view(data, (size_t)size);
    *position += HEAD_SIZE + (size_t)size + 1;
    return true;
}
