/* The bytes that columns could not hold exactly, gathered into the one column `originals`.
 * Form: for each field one byte for the field, its length as eight bytes big-endian, its bytes, and
 * a NUL that the length does not count, because what points in here is given to the application. */
#ifndef CONV__CORE_ORIGINALS_H
#define CONV__CORE_ORIGINALS_H

#include <stdbool.h>

#include "conversation/bytes.h"
#include "core/buffer.h"

/* These numbers are stored: never change one. */
typedef enum conv__original {
    CONV__ORIGINAL_CONTENT = 1,
    CONV__ORIGINAL_PARTS = 2,
    CONV__ORIGINAL_TOOL_CALLS = 3,
    CONV__ORIGINAL_TOOL_CALL_ID = 4,
    CONV__ORIGINAL_NAME = 5,
    CONV__ORIGINAL_MODEL = 6,
    CONV__ORIGINAL_METADATA = 7,
    CONV__ORIGINAL_EXTERNAL_ID = 8,
    CONV__ORIGINAL_TITLE = 9,
    CONV__ORIGINAL_USER_EMAIL = 10,
    CONV__ORIGINAL_SERVICE = 11,
    CONV__ORIGINAL_OPERATION = 12,
    CONV__ORIGINAL_PROVIDER = 13,
    CONV__ORIGINAL_PRICE = 14,
    CONV__ORIGINAL_ERROR = 15,
    CONV__ORIGINAL_RAW = 16,
    CONV__ORIGINAL_MEDIA_TYPE = 17,
    CONV__ORIGINAL_SESSION_ID = 18,
    CONV__ORIGINAL_SUMMARY = 19,
    CONV__ORIGINAL_KEY_POINTS = 20
} conv__original;

void conv__originals_append(conv__buffer *originals, conv__original field, conv_bytes bytes);

/* Walks over the fields: start with a zero `position`. False at the end or at damage; damaged is
 * what ended before `position` reached the size. Unknown fields are given out too. */
bool conv__originals_next(conv_bytes originals, size_t *position, unsigned *field,
                          conv_bytes *bytes);

#endif
