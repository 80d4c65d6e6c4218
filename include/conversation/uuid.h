/* UUIDs (RFC 9562), and how any string becomes one. */
#ifndef CONVERSATION_UUID_H
#define CONVERSATION_UUID_H

#include <stdbool.h>
#include <stdint.h>

#include "bytes.h"
#include "status.h"

#ifdef __cplusplus
extern "C" {
#endif

#define CONV_UUID_TEXT_SIZE 37 /* 36 characters and the NUL */

/* The sixteen bytes in network order. All zero is the nil UUID: "none", stored as NULL. */
typedef struct conv_uuid {
    uint8_t bytes[16];
} conv_uuid;

/* A new random UUID (version 4). Never a time-based one: those carry the machine's MAC address.
 * Source: RFC 9562 section 5.4. Thread: any. Round trips: none. */
conv_uuid conv_uuid_v4(void);

/* The name-based UUID (version 5) of `name` in `name_space`; the same input gives the same UUID
 * everywhere. Source: RFC 9562 section 5.5. Thread: any. Round trips: none. */
conv_uuid conv_uuid_v5(conv_uuid name_space, conv_bytes name);

/* A new time-ordered UUID (version 7): milliseconds, then a counter, then random bits. Within this
 * process each is greater than the one before, also when the clock steps back.
 * Source: RFC 9562 sections 5.7 and 6.2. Thread: any. Round trips: none. */
conv_uuid conv_uuid_v7(void);

/* The DNS namespace of RFC 9562 section 6.6, in which plain strings are named.
 * Thread: any. Round trips: none. */
conv_uuid conv_uuid_namespace_dns(void);

/* Reads a UUID in any usual spelling: 36 characters, 32 without hyphens, in braces, with the prefix
 * `urn:uuid:`, in small or capital letters. False if `text` is none of these; then `uuid` is left
 * alone. Thread: any. Round trips: none. */
bool conv_uuid_parse(conv_bytes text, conv_uuid *uuid);

/* Any string as a UUID: one that conv_uuid_parse reads is taken as it is, any other becomes
 * version 5 in the DNS namespace, equal to Python's uuid.uuid5(uuid.NAMESPACE_DNS, text). The empty
 * string is a string like any other, and so is the nil UUID's text, because nil means none; an
 * absent one (`data` NULL) gives the nil UUID.
 * Thread: any. Round trips: none. */
conv_uuid conv_uuid_ensure(conv_bytes text);

/* Writes the 36 characters in lower case and a NUL into `text`. Thread: any. Round trips: none. */
void conv_uuid_format(conv_uuid uuid, char text[CONV_UUID_TEXT_SIZE]);

/* Whether all sixteen bytes are zero. Thread: any. Round trips: none. */
bool conv_uuid_is_nil(conv_uuid uuid);

/* Order of the bytes, as in PostgreSQL: negative, 0 or positive. Thread: any. Round trips: none. */
int conv_uuid_compare(conv_uuid a, conv_uuid b);

#ifdef __cplusplus
}
#endif
#endif
