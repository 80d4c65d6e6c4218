/* Encoding and decoding of PostgreSQL's binary formats. It must not know libpq or any table. */
#include "db/postgres/binary.h"

#include <string.h>

#include "conversation/usage.h"

/* Microseconds from 1970-01-01 to 2000-01-01, where timestamptz counts from. */
#define EPOCH_US INT64_C(946684800000000)

/* The server takes no field of 1 GiB or more. */
#define FIELD_SIZE_LIMIT ((size_t)1 << 30)

enum numeric {
    NUMERIC_BASE_DIGITS = 4,
    NUMERIC_HEADER = 8,
    NUMERIC_POSITIVE = 0x0000,
    NUMERIC_NEGATIVE = 0x4000,
    /* 38 digits on either side of the point are at most ten groups of four. */
    NUMERIC_GROUPS = 10
};

void conv__write_u32(char *data, uint32_t value)
{
    for (int i = 3; i >= 0; i--, value >>= 8)
        data[i] = (char)(unsigned char)(value & 0xFF);
}

uint32_t conv__read_u32(const char *data)
{
    uint32_t value = 0;
    for (int i = 0; i < 4; i++)
        value = value << 8 | (unsigned char)data[i];
    return value;
}

static void append_u16(conv__buffer *buffer, unsigned value)
{
    char bytes[2] = {(char)(unsigned char)(value >> 8 & 0xFF), (char)(unsigned char)(value & 0xFF)};
    conv__buffer_append(buffer, bytes, sizeof bytes);
}

static unsigned read_u16(const char *data)
{
    return (unsigned)(unsigned char)data[0] << 8 | (unsigned char)data[1];
}

static void append_u32(conv__buffer *buffer, uint32_t value)
{
    char bytes[4];
    conv__write_u32(bytes, value);
    conv__buffer_append(buffer, bytes, sizeof bytes);
}

static void append_u64(conv__buffer *buffer, uint64_t value)
{
    append_u32(buffer, (uint32_t)(value >> 32));
    append_u32(buffer, (uint32_t)value);
}

static bool append_size(conv__buffer *buffer, size_t size)
{
    if (size >= FIELD_SIZE_LIMIT) {
        buffer->failed = true;
        return false;
    }
    append_u32(buffer, (uint32_t)size);
    return true;
}

void conv__field_null(conv__buffer *buffer)
{
    append_u32(buffer, UINT32_MAX);
}

void conv__field_bytes(conv__buffer *buffer, conv_bytes bytes)
{
    if (bytes.data == NULL)
        conv__field_null(buffer);
    else if (append_size(buffer, bytes.size))
        conv__buffer_append_bytes(buffer, bytes);
}

/* jsonb is its text behind a version byte. */
void conv__field_json(conv__buffer *buffer, conv_bytes json)
{
    if (json.data == NULL) {
        conv__field_null(buffer);
    } else if (append_size(buffer, json.size + 1)) {
        conv__buffer_append(buffer, "\1", 1);
        conv__buffer_append_bytes(buffer, json);
    }
}

void conv__field_uuid(conv__buffer *buffer, conv_uuid uuid)
{
    if (conv_uuid_is_nil(uuid))
        conv__field_null(buffer);
    else
        conv__field_bytes(buffer, conv_view((const char *)uuid.bytes, sizeof uuid.bytes));
}

void conv__field_int4(conv__buffer *buffer, int32_t value)
{
    append_u32(buffer, sizeof value);
    append_u32(buffer, (uint32_t)value);
}

void conv__field_int8(conv__buffer *buffer, int64_t value)
{
    if (value == CONV_UNKNOWN) {
        conv__field_null(buffer);
        return;
    }
    append_u32(buffer, sizeof value);
    append_u64(buffer, (uint64_t)value);
}

/* A time that PostgreSQL can't hold becomes one that its range check refuses. */
void conv__field_time(conv__buffer *buffer, int64_t time_us)
{
    int64_t value = time_us < INT64_MIN + EPOCH_US ? INT64_MIN : time_us - EPOCH_US;
    append_u32(buffer, sizeof value);
    append_u64(buffer, (uint64_t)value);
}

/* Four decimal digits from `text`; positions outside of [0, size) are zeros. */
static unsigned group_at(const char *text, int size, int start)
{
    unsigned group = 0;
    for (int i = start; i < start + NUMERIC_BASE_DIGITS; i++)
        group = group * 10 + (i >= 0 && i < size ? (unsigned)(text[i] - '0') : 0);
    return group;
}

/* numeric is groups of four digits; `weight` is the power of 10000 of the first one. */
void conv__field_numeric(conv__buffer *buffer, conv_decimal decimal)
{
    char text[CONV_DECIMAL_TEXT_SIZE];
    conv_decimal_format(decimal, text);
    bool negative = text[0] == '-';
    const char *whole = text + negative;
    const char *point = strchr(whole, '.');
    int whole_size = (int)(point == NULL ? strlen(whole) : (size_t)(point - whole));
    const char *fraction = point == NULL ? "" : point + 1;
    int fraction_size = (int)strlen(fraction);

    int whole_groups = (whole_size + NUMERIC_BASE_DIGITS - 1) / NUMERIC_BASE_DIGITS;
    int fraction_groups = (fraction_size + NUMERIC_BASE_DIGITS - 1) / NUMERIC_BASE_DIGITS;
    int count = whole_groups + fraction_groups;
    append_u32(buffer, (uint32_t)(NUMERIC_HEADER + 2 * count));
    append_u16(buffer, (unsigned)count);
    append_u16(buffer, (unsigned)(whole_groups - 1));
    append_u16(buffer, negative ? NUMERIC_NEGATIVE : NUMERIC_POSITIVE);
    append_u16(buffer, (unsigned)fraction_size);
    int lead = whole_size - whole_groups * NUMERIC_BASE_DIGITS;
    for (int i = 0; i < whole_groups; i++)
        append_u16(buffer, group_at(whole, whole_size, lead + i * NUMERIC_BASE_DIGITS));
    for (int i = 0; i < fraction_groups; i++)
        append_u16(buffer, group_at(fraction, fraction_size, i * NUMERIC_BASE_DIGITS));
}

bool conv__binary_uuid(conv_bytes value, conv_uuid *uuid)
{
    if (value.size != sizeof uuid->bytes) return false;
    memcpy(uuid->bytes, value.data, sizeof uuid->bytes);
    return true;
}

bool conv__binary_int8(conv_bytes value, int64_t *number)
{
    if (value.size != sizeof *number) return false;
    uint64_t bits = (uint64_t)conv__read_u32(value.data) << 32 | conv__read_u32(value.data + 4);
    memcpy(number, &bits, sizeof *number);
    return true;
}

bool conv__binary_time(conv_bytes value, int64_t *time_us)
{
    int64_t since_2000;
    if (!conv__binary_int8(value, &since_2000) || since_2000 == INT64_MIN ||
        since_2000 > INT64_MAX - EPOCH_US)
        return false;
    *time_us = since_2000 + EPOCH_US;
    return true;
}

bool conv__binary_json(conv_bytes value, conv_bytes *json)
{
    if (value.size < 1 || value.data[0] != 1) return false;
    *json = conv_view(value.data + 1, value.size - 1);
    return true;
}

bool conv__binary_bool(conv_bytes value, bool *truth)
{
    if (value.size != 1) return false;
    *truth = value.data[0] != 0;
    return true;
}

conv_status conv__binary_numeric(conv_bytes value, conv_decimal *decimal)
{
    if (value.size < NUMERIC_HEADER) return CONV_BAD_DATA;
    int count = (int)read_u16(value.data);
    int weight = (int16_t)read_u16(value.data + 2);
    unsigned sign = read_u16(value.data + 4);
    if (value.size != (size_t)NUMERIC_HEADER + 2 * (size_t)count) return CONV_BAD_DATA;
    if (sign != NUMERIC_POSITIVE && sign != NUMERIC_NEGATIVE) return CONV_BAD_DATA;
    if (weight >= NUMERIC_GROUPS || count - 1 - weight > NUMERIC_GROUPS) return CONV_LIMIT;

    char text[(2 * NUMERIC_GROUPS + 2) * NUMERIC_BASE_DIGITS];
    size_t size = 0;
    if (sign == NUMERIC_NEGATIVE) text[size++] = '-';
    /* From the first whole group (at least the units) to the last one that is there. */
    int last = count - 1 > weight ? count - 1 : weight;
    for (int i = weight < 0 ? weight : 0; i <= last; i++) {
        unsigned group = i < 0 || i >= count ? 0 : read_u16(value.data + NUMERIC_HEADER + 2 * i);
        if (group > 9999) return CONV_BAD_DATA;
        for (unsigned power = 1000; power > 0; power /= 10)
            text[size++] = (char)('0' + group / power % 10);
        if (i == weight) text[size++] = '.';
    }
    if (size > 0 && text[size - 1] == '.') size--;
    return conv_decimal_parse(conv_view(text, size), decimal) == CONV_OK ? CONV_OK : CONV_LIMIT;
}
