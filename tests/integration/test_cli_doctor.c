/* conversation doctor and --redact, on both stores. */
#include "support/program.h"
#include "support/store.h"
#include "support/test.h"

static const char *kind;

static int setup(void **state)
{
    (void)state;
    test_program_setup(test_store_create(kind));
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    test_program_teardown();
    test_store_drop(kind);
    return 0;
}

static bool is_sqlite(void)
{
    return strcmp(kind, "sqlite") == 0;
}

static void all_is_well(void **state)
{
    (void)state;
    assert_int_equal(test_run("conversation migrate"), 0);
    assert_int_equal(test_run("conversation doctor --provider echo"), 0);
    assert_contains(test_output, is_sqlite()
                                     ? "store     ok       SQLite, named by CONVERSATION_STORE, "
                                       "answers\n"
                                     : "store     ok       PostgreSQL, named by "
                                       "CONVERSATION_STORE, answers\n");
    assert_contains(test_output, "schema    ok       version 2026");
    assert_contains(test_output, "journal   ok       none: ");
    assert_contains(test_output, "provider  ok       echo; not asked\n");
    assert_contains(test_output, "chain     ok       validate_ids → provider → save_to_database → "
                                 "track_usage → publish\n");
    assert_int_equal(test_run("conversation doctor --redact --json"), 0);
    assert_contains(test_output, "{\"ok\": true, \"store\": {\"state\": \"ok\"");
    assert_contains(test_output, "\"provider\": {\"state\": \"warning\", \"text\": \"openai: "
                                 "OPENAI_API_KEY is not set\"}");
    assert_contains(test_output, "\"steps\": [\"redact\", \"validate_ids\", \"provider\", "
                                 "\"save_to_database\", \"track_usage\", \"publish\"]");
}

static void a_chain_is_broken_between_its_steps(void **state)
{
    (void)state;
    test_terminal terminal;
    assert_int_equal(test_run("conversation migrate"), 0);
    test_terminal_start(&terminal, 80, "conversation doctor --provider echo --no-color");
    assert_int_equal(test_terminal_end(&terminal), 0);
    test_terminal_fits(&terminal, 80);
    assert_contains(terminal.screen, " → track_usage →\r\n                   publish\r\n");
}

static void a_schema_that_is_missing_is_said(void **state)
{
    (void)state;
    if (is_sqlite()) assert_int_equal(test_run(": > ${CONVERSATION_STORE#sqlite:}"), 0);
    assert_int_equal(test_run("conversation doctor --provider echo"), 3);
    assert_contains(test_output, "schema    failed   there is none (0): `conversation migrate`");
    assert_contains(test_output, "store     ok  ");
}

static void what_is_wrong_is_said_with_its_exit_code(void **state)
{
    (void)state;
    assert_int_equal(test_run("conversation migrate"), 0);
    assert_int_equal(test_run("conversation doctor --provider recorded:none.jsonl"), 4);
    assert_contains(test_output, "provider  failed   ");
    assert_int_equal(test_run("conversation doctor --provider nobody"), 2);
    assert_int_equal(
        test_run("conversation doctor --provider echo --store sqlite:none/none.db --json"), 3);
    assert_contains(test_output, "{\"ok\": false, \"store\": {\"state\": \"failed\"");
    assert_contains(test_output,
                    "\"schema\": {\"state\": \"warning\", \"text\": \"not looked at\"");
    assert_contains(test_output, "\"steps\": [\"validate_ids\"");
}

/* No fault: a turn would make it. */
static void a_file_that_is_not_there_yet_is_a_warning(void **state)
{
    (void)state;
    assert_int_equal(test_run("conversation doctor --provider echo --store sqlite:none.db"), 0);
    assert_contains(test_output, "store     warning  SQLite, named by --store, not there yet: the "
                                 "first program that saves makes it\n");
    assert_contains(test_output, "schema    warning  not looked at\n");
    assert_int_equal(test_run("test ! -e none.db"), 0);
    assert_int_equal(test_run("unset CONVERSATION_STORE; conversation doctor --provider echo"), 0);
    assert_contains(test_output, "store     warning  SQLite, the default file, not there yet: ");
    assert_int_equal(test_run("test ! -e .local"), 0);
    assert_int_equal(test_run("unset CONVERSATION_STORE; : >data; XDG_DATA_HOME=$PWD/data "
                              "conversation doctor --provider echo --json"),
                     3);
    assert_contains(test_output, "{\"ok\": false, \"store\": {\"state\": \"failed\"");
    assert_int_equal(test_run("mkdir folder; conversation doctor --provider echo --store "
                              "sqlite:folder"),
                     3);
    assert_contains(test_output, "store     failed   ");
}

static void the_journal_is_counted_and_not_emptied(void **state)
{
    (void)state;
    assert_int_equal(test_run("conversation migrate"), 0);
    assert_int_equal(test_run("conversation doctor --provider echo --journal j.db"), 0);
    assert_contains(test_output, "journal   ok       not there yet");
    assert_int_equal(test_run("test ! -e j.db"), 0);
    test_store_execute(kind, "ALTER TABLE chat_exchanges RENAME TO away");
    assert_int_equal(test_run("conversation chat --provider echo --journal j.db hello"), 0);
    test_store_execute(kind, "ALTER TABLE away RENAME TO chat_exchanges");
    assert_int_equal(test_run("conversation doctor --provider echo --journal j.db --json"), 0);
    assert_contains(test_output, "\"exchanges\": 1, \"usage\": 0, \"turns\": 0, \"dead\": 0");
    assert_string_equal(test_store_value(kind, "SELECT count(*) FROM chat_messages"), "0");
}

static void redact_keeps_texts_out(void **state)
{
    (void)state;
    assert_int_equal(test_run("conversation migrate"), 0);
    assert_int_equal(test_run("conversation chat --provider echo --redact --session s "
                              "'I am ann@example.org, 4111 1111 1111 1111'"),
                     0);
    assert_contains(test_output, "I am [redacted:email], [redacted:card]\n");
    assert_int_equal(test_run("conversation history s --json"), 0);
    assert_null(strstr(test_output, "ann@"));
    assert_contains(test_output, "I am [redacted:email], [redacted:card]");
    static const char recorded[] =
        "{\"id\": \"r\", \"messages\": [{\"role\": \"user\", \"content\": \"a@b.org\"}, "
        "{\"role\": \"assistant\", \"content\": \"hi a@b.org\"}]}\n";
    test_write_file("two.jsonl", recorded, sizeof recorded - 1);
    assert_int_equal(test_run("conversation replay two.jsonl --redact"), 0);
    assert_int_equal(test_run("conversation history r --json"), 0);
    assert_null(strstr(test_output, "a@b"));
    assert_contains(test_output, "hi [redacted:email]");
}

#define WITH_STORE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_STORE(all_is_well),
        WITH_STORE(a_chain_is_broken_between_its_steps),
        WITH_STORE(a_schema_that_is_missing_is_said),
        WITH_STORE(what_is_wrong_is_said_with_its_exit_code),
        WITH_STORE(a_file_that_is_not_there_yet_is_a_warning),
        WITH_STORE(the_journal_is_counted_and_not_emptied),
        WITH_STORE(redact_keeps_texts_out),
    };
    static const char *const kinds[] = {"sqlite", "postgresql"};
    int failed = 0;
    for (size_t i = 0; i < 2; i++) {
        kind = kinds[i];
        failed += RUN_TESTS(kind, tests);
    }
    return failed;
}
