/* UTF-8, and what a text column can hold. */
#ifndef CONV__CORE_TEXT_H
#define CONV__CORE_TEXT_H

#include <stdbool.h>
#include <stddef.h>

#include "conversation/bytes.h"
#include "core/memory.h"

/* Well-formed UTF-8 (RFC 3629: no surrogates, nothing overlong, nothing above U+10FFFF). */
bool conv__utf8_is_valid(conv_bytes text);

/* Bytes of the well-formed character at the start of `text`, 0 if there is none. */
size_t conv__utf8_length(conv_bytes text);

/* Whether a text column takes it as it is: well-formed UTF-8 without NUL, or absent. */
bool conv__text_is_storable(conv_bytes text);

/* The nearest text that a column takes: each NUL and each byte that is not part of a well-formed
 * character becomes U+FFFD. Gives `text` itself when it is storable. CONV_NO_MEMORY. */
CONV_WARN_UNUSED conv_status conv__text_project(conv__arena *arena, conv_bytes text,
                                                conv_bytes *storable);

/* Code points, not bytes, of well-formed text; each stray byte counts as one. */
size_t conv__utf8_count(conv_bytes text);

/* The beginning of a text, of `most` bytes at most, that ends with a character. */
conv_bytes conv__utf8_cut(conv_bytes text, size_t most);

#endif
