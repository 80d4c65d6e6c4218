/* Refreshing the daily summary and reading it, on either store: a reader under way, of any program,
 * holds up no refresh, and a refresh under way no reader. */
#include "support/test.h"

#include <libpq-fe.h>
#include <sqlite3.h>
#include <stdlib.h>

#include "support/contract_store.h"
#include "support/sample.h"
#include "support/store.h"

#define COUNT "SELECT coalesce(sum(count), 0) FROM daily_usage_summary"

static conv__arena arena;
static conv_error error;

/* Somebody's reading transaction. */
typedef struct visitor {
    PGconn *postgres;
    sqlite3 *sqlite;
} visitor;

static bool is_sqlite(void)
{
    return strcmp(test_store_kind(), "sqlite") == 0;
}

static int read_row(void *context, int columns, char **values, char **names)
{
    (void)columns;
    (void)names;
    *(long *)context = strtol(values[0], NULL, 10);
    return 0;
}

/* The number that a statement gives; -1 for none. */
static long run(visitor *self, const char *sql)
{
    long number = -1;
    if (is_sqlite()) {
        if (sqlite3_exec(self->sqlite, sql, read_row, &number, NULL) != SQLITE_OK)
            fail_msg("%s: %s", sql, sqlite3_errmsg(self->sqlite));
        return number;
    }
    PGresult *result = PQexec(self->postgres, sql);
    if (PQresultStatus(result) == PGRES_TUPLES_OK)
        number = strtol(PQgetvalue(result, 0, 0), NULL, 10);
    else if (PQresultStatus(result) != PGRES_COMMAND_OK)
        fail_msg("%s: %s", sql, PQerrorMessage(self->postgres));
    PQclear(result);
    return number;
}

static visitor enter(void)
{
    visitor self = {NULL, NULL};
    if (is_sqlite()) {
        assert_int_equal(sqlite3_open(contract_url() + strlen("sqlite:"), &self.sqlite), SQLITE_OK);
        run(&self, "BEGIN");
        return self;
    }
    self.postgres = PQconnectdb(contract_url());
    assert_int_equal(PQstatus(self.postgres), CONNECTION_OK);
    /* Instead of waiting for ever. */
    run(&self, "SET lock_timeout = '5s'");
    run(&self, "BEGIN ISOLATION LEVEL REPEATABLE READ");
    return self;
}

static void leave(visitor *self)
{
    run(self, "COMMIT");
    PQfinish(self->postgres);
    sqlite3_close(self->sqlite);
}

static void save_one(void)
{
    const conv__exchange *exchange = sample_exchange(&arena, "a session", "a", "b");
    assert_ok(contract_save(contract_store(), &exchange, 1, NULL, &error), error);
}

static conv__transaction *begin_refresh(void)
{
    conv__refresh step = {.rebuild = false};
    conv__store *store = contract_store();
    conv__transaction *transaction = contract_begin(store, CONV__TRANSACTION_WRITE);
    assert_ok(store->usage->functions->refresh(store->usage, transaction, &step, &error), error);
    return transaction;
}

static void end_refresh(conv__transaction *transaction)
{
    assert_ok(contract_store()->functions->commit(transaction, &error), error);
}

static int clear(void **state)
{
    (void)state;
    test_store_execute(test_store_kind(), "DELETE FROM chat_messages; DELETE FROM chat_exchanges;"
                                          " DELETE FROM chat_sessions; DELETE FROM usage_logs");
    end_refresh(begin_refresh());
    return 0;
}

static void test_a_reader_under_way_holds_up_no_refresh(void **state)
{
    (void)state;
    save_one();
    end_refresh(begin_refresh());
    visitor reader = enter();
    assert_int_equal(run(&reader, COUNT), 1);
    save_one();
    end_refresh(begin_refresh());
    assert_int_equal(contract_count(COUNT), 2);
    assert_int_equal(run(&reader, COUNT), 1); /* its own snapshot */
    leave(&reader);
}

static void test_a_refresh_under_way_holds_up_no_reader(void **state)
{
    (void)state;
    save_one();
    end_refresh(begin_refresh());
    save_one();
    conv__transaction *transaction = begin_refresh();
    visitor reader = enter();
    /* SQLite's view adds what was not refreshed yet. */
    assert_int_equal(run(&reader, COUNT), is_sqlite() ? 2 : 1);
    assert_int_equal(run(&reader, "SELECT count(*) FROM usage_logs"), 2);
    leave(&reader);
    end_refresh(transaction);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_a_reader_under_way_holds_up_no_refresh, clear),
        cmocka_unit_test_setup(test_a_refresh_under_way_holds_up_no_reader, clear),
    };
    int failures = RUN_TESTS_WITH("summary reader", tests, contract_setup, contract_teardown);
    conv__arena_reset(&arena);
    return failures;
}
