/* The schema: brought up to date once, whoever calls, and refused where it is not ours. */
#include "support/contract_store.h"
#include "support/store.h"
#include "support/test.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "db/migration.h"

static const char *kind;
static conv_error error;
static conv__store *store;

static const conv__migration *migrations(void)
{
    return strcmp(kind, "sqlite") == 0 ? conv__migrations_sqlite : conv__migrations_postgres;
}

static int64_t newest(void)
{
    int64_t version = 0;
    for (const conv__migration *next = migrations(); next->version != 0; next++)
        version = next->version;
    return version;
}

static int count_migrations(void)
{
    int count = 0;
    for (const conv__migration *next = migrations(); next->version != 0; next++)
        count++;
    return count;
}

static int setup(void **state)
{
    (void)state;
    kind = test_store_kind();
    error = (conv_error)CONV_ERROR_INIT;
    return contract_setup_empty(&store);
}

static int teardown(void **state)
{
    (void)state;
    store->functions->close(store);
    test_store_drop(kind);
    return 0;
}

static conv_schema_state read_state(void)
{
    conv_schema_state state;
    memset(&state, 0xFF, sizeof state);
    assert_ok(store->functions->read_schema(store, contract_deadline(), &state, &error), error);
    return state;
}

static conv_schema_state migrate(void)
{
    conv_schema_state state;
    memset(&state, 0xFF, sizeof state);
    assert_ok(store->functions->migrate(store, contract_deadline(), &state, &error), error);
    return state;
}

static void test_an_empty_store_gets_the_schema(void **state)
{
    (void)state;
    conv_schema_state before = read_state();
    assert_true(before.version == 0);
    assert_true(before.wanted == newest());
    assert_int_equal(before.applied, 0);
    conv_schema_state after = migrate();
    assert_true(after.version == newest());
    assert_int_equal(after.applied, count_migrations());
    assert_true(read_state().version == newest());
    assert_int_equal(migrate().applied, 0);
    assert_int_equal(contract_count("SELECT count(*) FROM conversation_schema"),
                     count_migrations());
    char sql[128];
    snprintf(sql, sizeof sql, "SELECT checksum FROM conversation_schema WHERE version = %lld",
             (long long)newest());
    const conv__migration *last = &migrations()[count_migrations() - 1];
    assert_string_equal(test_store_value(kind, sql), last->checksum);
}

/* As psql or the sqlite3 shell would: the file itself, which knows no checksum. */
static void test_what_another_tool_applied_is_taken_over(void **state)
{
    (void)state;
    for (const conv__migration *next = migrations(); next->version != 0; next++)
        test_store_execute(kind, next->sql);
    assert_true(read_state().version == newest());
    assert_int_equal(contract_count("SELECT count(*) FROM conversation_schema"
                                    " WHERE checksum IS NULL"),
                     count_migrations());
    conv_schema_state after = migrate();
    assert_int_equal(after.applied, 0);
    assert_true(after.version == newest());
    assert_int_equal(contract_count("SELECT count(*) FROM conversation_schema"
                                    " WHERE checksum IS NULL"),
                     0);
    assert_string_equal(test_store_value(kind, "SELECT checksum FROM conversation_schema"
                                               " ORDER BY version LIMIT 1"),
                        migrations()[0].checksum);
}

static void test_a_changed_migration_is_refused(void **state)
{
    (void)state;
    conv_schema_state after;
    migrate();
    char wanted[CONV_MESSAGE_SIZE];
    const conv__migration *last = &migrations()[count_migrations() - 1];
    snprintf(
        wanted, sizeof wanted,
        "migration %lld_%s was applied in another form than this library's; use the version of "
        "the library that made the schema",
        (long long)last->version, last->name);
    test_store_execute(kind, "UPDATE conversation_schema SET checksum = 'other' WHERE version ="
                             " (SELECT max(version) FROM conversation_schema)");
    for (int i = 0; i < 2; i++) {
        error = (conv_error)CONV_ERROR_INIT;
        conv_status status =
            i == 0 ? store->functions->read_schema(store, contract_deadline(), &after, &error)
                   : store->functions->migrate(store, contract_deadline(), &after, &error);
        assert_status(status, CONV_STATE, error);
        assert_string_equal(error.message, wanted);
        assert_int_equal(error.recovery, CONV_RECOVERY_OPERATOR);
    }
}

static void test_a_newer_schema_is_refused(void **state)
{
    (void)state;
    conv_schema_state after;
    migrate();
    test_store_execute(kind, "INSERT INTO conversation_schema (version, name, checksum)"
                             " VALUES (29990101000000, 'from_the_future', 'x')");
    conv_schema_state seen = read_state();
    assert_true(seen.version == INT64_C(29990101000000));
    assert_true(seen.wanted == newest());
    assert_status(store->functions->migrate(store, contract_deadline(), &after, &error), CONV_STATE,
                  error);
    assert_non_null(strstr(error.message, "29990101000000"));
}

static void test_a_missing_schema_is_said(void **state)
{
    (void)state;
    conv__session_list list;
    conv__arena arena = {0};
    conv__transaction *transaction = contract_begin(store, CONV__TRANSACTION_READ);
    assert_status(store->chat->functions->read_session(store->chat, transaction, conv_uuid_v4(),
                                                       &arena, &list, &error),
                  CONV_STATE, error);
    store->functions->rollback(transaction);
    conv__arena_reset(&arena);
}

typedef struct migrator {
    pthread_t thread;
    conv__store *store;
    conv_schema_state state;
    conv_status status;
    conv_error error;
} migrator;

static void *run_migrate(void *argument)
{
    migrator *self = argument;
    self->status = self->store->functions->migrate(self->store, contract_deadline(), &self->state,
                                                   &self->error);
    return NULL;
}

static void test_many_may_migrate_at_once(void **state)
{
    (void)state;
    enum { MIGRATORS = 4 };
    migrator migrators[MIGRATORS];
    memset(migrators, 0, sizeof migrators);
    for (int i = 0; i < MIGRATORS; i++)
        assert_ok(contract_open(&migrators[i].store, &error), error);
    for (int i = 0; i < MIGRATORS; i++)
        assert_int_equal(pthread_create(&migrators[i].thread, NULL, run_migrate, &migrators[i]), 0);
    int applied = 0;
    for (int i = 0; i < MIGRATORS; i++)
        pthread_join(migrators[i].thread, NULL);
    for (int i = 0; i < MIGRATORS; i++) {
        assert_ok(migrators[i].status, migrators[i].error);
        assert_true(migrators[i].state.version == newest());
        applied += migrators[i].state.applied;
        migrators[i].store->functions->close(migrators[i].store);
    }
    assert_int_equal(applied, count_migrations());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_an_empty_store_gets_the_schema, setup, teardown),
        cmocka_unit_test_setup_teardown(test_what_another_tool_applied_is_taken_over, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_a_changed_migration_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_newer_schema_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_missing_schema_is_said, setup, teardown),
        cmocka_unit_test_setup_teardown(test_many_may_migrate_at_once, setup, teardown),
    };
    return RUN_TESTS("schema", tests);
}
