/* What a refresh of the daily summary costs, counted and not timed, on either store: it follows the
 * new records, however many hours and series the history has and however full the touched hour is.
 */
#include "support/test.h"

#include <sqlite3.h>

#include "core/time.h"
#include "db/sqlite/connection_internal.h"
#include "repositories/postgres/transaction.h"
#include "repositories/sqlite/internal.h"
#include "support/contract_store.h"
#include "support/sample.h"
#include "support/store.h"

static conv__arena arena;
static conv_error error;
static int64_t steps; /* of SQLite's virtual machine */

static bool on_postgres(void)
{
    return strcmp(test_store_kind(), "postgresql") == 0;
}

/* Rows of the ledger and its sums that this session read or wrote. */
static const conv__statement rows_touched = {
    "test_rows_touched", "count rows", 0, true,
    "SELECT sum(seq_tup_read + coalesce(idx_tup_fetch, 0) + n_tup_ins + n_tup_upd + "
    "n_tup_del)::int8"
    " FROM pg_stat_xact_user_tables WHERE relname IN"
    " ('usage_logs', 'usage_hourly', 'usage_hourly_changes', 'usage_daily', "
    "'daily_usage_summary')"};

static conv_status receive_count(void *context, const conv__result *result, conv_error *failure)
{
    (void)failure;
    conv__reader reader = conv__reader_at(result, 0, NULL);
    *(int64_t *)context = conv__next_int8(&reader);
    return reader.status;
}

static int count_step(void *context)
{
    (void)context;
    steps++;
    return 0;
}

/* So far in this transaction. */
static int64_t work_of(conv__transaction *transaction)
{
    if (!on_postgres()) {
        sqlite3_progress_handler(conv__sqlite_of(transaction)->database, 1, count_step, NULL);
        return steps;
    }
    int64_t count = 0;
    conv__parameters none = {.count = 0};
    assert_ok(
        conv__postgres_queue(transaction, &rows_touched, &none, receive_count, &count, &error),
        error);
    assert_ok(conv__postgres_ask(transaction, &error), error);
    return count;
}

static int64_t refresh(int64_t *changed)
{
    conv__store *store = contract_store();
    conv__refresh step = {.rebuild = false};
    int64_t work = 0;
    do {
        conv__transaction *transaction = contract_begin(store, CONV__TRANSACTION_WRITE);
        int64_t before = work_of(transaction);
        assert_ok(store->usage->functions->refresh(store->usage, transaction, &step, &error),
                  error);
        work += work_of(transaction) - before;
        assert_ok(store->functions->commit(transaction, &error), error);
    } while (step.more);
    *changed = step.changed;
    return work;
}

/* `count` records, one each `seconds`, in `series` services. */
static void add_history(int count, int seconds, int series)
{
    char sql[768];
    snprintf(
        sql, sizeof sql,
        on_postgres()
            ? "INSERT INTO usage_logs (log_id, created_at, service, operation, total_tokens,"
              " cost_usd, status) SELECT gen_random_uuid(), timestamptz '2026-01-01 00:00Z' +"
              " n * interval '%d seconds', 'service ' || (n %% %d), 'chat', n, 0.1, 'complete'"
              " FROM generate_series(1, %d) n"
            : "INSERT INTO usage_logs (log_id, created_at, service, operation, total_tokens,"
              " cost_usd, status) WITH RECURSIVE s(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM"
              " s) SELECT lower(hex(randomblob(18))), strftime('%%Y-%%m-%%dT%%H:%%M:%%S.000000Z',"
              " 1767225600 + n * %d, 'unixepoch'), 'service ' || (n %% %d), 'chat', n, '0.1',"
              " 'complete' FROM s LIMIT %d",
        seconds, series, count);
    test_store_execute(test_store_kind(), sql);
}

/* Of one new record in the hour that is the fullest. */
static int64_t work_of_one_record(void)
{
    conv__store *store = contract_store();
    conv_usage usage = CONV_USAGE_INIT;
    bool inserted = false;
    int64_t changed = 0;
    usage.service = conv_text("service 0");
    usage.total_tokens = 7;
    assert_true(conv__time_parse(conv_text("2026-01-01T00:30:00Z"), &usage.created_us));
    const conv__usage_row *row = sample_usage(&arena, &usage);
    conv__transaction *transaction = contract_begin(store, CONV__TRANSACTION_WRITE);
    assert_ok(store->usage->functions->save(store->usage, transaction, &row, 1, &inserted, &error),
              error);
    assert_ok(store->functions->commit(transaction, &error), error);
    int64_t work = refresh(&changed);
    assert_int_equal(changed, 1);
    return work;
}

static void a_refresh_costs_what_is_new(void **state)
{
    (void)state;
    int64_t changed = 0;
    add_history(10, 3600, 1);
    refresh(&changed);
    (void)work_of_one_record(); /* the hour is there */
    int64_t with_little = work_of_one_record();
    assert_true(with_little > 0);
    add_history(6000, 3600, 5); /* hours and series */
    add_history(3000, 1, 7);    /* in one hour */
    refresh(&changed);
    assert_true(changed > 6000);
    int64_t with_much = work_of_one_record();
    if (with_much != with_little)
        fail_msg("%lld, and %lld after more history", (long long)with_little, (long long)with_much);
    /* Read and taken away; its hour and its day found and written. */
    if (on_postgres()) assert_true(with_much <= 6);
    assert_int_equal(contract_count("SELECT sum(count) FROM daily_usage_summary"), 9013);
}

static void a_refresh_without_news_touches_nothing(void **state)
{
    (void)state;
    int64_t changed = 0;
    refresh(&changed);
    int64_t work = refresh(&changed);
    assert_int_equal(changed, 0);
    if (on_postgres()) assert_int_equal(work, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_refresh_costs_what_is_new),
        cmocka_unit_test(a_refresh_without_news_touches_nothing),
    };
    int failures = RUN_TESTS_WITH("summary cost", tests, contract_setup, contract_teardown);
    conv__arena_reset(&arena);
    return failures;
}
