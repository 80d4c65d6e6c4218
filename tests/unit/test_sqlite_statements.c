/* Every SQL statement of the SQLite repositories fits the migrated schema, and has an index for
 * what it asks. Runs none of them. */
#include "support/test.h"

#include <sqlite3.h>
#include <stdbool.h>

#include "db/migration.h"
#include "db/sqlite/decimal_sum.h"
#include "repositories/sqlite/internal.h"

typedef struct statement_table {
    const char *name;
    const conv__sqlite_statement *statements;
} statement_table;

static const statement_table tables[] = {
    {"save", conv__sqlite_save_statements},       {"turn", conv__sqlite_turn_statements},
    {"history", conv__sqlite_history_statements}, {"session", conv__sqlite_session_statements},
    {"usage", conv__sqlite_usage_statements},     {"usage sum", conv__sqlite_usage_sum_statements},
};

static sqlite3 *open_migrated(void)
{
    sqlite3 *database = NULL;
    assert_int_equal(sqlite3_open(":memory:", &database), SQLITE_OK);
    assert_int_equal(conv__decimal_sum_register(database), SQLITE_OK);
    for (const conv__migration *next = conv__migrations_sqlite; next->version != 0; next++)
        assert_int_equal(sqlite3_exec(database, next->sql, NULL, NULL, NULL), SQLITE_OK);
    return database;
}

static void test_each_statement_can_be_prepared(void **state)
{
    (void)state;
    sqlite3 *database = open_migrated();
    int prepared = 0;
    for (size_t i = 0; i < sizeof tables / sizeof tables[0]; i++) {
        int in_table = 0;
        for (const conv__sqlite_statement *next = tables[i].statements; next->sql != NULL; next++) {
            sqlite3_stmt *statement = NULL;
            const char *rest = NULL;
            if (sqlite3_prepare_v2(database, next->sql, -1, &statement, &rest) != SQLITE_OK)
                fail_msg("%s: %s: %s", tables[i].name, next->sql, sqlite3_errmsg(database));
            assert_string_equal(rest, "");
            sqlite3_finalize(statement);
            in_table++;
        }
        assert_true(in_table > 0);
        prepared += in_table;
    }
    assert_true(prepared >= 50);
    sqlite3_close(database);
}

/* In the planner's own words SCAN is a whole table or index, SEARCH a part of it; the groups of a
 * sum (g) are what remains of one. */
static void check_plan(sqlite3 *database, const char *sql)
{
    char *explain = sqlite3_mprintf("EXPLAIN QUERY PLAN %s", sql);
    sqlite3_stmt *plan = NULL;
    assert_int_equal(sqlite3_prepare_v2(database, explain, -1, &plan, NULL), SQLITE_OK);
    while (sqlite3_step(plan) == SQLITE_ROW) {
        const char *step = (const char *)sqlite3_column_text(plan, 3);
        bool scans = strncmp(step, "SCAN ", 5) == 0 && strcmp(step, "SCAN g") != 0;
        if (scans || strcmp(step, "USE TEMP B-TREE FOR ORDER BY") == 0)
            fail_msg("%s: %s", sql, step);
    }
    sqlite3_finalize(plan);
    sqlite3_free(explain);
}

static void test_no_statement_looks_through_a_table(void **state)
{
    (void)state;
    sqlite3 *database = open_migrated();
    for (size_t i = 0; i < sizeof tables / sizeof tables[0]; i++)
        for (const conv__sqlite_statement *next = tables[i].statements; next->sql != NULL; next++)
            check_plan(database, next->sql);
    sqlite3_close(database);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_statement_can_be_prepared),
        cmocka_unit_test(test_no_statement_looks_through_a_table),
    };
    return RUN_TESTS("sqlite statements", tests);
}
