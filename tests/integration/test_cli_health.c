/* conversation health, as a script sees it: what it prints, and its exit code. */
#include "support/test.h"

#include <jansson.h>

#include "support/program.h"
#include "support/program_store.h"
#include "support/store.h"

static json_t *run_json_with(int code, const char *options)
{
    json_error_t error;
    assert_int_equal(test_run("conversation health --json %s", options), code);
    json_t *value = json_loads(test_output, 0, &error);
    if (value == NULL) fail_msg("no JSON: %s", test_output);
    return value;
}

static json_t *run_json(int code)
{
    return run_json_with(code, "--journal app.journal");
}

static const char *text_of(const json_t *object, const char *key)
{
    return json_string_value(json_object_get(object, key));
}

/* The check of this name, borrowed. */
static json_t *check_of(const json_t *value, const char *name)
{
    size_t i;
    json_t *check;
    json_array_foreach(json_object_get(value, "checks"), i, check)
    {
        if (strcmp(text_of(check, "check"), name) == 0) return check;
    }
    fail_msg("no check %s in: %s", name, test_output);
    return NULL;
}

/* That there is no client to ask is an answer of the same form. */
static void assert_unopened(json_t *value, const char *message)
{
    assert_string_equal(text_of(value, "state"), "failing");
    assert_true(json_is_true(json_object_get(value, "live")));
    assert_true(json_is_false(json_object_get(value, "ready")));
    json_t *check = check_of(value, "database_saves");
    assert_string_equal(text_of(check, "state"), "failing");
    assert_contains(text_of(check, "message"), message);
    assert_true(json_is_null(json_object_get(check, "value")));
    assert_true(json_is_null(json_object_get(check, "latency_us")));
    assert_string_equal(text_of(check, "unit"), "");
    assert_contains(test_errors, message);
    json_decref(value);
}

#define DEAD_SERVER "--store postgresql://user:secret@127.0.0.1:1/app "

static void the_exit_code_tells(void **state)
{
    (void)state;
    assert_int_equal(test_run("conversation health"), 0);
    assert_contains(test_output, "database_saves");
    assert_contains(test_output, "  message\n");
    assert_null(strstr(test_output, " \n"));
    assert_contains(test_output, "live, ready\n");
    assert_string_equal(test_errors, "");
    json_t *value = run_json(0);
    assert_true(json_is_true(json_object_get(value, "ready")));
    assert_int_equal(json_array_size(json_object_get(value, "checks")), 7);
    assert_contains(text_of(check_of(value, "journal"), "message"), "empty; ");
    json_decref(value);

    test_store_execute(program_kind, "ALTER TABLE chat_exchanges RENAME TO away");
    value = run_json(1);
    assert_true(json_is_true(json_object_get(value, "live")));
    assert_true(json_is_false(json_object_get(value, "ready")));
    assert_string_equal(json_string_value(json_object_get(value, "state")), "failing");
    json_decref(value);
    assert_int_equal(test_run("conversation health"), 1);
    assert_contains(test_output, "live, not ready\n");

    test_store_execute(program_kind, "ALTER TABLE away RENAME TO chat_exchanges");
    assert_int_equal(test_run("conversation health"), 0);
    assert_string_equal(test_store_value(program_kind, "SELECT count(*) FROM chat_sessions"), "0");
    assert_string_equal(test_store_value(program_kind, "SELECT count(*) FROM usage_logs"), "0");
}

/* What is advised stands at the end of a message. */
static void no_message_is_cut_in_80_columns(void **state)
{
    (void)state;
    test_terminal terminal;
    test_terminal_start(&terminal, 80, "conversation health --no-color");
    assert_int_equal(test_terminal_end(&terminal), 0);
    test_terminal_fits(&terminal, 80);
    assert_null(strstr(terminal.screen, "…"));
    assert_contains(terminal.screen, "each call\r\n");
    assert_contains(terminal.screen, "live, ready\r\n");
}

static void looking_makes_no_store(void **state)
{
    (void)state;
    assert_int_equal(test_run("conversation health --store sqlite:nowhere.db"), 3);
    assert_string_equal(test_output, "");
    assert_int_equal(test_run("conversation health --store sqlite:nowhere.db --journal j"), 3);
    assert_int_equal(test_run("test -e nowhere.db"), 1);
}

static void a_store_that_is_not_there_is_an_answer(void **state)
{
    (void)state;
    assert_unopened(run_json_with(3, "--store sqlite:nowhere.db"), "there is no file nowhere.db");
    assert_unopened(run_json_with(3, "--store sqlite:nowhere.db --journal j"), "nowhere.db");
    assert_int_equal(test_run("test -e nowhere.db"), 1);
    assert_unopened(run_json_with(3, DEAD_SERVER), "127.0.0.1");
    assert_null(strstr(test_output, "secret"));
    assert_int_equal(test_run("conversation health --json --store 'host=x nonsense=1'"), 2);
    assert_string_equal(test_output, "");
}

static void a_store_without_a_schema_is_an_answer(void **state)
{
    (void)state;
    if (strcmp(program_kind, "sqlite") == 0)
        assert_int_equal(test_run(": >empty.db"), 0);
    else
        test_store_execute(program_kind, "DROP TABLE conversation_schema");
    const char *options = strcmp(program_kind, "sqlite") == 0 ? "--store sqlite:empty.db" : "";
    assert_unopened(run_json_with(3, options), "conversation migrate");
}

static void what_waits_is_shown_while_the_server_is_away(void **state)
{
    (void)state;
    assert_int_equal(test_run("conversation chat --provider echo --journal j " DEAD_SERVER "hi"),
                     0);
    json_t *value = run_json_with(3, "--journal j " DEAD_SERVER);
    assert_true(json_is_true(json_object_get(value, "live")));
    assert_true(json_is_false(json_object_get(value, "ready")));
    assert_string_equal(text_of(value, "state"), "failing");
    assert_string_equal(text_of(check_of(value, "database_saves"), "state"), "failing");
    json_t *journal = check_of(value, "journal");
    assert_int_equal(json_integer_value(json_object_get(journal, "value")), 1);
    assert_contains(text_of(journal, "message"), "0 dead letters");
    json_decref(value);
    assert_int_equal(test_run("conversation health --journal j " DEAD_SERVER), 3);
    assert_contains(test_output, "live, not ready\n");
}

static void a_journal_that_is_none_is_an_answer(void **state)
{
    (void)state;
    assert_int_equal(test_run("mkdir j"), 0);
    json_t *value = run_json_with(3, "--journal j");
    assert_true(json_is_false(json_object_get(value, "live")));
    assert_string_equal(text_of(check_of(value, "journal"), "state"), "failing");
    assert_int_equal(json_array_size(json_object_get(value, "checks")), 1);
    json_decref(value);
    value = run_json_with(3, "--journal j " DEAD_SERVER);
    assert_int_equal(json_array_size(json_object_get(value, "checks")), 2);
    json_decref(value);
}

static void a_provider_is_asked_where_it_is_named(void **state)
{
    (void)state;
    json_t *value = run_json(0);
    json_t *check = check_of(value, "provider");
    assert_string_equal(text_of(check, "state"), "unknown");
    assert_true(json_is_null(json_object_get(check, "value")));
    json_decref(value);
    assert_string_equal(test_store_value(program_kind, "SELECT count(*) FROM usage_logs"), "0");

    value = run_json_with(0, "--provider echo --journal app.journal");
    check = check_of(value, "provider");
    assert_string_equal(text_of(check, "state"), "ok");
    assert_contains(text_of(check, "message"), "echo: 1 call, 0 failed; last answer at 20");
    assert_int_equal(json_integer_value(json_object_get(check, "value")), 0);
    assert_string_equal(text_of(check, "unit"), "failures");
    assert_true(json_is_integer(json_object_get(check, "latency_us")));
    json_decref(value);
    assert_int_equal(test_run("conversation health --provider echo"), 0);
    assert_contains(test_output, "provider        ok");
    assert_string_equal(test_errors, "");
    assert_int_equal(test_run("conversation usage --by service --csv"), 0);
    assert_contains(test_output, "health,2,0,0,");
    assert_string_equal(test_store_value(program_kind, "SELECT count(*) FROM chat_sessions"), "0");
}

static void a_provider_that_fails_leaves_the_store_ready(void **state)
{
    (void)state;
    assert_int_equal(test_run("conversation health --provider recorded:/dev/null"), 5);
    assert_contains(test_output, "live, ready\n");
    assert_contains(test_errors, "the recording has no turn");
    json_t *value =
        run_json_with(5, "--provider openai --model m --base-url http://127.0.0.1:1/v1");
    assert_string_equal(text_of(value, "state"), "degraded");
    assert_true(json_is_true(json_object_get(value, "live")));
    assert_true(json_is_true(json_object_get(value, "ready")));
    json_t *check = check_of(value, "provider");
    assert_string_equal(text_of(check, "state"), "degraded");
    assert_contains(text_of(check, "message"), "openai: 1 call, 1 failed; no answer yet; last");
    assert_contains(text_of(check, "message"), "127.0.0.1");
    json_decref(value);
    /* Saving counts for more. */
    test_store_execute(program_kind, "ALTER TABLE chat_exchanges RENAME TO away");
    assert_int_equal(test_run("conversation health --provider recorded:/dev/null"), 1);
    assert_contains(test_output, "live, not ready\n");
}

static void a_provider_that_can_not_be_made_is_said(void **state)
{
    (void)state;
    assert_int_equal(test_run("conversation health --model m"), 2);
    assert_string_equal(test_errors, "conversation: health: --model and --base-url go with "
                                     "--provider, which asks it\n");
    assert_int_equal(test_run("conversation health --provider nobody"), 2);
    assert_contains(test_errors, "health: --provider is openai, echo or recorded:FILE");
    assert_int_equal(test_run("conversation health --provider openai"), 2);
    assert_contains(test_errors, "health: no model");
    assert_int_equal(test_run("conversation health --provider openai --model m"), 5);
    assert_contains(test_errors, "OPENAI_API_KEY is not set");
    assert_string_equal(test_output, "");
    assert_int_equal(test_run("conversation health --provider recorded:none.jsonl"), 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_BOTH(the_exit_code_tells),
        ON_BOTH(no_message_is_cut_in_80_columns),
        ON_SQLITE(looking_makes_no_store),
        ON_SQLITE(a_store_that_is_not_there_is_an_answer),
        ON_BOTH(a_store_without_a_schema_is_an_answer),
        ON_SQLITE(what_waits_is_shown_while_the_server_is_away),
        ON_SQLITE(a_journal_that_is_none_is_an_answer),
        ON_BOTH(a_provider_is_asked_where_it_is_named),
        ON_BOTH(a_provider_that_fails_leaves_the_store_ready),
        ON_SQLITE(a_provider_that_can_not_be_made_is_said),
    };
#undef ON
    return RUN_TESTS("conversation health", tests);
}
