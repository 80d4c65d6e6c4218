/* What usage draws on a terminal, days of a zone, usage refresh and reconcile, on both stores. */
#include <glob.h>
#include <stdlib.h>
#include <string.h>

#include "support/program.h"
#include "support/store.h"
#include "support/test.h"

static const char *kind;

/* Two models on three days of UTC; one record belongs to another day in Berlin. */
static const char records[] =
    "INSERT INTO usage_logs (log_id, created_at, service, operation, model, input_tokens,"
    " output_tokens, total_tokens, cost_usd, status) VALUES"
    " ('00000000-0000-4000-8000-000000000001', '2026-11-01T10:00:00.000000Z', 'chat', 'chat',"
    "  'gpt-4o', 1000, 200, 1200, '0.75', 'complete'),"
    " ('00000000-0000-4000-8000-000000000002', '2026-11-02T23:30:00.000000Z', 'chat', 'chat',"
    "  'm2', 500, 100, 600, '0.25', 'complete'),"
    " ('00000000-0000-4000-8000-000000000003', '2026-11-04T10:00:00.000000Z', 'document', 'embed',"
    "  'm2', 500, 100, 600, '1.25', 'complete');";

static int setup(void **state)
{
    (void)state;
    test_program_setup(test_store_create(kind));
    assert_int_equal(test_run("conversation migrate"), 0);
    test_store_execute(kind, records);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    test_program_teardown();
    test_store_drop(kind);
    return 0;
}

/* All that `command` shows on a terminal of `columns` columns. */
static const char *shown(int columns, const char *command)
{
    static test_terminal terminal;
    test_terminal_start(&terminal, columns, command);
    assert_int_equal(test_terminal_end(&terminal), 0);
    return terminal.screen;
}

static void bars_and_days_are_drawn_on_a_terminal(void **state)
{
    (void)state;
    const char *screen = shown(80, "conversation usage --no-color");
    assert_contains(screen, "cost USD  by cost\r\n");
    assert_contains(screen, "     0.75  ████████████");
    assert_contains(screen, "     1.50  ████████████████████████\r\n");
    assert_contains(screen, "cost by day  2026-11-01  ▅▂ █  2026-11-04\r\n");
    assert_null(strstr(screen, "\033["));
    assert_contains(shown(80, "conversation usage"), "\033[36m");
    assert_null(strstr(shown(80, "env NO_COLOR=1 conversation usage"), "\033["));
}

static void bars_have_a_title_of_their_own(void **state)
{
    (void)state;
    test_store_execute(kind, "UPDATE usage_logs SET cost_usd = NULL");
    const char *screen = shown(80, "conversation usage --no-color");
    assert_contains(screen, "  tokens  by tokens\r\n");
    assert_null(strstr(screen, " \r\n"));
    /* A terminal with room for a bar, and not for its title. */
    screen = shown(48, "conversation usage --no-color");
    assert_null(strstr(screen, "by tokens"));
}

/* Where the table takes the whole width the bars stand below it, and nothing is broken. */
static void a_narrow_terminal_has_the_bars_below(void **state)
{
    (void)state;
    const char *screen = shown(57, "conversation usage --no-color");
    assert_contains(screen, "\r\nmodel   cost\r\ngpt-4o  ████████████\r\n"
                            "m2      ████████████████████████\r\n");
    assert_contains(screen, "cost by day");
    screen = shown(40, "conversation usage --no-color");
    assert_contains(screen, "total");
    assert_null(strstr(screen, "by day"));
}

static void the_table_fits_narrow_terminals(void **state)
{
    (void)state;
    static test_terminal terminal;
    static const char *const commands[] = {
        "conversation usage --no-color 2>/dev/null",
        "conversation usage --no-color --by day 2>/dev/null",
        "conversation usage --no-color --by session 2>/dev/null",
    };
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++)
        for (int columns = 20; columns <= 60; columns += 4) {
            test_terminal_start(&terminal, columns, commands[i]);
            assert_int_equal(test_terminal_end(&terminal), 0);
            test_terminal_fits(&terminal, (size_t)columns);
            assert_contains(terminal.screen, "total");
        }
    assert_contains(shown(24, "conversation usage --no-color"), "no room for");
}

static void a_limit_says_what_it_leaves_out(void **state)
{
    (void)state;
    static const char note[] = "conversation: 1 of 2 rows left out; the total counts all\n";
    assert_int_equal(test_run("conversation usage --limit 1"), 0);
    assert_contains(test_output, "\nm2 ");
    assert_null(strstr(test_output, "gpt-4o"));
    assert_contains(test_output, "total        3 ");
    assert_contains(test_errors, note);
    assert_int_equal(test_run("conversation usage --limit 1 --json"), 0);
    assert_contains(test_output, "\"left_out\": 1");
    assert_contains(test_output, "\"records\": 3");
    assert_int_equal(test_run("conversation usage --limit 1 --csv"), 0);
    assert_null(strstr(test_output, "gpt-4o"));
    assert_contains(test_errors, note);
    assert_int_equal(test_run("conversation usage --limit 1 --by day --jsonl"), 0);
    assert_contains(test_output, "2026-11-04");
    assert_null(strstr(test_output, "2026-11-01"));
    assert_int_equal(test_run("conversation usage --limit 9"), 0);
    assert_null(strstr(test_errors, "left out"));
    assert_int_equal(test_run("conversation usage --limit 0"), 2);
}

static void nothing_is_drawn_elsewhere(void **state)
{
    (void)state;
    assert_int_equal(test_run("conversation usage | cat"), 0);
    assert_string_equal(test_output, "model   records  input  output  tokens  cost USD\n"
                                     "gpt-4o        1  1,000     200   1,200      0.75\n"
                                     "m2            2  1,000     200   1,200      1.50\n"
                                     "────────────────────────────────────────────────\n"
                                     "total         3  2,000     400   2,400      2.25\n");
}

static void days_are_those_of_the_zone(void **state)
{
    (void)state;
    assert_int_equal(test_run("conversation usage --by day --csv | cut -d , -f 1,2"), 0);
    assert_string_equal(test_output, "day,records\n2026-11-01,1\n2026-11-02,1\n2026-11-04,1\n");
    assert_int_equal(test_run("conversation usage --by day --zone Europe/Berlin --csv |"
                              " cut -d , -f 1,2"),
                     0);
    assert_string_equal(test_output, "day,records\n2026-11-01,1\n2026-11-03,1\n2026-11-04,1\n");
    assert_int_equal(test_run("conversation usage --by day --zone Europe/Berlin --json"
                              " --from 2026-11-03 --to 2026-11-03"),
                     0);
    assert_contains(test_output, "{\"by\": \"day\", \"zone\": \"Europe/Berlin\", \"rows\": "
                                 "[{\"day\": \"2026-11-03\", \"records\": 1, ");
    assert_contains(test_output, "\"total\": {\"records\": 1, ");
    assert_int_equal(test_run("conversation usage --from 2026-11-03 --to 2026-11-03 --json"), 0);
    assert_contains(test_output, "\"rows\": []");
}

static void a_wrong_zone_is_said(void **state)
{
    (void)state;
    assert_int_equal(test_run("conversation usage --by day --zone Mars/Olympus"), 2);
    assert_string_equal(test_output, "");
    assert_contains(test_errors, "there is no time zone Mars/Olympus");
    assert_int_equal(test_run("conversation usage --from 2026-11-01 --zone ../../etc/passwd"), 2);
    assert_contains(test_errors, "no name of a time zone");
}

static void refresh_fills_the_summary(void **state)
{
    (void)state;
    assert_int_equal(test_run("conversation usage refresh"), 0);
    assert_string_equal(test_output, "3 rows of the summary changed\n");
    assert_string_equal(test_store_value(kind, "SELECT sum(count) FROM daily_usage_summary"), "3");
    assert_int_equal(test_run("conversation usage refresh --json"), 0);
    assert_string_equal(test_output, "{\"changed\": 0}\n");
    assert_int_equal(test_run("conversation usage renew"), 2);
    assert_int_equal(test_run("conversation usage --rebuild"), 2);
    assert_int_equal(test_run("conversation usage refresh --by day"), 2);
    assert_string_equal(test_output, "");
}

static void reconcile_proves_or_names(void **state)
{
    (void)state;
    assert_int_equal(test_run("conversation reconcile"), 0);
    assert_string_equal(test_output, "account   records  tokens  cost USD\n"
                                     "ledger          3   2,400      2.25\n"
                                     "summary         3   2,400      2.25\n"
                                     "sessions        3   2,400      2.25\n");
    assert_contains(test_errors, "conversation: summary, ledger and sessions agree\n");
    assert_int_equal(test_run("conversation usage refresh && conversation reconcile --json"), 0);
    assert_contains(test_output, "{\"agrees\": true, \"ledger\": {\"records\": 3, "
                                 "\"total_tokens\": 2400, \"cost_usd\": \"2.25\"}, ");
    assert_contains(test_output, "\"pending\": 0, \"differences\": [], \"more\": false}\n");

    test_store_execute(kind, "UPDATE usage_hourly SET cost_usd = '7' WHERE service = 'document'");
    assert_int_equal(test_run("conversation reconcile"), 1);
    assert_contains(test_output, "usage_hourly.cost_usd  2026-11-04 document embed");
    assert_contains(test_errors, "summary, ledger and sessions do not agree\n"
                                 "hint: `conversation usage refresh --rebuild`");
    assert_null(strstr(test_errors, "of a session"));
    assert_int_equal(test_run("conversation reconcile --json"), 1);
    assert_contains(test_output, "{\"relation\": \"usage_hourly\", \"field\": \"cost_usd\", "
                                 "\"date\": \"2026-11-04\", \"service\": \"document\", "
                                 "\"operation\": \"embed\", \"wanted\": \"1.25\", "
                                 "\"found\": \"7\"}");
    assert_int_equal(test_run("conversation usage refresh --rebuild && conversation reconcile"), 0);
    test_store_execute(kind, "UPDATE usage_daily SET records = 7 WHERE service = 'document'");
    assert_int_equal(test_run("conversation usage refresh --rebuild"), 0);
    assert_null(strstr(test_output, "0 rows"));
    assert_int_equal(test_run("conversation reconcile"), 0);
}

static void what_no_refresh_mends_is_said_to_be_such(void **state)
{
    (void)state;
    assert_int_equal(test_run("conversation chat --provider echo --session talk hello"), 0);
    assert_int_equal(test_run("conversation reconcile"), 0);
    test_store_execute(kind, "UPDATE chat_sessions SET message_count = 1");
    assert_int_equal(test_run("conversation reconcile"), 1);
    assert_contains(test_output, "chat_sessions.message_count  session talk          2   1\n");
    assert_contains(test_errors, "do not agree\nhint: no command mends what differs of a session");
    assert_null(strstr(test_errors, "--rebuild"));
}

/* Unknown is never shown as 0, also where a refresh has not been yet. */
static void what_nobody_knows_is_no_zero(void **state)
{
    (void)state;
    test_store_execute(kind, "UPDATE usage_logs SET cost_usd = NULL, total_tokens = NULL");
    for (int i = 0; i < 2; i++) {
        assert_int_equal(test_run("conversation reconcile"), 0);
        assert_string_equal(test_output, "account   records  tokens  cost USD\n"
                                         "ledger          3       —         —\n"
                                         "summary         3       —         —\n"
                                         "sessions        3       —         —\n");
        assert_int_equal(test_run("conversation reconcile --json"), 0);
        static const char *const accounts[] = {"ledger", "summary", "sessions"};
        for (size_t j = 0; j < sizeof accounts / sizeof accounts[0]; j++) {
            char wanted[128];
            snprintf(wanted, sizeof wanted,
                     "\"%s\": {\"records\": 3, \"total_tokens\": null, \"cost_usd\": null}",
                     accounts[j]);
            assert_contains(test_output, wanted);
        }
        assert_int_equal(test_run("conversation usage refresh"), 0);
    }
    test_store_execute(kind, "UPDATE usage_logs SET cost_usd = '0.5' WHERE model = 'gpt-4o'");
    assert_int_equal(test_run("conversation reconcile"), 0);
    assert_contains(test_output, "summary         3       —      0.50\n");
    test_store_execute(kind, "DELETE FROM usage_logs");
    assert_int_equal(test_run("conversation reconcile"), 0);
    assert_contains(test_output, "summary         0       0      0.00\n");
}

/* Those that made the sums and the view. */
#define FIRST_MIGRATION  "20261125400000_daily_usage.sql"
#define SECOND_MIGRATION "20261126300000_plain_summary.sql"
#define THIRD_MIGRATION  "20261129100000_daily_sums.sql"

static const char *migrations_folder(void)
{
    return strcmp(kind, "sqlite") == 0 ? TEST_SOURCE_DIR "/sql/sqlite" : TEST_SOURCE_DIR "/sql";
}

/* Runs one half of a migration: what it does, or, taken out of its comment, what undoes it. */
static void run_half_of_migration(const char *name, bool undo)
{
    char path[256];
    size_t size;
    snprintf(path, sizeof path, "%s/%s", migrations_folder(), name);
    char *text = test_read_file(path, &size);
    char *second = strstr(text, "-- migrate:down\n");
    assert_non_null(second);
    *second = '\0';
    second += strlen("-- migrate:down\n");
    for (char *at = second; (at = strstr(at, "-- ")) != NULL;)
        memset(at, ' ', 3);
    test_store_execute(kind, undo ? second : text);
    free(text);
}

/* From the newest back to this one. */
static void undo_migrations_back_to(const char *name)
{
    char pattern[256];
    glob_t files;
    int order = 1;
    snprintf(pattern, sizeof pattern, "%s/*.sql", migrations_folder());
    assert_int_equal(glob(pattern, 0, NULL, &files), 0);
    for (size_t i = files.gl_pathc; i > 0 && order > 0; i--) {
        const char *file = strrchr(files.gl_pathv[i - 1], '/') + 1;
        order = strcmp(file, name);
        if (order >= 0) run_half_of_migration(file, true);
    }
    assert_int_equal(order, 0);
    globfree(&files);
}

/* A ledger that is older than its sums, as after an update of the program. */
static void an_older_ledger_is_summed_by_the_migration(void **state)
{
    (void)state;
    run_half_of_migration(THIRD_MIGRATION, true);
    run_half_of_migration(SECOND_MIGRATION, true);
    run_half_of_migration(FIRST_MIGRATION, true);
    test_store_execute(kind, "UPDATE usage_logs SET cost_usd = '2' WHERE model = 'gpt-4o'");
    run_half_of_migration(FIRST_MIGRATION, false);
    run_half_of_migration(SECOND_MIGRATION, false);
    run_half_of_migration(THIRD_MIGRATION, false);
    assert_int_equal(test_run("conversation migrate && conversation reconcile --json"), 0);
    assert_contains(test_output, "\"summary\": {\"records\": 3, \"total_tokens\": 2400, "
                                 "\"cost_usd\": \"3.5\"}");
}

/* Sums of the version before, of which some wait for a refresh. */
static void older_sums_are_taken_over(void **state)
{
    (void)state;
    assert_int_equal(test_run("conversation usage refresh"), 0);
    run_half_of_migration(THIRD_MIGRATION, true);
    if (strcmp(kind, "sqlite") == 0) /* as its refresh did */
        test_store_execute(kind,
                           "INSERT INTO usage_hourly SELECT substr(created_at, 1, 14) ||"
                           " '00:00.000000Z', service, operation, 1, status = 'failed',"
                           " total_tokens IS NULL, cost_usd IS NULL, coalesce(input_tokens, 0),"
                           " coalesce(output_tokens, 0), coalesce(total_tokens, 0), 0, 0, 0,"
                           " coalesce(cost_usd, '0') FROM usage_logs;"
                           "DELETE FROM usage_hourly_changes");
    test_store_execute(kind, "UPDATE usage_logs SET cost_usd = '2' WHERE model = 'gpt-4o'");
    run_half_of_migration(THIRD_MIGRATION, false);
    for (int refreshed = 0; refreshed < 2; refreshed++) {
        assert_int_equal(test_run("conversation migrate && conversation reconcile --json"), 0);
        assert_contains(test_output, "\"summary\": {\"records\": 3, \"total_tokens\": 2400, "
                                     "\"cost_usd\": \"3.5\"}");
        assert_int_equal(test_run("conversation usage refresh"), 0);
    }
    assert_string_equal(test_store_value(kind, "SELECT sum(count) FROM daily_usage_summary"), "3");
}

/* That versions before left, whose refresh looked for none; what is wrong about sums stays. */
static void empty_hours_and_days_of_before_are_taken_away(void **state)
{
    (void)state;
    assert_int_equal(test_run("conversation usage refresh"), 0);
    undo_migrations_back_to("20261129400000_empty_sums.sql");
    test_store_execute(
        kind,
        "INSERT INTO usage_hourly (hour, service, operation, records, failed, unreported,"
        " unpriced, input_tokens, output_tokens, total_tokens, cost_usd, cache_read_tokens,"
        " cache_write_tokens, reasoning_tokens) VALUES"
        " ('2026-01-02T03:00:00.000000Z', 'empty', 'chat', 0, 0, 0, 0, 0, 0, 0, '0', 0, 0, 0),"
        " ('2026-01-02T03:00:00.000000Z', 'wrong', 'chat', 0, 0, 0, 0, 0, 0, 7, '0', 0, 0, 0),"
        " ('2026-01-02T03:00:00.000000Z', 'paid', 'chat', 0, 0, 0, 0, 0, 0, 0, '0.5', 0, 0,"
        " 0)");
    test_store_execute(
        kind, "INSERT INTO usage_daily (date, service, operation, records, unreported, unpriced,"
              " total_tokens, cost_usd) VALUES ('2026-01-02', 'empty', 'chat', 0, 0, 0, 0, '0.00'),"
              " ('2026-01-02', 'wrong', 'chat', 0, 0, 0, 7, '0'),"
              " ('2026-01-02', 'paid', 'chat', 0, 0, 0, 0, '0.5')");
    assert_int_equal(test_run("conversation migrate"), 0);
    static const char *const tables[] = {"usage_hourly", "usage_daily"};
    for (size_t i = 0; i < 2; i++) {
        char sql[256];
        snprintf(sql, sizeof sql, "SELECT count(*) FROM %s WHERE service = 'empty'", tables[i]);
        assert_string_equal(test_store_value(kind, sql), "0");
        snprintf(sql, sizeof sql, "SELECT count(*) FROM %s WHERE service IN ('wrong', 'paid')",
                 tables[i]);
        assert_string_equal(test_store_value(kind, sql), "2");
    }
    assert_string_equal(test_store_value(kind, "SELECT sum(records) FROM usage_hourly"), "3");
    assert_string_equal(test_store_value(kind, "SELECT sum(count) FROM daily_usage_summary"), "3");
}

/* Of the materialized view that the sums had before. */
static void who_may_read_the_view_may_do_so_afterwards(void **state)
{
    (void)state;
    if (strcmp(kind, "postgresql") != 0) return;
    undo_migrations_back_to("20261129090000_keep_summary_grants.sql");
    test_store_execute(kind, "GRANT SELECT ON daily_usage_summary TO PUBLIC;"
                             "GRANT SELECT (date) ON daily_usage_summary TO pg_monitor;"
                             "CREATE VIEW mine AS SELECT * FROM daily_usage_summary");
    assert_true(test_run("conversation migrate") != 0);
    assert_contains(test_errors, "these stand on it: mine; ");
    test_store_execute(kind, "DROP VIEW mine");
    assert_int_equal(test_run("conversation migrate"), 0);
    assert_string_equal(test_store_value(kind, "SELECT relkind FROM pg_class WHERE oid ="
                                               " 'daily_usage_summary'::regclass"),
                        "v");
    assert_string_equal(
        test_store_value(kind, "SELECT count(*) FROM pg_class v, aclexplode(v.relacl) a WHERE"
                               " v.oid = 'daily_usage_summary'::regclass AND a.grantee = 0"
                               " AND a.privilege_type = 'SELECT'"),
        "1");
    assert_string_equal(
        test_store_value(kind, "SELECT has_column_privilege('pg_monitor', 'daily_usage_summary',"
                               " 'date', 'SELECT')"),
        "t");
}

int main(void)
{
    static const char *const kinds[] = {"sqlite", "postgresql"};
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        TEST(bars_and_days_are_drawn_on_a_terminal),
        TEST(bars_have_a_title_of_their_own),
        TEST(a_narrow_terminal_has_the_bars_below),
        TEST(the_table_fits_narrow_terminals),
        TEST(a_limit_says_what_it_leaves_out),
        TEST(nothing_is_drawn_elsewhere),
        TEST(days_are_those_of_the_zone),
        TEST(a_wrong_zone_is_said),
        TEST(refresh_fills_the_summary),
        TEST(reconcile_proves_or_names),
        TEST(what_no_refresh_mends_is_said_to_be_such),
        TEST(what_nobody_knows_is_no_zero),
        TEST(an_older_ledger_is_summed_by_the_migration),
        TEST(older_sums_are_taken_over),
        TEST(empty_hours_and_days_of_before_are_taken_away),
        TEST(who_may_read_the_view_may_do_so_afterwards),
#undef TEST
    };
    int failed = 0;
    for (size_t i = 0; i < 2; i++) {
        kind = kinds[i];
        failed += RUN_TESTS(kind, tests);
    }
    return failed;
}
