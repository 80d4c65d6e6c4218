/* Migrating an SQLite file through made-up migrations: order, gaps, failures. */
#include "support/test.h"

#include "core/time.h"
#include "db/sqlite/migrations.h"
#include "db/sqlite/query.h"

#define TABLE                                                                                      \
    "CREATE TABLE conversation_schema (version INTEGER PRIMARY KEY, name TEXT NOT NULL,"           \
    " checksum TEXT);"
#define RECORD(version) "INSERT INTO conversation_schema (version, name) VALUES (" version ", 'x');"

static const conv__migration first = {1, "first", "sum 1", TABLE RECORD("1") "CREATE TABLE a (x);"};
static const conv__migration second = {2, "second", "sum 2", RECORD("2") "CREATE TABLE b (x);"};
static const conv__migration third = {3, "third", "sum 3", RECORD("3") "CREATE TABLE c (x);"};
static const conv__migration end = {0, NULL, NULL, NULL};

static conv__sqlite *connection;
static conv_schema_state schema;
static conv_error error;

static int setup(void **state)
{
    (void)state;
    const conv__sqlite_params params = {.path = ":memory:"};
    error = (conv_error)CONV_ERROR_INIT;
    return conv__sqlite_open(&params, &connection, &error) == CONV_OK ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    conv__sqlite_close(connection);
    return 0;
}

static conv_status migrate(const conv__migration *migrations)
{
    return conv__sqlite_migrate(connection, migrations, conv__deadline_in_ms(10000), &schema,
                                &error);
}

static void run(const char *sql)
{
    assert_ok(conv__sqlite_begin(connection, CONV__SQLITE_WRITE, CONV__NO_DEADLINE, &error), error);
    assert_ok(conv__sqlite_run_script(connection, sql, "test", &error), error);
    assert_ok(conv__sqlite_commit(connection, &error), error);
}

static int64_t count_tables(void)
{
    static const conv__sqlite_statement statement = {"SELECT count(*) FROM sqlite_schema"
                                                     " WHERE name IN ('a', 'b', 'c')"};
    conv__sqlite_query query;
    int64_t count = 0;
    assert_ok(conv__sqlite_begin(connection, CONV__SQLITE_READ, CONV__NO_DEADLINE, &error), error);
    conv__sqlite_prepare(&query, connection, &statement, "test");
    while (conv__sqlite_step(&query))
        count = conv__sqlite_integer(&query, 0);
    assert_ok(conv__sqlite_finish(&query, &error), error);
    conv__sqlite_rollback(connection);
    return count;
}

static void test_one_after_the_other(void **state)
{
    (void)state;
    const conv__migration one[] = {first, end};
    const conv__migration all[] = {first, second, third, end};
    assert_ok(migrate(one), error);
    assert_int_equal(schema.applied, 1);
    assert_int_equal(schema.version, 1);
    assert_ok(migrate(all), error);
    assert_int_equal(schema.applied, 2);
    assert_int_equal(schema.version, 3);
    assert_int_equal(schema.wanted, 3);
    assert_int_equal(count_tables(), 3);
    assert_ok(migrate(all), error);
    assert_int_equal(schema.applied, 0);
}

static void test_a_gap_is_filled(void **state)
{
    (void)state;
    const conv__migration gap[] = {first, third, end};
    const conv__migration all[] = {first, second, third, end};
    assert_ok(migrate(gap), error);
    assert_int_equal(count_tables(), 2);
    assert_ok(migrate(all), error);
    assert_int_equal(schema.applied, 1);
    assert_int_equal(schema.version, 3);
    assert_int_equal(count_tables(), 3);
}

static void test_what_is_between_and_unknown_is_refused(void **state)
{
    (void)state;
    const conv__migration all[] = {first, second, third, end};
    const conv__migration without[] = {first, third, end};
    assert_ok(migrate(all), error);
    assert_status(migrate(without), CONV_STATE, error);
    assert_non_null(strstr(error.message, "2_x"));
}

static void test_a_broken_migration_leaves_nothing(void **state)
{
    (void)state;
    const conv__migration broken = {2, "second", "sum 2",
                                    RECORD("2") "CREATE TABLE b (x); CREATE TABLE a (x);"};
    const conv__migration all[] = {first, broken, third, end};
    const conv__migration mended[] = {first, second, third, end};
    assert_status(migrate(all), CONV_INTERNAL, error);
    assert_int_equal(schema.applied, 0);
    assert_int_equal(schema.version, 0);
    assert_int_equal(count_tables(), 0); /* nor of the steps before it */
    assert_ok(migrate(mended), error);
    assert_int_equal(count_tables(), 3);
}

static void test_a_migration_that_does_not_record_itself(void **state)
{
    (void)state;
    const conv__migration silent[] = {first, {2, "silent", "sum", "CREATE TABLE b (x);"}, end};
    assert_status(migrate(silent), CONV_INTERNAL, error);
    assert_int_equal(count_tables(), 0);
}

static void test_another_tools_migrations_are_taken_over(void **state)
{
    (void)state;
    const conv__migration all[] = {first, second, third, end};
    run(first.sql);
    run(second.sql);
    assert_ok(migrate(all), error);
    assert_int_equal(schema.applied, 1);
    assert_ok(migrate(all), error);
    run("UPDATE conversation_schema SET checksum = 'other' WHERE version = 2");
    assert_status(migrate(all), CONV_STATE, error);
    assert_non_null(strstr(error.message, "2_second"));
}

/* Some other program's table of the same name. */
static void test_a_foreign_table_is_not_understood(void **state)
{
    (void)state;
    const conv__migration all[] = {first, end};
    run("CREATE TABLE conversation_schema (x)");
    assert_status(migrate(all), CONV_STATE, error);
    assert_status(
        conv__sqlite_read_schema(connection, all, conv__deadline_in_ms(1000), &schema, &error),
        CONV_STATE, error);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_one_after_the_other, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_gap_is_filled, setup, teardown),
        cmocka_unit_test_setup_teardown(test_what_is_between_and_unknown_is_refused, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_a_broken_migration_leaves_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_migration_that_does_not_record_itself, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_another_tools_migrations_are_taken_over, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_a_foreign_table_is_not_understood, setup, teardown),
    };
    return RUN_TESTS("sqlite migrations", tests);
}
