/* What history, sessions, usage, delete, migrate and version print, on both stores. */
#include <stdlib.h>
#include <string.h>

#include "support/program.h"
#include "support/store.h"
#include "support/test.h"

static const char *kind;

static const char conversations[] =
    "{\"id\": \"support-42\", \"user\": \"user-123\", \"model\": \"gpt-4o\", \"messages\": ["
    "{\"role\": \"system\", \"content\": \"Be brief.\"}, "
    "{\"role\": \"user\", \"content\": \"Where is\\nmy order?\"}, "
    "{\"role\": \"assistant\", \"content\": null, \"tool_calls\": [{\"id\": \"c1\", \"type\": "
    "\"function\", \"function\": {\"name\": \"track\", \"arguments\": \"{\\\"n\\\": 1}\"}}]}, "
    "{\"role\": \"tool\", \"content\": \"in transit\", \"tool_call_id\": \"c1\", "
    "\"name\": \"track\"}, "
    "{\"role\": \"assistant\", \"content\": \"On its way.\"}, "
    "{\"role\": \"user\", \"content\": [{\"type\": \"text\", \"text\": \"Thanks\"}, "
    "{\"type\": \"image_url\", \"image_url\": {\"url\": \"x\"}}]}, "
    "{\"role\": \"assistant\", \"content\": \"Welcome.\"}], "
    "\"usage\": [{\"prompt_tokens\": 1000, \"completion_tokens\": 200, \"total_tokens\": 1200}, "
    "{\"prompt_tokens\": 30, \"completion_tokens\": 4, \"total_tokens\": 34}]}\n"
    "{\"id\": \"evil\\u001b]0;x\\u0007\", \"user\": \"日本\", \"model\": \"m2\", \"messages\": ["
    "{\"role\": \"user\", \"content\": \"\\u001b[2J\\u0000\\u009b31m\"}, "
    "{\"role\": \"assistant\", \"content\": \"a\\ud800b\"}]}\n";

static int setup(void **state)
{
    (void)state;
    test_program_setup(test_store_create(kind));
    test_write_file("c.jsonl", conversations, sizeof conversations - 1);
    assert_int_equal(test_run("conversation migrate && "
                              "conversation replay --jobs 1 c.jsonl"),
                     0);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    test_program_teardown();
    test_store_drop(kind);
    return 0;
}

/* Replaces what differs from run to run: times. */
static const char *without_times(char *text)
{
    for (char *c = text; *c != '\0'; c++) {
        if (strspn(c, "0123456789") != 4 || c[4] != '-' || strspn(c + 5, "0123456789") != 2)
            continue;
        for (size_t i = 0; strchr("0123456789", c[i]) != NULL || strchr("-:T. ", c[i]) != NULL; i++)
            if (c[i] >= '0' && c[i] <= '9') c[i] = '9';
    }
    return text;
}

static void history_is_a_readable_transcript(void **state)
{
    (void)state;
    assert_int_equal(test_run("conversation history support-42"), 0);
    assert_string_equal(without_times(test_output),
                        "system  #1  9999-99-99 99:99:99 UTC\n"
                        "  Be brief.\n"
                        "\n"
                        "user  #2  9999-99-99 99:99:99 UTC\n"
                        "  Where is\n"
                        "  my order?\n"
                        "\n"
                        "assistant  #3  9999-99-99 99:99:99 UTC  gpt-4o\n"
                        "  -> track({\"n\": 1})\n"
                        "\n"
                        "tool track  #4  9999-99-99 99:99:99 UTC\n"
                        "  in transit\n"
                        "\n"
                        "assistant  #5  9999-99-99 99:99:99 UTC  gpt-4o\n"
                        "  On its way.\n"
                        "\n"
                        "user  #6  9999-99-99 99:99:99 UTC\n"
                        "  Thanks\n"
                        "  [image_url]\n"
                        "\n"
                        "assistant  #7  9999-99-99 99:99:99 UTC  gpt-4o\n"
                        "  Welcome.\n"
                        "\n");
    assert_string_equal(test_errors, "");
}

static void no_text_steers_the_terminal(void **state)
{
    (void)state;
    assert_int_equal(test_run("conversation history \"$(printf 'evil\\033]0;x\\007')\""), 0);
    assert_contains(test_output, "  \\x1b[2J\\x00\\u{9b}31m\n");
    assert_contains(test_output, "  a\\xed\\xa0\\x80b\n");
    assert_null(strchr(test_output, '\033'));
    assert_int_equal(test_run("conversation sessions"), 0);
    assert_contains(test_output, "evil\\x1b]0;x\\x07");
    assert_null(strchr(test_output, '\033'));
}

static const char *positions(const char *options)
{
    assert_int_equal(test_run("conversation history support-42 %s --jsonl >p && "
                              "sed 's/, .*//; s/.* //' p | tr '\\n' ' '",
                              options),
                     0);
    return test_output;
}

static void history_gives_the_part_that_is_asked_for(void **state)
{
    (void)state;
    assert_string_equal(positions(""), "1 2 3 4 5 6 7 ");
    assert_string_equal(positions("--limit 2"), "1 2 ");
    assert_string_equal(positions("--after 5"), "6 7 ");
    assert_string_equal(positions("--after 2 --limit 3"), "3 4 5 ");
    assert_string_equal(positions("--before 3"), "1 2 ");
    assert_string_equal(positions("--before 6 --limit 2"), "4 5 ");
    assert_string_equal(positions("--last 2"), "6 7 ");
    assert_string_equal(positions("--last 100"), "1 2 3 4 5 6 7 ");
    assert_string_equal(positions("--after 7"), "");
}

static void history_as_json_is_exact(void **state)
{
    (void)state;
    assert_int_equal(test_run("conversation history support-42 --json --limit 2"), 0);
    assert_contains(test_output, "{\"id\": \"support-42\", \"user\": \"user-123\", \"title\": ");
    assert_contains(test_output, "\"message_count\": 7, \"messages\": [{\"position\": 1, ");
    assert_contains(test_output, "\"message\": {\"role\": \"system\", \"content\": \"Be brief.\"}},"
                                 " {\"position\": 2, ");
    assert_contains(test_output, "\"content\": \"Where is\\nmy order?\"}}]}\n");
    assert_int_equal(test_run("conversation history \"$(printf 'evil\\033]0;x\\007')\" --jsonl"),
                     0);
    assert_contains(test_output, "\"content\": \"\\u001b[2J\\u0000\xc2\x9b"
                                 "31m\"}}\n");
    assert_contains(test_output, "\"content\": \"a\\ud800b\"}}\n");
}

static void history_wraps_to_the_terminal(void **state)
{
    (void)state;
    assert_int_equal(test_run("conversation chat --provider echo --session wide one two three four "
                              "five six seven eight nine ten eleven"),
                     0);
    test_terminal terminal;
    test_terminal_start(&terminal, 40, "conversation history wide --no-color");
    test_terminal_await(&terminal,
                        "  one two three four five six seven\r\n  eight nine ten eleven");
    assert_int_equal(test_terminal_end(&terminal), 0);
}

static void colours_are_for_terminals_that_want_them(void **state)
{
    (void)state;
    test_terminal terminal;
    test_terminal_start(&terminal, 80, "conversation history support-42");
    assert_int_equal(test_terminal_end(&terminal), 0);
    assert_non_null(strstr(terminal.screen, "\033[1m"));
    test_terminal_start(&terminal, 80, "conversation history support-42 --no-color");
    assert_int_equal(test_terminal_end(&terminal), 0);
    assert_null(strstr(terminal.screen, "\033["));
    test_terminal_start(&terminal, 80, "env NO_COLOR=1 conversation history support-42");
    assert_int_equal(test_terminal_end(&terminal), 0);
    assert_null(strstr(terminal.screen, "\033["));
}

static void sessions_are_listed_without_their_texts(void **state)
{
    (void)state;
    assert_int_equal(test_run("conversation sessions"), 0);
    assert_contains(test_output, "session ");
    assert_contains(test_output, "support-42 ");
    assert_contains(test_output, "user-123 ");
    assert_null(strstr(test_output, "On its way"));
    assert_int_equal(test_run("conversation sessions --user 日本 --jsonl"), 0);
    assert_contains(test_output, "{\"id\": \"evil\\u001B]0;x\\u0007\", \"session_id\": \"");
    assert_contains(test_output, "\"user\": \"日本\", ");
    assert_contains(test_output, "\"message_count\": 2, ");
    assert_int_equal(test_run("conversation sessions --limit 1 --json"), 0);
    assert_int_equal(test_output[0], '[');
    assert_string_equal(test_errors,
                        "conversation: there are more sessions: --limit N shows more of them\n");
    assert_int_equal(test_run("conversation sessions --csv | sed -n '1p;3p'"), 0);
    assert_contains(test_output,
                    "id,session_id,user,title,message_count,created_at,updated_at,tags,archived_at"
                    "\r\nsupport-42,f119c983-4b70-5d0c-8545-3a92d58416a0,user-123,,7,");
    assert_int_equal(test_run("conversation sessions --user nobody"), 0);
    assert_string_equal(test_output, "");
    assert_string_equal(test_errors, "conversation: there are no sessions of nobody\n");
}

static void usage_is_summed_exactly(void **state)
{
    (void)state;
    assert_int_equal(test_run("conversation usage"), 0);
    assert_string_equal(test_output, "model   records  input  output  tokens  unreported\n"
                                     "gpt-4o        2  1,030     204   1,234           0\n"
                                     "m2            1      —       —       —           1\n"
                                     "──────────────────────────────────────────────────\n"
                                     "total         3  1,030     204   1,234           1\n");
    assert_string_equal(test_errors,
                        "conversation: no record has a price: what they cost is unknown\n");
    /* Two records get a price, as an application's own records may have one. */
    test_store_execute(kind, "UPDATE usage_logs SET cost_usd = '1234.000375' "
                             "WHERE total_tokens = 1200");
    assert_int_equal(test_run("conversation usage --by service --csv"), 0);
    assert_string_equal(test_output,
                        "service,records,failed,unreported,unpriced,input_tokens,output_tokens,"
                        "total_tokens,cache_read_tokens,cache_write_tokens,reasoning_tokens,"
                        "cost_usd\r\nchat,3,0,1,2,1030,204,1234,0,0,0,1234.000375\r\n");
    assert_int_equal(test_run("conversation usage --by user --json"), 0);
    assert_contains(test_output,
                    "{\"by\": \"user\", \"rows\": [{\"user\": \"user-123\", "
                    "\"records\": 2, \"failed\": 0, \"unreported\": 0, \"unpriced\": 1, "
                    "\"input_tokens\": 1030, ");
    assert_contains(test_output,
                    "\"cost_usd\": \"1234.000375\"}, {\"user\": \"日本\", "
                    "\"records\": 1, \"failed\": 0, \"unreported\": 1, \"unpriced\": 1, "
                    "\"input_tokens\": null, ");
    assert_contains(test_output, "\"cost_usd\": null}], \"total\": {\"records\": 3, ");
    assert_int_equal(test_run("conversation usage"), 0);
    assert_string_equal(
        test_output,
        "model   records  input  output  tokens      cost USD  unpriced  unreported\n"
        "gpt-4o        2  1,030     204   1,234  1,234.000375         1           0\n"
        "m2            1      —       —       —             —         1           1\n"
        "──────────────────────────────────────────────────────────────────────────\n"
        "total         3  1,030     204   1,234  1,234.000375         2           1\n");
    assert_string_equal(test_errors, "");
}

static void usage_is_readable_in_80_columns(void **state)
{
    (void)state;
    test_terminal terminal;
    test_store_execute(kind, "UPDATE usage_logs SET model = 'claude-opus-4-5-20251101', "
                             "cost_usd = '1234.000375', status = 'failed'");
    test_terminal_start(&terminal, 80, "conversation usage --no-color");
    assert_int_equal(test_terminal_end(&terminal), 0);
    test_terminal_fits(&terminal, 80);
    assert_contains(terminal.screen, "claude-opus-4-5-202");
    assert_contains(terminal.screen, "no room for 1 unreported; --csv shows all");
    test_terminal_start(&terminal, 80, "conversation usage --by day --no-color");
    assert_int_equal(test_terminal_end(&terminal), 0);
    test_terminal_fits(&terminal, 80);
    assert_contains(without_times(terminal.screen), "\n9999-99-99 ");
    test_store_execute(kind, "UPDATE usage_logs SET cost_usd = NULL WHERE total_tokens = 34");
    test_terminal_start(&terminal, 80, "conversation usage --no-color");
    assert_int_equal(test_terminal_end(&terminal), 0);
    test_terminal_fits(&terminal, 80);
    assert_contains(terminal.screen, "claude-opus-4-5-202");
    assert_contains(terminal.screen, "  unpriced\r\n");
    assert_contains(terminal.screen, "no room for 1 unreported, 3 failed; --csv shows all");
    /* The first column alone can't make room for both. */
    test_store_execute(kind, "UPDATE usage_logs SET model = 'claude-sonnet-4-5', "
                             "status = 'complete'");
    test_terminal_start(&terminal, 80, "conversation usage --no-color");
    assert_int_equal(test_terminal_end(&terminal), 0);
    test_terminal_fits(&terminal, 80);
    assert_contains(terminal.screen, "claude-sonnet-4-5 ");
}

/* More rows than a buffer holds: what is left of them must not come behind the remark. */
static void a_remark_stands_behind_the_rows(void **state)
{
    (void)state;
    assert_int_equal(
        test_run("for i in $(seq 60); do echo '{\"id\": \"a-conversation-with-a-long-name-'$i'\", "
                 "\"messages\": [{\"role\": \"user\", \"content\": \"a\"}, "
                 "{\"role\": \"assistant\", \"content\": \"b\"}]}'; done | "
                 "conversation import -"),
        0);
    assert_int_equal(test_run("conversation sessions >all 2>&1; tail -n 1 all"), 0);
    assert_string_equal(test_output,
                        "conversation: there are more sessions: --limit N shows more of them\n");
}

static void usage_is_filtered(void **state)
{
    (void)state;
    assert_int_equal(test_run("conversation usage --model m2 --by session --jsonl"), 0);
    assert_contains(test_output, "{\"session\": \"evil\\u001B]0;x\\u0007\", \"records\": 1, ");
    assert_int_equal(test_run("conversation usage --session support-42 --by day --jsonl | "
                              "grep -c '\"day\": \"20..-..-..\", \"records\": 2, '"),
                     0);
    assert_int_equal(test_run("conversation usage --from \"$(date -u +%%F)\" "
                              "--to \"$(date -u -d tomorrow +%%F)\" --csv | grep -c ,"),
                     0);
    assert_string_equal(test_output, "3\n");
    assert_int_equal(test_run("conversation usage --to 2020-01-01 --json"), 0);
    assert_contains(test_output, "\"rows\": [], \"total\": {\"records\": 0, ");
    assert_contains(test_output, "\"cost_usd\": \"0\"}}\n");
    assert_int_equal(test_run("conversation usage --session nope"), 4);
    assert_string_equal(test_output, "");
    assert_string_equal(test_errors,
                        "conversation: usage: there is no session with this id, and "
                        "no record of one\nhint: `conversation sessions` lists them\n");
    assert_int_equal(test_run("conversation usage --session support-42 --model m2 --csv"), 0);
    assert_int_equal(test_run("conversation usage --from yesterday"), 2);
    assert_string_equal(test_errors, "conversation: usage: --from is no date: it wants 2026-11-23 "
                                     "or 2026-11-23T03:44:40Z\n");
    assert_int_equal(test_run("conversation usage --from 2026-02-02 --to 2026-02-01"), 2);
}

static void delete_shows_a_receipt(void **state)
{
    (void)state;
    assert_int_equal(test_run("conversation delete support-42"), 2);
    assert_string_equal(test_errors, "conversation: delete: nobody can be asked here: add --yes\n");
    assert_int_equal(test_run("conversation delete support-42 --yes"), 0);
    assert_string_equal(test_output,
                        "deleted 1 session, 2 exchanges, 7 messages, 0 summaries, 0 documents; "
                        "2 usage records kept\n");
    assert_int_equal(test_run("conversation delete support-42 --yes"), 4);
    assert_string_equal(test_output, "");
    assert_int_equal(test_run("conversation history support-42"), 4);
    assert_contains(test_errors, "\nhint: `conversation sessions` lists them\n");
    assert_int_equal(test_run("conversation usage --csv | grep -c gpt-4o"), 0);
    assert_int_equal(test_run("conversation usage --session support-42 --from 2099-01-01"), 0);
}

static void delete_asks_on_a_terminal(void **state)
{
    (void)state;
    test_terminal terminal;
    test_terminal_start(&terminal, 80, "conversation delete support-42");
    test_terminal_await(&terminal, "delete session support-42 with 7 messages? [y/N] ");
    test_terminal_type(&terminal, "\n");
    test_terminal_await(&terminal, "nothing was deleted");
    assert_int_equal(test_terminal_end(&terminal), 1);
    test_terminal_start(&terminal, 80, "conversation delete support-42 --json");
    test_terminal_await(&terminal, "? [y/N] ");
    test_terminal_type(&terminal, "y\n");
    test_terminal_await(&terminal,
                        "{\"sessions\": 1, \"exchanges\": 2, \"messages\": 7, "
                        "\"summaries\": 0, \"documents\": 0, \"journal\": 0, \"usage_kept\": 2}");
    assert_int_equal(test_terminal_end(&terminal), 0);
}

static void migrate_says_from_where_to_where(void **state)
{
    (void)state;
    assert_int_equal(test_run("conversation migrate"), 0);
    assert_contains(test_output, "the schema is up to date: version 20");
    assert_int_equal(test_run("conversation migrate --json"), 0);
    assert_contains(test_output, ", \"applied\": 0}\n");
    assert_int_equal(test_run("conversation migrate --store sqlite:new.db --json"), 0);
    assert_contains(test_output, "{\"before\": 0, \"after\": 20");
}

static void version_and_help_need_no_store(void **state)
{
    (void)state;
    static const char *const versions[] = {"version", "--version"};
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(test_run("conversation %s --store sqlite:/missing/x.db", versions[i]), 0);
        assert_string_equal(test_output, "conversation 0.1.0\n");
    }
    assert_int_equal(test_run("conversation version --json"), 0);
    assert_string_equal(test_output, "{\"program\": \"0.1.0\", \"library\": \"0.1.0\"}\n");
    assert_int_equal(test_run("conversation help"), 0);
    assert_contains(test_output, "replay");
    assert_contains(test_output, "exit codes");
    assert_int_equal(test_run("conversation help replay >a && conversation replay --help | cmp a"),
                     0);
    assert_int_equal(
        test_run("for c in '' chat replay import export history sessions usage reconcile "
                 "documents delete journal doctor health migrate version help; do "
                 "conversation help $c || exit 9; done | LC_ALL=C.UTF-8 grep -E '.{81}'"),
        1);
    assert_string_equal(test_output, "");
    assert_int_equal(test_run("conversation"), 2);
    assert_string_equal(test_output, "");
    assert_contains(test_errors, "commands");
}

int main(void)
{
    static const char *const kinds[] = {"sqlite", "postgresql"};
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        TEST(history_is_a_readable_transcript),
        TEST(no_text_steers_the_terminal),
        TEST(history_gives_the_part_that_is_asked_for),
        TEST(history_as_json_is_exact),
        TEST(history_wraps_to_the_terminal),
        TEST(colours_are_for_terminals_that_want_them),
        TEST(sessions_are_listed_without_their_texts),
        TEST(usage_is_summed_exactly),
        TEST(usage_is_readable_in_80_columns),
        TEST(usage_is_filtered),
        TEST(a_remark_stands_behind_the_rows),
        TEST(delete_shows_a_receipt),
        TEST(delete_asks_on_a_terminal),
        TEST(migrate_says_from_where_to_where),
        TEST(version_and_help_need_no_store),
#undef TEST
    };
    int failed = 0;
    for (size_t i = 0; i < 2; i++) {
        kind = kinds[i];
        failed += RUN_TESTS(kind, tests);
    }
    return failed;
}
