/* conversation replay, import and export on both stores: what goes in comes out, once. */
#include <stdlib.h>
#include <string.h>

#include "support/program.h"
#include "support/store.h"
#include "support/test.h"

static const char *kind;

static const char three[] =
    "{\"id\": \"support-42\", \"user\": \"user-123\", \"model\": \"gpt-4o\", \"messages\": ["
    "{\"role\": \"system\", \"content\": \"Be brief.\"}, "
    "{\"role\": \"user\", \"content\": \"Wo ist mein Päckchen?\"}, "
    "{\"role\": \"assistant\", \"content\": null, \"tool_calls\": [{\"id\": \"c1\", \"type\": "
    "\"function\", \"function\": {\"name\": \"track\", \"arguments\": \"{\\\"n\\\": 1}\"}}]}, "
    "{\"role\": \"tool\", \"content\": \"in transit\", \"tool_call_id\": \"c1\"}, "
    "{\"role\": \"assistant\", \"content\": \"Unterwegs.\"}, "
    "{\"role\": \"user\", \"content\": \"Danke\"}, "
    "{\"role\": \"assistant\", \"content\": \"Gern.\"}]}\n"
    "{\"id\": \"chat/日本/1\", \"model\": \"gpt-4o\", \"messages\": ["
    "{\"role\": \"user\", \"content\": \"日本語\\n\\u0000\\ud800 \\\"x\\\"\"}, "
    "{\"role\": \"assistant\", \"content\": \"😀\"}]}\n"
    "{\"id\": \"6ba7b810-9dad-11d1-80b4-00c04fd430c8\", \"messages\": ["
    "{\"role\": \"user\", \"content\": \"only a question\"}]}\n";

static int setup(void **state)
{
    (void)state;
    test_program_setup(test_store_create(kind));
    assert_int_equal(test_run("conversation migrate"), 0);
    test_write_file("three.jsonl", three, sizeof three - 1);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    test_program_teardown();
    test_store_drop(kind);
    return 0;
}

static long rows(const char *table)
{
    char sql[128];
    snprintf(sql, sizeof sql, "SELECT count(*) FROM %s", table);
    return strtol(test_store_value(kind, sql), NULL, 10);
}

static void assert_rows(long sessions, long exchanges, long messages)
{
    assert_int_equal(rows("chat_sessions"), sessions);
    assert_int_equal(rows("chat_exchanges"), exchanges);
    assert_int_equal(rows("usage_logs"), exchanges);
    assert_int_equal(rows("chat_messages"), messages);
}

static void export_gives_back_what_was_replayed(void **state)
{
    (void)state;
    assert_int_equal(test_run("conversation replay three.jsonl --jobs 1"), 0);
    assert_contains(test_output, "replayed 3 conversations, 4 exchanges, 10 messages in ");
    assert_string_equal(test_errors, "");
    assert_rows(3, 4, 10);
    assert_int_equal(test_run("conversation export --output out.jsonl"), 0);
    assert_string_equal(test_errors, "conversation: 3 sessions exported\n");
    assert_int_equal(test_run("cmp three.jsonl out.jsonl"), 0);
    assert_int_equal(test_run("conversation export | cmp three.jsonl -"), 0);
    assert_int_equal(test_run("ls"), 0);
    assert_string_equal(test_output, "out.jsonl\nthree.jsonl\n");
}

static void a_second_replay_adds_no_row(void **state)
{
    (void)state;
    assert_int_equal(test_run("conversation replay three.jsonl --json"), 0);
    assert_contains(test_output, "{\"conversations\": 3, \"exchanges\": 4, \"messages\": 10, "
                                 "\"repeated\": 0, \"failed\": 0, \"journaled\": 0, \"seconds\": ");
    assert_int_equal(test_run("conversation replay three.jsonl --json"), 0);
    assert_contains(test_output, "{\"conversations\": 3, \"exchanges\": 4, \"messages\": 10, "
                                 "\"repeated\": 4, \"failed\": 0, \"journaled\": 0, \"seconds\": ");
    assert_rows(3, 4, 10);
    assert_int_equal(test_run("conversation replay three.jsonl"), 0);
    assert_contains(test_output, "4 exchanges were there already\n");
}

static void sessions_have_the_ids_of_the_file(void **state)
{
    (void)state;
    assert_int_equal(test_run("conversation replay - <three.jsonl"), 0);
    /* Python: uuid.uuid5(uuid.NAMESPACE_DNS, "support-42") */
    assert_int_equal(
        test_run("conversation history f119c983-4b70-5d0c-8545-3a92d58416a0 --json >a && "
                 "conversation history support-42 --json | cmp - a"),
        0);
    assert_int_equal(test_run("conversation export --session support-42 >one && "
                              "head -n 1 three.jsonl | cmp - one"),
                     0);
    assert_int_equal(test_run("conversation export --user user-123 | cmp - one"), 0);
    assert_int_equal(test_run("conversation export --session nobody"), 4);
    assert_string_equal(test_output, "");
}

static void import_saves_the_same_without_asking(void **state)
{
    (void)state;
    assert_int_equal(test_run("conversation import three.jsonl --jobs 1"), 0);
    assert_contains(test_output, "imported 3 conversations, 4 exchanges, 10 messages in ");
    assert_int_equal(test_run("conversation import three.jsonl --json"), 0);
    assert_contains(test_output, "\"repeated\": 4, \"failed\": 0");
    assert_rows(3, 4, 10);
    assert_int_equal(test_run("conversation export | cmp three.jsonl -"), 0);
    /* What was imported is not asked for again either. */
    assert_int_equal(test_run("conversation replay three.jsonl --json"), 0);
    assert_contains(test_output, "\"repeated\": 4, \"failed\": 0");
    assert_rows(3, 4, 10);
}

static void an_exported_file_imports_to_the_same(void **state)
{
    (void)state;
    assert_int_equal(test_run("conversation replay three.jsonl --jobs 1"), 0);
    assert_int_equal(test_run("conversation export --output out.jsonl"), 0);
    assert_int_equal(test_run("for id in support-42 chat/日本/1 "
                              "6ba7b810-9dad-11d1-80b4-00c04fd430c8; do "
                              "conversation delete --yes \"$id\" || exit; done"),
                     0);
    assert_int_equal(rows("chat_messages"), 0);
    assert_int_equal(test_run("conversation import out.jsonl --jobs 1"), 0);
    assert_int_equal(test_run("conversation export | cmp out.jsonl -"), 0);
}

static void other_forms_are_imported(void **state)
{
    (void)state;
    static const char sharegpt[] =
        "{\"id\": \"share-1\", \"conversations\": [{\"from\": \"human\", \"value\": \"Hi\"}, "
        "{\"from\": \"gpt\", \"value\": \"Hello\"}]}\n";
    test_write_file("share.json", sharegpt, sizeof sharegpt - 1);
    assert_int_equal(test_run("conversation import share.json"), 0);
    assert_int_equal(test_run("conversation export"), 0);
    assert_string_equal(test_output, "{\"id\": \"share-1\", \"messages\": ["
                                     "{\"role\": \"user\", \"content\": \"Hi\"}, "
                                     "{\"role\": \"assistant\", \"content\": \"Hello\"}]}\n");
}

static void a_malformed_line_is_named_and_the_rest_goes_on(void **state)
{
    (void)state;
    static const char lines[] =
        "{\"id\": \"a\", \"messages\": [{\"role\": \"user\", \"content\": \"1\"}, "
        "{\"role\": \"assistant\", \"content\": \"2\"}]}\n"
        "{\"id\": \"b\", \"messages\": [\n"
        "\n"
        "{\"id\": \"c\", \"messages\": [{\"role\": \"wizard\", \"content\": \"1\"}]}\n"
        "{\"id\": \"d\", \0 \"messages\": []}\n"
        "{\"id\": \"e\", \"messages\": [{\"role\": \"user\", \"content\": \"1\"}, "
        "{\"role\": \"assistant\", \"content\": \"2\"}]}\n";
    test_write_file("lines.jsonl", lines, sizeof lines - 1);
    static const char *const commands[] = {"replay", "import"};
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(test_run("conversation %s lines.jsonl --json", commands[i]), 1);
        assert_contains(test_output, "{\"conversations\": 2, \"exchanges\": 2, \"messages\": 4, ");
        assert_contains(test_output, "\"failed\": 3, ");
        assert_contains(test_errors, "line 2");
        assert_contains(test_errors, "line 4");
        assert_contains(test_errors, "line 5");
        assert_null(strstr(test_errors, "line 3"));
        assert_rows(2, 2, 4);
    }
}

static void other_content_under_a_known_turn_is_a_conflict(void **state)
{
    (void)state;
    static const char lines[] =
        "{\"id\": \"a\", \"messages\": [{\"role\": \"user\", \"content\": \"1\"}, "
        "{\"role\": \"assistant\", \"content\": \"2\"}]}\n"
        "{\"id\": \"a\", \"messages\": [{\"role\": \"user\", \"content\": \"other\"}, "
        "{\"role\": \"assistant\", \"content\": \"2\"}, "
        "{\"role\": \"user\", \"content\": \"3\"}]}\n";
    test_write_file("lines.jsonl", lines, sizeof lines - 1);
    assert_int_equal(test_run("conversation replay lines.jsonl"), 1);
    assert_contains(test_errors, "conversation: line 2 (a), turn 1: ");
    assert_contains(test_output, "1 conversation failed\n");
    assert_rows(1, 1, 2);
}

static void an_import_carries_the_title(void **state)
{
    (void)state;
    static const char export[] =
        "[{\"title\": \"Gr\u00fc\u00dfe\", \"conversation_id\": \"t\", \"current_node\": \"b\", "
        "\"mapping\": {\"a\": {\"message\": {\"author\": {\"role\": \"user\"}, \"content\": "
        "{\"parts\": [\"q\"]}}}, \"b\": {\"parent\": \"a\", \"message\": {\"author\": {\"role\": "
        "\"assistant\"}, \"content\": {\"parts\": [\"r\"]}}}}}]";
    test_write_file("conversations.json", export, sizeof export - 1);
    assert_int_equal(test_run("conversation import conversations.json"), 0);
    assert_int_equal(test_run("conversation sessions --jsonl"), 0);
    assert_contains(test_output, "\"title\": \"Grüße\"");
}

/* The same conversation again and again, each time one turn longer: out of order it would be mixed
 * up, or its turns would be saved twice. */
static void a_conversation_that_is_named_often_stays_in_order(void **state)
{
    (void)state;
    FILE *file = fopen("growing.jsonl", "w");
    assert_non_null(file);
    for (int length = 1; length <= 12; length++) {
        fputs("{\"id\": \"growing\", \"messages\": [", file);
        for (int turn = 1; turn <= length; turn++)
            fprintf(file,
                    "%s{\"role\": \"user\", \"content\": \"question %d\"}, "
                    "{\"role\": \"assistant\", \"content\": \"answer %d\"}",
                    turn == 1 ? "" : ", ", turn, turn);
        fputs("]}\n", file);
    }
    assert_int_equal(fclose(file), 0);
    assert_int_equal(test_run("conversation replay growing.jsonl --jobs 8 --json"), 0);
    assert_rows(1, 12, 24);
    assert_int_equal(test_run("conversation export >out && tail -n 1 growing.jsonl | cmp - out"),
                     0);
}

static void a_journal_is_empty_when_all_went_well(void **state)
{
    (void)state;
    assert_int_equal(test_run("conversation replay three.jsonl --jobs 1 --journal j.db"), 0);
    assert_string_equal(test_errors, "");
    assert_rows(3, 4, 10);
    assert_int_equal(test_run("conversation chat --provider echo --journal j.db --json hi"), 0);
    assert_contains(test_output, "\"saved\": \"committed\"");
    assert_int_equal(test_run("conversation export --journal j.db"), 2);
    assert_string_equal(test_errors, "conversation: export takes no option --journal\n"
                                     "hint: `conversation help export` shows how\n");
}

/* What the project ships to show itself: several scripts, tool calls, emoji, any ids. An export of
 * what was imported is that file again. */
static void the_shipped_conversations_come_back(void **state)
{
    (void)state;
    assert_int_equal(test_run("conversation replay %s/examples/data/sample.jsonl --jobs 1 && "
                              "conversation export >a",
                              TEST_SOURCE_DIR),
                     0);
    assert_rows(12, 23, 57);
    assert_int_equal(test_run("conversation import a --store sqlite:other.db --jobs 1 && "
                              "conversation export --store sqlite:other.db | cmp a"),
                     0);
}

static void progress_is_for_terminals_only(void **state)
{
    (void)state;
    assert_int_equal(test_run("conversation replay three.jsonl"), 0);
    assert_string_equal(test_errors, "");
    assert_null(strchr(test_output, '\033'));
    test_terminal terminal;
    test_terminal_start(&terminal, 100, "conversation replay three.jsonl");
    test_terminal_await(&terminal, "%");
    test_terminal_await(&terminal, "replayed 3 conversations");
    assert_int_equal(test_terminal_end(&terminal), 0);
}

static void export_replaces_a_file_whole_or_not_at_all(void **state)
{
    (void)state;
    assert_int_equal(test_run("conversation replay three.jsonl --jobs 1"), 0);
    assert_int_equal(test_run("echo old >out && chmod 640 out && ln -s out link"), 0);
    assert_int_equal(test_run("conversation export --session nobody --output link"), 4);
    assert_int_equal(test_run("cat out && ls"), 0);
    assert_string_equal(test_output, "old\nlink\nout\nthree.jsonl\n");
    assert_int_equal(test_run("conversation export --output link"), 0);
    assert_int_equal(test_run("cmp out three.jsonl && stat -c %%a out && readlink link"), 0);
    assert_string_equal(test_output, "640\nout\n");
    assert_int_equal(test_run("conversation export --output missing/out"), 1);
    assert_contains(test_errors, "conversation: write missing/out: ");
    assert_int_equal(test_run("conversation export --output /dev/null && test -c /dev/null"), 0);
    assert_int_equal(test_run("conversation export --output /dev/full"), 1);
    assert_contains(test_errors, "conversation: write /dev/full: ");
    assert_int_equal(test_run("conversation export >/dev/full"), 1);
    assert_contains(test_errors, "conversation: write standard output: ");
}

int main(void)
{
    static const char *const kinds[] = {"sqlite", "postgresql"};
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        TEST(export_gives_back_what_was_replayed),
        TEST(a_second_replay_adds_no_row),
        TEST(sessions_have_the_ids_of_the_file),
        TEST(import_saves_the_same_without_asking),
        TEST(an_exported_file_imports_to_the_same),
        TEST(other_forms_are_imported),
        TEST(a_malformed_line_is_named_and_the_rest_goes_on),
        TEST(other_content_under_a_known_turn_is_a_conflict),
        TEST(an_import_carries_the_title),
        TEST(a_conversation_that_is_named_often_stays_in_order),
        TEST(a_journal_is_empty_when_all_went_well),
        TEST(the_shipped_conversations_come_back),
        TEST(progress_is_for_terminals_only),
        TEST(export_replaces_a_file_whole_or_not_at_all),
#undef TEST
    };
    int failed = 0;
    for (size_t i = 0; i < 2; i++) {
        kind = kinds[i];
        failed += RUN_TESTS(kind, tests);
    }
    return failed;
}
