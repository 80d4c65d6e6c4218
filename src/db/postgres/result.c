/* Reading of result rows. The only thing it knows of libpq is the PGresult. */
#include "db/postgres/result.h"

#include <stdlib.h>

#include "conversation/usage.h"
#include "db/postgres/binary.h"
#include "db/postgres/libpq.h"

static const PGresult *inner(const conv__result *result)
{
    return (const PGresult *)(const void *)result;
}

size_t conv__result_rows(const conv__result *result)
{
    return (size_t)PQntuples(inner(result));
}

int64_t conv__result_affected(const conv__result *result)
{
    /* libpq does not change it, and takes it so for historical reasons. */
    return strtoll(PQcmdTuples((PGresult *)(uintptr_t)result), NULL, 10);
}

conv__reader conv__reader_at(const conv__result *result, size_t row, conv__arena *arena)
{
    return (conv__reader){.result = result, .arena = arena, .row = row, .status = CONV_OK};
}

static void fail(conv__reader *reader, conv_status status)
{
    if (reader->status == CONV_OK) reader->status = status;
}

bool conv__next_is_null(const conv__reader *reader)
{
    return PQgetisnull(inner(reader->result), (int)reader->row, reader->column);
}

/* Takes the next column; absent for NULL and past the end, which is also a failure. */
static conv_bytes next(conv__reader *reader)
{
    const PGresult *result = inner(reader->result);
    int row = (int)reader->row;
    int column = reader->column++;
    if (column >= PQnfields(result)) {
        fail(reader, CONV_BAD_DATA);
        return conv_view(NULL, 0);
    }
    if (PQgetisnull(result, row, column)) return conv_view(NULL, 0);
    return conv_view(PQgetvalue(result, row, column), (size_t)PQgetlength(result, row, column));
}

static conv_bytes copy(conv__reader *reader, conv_bytes value)
{
    conv_bytes kept = {NULL, 0};
    if (reader->status != CONV_OK) return kept;
    conv_status status = conv__arena_copy(reader->arena, value, &kept);
    if (status != CONV_OK) fail(reader, status);
    return kept;
}

conv_bytes conv__next_bytes(conv__reader *reader)
{
    return copy(reader, next(reader));
}

conv_bytes conv__next_json(conv__reader *reader)
{
    conv_bytes value = next(reader);
    if (value.data != NULL && !conv__binary_json(value, &value)) fail(reader, CONV_BAD_DATA);
    return copy(reader, value);
}

conv_uuid conv__next_uuid(conv__reader *reader)
{
    conv_uuid uuid = {{0}};
    conv_bytes value = next(reader);
    if (value.data != NULL && !conv__binary_uuid(value, &uuid)) fail(reader, CONV_BAD_DATA);
    return uuid;
}

int64_t conv__next_int8(conv__reader *reader)
{
    int64_t number = CONV_UNKNOWN;
    conv_bytes value = next(reader);
    if (value.data != NULL && !conv__binary_int8(value, &number)) fail(reader, CONV_BAD_DATA);
    return number;
}

int64_t conv__next_time(conv__reader *reader)
{
    int64_t time_us = 0;
    conv_bytes value = next(reader);
    if (value.data != NULL && !conv__binary_time(value, &time_us)) fail(reader, CONV_BAD_DATA);
    return time_us;
}

bool conv__next_bool(conv__reader *reader)
{
    bool truth = false;
    conv_bytes value = next(reader);
    if (value.data != NULL && !conv__binary_bool(value, &truth)) fail(reader, CONV_BAD_DATA);
    return truth;
}

bool conv__next_decimal(conv__reader *reader, conv_decimal *decimal)
{
    conv_bytes value = next(reader);
    if (value.data == NULL) return false;
    conv_status status = conv__binary_numeric(value, decimal);
    if (status != CONV_OK) fail(reader, status);
    return status == CONV_OK;
}

int64_t conv__next_sum(conv__reader *reader)
{
    conv_decimal sum = {0, 0, 0, false};
    if (!conv__next_decimal(reader, &sum)) return 0;
    if (sum.scale != 0 || sum.high != 0 || sum.negative || sum.low > INT64_MAX) {
        fail(reader, CONV_LIMIT);
        return 0;
    }
    return (int64_t)sum.low;
}
