/* The parameters of one execution of a statement, encoded in binary. */
#ifndef CONV__DB_POSTGRES_PARAMETERS_H
#define CONV__DB_POSTGRES_PARAMETERS_H

#include <stddef.h>
#include <stdint.h>

#include "core/buffer.h"
#include "db/postgres/binary.h"

#define CONV__PARAMETERS_LIMIT 64

/* Zero is empty. What was encoded is copied: nothing is borrowed. After a failed allocation or
 * a parameter too many `data.failed` is set. */
typedef struct conv__parameters {
    conv__buffer data;
    int count;
    bool too_large;                         /* for a message of the protocol, which ends at 1 GiB */
    size_t offsets[CONV__PARAMETERS_LIMIT]; /* of the field, which begins with its length */
} conv__parameters;

/* Each appends one parameter. Absent bytes, the nil UUID and CONV_UNKNOWN are NULL. */
void conv__parameter_null(conv__parameters *parameters);
void conv__parameter_bytes(conv__parameters *parameters, conv_bytes bytes);
void conv__parameter_json(conv__parameters *parameters, conv_bytes json);
void conv__parameter_uuid(conv__parameters *parameters, conv_uuid uuid);
void conv__parameter_int8(conv__parameters *parameters, int64_t value);
void conv__parameter_time(conv__parameters *parameters, int64_t time_us);

void conv__parameter_int8s(conv__parameters *parameters, const int64_t *values, size_t count);

/* How one array is made of many rows: from the member at `offset`, which is a conv_uuid,
 * conv_bytes, int64_t, or conv_decimal as `type` says; or by `append`, which appends exactly one
 * field. */
typedef struct conv__column {
    conv__type type;
    size_t offset;
    void (*append)(conv__buffer *buffer, const void *row);
} conv__column;

/* Appends one array parameter for each column, made of all rows; NULL where all fields are. */
void conv__parameter_columns(conv__parameters *parameters, const conv__column *columns,
                             size_t column_count, const void *const *rows, size_t row_count);

void conv__parameters_free(conv__parameters *parameters);

#endif
