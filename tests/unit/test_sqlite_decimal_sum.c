/* decimal_sum(text) in SQL: exact, and refusing what is no decimal. */
#include "support/test.h"

#include <sqlite3.h>

#include "db/sqlite/decimal_sum.h"

static sqlite3 *database;

static int setup(void **state)
{
    (void)state;
    if (sqlite3_open(":memory:", &database) != SQLITE_OK) return -1;
    return conv__decimal_sum_register(database) == SQLITE_OK ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    return sqlite3_close(database);
}

/* The sum over rows given as VALUES, "NULL" for NULL, or the result code of the failure. */
static const char *sum_of(const char *values)
{
    static char text[128];
    char *sql = sqlite3_mprintf("SELECT decimal_sum(column1) FROM (VALUES %s)", values);
    sqlite3_stmt *statement = NULL;
    assert_int_equal(sqlite3_prepare_v2(database, sql, -1, &statement, NULL), SQLITE_OK);
    int code = sqlite3_step(statement);
    if (code != SQLITE_ROW)
        snprintf(text, sizeof text, "code %d", sqlite3_errcode(database));
    else if (sqlite3_column_type(statement, 0) == SQLITE_NULL)
        snprintf(text, sizeof text, "NULL");
    else
        snprintf(text, sizeof text, "%s", (const char *)sqlite3_column_text(statement, 0));
    sqlite3_finalize(statement);
    sqlite3_free(sql);
    return text;
}

static void test_sums(void **state)
{
    (void)state;
    assert_string_equal(sum_of("('0.1'), ('0.2')"), "0.3");
    assert_string_equal(sum_of("('0.10'), (NULL), ('-0.1')"), "0");
    assert_string_equal(sum_of("('99999999999999999999'), ('0.00000000000000001')"),
                        "99999999999999999999.00000000000000001");
    assert_string_equal(sum_of("(1), (2)"), "3");
    assert_string_equal(sum_of("('0')"), "0");
    assert_string_equal(sum_of("(NULL), (NULL)"), "NULL");
}

static void test_failures(void **state)
{
    (void)state;
    char mismatch[16];
    char too_big[16];
    snprintf(mismatch, sizeof mismatch, "code %d", SQLITE_MISMATCH);
    snprintf(too_big, sizeof too_big, "code %d", SQLITE_TOOBIG);
    assert_string_equal(sum_of("('NaN')"), mismatch);
    assert_string_equal(sum_of("('1'), ('')"), mismatch);
    assert_string_equal(sum_of("('1'), ('1,5')"), mismatch);
    assert_string_equal(sum_of("(x'31'), ('x')"), mismatch);
    assert_string_equal(sum_of("('99999999999999999999999999999999999999'), ('1')"), too_big);
}

static void test_groups_do_not_mix(void **state)
{
    (void)state;
    sqlite3_stmt *statement = NULL;
    const char *sql = "SELECT column1, decimal_sum(column2) FROM"
                      " (VALUES (1, '0.1'), (2, '5'), (1, '0.2'), (3, NULL)) GROUP BY 1 ORDER BY 1";
    assert_int_equal(sqlite3_prepare_v2(database, sql, -1, &statement, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
    assert_string_equal((const char *)sqlite3_column_text(statement, 1), "0.3");
    assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
    assert_string_equal((const char *)sqlite3_column_text(statement, 1), "5");
    assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
    assert_int_equal(sqlite3_column_type(statement, 1), SQLITE_NULL);
    sqlite3_finalize(statement);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sums),
        cmocka_unit_test(test_failures),
        cmocka_unit_test(test_groups_do_not_mix),
    };
    return RUN_TESTS_WITH("sqlite decimal_sum", tests, setup, teardown);
}
