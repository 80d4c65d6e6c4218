/* Words of libpq and of the server, made fit for an error message. */
#include "support/test.h"

#include "db/postgres/message.h"

static char line[256];
static char sqlstate[6];

static void one_line_of_many(void **state)
{
    (void)state;
    conv__message_one_line("  a\n\tb  \r\n c\n\n", line, sizeof line);
    assert_string_equal(line, "a b c");
    conv__message_one_line("", line, sizeof line);
    assert_string_equal(line, "");
    char little[4];
    conv__message_one_line("abcdef", little, sizeof little);
    assert_string_equal(little, "abc");
}

static void quoted_parts_are_left_out(void **state)
{
    (void)state;
    conv__message_without_quotes("missing \"=\" after \"my secret\" in connection info string\n",
                                 line, sizeof line);
    assert_string_equal(line, "missing \"...\" after \"...\" in connection info string");
    conv__message_without_quotes("open \"end of it", line, sizeof line);
    assert_string_equal(line, "open \"...");
}

static void the_state_of_a_refusal(void **state)
{
    (void)state;
    conv__message_of_connecting(
        "connection to server at \"h\" (1.2.3.4), port 5432 failed: FATAL:  28P01: password "
        "authentication failed for user \"me\"\nLOCATION:  auth_failed, auth.c:331\n",
        line, sizeof line, sqlstate);
    assert_string_equal(line, "connection to server at \"h\" (1.2.3.4), port 5432 failed: FATAL: "
                              "password authentication failed for user \"me\"");
    assert_string_equal(sqlstate, "28P01");
    /* Any language. */
    conv__message_of_connecting("SCHWERWIEGEND:  3D000: Datenbank »x« existiert nicht\n"
                                "ORT:  InitPostgres, postinit.c:941\n",
                                line, sizeof line, sqlstate);
    assert_string_equal(line, "SCHWERWIEGEND: Datenbank »x« existiert nicht");
    assert_string_equal(sqlstate, "3D000");
}

static void a_failure_without_state(void **state)
{
    (void)state;
    strcpy(sqlstate, "XXXXX");
    conv__message_of_connecting(
        "connection to server on socket \"/x/.s.PGSQL.5432\" failed: No such file or directory\n"
        "\tIs the server running locally and accepting connections on that socket?\n",
        line, sizeof line, sqlstate);
    assert_string_equal(line,
                        "connection to server on socket \"/x/.s.PGSQL.5432\" failed: No such file "
                        "or directory");
    assert_string_equal(sqlstate, "");
}

static void the_last_of_several_hosts_decides(void **state)
{
    (void)state;
    conv__message_of_connecting(
        "at \"a\": FATAL:  57P03: starting up\nLOCATION:  f, postmaster.c:1\n"
        "at \"b\": FATAL:  28000: no entry\nLOCATION:  g, auth.c:22\n",
        line, sizeof line, sqlstate);
    assert_string_equal(line, "at \"a\": FATAL: starting up; at \"b\": FATAL: no entry");
    assert_string_equal(sqlstate, "28000");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_line_of_many),
        cmocka_unit_test(quoted_parts_are_left_out),
        cmocka_unit_test(the_state_of_a_refusal),
        cmocka_unit_test(a_failure_without_state),
        cmocka_unit_test(the_last_of_several_hosts_decides),
    };
    return RUN_TESTS("postgres message", tests);
}
