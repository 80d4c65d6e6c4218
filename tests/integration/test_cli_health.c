/* conversation health, as a script sees it: what it prints, and its exit code. */
#include "support/test.h"

#include <jansson.h>

#include "support/program.h"
#include "support/store.h"

static const char *kind;

static int setup_kind(const char *wanted)
{
    kind = wanted;
    test_program_setup(test_store_create(kind));
    return test_run("conversation migrate");
}

static int setup_postgres(void **state)
{
    (void)state;
    return setup_kind("postgresql");
}

static int setup_sqlite(void **state)
{
    (void)state;
    return setup_kind("sqlite");
}

static int teardown(void **state)
{
    (void)state;
    test_program_teardown();
    test_store_drop(kind);
    return 0;
}

static json_t *run_json(int code)
{
    json_error_t error;
    assert_int_equal(test_run("conversation health --json --journal app.journal"), code);
    json_t *value = json_loads(test_output, 0, &error);
    if (value == NULL) fail_msg("no JSON: %s", test_output);
    return value;
}

static void the_exit_code_tells(void **state)
{
    (void)state;
    assert_int_equal(test_run("conversation health"), 0);
    assert_contains(test_output, "database_saves");
    assert_contains(test_output, "live, ready\n");
    assert_string_equal(test_errors, "");
    json_t *value = run_json(0);
    assert_true(json_is_true(json_object_get(value, "ready")));
    assert_int_equal(json_array_size(json_object_get(value, "checks")), 7);
    json_decref(value);

    test_store_execute(kind, "ALTER TABLE chat_exchanges RENAME TO away");
    value = run_json(1);
    assert_true(json_is_true(json_object_get(value, "live")));
    assert_true(json_is_false(json_object_get(value, "ready")));
    assert_string_equal(json_string_value(json_object_get(value, "state")), "failing");
    json_decref(value);
    assert_int_equal(test_run("conversation health"), 1);
    assert_contains(test_output, "live, not ready\n");

    test_store_execute(kind, "ALTER TABLE away RENAME TO chat_exchanges");
    assert_int_equal(test_run("conversation health"), 0);
    assert_string_equal(test_store_value(kind, "SELECT count(*) FROM chat_sessions"), "0");
    assert_string_equal(test_store_value(kind, "SELECT count(*) FROM usage_logs"), "0");
}

static void looking_makes_no_store(void **state)
{
    (void)state;
    assert_int_equal(test_run("conversation health --store sqlite:nowhere.db"), 3);
    assert_string_equal(test_output, "");
    assert_int_equal(test_run("conversation health --store sqlite:nowhere.db --journal j"), 3);
    assert_int_equal(test_run("test -e nowhere.db"), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_exit_code_tells, setup_postgres, teardown),
        cmocka_unit_test_setup_teardown(the_exit_code_tells, setup_sqlite, teardown),
        cmocka_unit_test_setup_teardown(looking_makes_no_store, setup_sqlite, teardown),
    };
    return RUN_TESTS("conversation health", tests);
}
