/* conversation track, on both stores: what a script says of an operation is in the ledger once,
 * with its document or not at all. */
#include "support/test.h"

#include <jansson.h>

#include "support/program.h"
#include "support/program_store.h"
#include "support/store.h"

#define DEAD_SERVER "--store postgresql://user:secret@127.0.0.1:1/app "

static void assert_value(const char *sql, const char *wanted)
{
    assert_string_equal(test_store_value(program_kind, sql), wanted);
}

static void all_that_is_said_is_recorded(void **state)
{
    (void)state;
    assert_int_equal(test_run("conversation track embeddings --service rag --model embedder "
                              "--input-tokens 812 --output-tokens 1 --bytes 4096 "
                              "--cost 0.00001624 --latency 340 --status failed --user ann "
                              "--session night --log-id 0198c0de-0000-7000-8000-000000000001"),
                     0);
    assert_string_equal(test_output,
                        "recorded 0198c0de-0000-7000-8000-000000000001: rag embeddings, failed, "
                        "812 tokens in, 1 token out, 4.0 kB, 0.00001624 USD, 340 ms\n");
    assert_string_equal(test_errors, "");
    assert_value("SELECT count(*) FROM usage_logs WHERE service = 'rag' AND operation = "
                 "'embeddings' AND model = 'embedder' AND input_tokens = 812 AND output_tokens = 1 "
                 "AND total_tokens = 813 AND processed_bytes = 4096 AND latency_ms = 340 AND "
                 "status = 'failed'",
                 "1");
    assert_int_equal(test_run("conversation usage --csv --by service --session night --user ann"),
                     0);
    assert_contains(test_output, "\nrag,1,");
    assert_contains(test_output, "0.00001624");
}

static void what_is_not_said_is_unknown(void **state)
{
    (void)state;
    json_error_t error;
    assert_int_equal(test_run("conversation track search --json"), 0);
    json_t *value = json_loads(test_output, 0, &error);
    assert_non_null(value);
    assert_string_equal(json_string_value(json_object_get(value, "service")), "application");
    assert_string_equal(json_string_value(json_object_get(value, "operation")), "search");
    assert_string_equal(json_string_value(json_object_get(value, "status")), "complete");
    const char *const unknown[] = {"input_tokens", "output_tokens",   "total_tokens", "cost_usd",
                                   "latency_ms",   "processed_bytes", "document",     "session"};
    for (size_t i = 0; i < sizeof unknown / sizeof unknown[0]; i++)
        assert_true(json_is_null(json_object_get(value, unknown[i])));
    json_decref(value);
    assert_value("SELECT count(*) FROM usage_logs WHERE input_tokens IS NULL AND output_tokens IS "
                 "NULL AND total_tokens IS NULL AND cost_usd IS NULL AND latency_ms IS NULL AND "
                 "processed_bytes IS NULL",
                 "1");
}

static void a_document_changes_with_its_record(void **state)
{
    (void)state;
    test_write_file("hello.txt", "hello", 5);
    assert_int_equal(test_run("conversation documents add --session support hello.txt"), 0);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(test_run("conversation track parse --document hello.txt --session support "
                                  "--bytes 5 --log-id once --status interrupted"),
                         0);
        assert_contains(test_output, ": documents parse of hello.txt, interrupted, 5 B\n");
    }
    assert_int_equal(test_run("conversation documents show hello.txt --session support --json"), 0);
    assert_contains(test_output, "\"last_operation\": \"parse\", \"last_status\": \"interrupted\"");
    assert_value("SELECT count(*) FROM usage_logs WHERE operation = 'parse' AND service = "
                 "'documents' AND processed_bytes = 5 AND latency_ms IS NULL",
                 "1");
    /* One that is not there: what was used could never be told from the same under a right id. */
    assert_int_equal(test_run("conversation track parse --document hello.txt"), 4);
    assert_string_equal(test_output, "");
    assert_contains(test_errors, "there is no document with this id");
    assert_contains(test_errors, "--session names the session");
    assert_value("SELECT count(*) FROM usage_logs WHERE operation = 'parse'", "1");
}

static void the_same_command_counts_once(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++)
        assert_int_equal(test_run("conversation track chat --log-id 'night run 17' --cost 1.10 "
                                  "--session night"),
                         0);
    assert_int_equal(test_run("conversation track chat --cost 1.10"), 0);
    assert_value("SELECT count(*) FROM usage_logs", "2");
}

static void a_journal_keeps_it_while_the_store_is_away(void **state)
{
    (void)state;
    test_write_file("hello.txt", "hello", 5);
    assert_int_equal(test_run("conversation documents add hello.txt"), 0);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(test_run("conversation track chat --journal j --log-id n " DEAD_SERVER),
                         0);
        assert_contains(test_output, ": application chat\n");
        assert_contains(test_errors, "1 usage record wait in the journal j: the next client");
    }
    assert_int_equal(test_run("conversation track parse --document hello.txt --journal j "
                              "--log-id p " DEAD_SERVER),
                     0);
    assert_contains(test_errors,
                    "the store was away: what was used is recorded, and the document keeps "
                    "its last operation");
    assert_int_equal(test_run("conversation track chat " DEAD_SERVER), 3);
    assert_string_equal(test_output, "");
    assert_null(strstr(test_errors, "secret"));
    /* Which of the two was stored does not matter any more. */
    assert_int_equal(test_run("conversation track parse --document hello.txt --journal j "
                              "--log-id p"),
                     0);
    assert_int_equal(test_run("conversation journal list --journal j"), 0);
    assert_contains(test_errors, "the journal is empty");
    assert_value("SELECT count(*) FROM usage_logs WHERE operation = 'chat'", "1");
    assert_value("SELECT count(*) FROM usage_logs WHERE operation = 'parse'", "1");
}

static void what_is_wrong_is_said_and_nothing_done(void **state)
{
    (void)state;
    static const struct {
        const char *words;
        const char *problem;
    } wrong[] = {
        {"", "track wants OPERATION"},
        {"''", "the operation has no name"},
        {"pasre", "did you mean 'parse'?"},
        {"chat two", "'two' is one word too many"},
        {"chat --input-tokens -1", "--input-tokens wants a whole number"},
        {"chat --output-tokens 1.5", "--output-tokens wants a whole number"},
        {"chat --bytes 99999999999999999999", "--bytes wants a whole number"},
        {"chat --latency 3s", "--latency wants a whole number"},
        {"chat --cost 1,5", "--cost wants US dollars as a decimal number"},
        {"chat --cost -1", "--cost wants US dollars as a decimal number"},
        {"chat --cost nan", "--cost wants US dollars as a decimal number"},
        {"chat --status done", "--status wants one of complete|interrupted|failed"},
        {"chat --log-id ''", "--log-id is empty"},
        {"chat --document ''", "--document is empty"},
        {"chat --service ''", "--service is empty"},
        {"chat --provider echo", "track takes no option --provider"},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        assert_int_equal(test_run("conversation track %s", wrong[i].words), 2);
        assert_contains(test_errors, wrong[i].problem);
        assert_string_equal(test_output, "");
    }
    assert_value("SELECT count(*) FROM usage_logs", "0");
    assert_int_equal(test_run("conversation track pasre --yes && conversation track rerank"), 0);
    assert_value("SELECT count(*) FROM usage_logs", "2");
}

static void a_hostile_name_does_not_steer_the_terminal(void **state)
{
    (void)state;
    assert_int_equal(test_run("conversation track \"$(printf 'a\\033[2Jb')\""), 0);
    assert_contains(test_output, "application a\\x1b[2Jb\n");
}

static void a_store_that_refuses_is_said(void **state)
{
    (void)state;
    test_store_execute(program_kind, "ALTER TABLE usage_logs RENAME TO away");
    assert_int_not_equal(test_run("conversation track chat"), 0);
    assert_string_equal(test_output, "");
    assert_contains(test_errors, "usage_logs");
    test_store_execute(program_kind, "ALTER TABLE away RENAME TO usage_logs");
    assert_value("SELECT count(*) FROM usage_logs", "0");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_BOTH(all_that_is_said_is_recorded),
        ON_BOTH(what_is_not_said_is_unknown),
        ON_BOTH(a_document_changes_with_its_record),
        ON_BOTH(the_same_command_counts_once),
        ON_BOTH(a_journal_keeps_it_while_the_store_is_away),
        ON_BOTH(what_is_wrong_is_said_and_nothing_done),
        ON_SQLITE(a_hostile_name_does_not_steer_the_terminal),
        ON_BOTH(a_store_that_refuses_is_said),
    };
#undef ON
    return RUN_TESTS("conversation track", tests);
}
