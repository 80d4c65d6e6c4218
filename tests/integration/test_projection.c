/* What jsonb and text really take, asked of a server: each projection is accepted, what it leaves
 * alone too, and what it changes would have been refused. */
#include <libpq-fe.h>
#include <stdlib.h>

#include "core/json.h"
#include "core/text.h"
#include "support/store.h"
#include "support/test.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static PGconn *server;

static int connect_server(void **state)
{
    (void)state;
    server = PQconnectdb(test_store_create("postgresql"));
    if (PQstatus(server) != CONNECTION_OK) print_error("%s", PQerrorMessage(server));
    return PQstatus(server) == CONNECTION_OK ? 0 : -1;
}

static int disconnect_server(void **state)
{
    (void)state;
    PQfinish(server);
    test_store_drop("postgresql");
    return 0;
}

/* Whether the server takes the bytes as a parameter of this type, in binary as the library sends
 * them; jsonb has a version byte in front. */
static bool server_takes(conv_bytes bytes, bool as_jsonb)
{
    conv__buffer parameter = {0};
    if (as_jsonb) conv__buffer_append(&parameter, "\1", 1);
    conv__buffer_append_bytes(&parameter, bytes);
    const char *values[] = {parameter.data};
    int sizes[] = {(int)parameter.size};
    int formats[] = {1};
    PGresult *result = PQexecParams(server, as_jsonb ? "SELECT $1::jsonb" : "SELECT $1::text", 1,
                                    NULL, values, sizes, formats, 0);
    bool taken = PQresultStatus(result) == PGRES_TUPLES_OK;
    const char *sqlstate = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    if (!taken && (sqlstate == NULL || strncmp(sqlstate, "22", 2) != 0))
        fail_msg("%s", PQerrorMessage(server));
    PQclear(result);
    conv__buffer_free(&parameter);
    return taken;
}

static void check_json(conv_bytes text)
{
    conv__arena arena = {0};
    conv__json value;
    conv_bytes storable;
    if (!conv__json_parse(text, &value, NULL)) fail_msg("no JSON: %.60s", text.data);
    assert_int_equal(conv__json_project(&arena, value, &storable), CONV_OK);
    if (!server_takes(storable, true)) fail_msg("refused: %.60s", storable.data);
    if (storable.data != text.data && server_takes(text, true))
        fail_msg("needlessly changed: %.60s", text.data);
    conv__arena_reset(&arena);
}

static void jsonb_takes_every_projection(void **state)
{
    (void)state;
    static const char *const table[] = {
        "\"\\u0000\"",
        "\"\\ud800\"",
        "\"\\udc00\"",
        "\"\\ud83dx\"",
        "\"\\ud83d\\n\"",
        "\"\\ud83d\\u0041\"",
        "\"\\ud83d\\ud83d\\ude00\"",
        "\"\\ude00\\ud83d\"",
        "\"\\ud83d\\ude00\"",
        "\"\\udbff\\udfff\"",
        "\"\\\\u0000\"",
        "\"\\u0001\\u001f\\u007f\"",
        "\"\\uffff\\ufffe\\ufdd0\"",
        "{\"\\u0000\":1,\"\\ufffd\":2}",
        "{\"a\":1,\"a\":2}",
        "\"\xff\"",
        "\"\xed\xa0\x80\"",
        "\"\xc3\"",
        "\"\xf4\x90\x80\x80\"",
        "\"\x7f\"",
        "[1e131072]",
        "[1e131071]",
        "[9.99e131071]",
        "[-123e131070]",
        "[123e131069]",
        "[0.001e131075]",
        "[0.001e131074]",
        "[1e-16384]",
        "[1e-16383]",
        "[1.0e-16383]",
        "[1.0e-16382]",
        "[0.0e-16383]",
        "[0e-16384]",
        "[0e-16383]",
        "[0e1073741823]",
        "[0e1073741822]",
        "[0.0e1073741822]",
        "[1e1073741822]",
        "[1e99999999999999999999]",
        "[1e-99999999999999999999]",
        "[0e99999999999999999999]",
        "[-0]",
        "[-0.0]",
        "[1E+5]",
        "[1.00000000000000000000]",
        "[12345678901234567890123456789012345678901234567890.5e-3]",
    };
    for (size_t i = 0; i < COUNT(table); i++) {
        check_json(conv_text(table[i]));
    }
}

static void numbers_written_out_have_the_same_bounds(void **state)
{
    (void)state;
    for (size_t extra = 0; extra < 2; extra++) {
        conv__buffer whole = {0}, fraction = {0};
        memset(conv__buffer_extend(&whole, 131072 + extra), '9', 131072 + extra);
        conv__buffer_append_text(&fraction, "0.");
        memset(conv__buffer_extend(&fraction, 16383 + extra), '0', 16383 + extra);
        check_json(conv__buffer_bytes(&whole));
        check_json(conv__buffer_bytes(&fraction));
        conv__buffer_append_text(&fraction, "e1");
        check_json(conv__buffer_bytes(&fraction));
        conv__buffer_free(&whole);
        conv__buffer_free(&fraction);
    }
}

static void jsonb_takes_the_deepest_nesting(void **state)
{
    (void)state;
    char text[2 * CONV__JSON_DEPTH];
    memset(text, '[', CONV__JSON_DEPTH);
    memset(text + CONV__JSON_DEPTH, ']', CONV__JSON_DEPTH);
    check_json(conv_view(text, sizeof text));
}

static void check_text(conv_bytes text)
{
    conv__arena arena = {0};
    conv_bytes storable;
    assert_int_equal(conv__text_project(&arena, text, &storable), CONV_OK);
    if (!server_takes(storable, false)) fail_msg("refused: %.60s", storable.data);
    if (storable.data != text.data && server_takes(text, false))
        fail_msg("needlessly changed: %.60s", text.data);
    conv__arena_reset(&arena);
}

/* Two bytes at the start of four: all leading bytes with all second ones. */
static void text_takes_every_projection(void **state)
{
    (void)state;
    for (unsigned lead = 0; lead < 256; lead++) {
        for (unsigned second = 0; second < 256; second += lead < 0xC0 ? 51 : 15) {
            char text[] = {(char)lead, (char)second, (char)0xBF, (char)0x80, 'x'};
            for (size_t size = 1; size <= sizeof text; size += 2) {
                check_text(conv_view(text, size));
            }
        }
    }
    check_text(conv_text("\xEF\xBF\xBF\xF4\x8F\xBF\xBF\xEF\xB7\x90"));
    check_text(conv_text(""));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(jsonb_takes_every_projection),
        cmocka_unit_test(numbers_written_out_have_the_same_bounds),
        cmocka_unit_test(jsonb_takes_the_deepest_nesting),
        cmocka_unit_test(text_takes_every_projection),
    };
    return RUN_TESTS_WITH("projection", tests, connect_server, disconnect_server);
}
