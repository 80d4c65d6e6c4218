/* The daily summary: what it shows after a refresh, whatever became of the records, and what
 * reconciling says about it (promises P9, P14). */
#include "support/contract_store.h"
#include "support/sample.h"
#include "support/store.h"
#include "support/test.h"

#include <unistd.h>

#include "core/time.h"

static conv__arena arena;
static conv_error error;

static int reset(void **state)
{
    (void)state;
    conv__arena_reset(&arena);
    error = (conv_error)CONV_ERROR_INIT;
    return 0;
}

static bool on_postgres(void)
{
    return strcmp(test_store_kind(), "postgresql") == 0;
}

static void execute(const char *sql)
{
    test_store_execute(test_store_kind(), sql);
}

static const char *value(const char *sql)
{
    return test_store_value(test_store_kind(), sql);
}

/* A record at a time of UTC; negative tokens and no cost are unknown. */
static conv__usage_row *record(const char *service, const char *time, int64_t tokens,
                               const char *cost)
{
    conv_usage usage = CONV_USAGE_INIT;
    usage.service = conv_text(service);
    usage.total_tokens = tokens;
    usage.priced = cost != NULL;
    if (cost != NULL) usage.cost_usd = sample_decimal(cost);
    assert_true(conv__time_parse(conv_text(time), &usage.created_us));
    return sample_usage(&arena, &usage);
}

static void save(const conv__usage_row *row, bool wanted)
{
    conv__store *store = contract_store();
    bool inserted = false;
    conv__transaction *transaction = contract_begin(store, CONV__TRANSACTION_WRITE);
    assert_ok(store->usage->functions->save(store->usage, transaction, &row, 1, &inserted, &error),
              error);
    assert_ok(store->functions->commit(transaction, &error), error);
    assert_int_equal(inserted, wanted);
}

static void step(conv__refresh *refresh)
{
    conv__store *store = contract_store();
    conv__transaction *transaction = contract_begin(store, CONV__TRANSACTION_WRITE);
    assert_ok(store->usage->functions->refresh(store->usage, transaction, refresh, &error), error);
    assert_ok(store->functions->commit(transaction, &error), error);
}

static int64_t refresh_with(bool rebuild)
{
    conv__refresh refresh = {.rebuild = rebuild};
    do
        step(&refresh);
    while (refresh.more);
    return refresh.changed;
}

static int64_t refresh(void)
{
    return refresh_with(false);
}

static conv__reconciliation reconcile(size_t limit)
{
    conv__store *store = contract_store();
    conv__reconciliation found = {0};
    conv__transaction *transaction = contract_begin(store, CONV__TRANSACTION_READ);
    assert_ok(store->usage->functions->reconcile(store->usage, transaction, limit, &arena, &found,
                                                 &error),
              error);
    store->functions->rollback(transaction);
    return found;
}

static void assert_agrees(void)
{
    conv__reconciliation found = reconcile(100);
    for (size_t i = 0; i < found.list.count; i++) {
        const conv_difference *one = &found.list.differences[i];
        print_message("%s.%s %s %s: %s, not %s\n", one->relation.data, one->field.data,
                      one->date.data, one->service.data, one->found.data, one->wanted.data);
    }
    assert_int_equal(found.list.count, 0);
    for (int i = CONV_ACCOUNT_SUMMARY; i <= CONV_ACCOUNT_SESSIONS; i++) {
        assert_int_equal(found.sums[i].records, found.sums[CONV_ACCOUNT_LEDGER].records);
        assert_int_equal(found.sums[i].total_tokens, found.sums[CONV_ACCOUNT_LEDGER].total_tokens);
        assert_int_equal(
            conv_decimal_compare(found.sums[i].cost_usd, found.sums[CONV_ACCOUNT_LEDGER].cost_usd),
            0);
    }
}

/* "date count tokens cost" of a service's days, "-" for NULL, with "|" between. */
static const char *days_of(const char *service)
{
    char sql[512];
    snprintf(sql, sizeof sql,
             "SELECT %s(line, '|') FROM (SELECT date || ' ' || count || ' ' ||"
             " coalesce(CAST(total_tokens AS text), '-') || ' ' ||"
             " coalesce(CAST(%s(total_cost) AS text), '-') AS line FROM daily_usage_summary"
             " WHERE service = '%s' ORDER BY date) l",
             on_postgres() ? "string_agg" : "group_concat", on_postgres() ? "trim_scale" : "",
             service);
    return value(sql);
}

static void test_the_columns_are_those_of_the_schema(void **state)
{
    (void)state;
    assert_int_equal(contract_count("SELECT count(*) FROM (SELECT date, service, operation, count,"
                                    " total_tokens, total_cost FROM daily_usage_summary) s"),
                     0);
}

static void test_a_refresh_shows_what_was_saved(void **state)
{
    (void)state;
    save(record("days", "2026-03-28T23:59:59.999999Z", 10, "0.1"), true);
    save(record("days", "2026-03-29T00:00:00Z", 3000000000, "0.2"), true);
    save(record("days", "2026-03-29T23:59:59.999999Z", 3000000000, "0.1"), true);
    assert_agrees();
    assert_int_equal(refresh(), 3);
    assert_string_equal(days_of("days"), "2026-03-28 1 10 0.1|2026-03-29 2 6000000000 0.3");
    assert_agrees();
    assert_int_equal(refresh(), 0);
}

static void test_late_records_go_to_their_own_day(void **state)
{
    (void)state;
    save(record("late", "2026-05-02T10:00:00Z", 1, "1"), true);
    refresh();
    save(record("late", "2025-12-31T23:00:00Z", 2, "2"), true);
    assert_int_equal(refresh(), 1);
    assert_string_equal(days_of("late"), "2025-12-31 1 2 2|2026-05-02 1 1 1");
    assert_agrees();
}

static void test_nothing_known_is_not_zero(void **state)
{
    (void)state;
    save(record("unknown", "2026-05-02T10:00:00Z", CONV_UNKNOWN, NULL), true);
    refresh();
    assert_string_equal(days_of("unknown"), "2026-05-02 1 - -");
    save(record("unknown", "2026-05-02T11:00:00Z", 0, "0"), true);
    assert_agrees();
    refresh();
    assert_string_equal(days_of("unknown"), "2026-05-02 2 0 0");
    assert_agrees();
}

static void test_a_replay_counts_once(void **state)
{
    (void)state;
    const conv__usage_row *row = record("replayed", "2026-05-02T10:00:00Z", 5, "0.5");
    save(row, true);
    save(row, false);
    refresh();
    save(row, false);
    refresh();
    assert_string_equal(days_of("replayed"), "2026-05-02 1 5 0.5");
    assert_agrees();
}

/* Before a refresh and after one. */
static void test_what_is_gone_is_taken_back(void **state)
{
    (void)state;
    save(record("gone", "2026-05-02T10:00:00Z", 5, "0.5"), true);
    save(record("gone", "2026-05-02T10:30:00Z", 7, NULL), true);
    execute("DELETE FROM usage_logs WHERE service = 'gone' AND total_tokens = 7");
    refresh();
    assert_string_equal(days_of("gone"), "2026-05-02 1 5 0.5");
    execute("UPDATE usage_logs SET cost_usd = '0.25', created_at = '2026-05-03T00:00:00.000000Z'"
            " WHERE service = 'gone'");
    assert_agrees();
    refresh();
    assert_string_equal(days_of("gone"), "2026-05-03 1 5 0.25");
    execute("DELETE FROM usage_logs WHERE service = 'gone'");
    refresh();
    assert_string_equal(days_of("gone"), "");
    assert_agrees();
}

/* Of the service: hours, days, and what the next refresh will add. */
static void assert_rows(const char *service, int hours, int days, int changes)
{
    static const char *const tables[] = {"usage_hourly", "usage_daily", "usage_hourly_changes"};
    const int wanted[] = {hours, days, changes};
    for (int i = 0; i < 3; i++)
        assert_int_equal(
            contract_count("SELECT count(*) FROM %s WHERE service = '%s'", tables[i], service),
            wanted[i]);
}

static void test_hours_and_days_without_records_go(void **state)
{
    (void)state;
    save(record("passing", "2026-05-02T10:00:00Z", 5, "0.5"), true);
    execute("DELETE FROM usage_logs WHERE service = 'passing'");
    refresh();
    assert_rows("passing", 0, 0, 0);
    save(record("passing", "2026-05-02T10:00:00Z", 5, "0.5"), true);
    save(record("passing", "2026-05-02T11:00:00Z", 6, NULL), true);
    save(record("passing", "2026-05-02T11:30:00Z", 7, NULL), true);
    refresh();
    execute("DELETE FROM usage_logs WHERE service = 'passing' AND total_tokens <> 6");
    refresh();
    assert_rows("passing", 1, 1, 0);
    assert_string_equal(days_of("passing"), "2026-05-02 1 6 -");
    assert_agrees();
    execute("DELETE FROM usage_logs WHERE service = 'passing'");
    refresh();
    assert_rows("passing", 0, 0, 0);
    assert_agrees();
}

static void test_a_replaced_attempt_is_counted_as_its_last(void **state)
{
    (void)state;
    conv__store *store = contract_store();
    conv__save_result result;
    conv__exchange *failed = sample_failed_exchange(&arena, "summary replace", "lost");
    failed->usage.usage.service = conv_text("replaced");
    const conv__exchange *first = failed;
    assert_ok(contract_save(store, &first, 1, &result, &error), error);
    refresh();
    conv__exchange *again = sample_exchange(&arena, "summary replace", "lost", "found");
    again->exchange_id = failed->exchange_id;
    again->replaces_failed = true;
    again->usage.usage.service = conv_text("replaced");
    memcpy(again->request_hash, failed->request_hash, sizeof again->request_hash);
    const conv__exchange *second = again;
    conv__transaction *transaction = contract_begin(store, CONV__TRANSACTION_WRITE);
    assert_ok(store->chat->functions->remove_failed(store->chat, transaction, again, &error),
              error);
    assert_ok(store->chat->functions->save(store->chat, transaction, &second, 1, &result, &error),
              error);
    assert_ok(store->functions->commit(transaction, &error), error);
    assert_agrees();
    refresh();
    assert_int_equal(contract_count("SELECT sum(count) FROM daily_usage_summary"
                                    " WHERE service = 'replaced'"),
                     1);
    assert_int_equal(contract_count("SELECT sum(failed) FROM usage_hourly"
                                    " WHERE service = 'replaced'"),
                     0);
    assert_agrees();
}

/* A transaction that began long before others and commits after a refresh. */
static void test_a_late_commit_is_not_missed(void **state)
{
    (void)state;
    if (!on_postgres()) return; /* SQLite has one writer at a time */
    conv__store *store = contract_store();
    const conv__usage_row *row = record("slow", "2026-05-02T10:00:00Z", 5, "0.5");
    bool inserted = false;
    conv__transaction *slow = contract_begin(store, CONV__TRANSACTION_WRITE);
    assert_ok(store->usage->functions->save(store->usage, slow, &row, 1, &inserted, &error), error);
    /* Any question sends what is queued. */
    conv__usage_total_list sums;
    const conv__usage_query all = {.service = conv_text("slow")};
    assert_ok(store->usage->functions->sum(store->usage, slow, &all, CONV_USAGE_GROUP_NONE, &arena,
                                           &sums, &error),
              error);
    assert_int_equal(sums.rows[0].records, 1);
    save(record("slow", "2026-05-02T12:00:00Z", 7, "0.7"), true);
    refresh();
    assert_string_equal(days_of("slow"), "2026-05-02 1 7 0.7");
    assert_agrees();
    assert_ok(store->functions->commit(slow, &error), error);
    assert_agrees();
    refresh();
    assert_string_equal(days_of("slow"), "2026-05-02 2 12 1.2");
    assert_agrees();
}

/* Other programs write, too: with few rights, another search_path, or a table that only looks like
 * ours. */
static void test_whoever_writes_is_counted(void **state)
{
    (void)state;
    if (!on_postgres()) return;
#define RECORD                                                                                     \
    "INSERT INTO public.usage_logs (log_id, created_at, service, operation, status)"               \
    " VALUES (gen_random_uuid(), '2026-05-02T10:00:00Z', 'foreign', 'chat', 'complete');"
    char sql[1024];
    snprintf(sql, sizeof sql,
             "CREATE ROLE conversation_writer_%d; GRANT INSERT ON usage_logs TO"
             " conversation_writer_%d; SET ROLE conversation_writer_%d; " RECORD
             "RESET ROLE; DROP OWNED BY conversation_writer_%d; DROP ROLE conversation_writer_%d",
             (int)getpid(), (int)getpid(), (int)getpid(), (int)getpid(), (int)getpid());
    execute(sql);
    execute("SET search_path = pg_catalog; " RECORD);
    execute("CREATE TEMP TABLE usage_hourly_changes (LIKE public.usage_hourly_changes); " RECORD);
    execute("COPY usage_logs (log_id, created_at, service, operation, status) FROM PROGRAM"
            " 'echo 00000000-0000-4000-8000-000000000009,2026-05-02T10:00Z,foreign,chat,complete'"
            " (FORMAT csv)");
#undef RECORD
    assert_agrees();
    refresh();
    assert_string_equal(days_of("foreign"), "2026-05-02 4 - -");
    assert_agrees();
}

static void test_an_emptied_ledger_has_empty_sums(void **state)
{
    (void)state;
    save(record("emptied", "2026-05-02T10:00:00Z", 5, "0.5"), true);
    refresh();
    save(record("emptied", "2026-05-02T11:00:00Z", 5, "0.5"), true);
    execute(on_postgres() ? "SET lock_timeout = 10000; TRUNCATE usage_logs, chat_exchanges, "
                            "chat_messages, chat_sessions CASCADE"
                          : "DELETE FROM usage_logs; DELETE FROM chat_exchanges;"
                            " DELETE FROM chat_messages; DELETE FROM chat_sessions");
    assert_agrees();
    refresh();
    assert_int_equal(contract_count("SELECT count(*) FROM daily_usage_summary"), 0);
    assert_agrees();
}

static const conv_difference *find(const conv__reconciliation *found, const char *relation,
                                   const char *field)
{
    for (size_t i = 0; i < found->list.count; i++) {
        const conv_difference *one = &found->list.differences[i];
        if (conv_bytes_equal(one->relation, conv_text(relation)) &&
            conv_bytes_equal(one->field, conv_text(field)))
            return one;
    }
    fail_msg("no difference in %s.%s", relation, field);
    return NULL;
}

static void test_a_wrong_sum_is_named_and_mended(void **state)
{
    (void)state;
    save(record("tampered", "2026-05-02T10:00:00Z", 5, "0.5"), true);
    save(record("lost", "2026-05-03T10:00:00Z", 5, "0.5"), true);
    refresh();
    execute("UPDATE usage_hourly SET total_tokens = total_tokens + 1, cost_usd = '0.75'"
            " WHERE service = 'tampered'");
    execute("DELETE FROM usage_hourly WHERE service = 'lost'");
    execute("UPDATE usage_daily SET records = records + 1 WHERE service = 'tampered'");
    conv__reconciliation found = reconcile(100);
    const conv_difference *one = find(&found, "usage_hourly", "cost_usd");
    assert_bytes(one->service, "tampered");
    assert_bytes(one->wanted, "0.5");
    assert_bytes(one->found, "0.75");
    one = find(&found, "usage_hourly", "records");
    assert_bytes(one->date, "2026-05-03");
    assert_bytes(one->service, "lost");
    assert_bytes(one->operation, "chat");
    assert_bytes(one->wanted, "1");
    assert_null(one->found.data);
    assert_null(one->session_id.data);
    one = find(&found, "daily_usage_summary", "count");
    assert_bytes(one->service, "tampered");
    assert_bytes(one->wanted, "1");
    assert_bytes(one->found, "2");
    found = reconcile(1);
    assert_true(found.list.has_more);
    assert_int_equal(found.list.count, 2);
    refresh_with(true);
    assert_agrees();
    assert_string_equal(days_of("tampered"), "2026-05-02 1 5 0.5");
    assert_string_equal(days_of("lost"), "2026-05-03 1 5 0.5");
    assert_int_equal(refresh_with(true) == 0 || !on_postgres(), true);
}

static void test_a_missing_record_and_a_wrong_count_are_named(void **state)
{
    (void)state;
    conv__exchange *exchanges[2] = {sample_exchange(&arena, "reconciled", "a", "b"),
                                    sample_exchange(&arena, "reconciled", "c", "d")};
    assert_ok(
        contract_save(contract_store(), (const conv__exchange *const *)exchanges, 2, NULL, &error),
        error);
    assert_agrees();
    int64_t records = reconcile(1).sums[CONV_ACCOUNT_LEDGER].records;
    char sql[256];
    snprintf(sql, sizeof sql, "DELETE FROM usage_logs WHERE log_id = '%s'",
             contract_uuid(exchanges[1]->usage.usage.log_id));
    execute(sql);
    execute("UPDATE chat_sessions SET message_count = message_count - 1"
            " WHERE external_id = 'reconciled'");
    conv__reconciliation found = reconcile(100);
    assert_int_equal(found.list.count, 2);
    const conv_difference *one = find(&found, "usage_logs", "records");
    assert_bytes(one->session_id, "reconciled");
    assert_bytes(one->wanted, "2");
    assert_bytes(one->found, "1");
    assert_null(one->date.data);
    one = find(&found, "chat_sessions", "message_count");
    assert_bytes(one->session_id, "reconciled");
    assert_bytes(one->wanted, "4");
    assert_bytes(one->found, "3");
    assert_int_equal(found.sums[CONV_ACCOUNT_LEDGER].records, records - 1);
    assert_int_equal(found.sums[CONV_ACCOUNT_SUMMARY].records, records - 1);
    assert_int_equal(found.sums[CONV_ACCOUNT_SESSIONS].records, records);
}

/* SQLite has one writer, who comes between two steps; on PostgreSQL nobody waits for a refresh. */
static void test_a_refresh_lets_others_write(void **state)
{
    (void)state;
    enum { ROWS = 9000 };
    conv__refresh refresh_of_many = {.rebuild = false};
    char sql[768];
    int steps = 0;
    refresh();
    snprintf(sql, sizeof sql,
             on_postgres()
                 ? "INSERT INTO usage_logs (log_id, created_at, service, operation, total_tokens,"
                   " cost_usd, status) SELECT gen_random_uuid(), timestamptz '2026-01-01 00:00Z' +"
                   " n * interval '9 seconds', 'many', 'chat', n, 0.1, 'complete'"
                   " FROM generate_series(1, %d) n"
                 : "INSERT INTO usage_logs (log_id, created_at, service, operation, total_tokens,"
                   " cost_usd, status) WITH RECURSIVE s(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM"
                   " s) SELECT lower(hex(randomblob(18))),"
                   " strftime('%%Y-%%m-%%dT%%H:%%M:%%S.000000Z', 1767225600 + n * 9, 'unixepoch'),"
                   " 'many', 'chat', n, '0.1', 'complete' FROM s LIMIT %d",
             ROWS);
    execute(sql);
    do {
        step(&refresh_of_many);
        assert_agrees();
        if (steps++ == 0) save(record("between", "2026-01-01T00:30:00Z", 5, "0.5"), true);
    } while (refresh_of_many.more);
    assert_int_equal(steps, on_postgres() ? 1 : 3);
    if (!on_postgres())
        assert_int_equal(contract_count("SELECT count(*) FROM usage_hourly_changes"), 0);
    execute("UPDATE usage_hourly SET records = records + 1 WHERE service = 'many'");
    assert_true(refresh_with(true) > 0);
    assert_agrees();
    execute("DELETE FROM usage_logs WHERE service IN ('many', 'between')");
    refresh();
    assert_agrees();
}

static void test_days_that_are_wrong_alone_are_mended_and_counted(void **state)
{
    (void)state;
    save(record("daily", "2026-03-03T00:30:00Z", 5, "0.5"), true);
    save(record("daily", "2026-03-04T00:30:00Z", 5, "0.5"), true);
    refresh_with(true);
    if (on_postgres()) assert_int_equal(refresh_with(true), 0);
    execute("UPDATE usage_daily SET records = records + 1 WHERE service = 'daily'"
            " AND date = '2026-03-03'");
    execute("DELETE FROM usage_daily WHERE service = 'daily' AND date = '2026-03-04'");
    execute("INSERT INTO usage_daily VALUES ('2020-02-02', 'daily', 'none', 1, 1, 1, 0, '0')");
    int64_t changed = refresh_with(true);
    if (on_postgres()) assert_int_equal(changed, 3);
    assert_true(changed > 0);
    assert_agrees();
    assert_int_equal(contract_count("SELECT count(*) FROM usage_daily WHERE date = '2020-02-02'"),
                     0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_the_columns_are_those_of_the_schema, reset),
        cmocka_unit_test_setup(test_a_refresh_shows_what_was_saved, reset),
        cmocka_unit_test_setup(test_late_records_go_to_their_own_day, reset),
        cmocka_unit_test_setup(test_nothing_known_is_not_zero, reset),
        cmocka_unit_test_setup(test_a_replay_counts_once, reset),
        cmocka_unit_test_setup(test_what_is_gone_is_taken_back, reset),
        cmocka_unit_test_setup(test_hours_and_days_without_records_go, reset),
        cmocka_unit_test_setup(test_a_replaced_attempt_is_counted_as_its_last, reset),
        cmocka_unit_test_setup(test_a_late_commit_is_not_missed, reset),
        cmocka_unit_test_setup(test_whoever_writes_is_counted, reset),
        cmocka_unit_test_setup(test_an_emptied_ledger_has_empty_sums, reset),
        cmocka_unit_test_setup(test_a_wrong_sum_is_named_and_mended, reset),
        cmocka_unit_test_setup(test_a_refresh_lets_others_write, reset),
        cmocka_unit_test_setup(test_days_that_are_wrong_alone_are_mended_and_counted, reset),
        cmocka_unit_test_setup(test_a_missing_record_and_a_wrong_count_are_named, reset),
    };
    int failures = RUN_TESTS_WITH("summary", tests, contract_setup, contract_teardown);
    conv__arena_reset(&arena);
    return failures;
}
