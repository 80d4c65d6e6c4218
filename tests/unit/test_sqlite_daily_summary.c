/* The view daily_usage_summary as any program reads it, on a connection that knows no function of
 * this library: sums of money are exact (promise P9), whatever the amounts. */
#include "support/test.h"

#include <sqlite3.h>

#include "conversation/decimal.h"
#include "db/migration.h"
#include "support/sample.h"

enum { AMOUNTS = 500, OPERATIONS = 16 };

static sqlite3 *database;
static int records;

static void execute(const char *sql)
{
    if (sqlite3_exec(database, sql, NULL, NULL, NULL) != SQLITE_OK)
        fail_msg("%s: %s", sql, sqlite3_errmsg(database));
}

static int setup(void **state)
{
    (void)state;
    assert_int_equal(sqlite3_open(":memory:", &database), SQLITE_OK);
    for (const conv__migration *next = conv__migrations_sqlite; next->version != 0; next++)
        execute(next->sql);
    records = 0;
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    return sqlite3_close(database);
}

/* A record of one hour of the day; no amount is NULL. */
static void save(const char *operation, int hour, const char *amount)
{
    char *sql = sqlite3_mprintf(
        "INSERT INTO usage_logs (log_id, created_at, service, operation, status, cost_usd)"
        " VALUES ('%036d', '2026-11-23T%02d:30:00.000000Z', 'chat', %Q, 'complete', %Q)",
        ++records, hour, operation, amount);
    execute(sql);
    sqlite3_free(sql);
}

/* What the view says of an operation's cost, "NULL" for NULL; static. */
static const char *cost_of(const char *operation)
{
    static char text[128];
    sqlite3_stmt *statement = NULL;
    const char *sql = "SELECT total_cost FROM daily_usage_summary WHERE operation = ?";
    if (sqlite3_prepare_v2(database, sql, -1, &statement, NULL) != SQLITE_OK)
        fail_msg("%s", sqlite3_errmsg(database));
    sqlite3_bind_text(statement, 1, operation, -1, SQLITE_STATIC);
    assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
    const unsigned char *cost = sqlite3_column_text(statement, 0);
    snprintf(text, sizeof text, "%s", cost == NULL ? "NULL" : (const char *)cost);
    assert_int_equal(sqlite3_step(statement), SQLITE_DONE);
    sqlite3_finalize(statement);
    return text;
}

static void sums_are_exact_and_in_their_shortest_form(void **state)
{
    (void)state;
    static const struct {
        const char *amounts[3];
        const char *sum;
    } cases[] = {
        {{"0.1", "0.2"}, "0.3"},
        {{"0.10", NULL, "0.90"}, "1"},
        {{"0", "0.000"}, "0"},
        {{NULL, NULL}, "NULL"},
        {{"10", "20"}, "30"},
        {{"007.50", "7."}, "14.5"},
        {{"9999999999", "1"}, "10000000000"},
        {{"0.9999999999", "0.0000000001"}, "1"},
        {{"99999999999999999999", "0.00000000000000001"}, "99999999999999999999.00000000000000001"},
        {{"0.00000000000000000000000000000000000001", "0.99999999999999999999999999999999999999"},
         "1"},
        {{"99999999999999999999999999999999999999", "99999999999999999999999999999999999999", "2"},
         "200000000000000000000000000000000000000"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char operation[32];
        snprintf(operation, sizeof operation, "case-%zu", i);
        for (int k = 0; k < 3; k++)
            save(operation, k, cases[i].amounts[k]);
        if (strcmp(cost_of(operation), cases[i].sum) != 0)
            fail_msg("%s: %s, not %s", operation, cost_of(operation), cases[i].sum);
    }
}

/* Up to 18 digits before the point and 18 behind it, so that the sum has no more than 38. */
static void make_amount(char text[48])
{
    static unsigned long long seed = 1;
    char whole[24];
    char fraction[24];
    for (int part = 0; part < 2; part++) {
        seed = seed * 6364136223846793005U + 1442695040888963407U;
        unsigned long long number = seed >> 4;
        for (unsigned long long cut = seed % 19; cut > 0; cut--)
            number /= 10;
        snprintf(part == 0 ? whole : fraction, 24, "%0*llu", part == 0 ? 1 : 18,
                 number % 1000000000000000000U);
    }
    snprintf(text, 48, "%s.%s", whole, fraction);
}

static void many_amounts_add_up(void **state)
{
    (void)state;
    conv_decimal wanted[OPERATIONS] = {{0}};
    char operation[32];
    for (int i = 0; i < AMOUNTS; i++) {
        char amount[48];
        conv_decimal *sum = &wanted[i % OPERATIONS];
        make_amount(amount);
        snprintf(operation, sizeof operation, "operation-%d", i % OPERATIONS);
        save(operation, i % 24, amount);
        assert_int_equal(conv_decimal_add(*sum, sample_decimal(amount), sum), CONV_OK);
    }
    for (int i = 0; i < OPERATIONS; i++) {
        char text[CONV_DECIMAL_TEXT_SIZE];
        snprintf(operation, sizeof operation, "operation-%d", i);
        conv_decimal_format(wanted[i], text);
        assert_string_equal(cost_of(operation), text);
    }
}

/* Days as a refresh leaves them, and a record that came after it. */
static void what_was_refreshed_is_added_to_what_was_not(void **state)
{
    (void)state;
    execute("INSERT INTO usage_daily VALUES ('2026-11-23', 'chat', 'o', 4, 4, 1, 0, '0.7')");
    assert_string_equal(cost_of("o"), "0.7");
    save("o", 3, "0.3");
    assert_string_equal(cost_of("o"), "1");
}

/* The pieces of what is gone are negative, each with its carry. */
static void what_is_gone_is_taken_off(void **state)
{
    (void)state;
    static const struct {
        const char *refreshed;
        const char *gone;
        const char *left;
    } cases[] = {
        {"1", "0.5", "0.5"},
        {"0.3", "0.3", "0"},
        {"20000000000.5", "10000000000.75", "9999999999.75"},
        {"10000000000", "0.0000000001", "9999999999.9999999999"},
        {"100000000000000000000", "0.00000000000000001", "99999999999999999999.99999999999999999"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char operation[32];
        char sql[256];
        snprintf(operation, sizeof operation, "gone-%zu", i);
        save(operation, 1, cases[i].gone);
        snprintf(sql, sizeof sql,
                 "DELETE FROM usage_hourly_changes;"
                 "INSERT INTO usage_daily VALUES ('2026-11-23', 'chat', '%s', 2, 2, 0, 0, '%s');"
                 "DELETE FROM usage_logs",
                 operation, cases[i].refreshed);
        execute(sql);
        assert_string_equal(cost_of(operation), cases[i].left);
    }
}

static void what_is_no_amount_makes_its_own_sum_unknown(void **state)
{
    (void)state;
    save("points", 1, "1.2.3");
    save("points", 2, "1");
    save("long", 1, "0.100000000000000000000000000000000000000000");
    save("plain", 1, "1");
    assert_string_equal(cost_of("points"), "NULL");
    assert_string_equal(cost_of("long"), "NULL");
    assert_string_equal(cost_of("plain"), "1");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(sums_are_exact_and_in_their_shortest_form),   TEST(many_amounts_add_up),
        TEST(what_was_refreshed_is_added_to_what_was_not), TEST(what_is_gone_is_taken_off),
        TEST(what_is_no_amount_makes_its_own_sum_unknown),
    };
    return RUN_TESTS("sqlite daily summary", tests);
}
