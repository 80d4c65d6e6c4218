/* conversation metrics: what a collector finds in its text, and what it does not make. */
#include "support/test.h"

#include "conversation/journal.h"
#include "support/program.h"
#include "support/program_store.h"
#include "support/store.h"

#define DEAD_SERVER "--store postgresql://user:secret@127.0.0.1:1/app "

static void prometheus_takes_the_text(void **state)
{
    (void)state;
    assert_int_equal(test_run("conversation track search --journal j"), 0);
    assert_int_equal(test_run("conversation metrics --journal j >metrics.txt"), 0);
    assert_string_equal(test_errors, "");
    int code = test_run("promtool check metrics <metrics.txt");
    if (code != 0 || test_errors[0] != '\0')
        fail_msg("promtool ended with %d: %s%s", code, test_output, test_errors);
    assert_int_equal(test_run("cat metrics.txt"), 0);
    assert_contains(test_output, "\nconversation_health_ok{check=\"database_saves\"} 1\n");
    assert_contains(test_output, "\nconversation_health_ok{check=\"schema\"} 1\n");
    assert_contains(test_output, "\nconversation_health_ok{check=\"journal\"} 1\n");
    assert_contains(test_output, "\nconversation_journal_entries{kind=\"exchange\"} 0\n");
    assert_contains(test_output, "\nconversation_journal_entries{kind=\"dead\"} 0\n");
    assert_contains(test_output, "\nconversation_journal_oldest_age_seconds 0\n");
    bool has_pool = strstr(test_output, "\nconversation_pool_connections_limit 2\n") != NULL;
    assert_int_equal(has_pool, strcmp(program_kind, "postgresql") == 0);
    assert_string_equal(test_store_value(program_kind, "SELECT count(*) FROM chat_sessions"), "0");

    /* Its reader of OpenMetrics takes only samples with a time. */
    code = test_run("conversation metrics --openmetrics >metrics.om && tail -n 1 metrics.om && "
                    "sed '/^#/!s/$/ 1700000000/' metrics.om >timed.om && "
                    "promtool tsdb create-blocks-from openmetrics timed.om blocks >promtool.txt");
    if (code != 0) fail_msg("promtool ended with %d: %s%s", code, test_output, test_errors);
    assert_string_equal(test_output, "# EOF\n");
}

static void a_store_that_does_not_save_is_no_failure_of_looking(void **state)
{
    (void)state;
    test_store_execute(program_kind, "ALTER TABLE chat_exchanges RENAME TO away");
    assert_int_equal(test_run("conversation metrics"), 0);
    assert_contains(test_output, "\nconversation_health_ok{check=\"database_saves\"} 0\n");
    assert_contains(test_output, "\nconversation_health_ok{check=\"schema\"} 1\n");
}

static void what_waits_is_counted_while_the_server_is_away(void **state)
{
    (void)state;
    assert_int_equal(test_run("conversation chat --provider echo --journal j " DEAD_SERVER "hi"),
                     0);
    assert_int_equal(test_run("conversation metrics --journal j " DEAD_SERVER), 0);
    assert_contains(test_output, "\nconversation_journal_entries{kind=\"exchange\"} 1\n");
    assert_contains(test_output, "\nconversation_health_ok{check=\"database_saves\"} 0\n");
    assert_contains(test_output, "\nconversation_health_ok{check=\"journal\"} ");
    assert_null(strstr(test_errors, "secret"));
}

/* Also where the store would take what waits. */
static void looking_changes_no_journal(void **state)
{
    (void)state;
    assert_int_equal(test_run("conversation chat --provider echo --journal j " DEAD_SERVER "hi && "
                              "conversation track search --journal j " DEAD_SERVER),
                     0);
    assert_int_equal(test_run("conversation journal list --journal j --json >before.json"), 0);
    assert_int_equal(test_run("conversation metrics --journal j"), 0);
    assert_contains(test_output, "\nconversation_health_ok{check=\"database_saves\"} 1\n");
    assert_contains(test_output, "\nconversation_journal_entries{kind=\"exchange\"} 1\n");
    assert_contains(test_output, "\nconversation_journal_entries{kind=\"usage\"} 1\n");
    assert_string_equal(test_errors, "");
    assert_int_equal(test_run("conversation health --journal j"), 0);
    assert_string_equal(test_errors, "");
    assert_int_equal(test_run("conversation journal list --journal j --json >after.json"), 0);
    assert_int_equal(test_run("grep -q entry before.json && cmp before.json after.json"), 0);
    assert_string_equal(test_store_value(program_kind, "SELECT count(*) FROM usage_logs"), "0");
}

static void looking_makes_no_journal(void **state)
{
    (void)state;
    assert_int_equal(test_run("conversation metrics --journal j"), 0);
    assert_contains(test_output, "\nconversation_health_ok{check=\"database_saves\"} 1\n");
    assert_null(strstr(test_output, "conversation_journal_entries{"));
    assert_string_equal(test_errors,
                        "conversation: j is not there yet: its metrics are left out\n");
    assert_int_equal(test_run("test -e j"), 1);
}

static void a_journal_in_use_is_left_out(void **state)
{
    (void)state;
    conv_journal *journal = NULL;
    conv_error error;
    assert_int_equal(test_run("conversation track search --journal j"), 0);
    assert_ok(conv_journal_open("j", &journal, &error), error);
    assert_int_equal(test_run("conversation metrics --journal j --output app.prom"), 0);
    conv_journal_close(journal);
    assert_string_equal(test_output, "");
    assert_string_equal(test_errors, "conversation: j is open in another process, which tells of "
                                     "it: its metrics are left out\n");
    assert_int_equal(test_run("cat app.prom"), 0);
    assert_contains(test_output, "\nconversation_health_ok{check=\"database_saves\"} 1\n");
    assert_null(strstr(test_output, "conversation_journal_entries{"));
}

static void a_file_is_written_whole_or_left(void **state)
{
    (void)state;
    assert_int_equal(test_run("conversation metrics --output app.prom && ls && "
                              "promtool check metrics <app.prom"),
                     0);
    assert_string_equal(test_output, "app.prom\n");
    assert_int_equal(test_run("conversation metrics --output none/app.prom"), 1);
    assert_contains(test_errors, "none/app.prom");
    assert_int_equal(test_run("echo old >old.prom; conversation metrics --output old.prom "
                              "--store sqlite:nowhere.db"),
                     3);
    assert_int_equal(test_run("cat old.prom"), 0);
    assert_string_equal(test_output, "old\n");
}

static void looking_makes_no_store(void **state)
{
    (void)state;
    assert_int_equal(test_run("conversation metrics --store sqlite:nowhere.db --journal j"), 3);
    assert_string_equal(test_output, "");
    assert_contains(test_errors, "there is no file nowhere.db");
    assert_int_equal(test_run("test -e nowhere.db"), 1);
    assert_int_equal(test_run("conversation metrics " DEAD_SERVER), 3);
    assert_string_equal(test_output, "");
    assert_null(strstr(test_errors, "secret"));
    assert_int_equal(test_run("conversation metrics --json"), 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_BOTH(prometheus_takes_the_text),
        ON_BOTH(a_store_that_does_not_save_is_no_failure_of_looking),
        ON_BOTH(what_waits_is_counted_while_the_server_is_away),
        ON_BOTH(looking_changes_no_journal),
        ON_SQLITE(looking_makes_no_journal),
        ON_BOTH(a_journal_in_use_is_left_out),
        ON_SQLITE(a_file_is_written_whole_or_left),
        ON_SQLITE(looking_makes_no_store),
    };
#undef ON
    return RUN_TESTS("conversation metrics", tests);
}
