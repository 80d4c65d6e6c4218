/* JSON text (RFC 8259) read in place and without loss: NUL and lone surrogates in strings survive,
 * a number stays the literal it is, and every value can be had as the very bytes it was written
 * with. jansson can't give that (it refuses lone surrogates and turns numbers into doubles); it
 * serves where the library only has to print a document. */
#ifndef CONV__CORE_JSON_H
#define CONV__CORE_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "conversation/bytes.h"
#include "conversation/status.h"
#include "core/buffer.h"
#include "core/memory.h"

#define CONV__JSON_DEPTH 512 /* nested arrays and objects at most */

typedef enum conv__json_kind {
    CONV__JSON_ABSENT = 0,
    CONV__JSON_NULL,
    CONV__JSON_FALSE,
    CONV__JSON_TRUE,
    CONV__JSON_NUMBER,
    CONV__JSON_STRING,
    CONV__JSON_ARRAY,
    CONV__JSON_OBJECT
} conv__json_kind;

/* One value inside a text that somebody else owns: its exact bytes, without white space around. */
typedef struct conv__json {
    conv__json_kind kind;
    conv_bytes text;
} conv__json;

/* Checks that `text` is one JSON value with nothing but white space around it. False if not; then
 * `error_offset` (may be NULL) says at which byte. Strings may hold any bytes from 0x20 on: they
 * are not checked for UTF-8 here. Recursion is bounded by CONV__JSON_DEPTH. */
bool conv__json_parse(conv_bytes text, conv__json *value, size_t *error_offset);

/* The functions below take values that come from conv__json_parse. */

/* The member `key` of an object (the last one if it is doubled), or kind ABSENT, also when `object`
 * is not an object. */
conv__json conv__json_get(conv__json object, const char *key);

/* values[i] receives what conv__json_get gives for keys[i], all in one walk over the object: each
 * walk reads all of its text. */
void conv__json_get_all(conv__json object, const char *const *keys, size_t count,
                        conv__json *values);

/* Walks over the elements of an array or the members of an object: start with a zero `position`;
 * false at the end. `key` (may be NULL) receives the key as a JSON string, ABSENT in an array. */
bool conv__json_next(conv__json container, size_t *position, conv__json *key, conv__json *value);

/* Decodes a string into bytes that live in the arena; a lone surrogate becomes three bytes (WTF-8),
 * a pair split over two escapes one character. Absent for anything but a string. CONV_NO_MEMORY. */
CONV_WARN_UNUSED conv_status conv__json_string(conv__arena *arena, conv__json value,
                                               conv_bytes *bytes);

/* Whether a string's decoded bytes equal `text`. */
bool conv__json_string_is(conv__json value, const char *text);

/* A number without fraction that fits; false otherwise, and then `integer` is left alone. A literal
 * such as 12.0 or 1e3 counts as whole. */
bool conv__json_integer(conv__json value, int64_t *integer);

/* The nearest JSON text that jsonb takes: an escaped NUL or lone surrogate, or a byte that is not
 * UTF-8, becomes U+FFFD; a number beyond numeric's range becomes null. Gives `value.text` itself
 * when nothing had to change. CONV_NO_MEMORY. */
CONV_WARN_UNUSED conv_status conv__json_project(conv__arena *arena, conv__json value,
                                                conv_bytes *storable);

/* Appends `text` as a JSON string with quotes. Only what must be is escaped (quote, backslash,
 * controls: \b \f \n \r \t short, others \u00xx), as Python's json.dumps(ensure_ascii=False) does.
 * WTF-8 surrogates become \udxxx. False if other bytes are not UTF-8: they come out as \ufffd. */
bool conv__json_append_string(conv__buffer *buffer, conv_bytes text);

#endif
