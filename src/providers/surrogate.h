/* Surrogate halves at the seams of a text that comes in pieces. JSON may cut a character beyond the
 * BMP into two escapes and send each half in a chunk of its own; decoded alone, a half is three
 * bytes (WTF-8). Halves that never meet are left as they are. */
#ifndef CONV__PROVIDERS_SURROGATE_H
#define CONV__PROVIDERS_SURROGATE_H

#include <stddef.h>

#include "conversation/bytes.h"
#include "core/buffer.h"

/* Appends `text`; a high half at the buffer's end and a low half at its start become one character.
 */
void conv__surrogate_append(conv__buffer *buffer, conv_bytes text);

/* How many bytes of `text` may be handed on now: all but a high half at its end. */
size_t conv__surrogate_complete(conv_bytes text);

#endif
