/* PostgreSQL's binary formats: how values look in parameters and results. Pure: no libpq, no
 * tables. Source: the send and receive functions of each type; "Message Formats" for lengths. */
#ifndef CONV__DB_POSTGRES_BINARY_H
#define CONV__DB_POSTGRES_BINARY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "conversation/bytes.h"
#include "conversation/decimal.h"
#include "conversation/status.h"
#include "conversation/uuid.h"
#include "core/buffer.h"

/* The numbers are the types' OIDs, which never change. */
typedef enum conv__type {
    CONV__TYPE_BYTEA = 17,
    CONV__TYPE_INT8 = 20,
    CONV__TYPE_INT4 = 23,
    CONV__TYPE_TEXT = 25,
    CONV__TYPE_TIMESTAMPTZ = 1184,
    CONV__TYPE_NUMERIC = 1700,
    CONV__TYPE_UUID = 2950,
    CONV__TYPE_JSONB = 3802
} conv__type;

/* Each appends one field: its length as four bytes, then the value; the length -1 is NULL. Absent
 * bytes, the nil UUID and CONV_UNKNOWN are NULL. A value over 1 GiB marks the buffer as failed. */
void conv__field_null(conv__buffer *buffer);
void conv__field_bytes(conv__buffer *buffer, conv_bytes bytes); /* text and bytea */
void conv__field_json(conv__buffer *buffer, conv_bytes json);
void conv__field_uuid(conv__buffer *buffer, conv_uuid uuid);
void conv__field_int4(conv__buffer *buffer, int32_t value);
void conv__field_int8(conv__buffer *buffer, int64_t value);
void conv__field_time(conv__buffer *buffer, int64_t time_us);
void conv__field_numeric(conv__buffer *buffer, conv_decimal decimal);

/* Each reads a value without its length; false if it is none. */
bool conv__binary_uuid(conv_bytes value, conv_uuid *uuid);
bool conv__binary_int8(conv_bytes value, int64_t *number);
bool conv__binary_time(conv_bytes value, int64_t *time_us);
bool conv__binary_json(conv_bytes value, conv_bytes *json);
bool conv__binary_bool(conv_bytes value, bool *truth);

/* CONV_BAD_DATA: not a finite number. CONV_LIMIT: more digits than a conv_decimal has. */
CONV_WARN_UNUSED conv_status conv__binary_numeric(conv_bytes value, conv_decimal *decimal);

/* Big-endian numbers, as everywhere in the protocol. */
uint32_t conv__read_u32(const char *data);
void conv__write_u32(char *data, uint32_t value);

#endif
