/* PostgreSQL's binary formats, against bytes that the server's own send functions gave. */
#include "support/test.h"

#include <stdlib.h>

#include "conversation/usage.h"
#include "db/postgres/binary.h"
#include "db/postgres/parameters.h"

static void assert_hex(conv_bytes bytes, const char *hex)
{
    char got[512] = "";
    assert_true(bytes.size * 2 < sizeof got);
    for (size_t i = 0; i < bytes.size; i++)
        snprintf(got + 2 * i, 3, "%02x", (unsigned char)bytes.data[i]);
    assert_string_equal(got, hex);
}

static conv_bytes from_hex(const char *hex, char *bytes)
{
    size_t size = strlen(hex) / 2;
    for (size_t i = 0; i < size; i++) {
        char pair[3] = {hex[2 * i], hex[2 * i + 1], '\0'};
        bytes[i] = (char)strtoul(pair, NULL, 16);
    }
    return conv_view(bytes, size);
}

static conv_decimal decimal_of(const char *text)
{
    conv_decimal decimal = {0, 0, 0, false};
    assert_int_equal(conv_decimal_parse(conv_text(text), &decimal), CONV_OK);
    return decimal;
}

/* Each with its length before it. */
static void fields(void **state)
{
    (void)state;
    static const struct {
        void (*append)(conv__buffer *buffer, int64_t value);
        int64_t value;
        const char *hex;
    } numbers[] = {
        {conv__field_int8, 0, "000000080000000000000000"},
        {conv__field_int8, 258, "000000080000000000000102"},
        {conv__field_int8, -2, "00000008fffffffffffffffe"},
        {conv__field_int8, INT64_MAX, "000000087fffffffffffffff"},
        {conv__field_int8, CONV_UNKNOWN, "ffffffff"},
        {conv__field_time, INT64_C(946684800000000), "000000080000000000000000"},
        {conv__field_time, INT64_C(946684800000001), "000000080000000000000001"},
        {conv__field_time, 0, "00000008fffca2fec4c82000"},         /* 1970-01-01 */
        {conv__field_time, INT64_MIN, "000000088000000000000000"}, /* -infinity, refused */
    };
    conv__buffer buffer = {0};
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        conv__buffer_clear(&buffer);
        numbers[i].append(&buffer, numbers[i].value);
        assert_hex(conv__buffer_bytes(&buffer), numbers[i].hex);
    }
    conv__buffer_clear(&buffer);
    conv__field_int4(&buffer, -3);
    conv__field_bytes(&buffer, conv_text("ab"));
    conv__field_bytes(&buffer, conv_text(""));
    conv__field_bytes(&buffer, conv_text(NULL));
    conv__field_json(&buffer, conv_text("[]"));
    conv__field_json(&buffer, conv_text(NULL));
    conv__field_null(&buffer);
    assert_hex(conv__buffer_bytes(&buffer), "00000004fffffffd"
                                            "000000026162"
                                            "00000000"
                                            "ffffffff"
                                            "00000003015b5d"
                                            "ffffffff"
                                            "ffffffff");
    conv__buffer_clear(&buffer);
    conv_uuid uuid = {{0}};
    conv__field_uuid(&buffer, uuid);
    uuid.bytes[0] = 0xAB;
    uuid.bytes[15] = 1;
    conv__field_uuid(&buffer, uuid);
    assert_hex(conv__buffer_bytes(&buffer), "ffffffff"
                                            "00000010ab000000000000000000000000000001");
    conv__buffer_free(&buffer);
}

/* From `SELECT encode(numeric_send(…), 'hex')`. */
static const struct {
    const char *text;
    const char *hex;
} numerics[] = {
    {"0", "0000000000000000"},
    {"1", "000100000000000000"
          "01"},
    {"-12", "000100004000000000"
            "0c"},
    {"0.000375", "0002ffff00000006"
                 "00031d4c"},
    {"0.1", "0001ffff0000000103e8"},
    {"10000", "000100010000000000"
              "01"},
    {"12345.6789", "00030001000000040001"
                   "09291a85"},
    {"-0.00000000000000000000000000000000000001", "0001fff640000026"
                                                  "0064"},
    {"99999999999999999999999999999999999999", "000a000900000000"
                                               "0063270f270f270f270f270f270f270f270f270f"},
};

static void numeric_is_read(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof numerics / sizeof numerics[0]; i++) {
        char bytes[64];
        char text[CONV_DECIMAL_TEXT_SIZE];
        conv_decimal decimal = {0, 0, 0, false};
        assert_int_equal(conv__binary_numeric(from_hex(numerics[i].hex, bytes), &decimal), CONV_OK);
        conv_decimal_format(decimal, text);
        assert_string_equal(text, numerics[i].text);
    }
}

/* What we write may have zero groups at its ends, which the server takes away; so it is compared by
 * value: read back it is the same number. */
static void numeric_is_written(void **state)
{
    (void)state;
    static const char *const more[] = {"0.5",
                                       "100",
                                       "0.0001",
                                       "0.00001",
                                       "1234",
                                       "123.4567891",
                                       "10000000000000000000000000000000000000"};
    conv__buffer buffer = {0};
    size_t count = sizeof numerics / sizeof numerics[0];
    for (size_t i = 0; i < count + sizeof more / sizeof more[0]; i++) {
        const char *wanted = i < count ? numerics[i].text : more[i - count];
        char text[CONV_DECIMAL_TEXT_SIZE];
        conv_decimal decimal = {0, 0, 0, false};
        conv__buffer_clear(&buffer);
        conv__field_numeric(&buffer, decimal_of(wanted));
        assert_int_equal(conv__read_u32(buffer.data), buffer.size - 4);
        conv_bytes value = conv_view(buffer.data + 4, buffer.size - 4);
        assert_int_equal(conv__binary_numeric(value, &decimal), CONV_OK);
        conv_decimal_format(decimal, text);
        assert_string_equal(text, wanted);
    }
    conv__buffer_clear(&buffer);
    conv__field_numeric(&buffer, decimal_of("12345.6789"));
    assert_hex(conv__buffer_bytes(&buffer), "0000000e"
                                            "0003000100000004"
                                            "000109291a85");
    conv__buffer_free(&buffer);
}

static void numeric_beyond_a_decimal(void **state)
{
    (void)state;
    static const struct {
        const char *hex;
        conv_status status;
    } rows[] = {
        {"00000000c0000000", CONV_BAD_DATA}, /* NaN */
        {"00000000d0000020", CONV_BAD_DATA}, /* Infinity */
        {"00000000f0000020", CONV_BAD_DATA}, /* -Infinity */
        {"", CONV_BAD_DATA},                 /* nothing */
        {"000100000000", CONV_BAD_DATA},     /* half a header */
        {"0002000000000000"
         "0001",
         CONV_BAD_DATA}, /* a group too few */
        {"0001000000000000"
         "2710",
         CONV_BAD_DATA}, /* a group of 10000 */
        {"000a000900000000"
         "0064270f270f270f270f270f270f270f270f270f",
         CONV_LIMIT}, /* 39 */
        {"0001000a00000000"
         "0001",
         CONV_LIMIT}, /* 10^40 */
        {"00017fff00000000"
         "0001",
         CONV_LIMIT},
        {"0001800000000000"
         "0001",
         CONV_LIMIT},
        {"0001fff600000027"
         "000a",
         CONV_LIMIT}, /* 39 places */
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char bytes[64];
        conv_decimal decimal = decimal_of("7");
        conv_status status = conv__binary_numeric(from_hex(rows[i].hex, bytes), &decimal);
        if (status != rows[i].status) fail_msg("%s: %s", rows[i].hex, conv_status_name(status));
    }
}

static void values_of_another_size_are_refused(void **state)
{
    (void)state;
    int64_t number = 0;
    bool truth = false;
    conv_uuid uuid;
    conv_bytes json;
    char bytes[16];
    assert_false(conv__binary_int8(conv_text("1234567"), &number));
    assert_false(conv__binary_uuid(conv_text("123456789012345"), &uuid));
    assert_false(conv__binary_bool(conv_text("tt"), &truth));
    assert_false(conv__binary_json(conv_text(""), &json));
    assert_false(conv__binary_json(conv_text("\2{}"), &json));
    assert_true(conv__binary_json(conv_text("\1{}"), &json));
    assert_bytes(json, "{}");
    /* The two infinities are no moments. */
    assert_false(conv__binary_time(from_hex("7fffffffffffffff", bytes), &number));
    assert_false(conv__binary_time(from_hex("8000000000000000", bytes), &number));
    assert_true(conv__binary_time(from_hex("0000000000000001", bytes), &number));
    assert_true(number == INT64_C(946684800000001));
}

typedef struct row {
    conv_uuid id;
    conv_bytes text;
    int64_t count;
} row;

static void append_constant(conv__buffer *buffer, const void *one)
{
    (void)one;
    conv__field_int4(buffer, 7);
}

static void columns_become_arrays(void **state)
{
    (void)state;
    static const conv__column columns[] = {
        {CONV__TYPE_TEXT, offsetof(row, text), NULL},
        {CONV__TYPE_INT8, offsetof(row, count), NULL},
        {CONV__TYPE_INT4, 0, append_constant},
    };
    row first = {.text = {"a", 1}, .count = 5};
    row second = {.text = {NULL, 0}, .count = 6};
    const void *rows[] = {&first, &second};
    conv__parameters parameters = {.count = 0};
    conv__parameter_columns(&parameters, columns, 3, rows, 2);
    conv__parameter_int8s(&parameters, (const int64_t[]){9}, 1);
    assert_int_equal(parameters.count, 4);
    assert_false(parameters.data.failed);
    assert_hex(conv__buffer_bytes(&parameters.data), "0000001d"
                                                     "00000001"
                                                     "00000001"
                                                     "00000019"
                                                     "00000002"
                                                     "00000001"
                                                     "0000000161"
                                                     "ffffffff"
                                                     "0000002c"
                                                     "00000001"
                                                     "00000000"
                                                     "00000014"
                                                     "00000002"
                                                     "00000001"
                                                     "000000080000000000000005"
                                                     "000000080000000000000006"
                                                     "00000024"
                                                     "00000001"
                                                     "00000000"
                                                     "00000017"
                                                     "00000002"
                                                     "00000001"
                                                     "0000000400000007"
                                                     "0000000400000007"
                                                     "00000020"
                                                     "00000001"
                                                     "00000000"
                                                     "00000014"
                                                     "00000001"
                                                     "00000001"
                                                     "000000080000000000000009");
    assert_int_equal(parameters.offsets[1], 4 + 0x1d);
    conv__parameters_free(&parameters);
}

static void too_many_parameters_fail(void **state)
{
    (void)state;
    conv__parameters parameters = {.count = 0};
    for (int i = 0; i < CONV__PARAMETERS_LIMIT; i++)
        conv__parameter_int8(&parameters, i);
    assert_false(parameters.data.failed);
    conv__parameter_null(&parameters);
    assert_true(parameters.data.failed);
    conv__parameters_free(&parameters);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fields),
        cmocka_unit_test(numeric_is_read),
        cmocka_unit_test(numeric_is_written),
        cmocka_unit_test(numeric_beyond_a_decimal),
        cmocka_unit_test(values_of_another_size_are_refused),
        cmocka_unit_test(columns_become_arrays),
        cmocka_unit_test(too_many_parameters_fail),
    };
    return RUN_TESTS("binary", tests);
}
