/* Bringing the schema up to date. */
#include "support/postgres.h"
#include "support/store.h"
#include "support/test.h"

#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include "core/time.h"
#include "db/postgres/migrations.h"

#define TABLE                                                                                      \
    "CREATE TABLE conversation_schema (version bigint PRIMARY KEY, name text NOT NULL, "           \
    "checksum text, applied_at timestamptz NOT NULL DEFAULT now());"
#define NOTE(version, name)                                                                        \
    "INSERT INTO conversation_schema (version, name) VALUES (" version ", '" name "');"

static const conv__migration first_only[] = {
    {1, "first", "aaaa", TABLE "CREATE TABLE one (id int);" NOTE("1", "first")},
    {0, NULL, NULL, NULL},
};
static const conv__migration both[] = {
    {1, "first", "aaaa", TABLE "CREATE TABLE one (id int);" NOTE("1", "first")},
    {2, "second", "bbbb", "CREATE TABLE two (id int);" NOTE("2", "second")},
    {0, NULL, NULL, NULL},
};
static const conv__migration altered[] = {
    {1, "first", "cccc", TABLE "CREATE TABLE one (id int);" NOTE("1", "first")},
    {0, NULL, NULL, NULL},
};
static const conv__migration failing[] = {
    {1, "first", "aaaa", TABLE "CREATE TABLE one (id int);" NOTE("1", "first")},
    {2, "second", "bbbb", "CREATE TABLE two (id int); SELECT 1 / 0;" NOTE("2", "second")},
    {0, NULL, NULL, NULL},
};

static conv_error error;
static conv_schema_state schema;
static conv__connection *connection;
static PGconn *beside;

static int64_t soon(void)
{
    return conv__deadline_in_ms(20000);
}

static int setup_each(void **state)
{
    postgres_setup_empty(state);
    connection = postgres_connect();
    beside = postgres_link();
    error = (conv_error)CONV_ERROR_INIT;
    return 0;
}

static int teardown_each(void **state)
{
    conv__connection_close(connection);
    PQfinish(beside);
    return postgres_teardown(state);
}

static void assert_schema(int64_t version, int64_t wanted, int applied)
{
    assert_true(schema.version == version);
    assert_true(schema.wanted == wanted);
    assert_int_equal(schema.applied, applied);
}

static void an_empty_database_is_version_0(void **state)
{
    (void)state;
    assert_ok(conv__migrations_read(connection, both, soon(), &schema, &error), error);
    assert_schema(0, 2, 0);
}

static void twice_applies_once(void **state)
{
    (void)state;
    assert_ok(conv__migrations_apply(connection, both, soon(), &schema, &error), error);
    assert_schema(2, 2, 2);
    assert_ok(conv__migrations_apply(connection, both, soon(), &schema, &error), error);
    assert_schema(2, 2, 0);
    assert_ok(conv__migrations_read(connection, both, soon(), &schema, &error), error);
    assert_schema(2, 2, 0);
    assert_int_equal(postgres_number(beside, "SELECT count(*) FROM conversation_schema"
                                             " WHERE checksum IN ('aaaa', 'bbbb')"),
                     2);
}

static void an_older_one_is_brought_up_to_date(void **state)
{
    (void)state;
    assert_ok(conv__migrations_apply(connection, first_only, soon(), &schema, &error), error);
    assert_schema(1, 1, 1);
    assert_ok(conv__migrations_read(connection, both, soon(), &schema, &error), error);
    assert_schema(1, 2, 0);
    assert_ok(conv__migrations_apply(connection, both, soon(), &schema, &error), error);
    assert_schema(2, 2, 1);
}

static void a_newer_one_is_left_alone(void **state)
{
    (void)state;
    assert_ok(conv__migrations_apply(connection, both, soon(), &schema, &error), error);
    assert_ok(conv__migrations_read(connection, first_only, soon(), &schema, &error), error);
    assert_schema(2, 1, 0);
    assert_status(conv__migrations_apply(connection, first_only, soon(), &schema, &error),
                  CONV_STATE, error);
    assert_non_null(strstr(error.message, "newer than this library's 1"));
}

static void an_altered_one_is_named(void **state)
{
    (void)state;
    assert_ok(conv__migrations_apply(connection, first_only, soon(), &schema, &error), error);
    assert_status(conv__migrations_read(connection, altered, soon(), &schema, &error), CONV_STATE,
                  error);
    assert_non_null(strstr(error.message, "1_first"));
    assert_status(conv__migrations_apply(connection, altered, soon(), &schema, &error), CONV_STATE,
                  error);
    assert_non_null(strstr(error.message, "1_first"));
}

/* Each is one transaction: what came before a failing one stays, nothing of it does. */
static void a_failing_one_leaves_nothing(void **state)
{
    (void)state;
    assert_status(conv__migrations_apply(connection, failing, soon(), &schema, &error),
                  CONV_BAD_DATA, error);
    assert_schema(1, 2, 1);
    assert_int_equal(postgres_number(beside, "SELECT count(*) FROM conversation_schema"), 1);
    assert_int_equal(postgres_number(beside, "SELECT (to_regclass('two') IS NULL)::int"), 1);
    assert_ok(conv__migrations_apply(connection, both, soon(), &schema, &error), error);
    assert_schema(2, 2, 1);
}

/* psql or dbmate applied the file: it has no checksum yet. */
static void a_checksum_is_added(void **state)
{
    (void)state;
    postgres_execute(beside, both[0].sql);
    postgres_execute(beside, both[1].sql);
    assert_ok(conv__migrations_read(connection, both, soon(), &schema, &error), error);
    assert_schema(2, 2, 0);
    assert_ok(conv__migrations_apply(connection, both, soon(), &schema, &error), error);
    assert_schema(2, 2, 0);
    assert_int_equal(
        postgres_number(beside, "SELECT count(*) FROM conversation_schema WHERE checksum IS NULL"),
        0);
    assert_status(conv__migrations_read(connection, altered, soon(), &schema, &error), CONV_STATE,
                  error);
}

static void tables_of_somebody_else(void **state)
{
    (void)state;
    postgres_execute(beside, "CREATE TABLE one (whose text)");
    assert_status(conv__migrations_apply(connection, both, soon(), &schema, &error), CONV_STATE,
                  error);
    assert_non_null(strstr(error.message, "relation \"one\" already exists"));
    assert_non_null(strstr(error.message, "no table conversation_schema"));
    assert_int_equal(postgres_number(beside, "SELECT count(*) FROM one"), 0);
}

static void a_user_without_the_right(void **state)
{
    (void)state;
    char sql[160];
    char role[64];
    conv__store *store = NULL;
    snprintf(role, sizeof role, "conversation_reader_%d", (int)getpid());
    snprintf(sql, sizeof sql, "CREATE ROLE %s LOGIN; REVOKE CREATE ON SCHEMA public FROM PUBLIC",
             role);
    postgres_execute(beside, sql);
    conv__postgres_params params = {.connection = postgres_url_with("user", role)};
    store = postgres_open(&params);
    assert_status(store->functions->migrate(store, soon(), &schema, &error), CONV_PERMISSION,
                  error);
    assert_string_equal(error.sqlstate, "42501");
    store->functions->close(store);
    snprintf(sql, sizeof sql, "DROP ROLE %s", role);
    postgres_execute(beside, sql);
}

enum { MIGRATORS = 8 };

static void *migrate_once(void *result)
{
    int *applied = result;
    conv_schema_state own = {0};
    conv__store *store = NULL;
    conv__postgres_params params = {.connection = postgres_url(), .connections = 1};
    *applied = -1;
    if (conv__postgres_store_open(&params, &store, NULL) != CONV_OK) return NULL;
    if (store->functions->migrate(store, soon(), &own, NULL) == CONV_OK) *applied = own.applied;
    store->functions->close(store);
    return NULL;
}

static void many_at_once(void **state)
{
    (void)state;
    pthread_t threads[MIGRATORS];
    int applied[MIGRATORS];
    int sum = 0;
    for (int i = 0; i < MIGRATORS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, migrate_once, &applied[i]), 0);
    for (int i = 0; i < MIGRATORS; i++) {
        pthread_join(threads[i], NULL);
        assert_true(applied[i] >= 0);
        sum += applied[i];
    }
    int wanted = 0;
    for (const conv__migration *one = conv__migrations_postgres; one->version != 0; one++)
        wanted++;
    assert_int_equal(sum, wanted);
    assert_int_equal(postgres_number(beside, "SELECT count(*) FROM conversation_schema"
                                             " WHERE length(checksum) = 64"),
                     wanted);
}

/* While somebody else migrates, the wait ends at the deadline. */
static void a_lock_that_is_held(void **state)
{
    (void)state;
    postgres_execute(beside, "BEGIN; SELECT pg_advisory_xact_lock(1668247158)");
    assert_status(
        conv__migrations_apply(connection, both, conv__deadline_in_ms(50), &schema, &error),
        CONV_TIMEOUT, error);
    postgres_execute(beside, "COMMIT");
}

/* Names are unqualified: the search_path decides. */
static void a_schema_of_ones_own(void **state)
{
    (void)state;
    conv__store *store = NULL;
    postgres_execute(beside, "CREATE SCHEMA mine");
    conv__postgres_params params = {
        .connection = postgres_url_with("options", "-c search_path=mine"), .connections = 1};
    store = postgres_open(&params);
    assert_ok(store->functions->migrate(store, soon(), &schema, &error), error);
    store->functions->close(store);
    assert_int_equal(
        postgres_number(beside, "SELECT count(*) FROM information_schema.tables"
                                " WHERE table_schema = 'mine' AND table_name = 'chat_messages'"),
        1);
    assert_ok(conv__migrations_read(connection, conv__migrations_postgres, soon(), &schema, &error),
              error);
    assert_true(schema.version == 0);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup_each, teardown_each)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_empty_database_is_version_0),
        TEST(twice_applies_once),
        TEST(an_older_one_is_brought_up_to_date),
        TEST(a_newer_one_is_left_alone),
        TEST(an_altered_one_is_named),
        TEST(a_failing_one_leaves_nothing),
        TEST(a_checksum_is_added),
        TEST(tables_of_somebody_else),
        TEST(a_user_without_the_right),
        TEST(many_at_once),
        TEST(a_lock_that_is_held),
        TEST(a_schema_of_ones_own),
    };
    return RUN_TESTS("postgres migrations", tests);
}
