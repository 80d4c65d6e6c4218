/* Base64 (RFC 4648 section 4), for bytes that JSON can't hold. */
#ifndef CONV__CORE_BASE64_H
#define CONV__CORE_BASE64_H

#include <stdbool.h>

#include "conversation/bytes.h"
#include "core/buffer.h"

void conv__base64_append(conv__buffer *buffer, conv_bytes bytes);

/* Appends the bytes that `text` stands for. False if it is not Base64 with its padding and nothing
 * else; then what was appended means nothing. */
bool conv__base64_decode(conv__buffer *buffer, conv_bytes text);

#endif
