/* Our binary values, as the server reads them; and the server's, as we do. */
#include "support/postgres.h"
#include "support/test.h"

#include <stdlib.h>

#include "core/time.h"
#include "db/postgres/libpq.h"
#include "db/postgres/pipeline.h"

static conv_error error;
static conv__connection *connection;
static conv__arena arena;

static int setup(void **state)
{
    if (postgres_setup_empty(state) != 0) return -1;
    connection = postgres_connect();
    return 0;
}

static int teardown(void **state)
{
    conv__connection_close(connection);
    return postgres_teardown(state);
}

/* What a statement with one parameter gives back: the value, and its text as the server has it. */
typedef struct echo {
    void (*next)(conv__reader *reader, struct echo *self);
    conv_decimal decimal;
    int64_t number;
    conv_uuid uuid;
    conv_bytes bytes;
    conv_bytes text;
} echo;

static conv_status receive_echo(void *context, const conv__result *result, conv_error *failure)
{
    (void)failure;
    echo *self = context;
    conv__reader reader = conv__reader_at(result, 0, &arena);
    self->next(&reader, self);
    self->text = conv__next_bytes(&reader);
    return reader.status;
}

static void ask(const char *sql, conv__parameters *parameters, echo *self)
{
    conv__statement statement = {"test_echo", "echo", 1, true, sql};
    conv__operation operation = {.statement = &statement,
                                 .parameters = *parameters,
                                 .receive = receive_echo,
                                 .context = self};
    assert_ok(conv__pipeline_run(connection, &operation, (conv__bracket){CONV__BEGIN_NOT, false},
                                 "test", conv__deadline_in_ms(10000), &error),
              error);
    conv__parameters_free(parameters);
}

static void next_decimal(conv__reader *reader, echo *self)
{
    assert_true(conv__next_decimal(reader, &self->decimal));
}

static void next_time(conv__reader *reader, echo *self)
{
    self->number = conv__next_time(reader);
}

static void next_number(conv__reader *reader, echo *self)
{
    self->number = conv__next_int8(reader);
}

static void next_uuid(conv__reader *reader, echo *self)
{
    self->uuid = conv__next_uuid(reader);
}

static void next_json(conv__reader *reader, echo *self)
{
    self->bytes = conv__next_json(reader);
}

static void next_bytes(conv__reader *reader, echo *self)
{
    self->bytes = conv__next_bytes(reader);
}

static void append_decimal(conv__buffer *buffer, const void *row)
{
    conv__field_numeric(buffer, *(const conv_decimal *)row);
}

static void check_decimal(const char *wanted)
{
    char text[CONV_DECIMAL_TEXT_SIZE];
    static const conv__column column = {CONV__TYPE_NUMERIC, 0, append_decimal};
    echo self = {.next = next_decimal};
    conv_decimal decimal = {0, 0, 0, false};
    conv__parameters parameters = {.count = 0};
    assert_int_equal(conv_decimal_parse(conv_text(wanted), &decimal), CONV_OK);
    const void *row = &decimal;
    conv__parameter_columns(&parameters, &column, 1, &row, 1);
    ask("SELECT ($1::numeric[])[1], ($1::numeric[])[1]::text", &parameters, &self);
    conv_decimal_format(decimal, text);
    assert_bytes(self.text, text);
    conv_decimal_format(self.decimal, text);
    assert_bytes(self.text, text);
}

static void decimals(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "0",
        "1",
        "-1",
        "9999",
        "10000",
        "10001",
        "100000000",
        "0.1",
        "0.01",
        "0.001",
        "0.0001",
        "0.00001",
        "-12.5",
        "1234.5678",
        "12345.67891",
        "0.000375",
        "99999999999999999999999999999999999999",
        "0.00000000000000000000000000000000000001",
        "1000000000000000000.0000000000000000001",
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        check_decimal(texts[i]);
    srand(4711);
    for (int i = 0; i < 200; i++) {
        char text[64];
        int size = 0;
        int digits = 1 + rand() % 38;
        int point = rand() % (digits + 1);
        if (rand() % 2) text[size++] = '-';
        for (int k = 0; k < digits; k++) {
            if (k == point && k > 0) text[size++] = '.';
            /* Many zeros, because groups of them are what goes wrong. */
            text[size++] = (char)(rand() % 2 ? '0' : '0' + rand() % 10);
        }
        text[size] = '\0';
        check_decimal(text);
    }
    conv__arena_reset(&arena);
}

static void times(void **state)
{
    (void)state;
    static const int64_t moments[] = {
        0,
        1,
        -1,
        INT64_C(946684799999999),
        INT64_C(946684800000000),
        INT64_C(1700000000123456),
        INT64_C(-62135596800000000),
        INT64_C(253402300799999999),
    };
    for (size_t i = 0; i < sizeof moments / sizeof moments[0]; i++) {
        char text[CONV__TIME_TEXT_SIZE];
        echo self = {.next = next_time};
        conv__parameters parameters = {.count = 0};
        conv__parameter_time(&parameters, moments[i]);
        ask("SELECT $1::timestamptz, to_char($1::timestamptz AT TIME ZONE 'UTC',"
            " 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')",
            &parameters, &self);
        conv__time_format(moments[i], text);
        assert_bytes(self.text, text);
        assert_true(self.number == moments[i]);
    }
    conv__arena_reset(&arena);
}

static void numbers(void **state)
{
    (void)state;
    static const int64_t values[] = {0, 1, -2, INT64_MAX, INT64_MIN};
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        char text[32];
        echo self = {.next = next_number};
        conv__parameters parameters = {.count = 0};
        conv__parameter_int8(&parameters, values[i]);
        ask("SELECT $1::int8, $1::int8::text", &parameters, &self);
        snprintf(text, sizeof text, "%lld", (long long)values[i]);
        assert_bytes(self.text, text);
        assert_true(self.number == values[i]);
    }
    conv__arena_reset(&arena);
}

static void uuids(void **state)
{
    (void)state;
    char text[CONV_UUID_TEXT_SIZE];
    conv_uuid uuid = conv_uuid_v4();
    echo self = {.next = next_uuid};
    conv__parameters parameters = {.count = 0};
    conv__parameter_uuid(&parameters, uuid);
    ask("SELECT $1::uuid, $1::uuid::text", &parameters, &self);
    conv_uuid_format(uuid, text);
    assert_bytes(self.text, text);
    assert_int_equal(conv_uuid_compare(self.uuid, uuid), 0);
    conv__arena_reset(&arena);
}

static void texts_bytes_and_json(void **state)
{
    (void)state;
    echo self = {.next = next_bytes};
    conv__parameters parameters = {.count = 0};
    conv__parameter_bytes(&parameters, conv_view("a\0b\xff", 4));
    ask("SELECT $1::bytea, encode($1::bytea, 'hex')", &parameters, &self);
    assert_bytes(self.text, "610062ff");
    assert_int_equal(self.bytes.size, 4);
    assert_memory_equal(self.bytes.data, "a\0b\xff", 5);

    conv__parameter_bytes(&parameters, conv_text("Grüße 😀"));
    ask("SELECT $1::text, length($1::text)::text", &parameters, &self);
    assert_bytes(self.bytes, "Grüße 😀");
    assert_bytes(self.text, "7");

    conv__parameter_bytes(&parameters, conv_text(""));
    ask("SELECT $1::text, ($1::text IS NULL)::text", &parameters, &self);
    assert_bytes(self.bytes, "");
    assert_bytes(self.text, "false");

    conv__parameter_bytes(&parameters, conv_text(NULL));
    ask("SELECT $1::text, ($1::text IS NULL)::text", &parameters, &self);
    assert_null(self.bytes.data);
    assert_bytes(self.text, "true");

    self.next = next_json;
    conv__parameter_json(&parameters, conv_text("{\"b\": [1, null], \"a\": \"\\u00e4\"}"));
    ask("SELECT $1::jsonb, $1::jsonb ->> 'a'", &parameters, &self);
    assert_bytes(self.bytes, "{\"a\": \"ä\", \"b\": [1, null]}");
    assert_bytes(self.text, "ä");
    conv__arena_reset(&arena);
}

/* NULL at the edges, an empty text, and every type in one go. */
static void arrays(void **state)
{
    (void)state;
    static const conv__column column = {CONV__TYPE_TEXT, 0, NULL};
    conv_bytes members[] = {{NULL, 0}, {"", 0}, {"a,\"b\\", 5}, {NULL, 0}};
    const void *rows[4];
    for (int i = 0; i < 4; i++)
        rows[i] = &members[i];
    echo self = {.next = next_bytes};
    conv__parameters parameters = {.count = 0};
    conv__parameter_columns(&parameters, &column, 1, rows, 4);
    ask("SELECT ($1::text[])[3], $1::text[]::text", &parameters, &self);
    assert_bytes(self.bytes, "a,\"b\\");
    assert_bytes(self.text, "{NULL,\"\",\"a,\\\"b\\\\\",NULL}");

    self.next = next_number;
    conv__parameter_int8s(&parameters, (const int64_t[]){5, 0, CONV_UNKNOWN}, 3);
    ask("SELECT cardinality($1::int8[])::int8, $1::int8[]::text", &parameters, &self);
    assert_true(self.number == 3);
    assert_bytes(self.text, "{5,0,NULL}");

    conv__parameter_int8s(&parameters, NULL, 0);
    ask("SELECT cardinality($1::int8[])::int8, $1::int8[]::text", &parameters, &self);
    assert_true(self.number == 0);
    assert_bytes(self.text, "{}");
    conv__arena_reset(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(decimals),
        cmocka_unit_test(times),
        cmocka_unit_test(numbers),
        cmocka_unit_test(uuids),
        cmocka_unit_test(texts_bytes_and_json),
        cmocka_unit_test(arrays),
    };
    return RUN_TESTS_WITH("postgres binary", tests, setup, teardown);
}
