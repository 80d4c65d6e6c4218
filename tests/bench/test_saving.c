/* The program that measures saving, run short: what it says was saved is in the store, each row of
 * it. Measures nothing. */
#include "support/program.h"
#include "support/program_store.h"
#include "support/store_rows.h"
#include "support/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { EXCHANGES = 64 };

static const char samples[] =
    "{\"id\":\"one\",\"messages\":[{\"role\":\"user\",\"content\":\"Where is it?\"},"
    "{\"role\":\"assistant\",\"content\":\"Here.\"}]}\n"
    "{\"id\":\"two\",\"messages\":[{\"role\":\"user\",\"content\":\"And now?\"},"
    "{\"role\":\"assistant\",\"content\":\"There.\"}]}\n";

static const char counts[] =
    "SELECT (SELECT count(*) FROM chat_exchanges), (SELECT count(*) FROM chat_messages),"
    " (SELECT count(*) FROM chat_sessions), (SELECT sum(message_count) FROM chat_sessions),"
    " (SELECT count(*) FROM usage_logs)";

static void check_rows(int callers, int sessions)
{
    char wanted[64];
    test_write_file("samples.jsonl", samples, sizeof samples - 1);
    int code = test_run("bench_exchanges --store \"$CONVERSATION_STORE\" --samples samples.jsonl"
                        " --callers %d --exchanges %d",
                        callers, EXCHANGES);
    if (code != 0) fail_msg("bench_exchanges ended with %d: %s", code, test_errors);
    assert_contains(test_output, "\"saved\": 64, \"journaled\": 0, \"failed\": 0");
    char *rows = store_rows(program_kind, getenv("CONVERSATION_STORE"), counts, NULL);
    snprintf(wanted, sizeof wanted, "%d\t%d\t%d\t%d\t%d\n", EXCHANGES, 2 * EXCHANGES, sessions,
             2 * EXCHANGES, EXCHANGES);
    assert_string_equal(rows, wanted);
    free(rows);
}

/* Ten exchanges in each session, and four in the last. */
static void one_caller_saves_each_exchange_once(void **state)
{
    (void)state;
    check_rows(1, 7);
}

static void many_callers_save_each_exchange_once(void **state)
{
    (void)state;
    check_rows(32, 32);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_BOTH(one_caller_saves_each_exchange_once),
        ON_BOTH(many_callers_save_each_exchange_once),
    };
    return RUN_TESTS("bench: saving", tests);
}
