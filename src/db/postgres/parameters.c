/* Encoding of parameters. It must not know what the rows mean. */
#include "db/postgres/parameters.h"

#include "conversation/usage.h"

enum { ARRAY_HEADER = 20, LENGTH_SIZE = 4 };

/* With room for the message's other parts. */
#define MESSAGE_SIZE_LIMIT (((size_t)1 << 30) - ((size_t)64 << 10))

static void begin(conv__parameters *parameters)
{
    if (parameters->count == CONV__PARAMETERS_LIMIT) {
        parameters->data.failed = true;
        return;
    }
    parameters->offsets[parameters->count++] = parameters->data.size;
}

void conv__parameter_null(conv__parameters *parameters)
{
    begin(parameters);
    conv__field_null(&parameters->data);
}

void conv__parameter_bytes(conv__parameters *parameters, conv_bytes bytes)
{
    begin(parameters);
    conv__field_bytes(&parameters->data, bytes);
}

void conv__parameter_json(conv__parameters *parameters, conv_bytes json)
{
    begin(parameters);
    conv__field_json(&parameters->data, json);
}

void conv__parameter_uuid(conv__parameters *parameters, conv_uuid uuid)
{
    begin(parameters);
    conv__field_uuid(&parameters->data, uuid);
}

void conv__parameter_int8(conv__parameters *parameters, int64_t value)
{
    begin(parameters);
    conv__field_int8(&parameters->data, value);
}

void conv__parameter_time(conv__parameters *parameters, int64_t time_us)
{
    begin(parameters);
    conv__field_time(&parameters->data, time_us);
}

static void append_member(conv__buffer *buffer, const conv__column *column, const void *row)
{
    const void *member = (const char *)row + column->offset;
    switch (column->type) {
    case CONV__TYPE_BYTEA:
    case CONV__TYPE_TEXT:
        conv__field_bytes(buffer, *(const conv_bytes *)member);
        break;
    case CONV__TYPE_JSONB:
        conv__field_json(buffer, *(const conv_bytes *)member);
        break;
    case CONV__TYPE_UUID:
        conv__field_uuid(buffer, *(const conv_uuid *)member);
        break;
    case CONV__TYPE_INT8:
        conv__field_int8(buffer, *(const int64_t *)member);
        break;
    case CONV__TYPE_TIMESTAMPTZ:
        conv__field_time(buffer, *(const int64_t *)member);
        break;
    case CONV__TYPE_NUMERIC:
        conv__field_numeric(buffer, *(const conv_decimal *)member);
        break;
    case CONV__TYPE_INT4: /* no row has such a member */
        buffer->failed = true;
        break;
    }
}

/* Into the room left at `start`. */
static void write_header(conv__buffer *buffer, size_t start, conv__type type, bool has_null,
                         size_t count)
{
    size_t size = buffer->size - start - LENGTH_SIZE;
    uint32_t values[] = {(uint32_t)size, 1, has_null, (uint32_t)type, (uint32_t)count, 1};
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++)
        conv__write_u32(buffer->data + start + LENGTH_SIZE * i, values[i]);
}

/* An array is: dimensions, whether it has NULLs, type, size, lower bound, then the fields. One of
 * NULLs only is NULL itself: beside other arrays unnest fills it up with NULLs, and a column that
 * nobody uses costs the server nothing for each row. */
static void append_array(conv__parameters *parameters, const conv__column *column,
                         const void *const *rows, size_t count)
{
    conv__buffer *buffer = &parameters->data;
    size_t start = buffer->size;
    if (conv__buffer_extend(buffer, LENGTH_SIZE + ARRAY_HEADER) == NULL) return;
    size_t nulls = 0;
    for (size_t i = 0; i < count && !buffer->failed && !parameters->too_large; i++) {
        size_t field = buffer->size;
        if (column->append != NULL)
            column->append(buffer, rows[i]);
        else
            append_member(buffer, column, rows[i]);
        if (!buffer->failed && conv__read_u32(buffer->data + field) == UINT32_MAX) nulls++;
        parameters->too_large = buffer->size > MESSAGE_SIZE_LIMIT;
    }
    if (buffer->failed || parameters->too_large) return;
    if (nulls < count || count == 0) {
        write_header(buffer, start, column->type, nulls > 0, count);
    } else {
        buffer->size = start;
        conv__field_null(buffer);
    }
}

void conv__parameter_int8s(conv__parameters *parameters, const int64_t *values, size_t count)
{
    begin(parameters);
    conv__buffer *buffer = &parameters->data;
    size_t start = buffer->size;
    if (conv__buffer_extend(buffer, LENGTH_SIZE + ARRAY_HEADER) == NULL) return;
    bool has_null = false;
    for (size_t i = 0; i < count; i++) {
        conv__field_int8(buffer, values[i]);
        if (values[i] == CONV_UNKNOWN) has_null = true;
    }
    if (!buffer->failed) write_header(buffer, start, CONV__TYPE_INT8, has_null, count);
}

void conv__parameter_columns(conv__parameters *parameters, const conv__column *columns,
                             size_t column_count, const void *const *rows, size_t row_count)
{
    for (size_t i = 0; i < column_count; i++) {
        begin(parameters);
        append_array(parameters, &columns[i], rows, row_count);
    }
}

void conv__parameters_free(conv__parameters *parameters)
{
    conv__buffer_free(&parameters->data);
    parameters->count = 0;
}
