/* Rows that came back, read column by column. */
#ifndef CONV__DB_POSTGRES_RESULT_H
#define CONV__DB_POSTGRES_RESULT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "conversation/bytes.h"
#include "conversation/decimal.h"
#include "conversation/status.h"
#include "conversation/uuid.h"
#include "core/memory.h"

/* Lives only while a receiver runs (see pipeline.h). */
typedef struct conv__result conv__result;

size_t conv__result_rows(const conv__result *result);
int64_t conv__result_affected(const conv__result *result); /* by INSERT, UPDATE, DELETE; else 0 */

/* Walks through one row: each read takes the next column. The first failure sticks in `status`:
 * CONV_BAD_DATA (not of that type), CONV_LIMIT, CONV_NO_MEMORY; later reads then give zeros. */
typedef struct conv__reader {
    const conv__result *result;
    conv__arena *arena; /* gets the copies of texts; may be NULL if none is read */
    size_t row;
    int column;
    conv_status status;
} conv__reader;

conv__reader conv__reader_at(const conv__result *result, size_t row, conv__arena *arena);

bool conv__next_is_null(const conv__reader *reader); /* takes nothing */
conv_bytes conv__next_bytes(conv__reader *reader);   /* text or bytea; NULL is absent */
conv_bytes conv__next_json(conv__reader *reader);    /* jsonb; NULL is absent */
conv_uuid conv__next_uuid(conv__reader *reader);     /* NULL is nil */
int64_t conv__next_int8(conv__reader *reader);       /* NULL is CONV_UNKNOWN */
int64_t conv__next_time(conv__reader *reader);       /* NULL is 0 */
bool conv__next_bool(conv__reader *reader);          /* NULL is false */

/* False for NULL. */
bool conv__next_decimal(conv__reader *reader, conv_decimal *decimal);

/* A bigint sum, which PostgreSQL gives as numeric: CONV_LIMIT when it does not fit; NULL is 0. */
int64_t conv__next_sum(conv__reader *reader);

#endif
