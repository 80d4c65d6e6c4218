/* Sums by the days of a zone, and the public calls around the summary: the same totals in every
 * zone (promise P14), and a clear word about zones that don't exist. */
#include "support/store.h"
#include "support/test.h"

#include <stdlib.h>
#include <time.h>

#include "conversation/conversation.h"
#include "core/time.h"
#include "support/contract_client.h"
#include "support/sample.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static conv_client *client;
static conv_error error;

/* A dateline, half an hour, days of 23 and 25 hours, a midnight that came twice. */
static const char *const zones[] = {"UTC",           "Pacific/Kiritimati", "America/St_Johns",
                                    "Europe/Berlin", "Asia/Kathmandu",     "Pacific/Chatham",
                                    "Etc/GMT+12",    "Africa/Monrovia"};

static const char *const times[] = {
    "2026-03-28T22:59:59.999999Z", "2026-03-28T23:00:00Z",        "2026-03-29T00:59:59Z",
    "2026-03-29T01:00:00Z",        "2026-03-29T21:59:59.999999Z", "2026-03-29T22:00:00Z",
    "2026-10-24T22:00:00Z",        "2026-10-25T00:59:59.999999Z", "2026-10-25T01:00:00Z",
    "2026-10-25T22:59:59.999999Z", "2026-10-25T23:00:00Z",        "2026-12-31T09:59:59.999999Z",
    "2026-12-31T10:00:00Z",        "2026-12-31T23:59:59.999999Z", "2027-01-01T03:29:59.999999Z",
    "2027-01-01T03:30:00Z",        "2024-02-29T12:00:00Z",        "2006-10-29T02:30:30Z",
    "2006-10-29T02:31:30Z",        "2006-10-29T03:30:30Z",        "1971-06-01T00:44:29Z",
    "1971-06-01T00:44:30Z",        "2060-07-01T23:30:00Z",        "2460-07-01T22:30:00Z",
};

static conv_client *open_client(bool read_only)
{
    conv_client_params params = contract_client_params();
    if (read_only) params.schema = CONV_SCHEMA_CHECK;
    params.read_only = read_only;
    return contract_client_open(&params);
}

static int setup(void **state)
{
    if (contract_client_setup(state) != 0) return -1;
    client = open_client(false);
    for (size_t i = 0; i < COUNT(times); i++) {
        conv_usage usage = CONV_USAGE_INIT;
        char cost[32];
        snprintf(cost, sizeof cost, "0.%06u", 1u + (unsigned)i);
        usage.total_tokens = (int64_t)(i + 1);
        usage.priced = true;
        usage.cost_usd = sample_decimal(cost);
        assert_true(conv__time_parse(conv_text(times[i]), &usage.created_us));
        assert_ok(conv_track_usage(client, &usage, &error), error);
    }
    assert_ok(conv_track_flush(client, 60000, NULL, &error), error);
    return 0;
}

static int teardown(void **state)
{
    contract_client_close(&client);
    return contract_client_teardown(state);
}

static conv_usage_totals *sum(const char *zone, conv_usage_group group)
{
    conv_usage_totals *totals = NULL;
    conv_usage_filter filter = CONV_USAGE_FILTER_INIT;
    filter.zone = conv_text(zone);
    assert_ok(conv_usage_sum(client, &filter, group, &totals, &error), error);
    return totals;
}

/* The day as the C library has it, which reads the zone on its own. */
static void day_of(const char *time, char day[11])
{
    int64_t time_us;
    struct tm parts;
    assert_true(conv__time_parse(conv_text(time), &time_us));
    time_t clock = (time_t)(time_us / 1000000);
    localtime_r(&clock, &parts);
    assert_int_equal(strftime(day, 11, "%Y-%m-%d", &parts), 10);
}

static void a_day_holds_what_the_clocks_there_say(void **state)
{
    (void)state;
    for (size_t z = 0; z < COUNT(zones); z++) {
        setenv("TZ", zones[z], 1);
        tzset();
        conv_usage_totals *totals = sum(zones[z], CONV_USAGE_GROUP_DAY);
        int64_t records = 0;
        for (size_t r = 0; r < conv_usage_totals_count(totals); r++) {
            const conv_usage_total *row = conv_usage_totals_row(totals, r);
            int64_t tokens = 0;
            for (size_t i = 0; i < COUNT(times); i++) {
                char day[11];
                day_of(times[i], day);
                if (conv_bytes_equal(row->key, conv_text(day))) tokens += (int64_t)(i + 1);
            }
            if (row->total_tokens != tokens)
                fail_msg("%s %.10s: %lld, not %lld", zones[z], row->key.data,
                         (long long)row->total_tokens, (long long)tokens);
            records += row->records;
        }
        assert_int_equal(records, COUNT(times));
        conv_usage_totals_free(totals);
    }
}

/* Its days are added here: SQLite has no exact sum of its own. */
static conv_decimal cost_of_summary(void)
{
    conv_decimal sum = {0};
    long rows = contract_count("SELECT count(*) FROM daily_usage_summary");
    assert_true(rows > 1);
    for (long i = 0; i < rows; i++) {
        char sql[96];
        snprintf(sql, sizeof sql,
                 "SELECT total_cost FROM daily_usage_summary ORDER BY date LIMIT 1 OFFSET %ld", i);
        assert_int_equal(conv_decimal_add(sum, sample_decimal(contract_value(sql)), &sum), CONV_OK);
    }
    return sum;
}

static void totals_are_the_same_in_every_zone(void **state)
{
    (void)state;
    assert_ok(conv_usage_refresh(client, NULL, NULL, &error), error);
    conv_usage_totals *all = sum(NULL, CONV_USAGE_GROUP_NONE);
    const conv_usage_total *wanted = conv_usage_totals_row(all, 0);
    for (size_t z = 0; z < COUNT(zones); z++) {
        conv_usage_totals *totals = sum(zones[z], CONV_USAGE_GROUP_DAY);
        conv_usage_total got = {0};
        for (size_t r = 0; r < conv_usage_totals_count(totals); r++) {
            const conv_usage_total *row = conv_usage_totals_row(totals, r);
            got.records += row->records;
            got.total_tokens += row->total_tokens;
            assert_int_equal(conv_decimal_add(got.cost_usd, row->cost_usd, &got.cost_usd), CONV_OK);
        }
        assert_int_equal(got.records, wanted->records);
        assert_int_equal(got.total_tokens, wanted->total_tokens);
        assert_int_equal(conv_decimal_compare(got.cost_usd, wanted->cost_usd), 0);
        conv_usage_totals_free(totals);
    }
    assert_int_equal(conv_decimal_compare(cost_of_summary(), wanted->cost_usd), 0);
    conv_usage_totals_free(all);
}

/* The rows of the report in UTC are those of the view. */
static void days_of_utc_are_those_of_the_summary(void **state)
{
    (void)state;
    assert_ok(conv_usage_refresh(client, NULL, NULL, &error), error);
    conv_usage_totals *totals = sum("", CONV_USAGE_GROUP_DAY);
    for (size_t r = 0; r < conv_usage_totals_count(totals); r++) {
        const conv_usage_total *row = conv_usage_totals_row(totals, r);
        assert_int_equal(
            contract_count("SELECT total_tokens FROM daily_usage_summary WHERE date = '%s'",
                           row->key.data),
            row->total_tokens);
    }
    conv_usage_totals_free(totals);
}

static void a_range_of_days_takes_their_records(void **state)
{
    (void)state;
    conv_usage_filter filter = CONV_USAGE_FILTER_INIT;
    conv_usage_totals *totals = NULL;
    filter.zone = conv_text("Europe/Berlin");
    assert_ok(conv_zone_day_start("Europe/Berlin", "2026-10-25", &filter.from_us, &error), error);
    assert_ok(conv_zone_day_start("Europe/Berlin", "2026-10-26", &filter.to_us, &error), error);
    assert_true(filter.to_us - filter.from_us == INT64_C(25) * 3600 * 1000000);
    assert_ok(conv_usage_sum(client, &filter, CONV_USAGE_GROUP_DAY, &totals, &error), error);
    assert_int_equal(conv_usage_totals_count(totals), 1);
    assert_bytes(conv_usage_totals_row(totals, 0)->key, "2026-10-25");
    assert_int_equal(conv_usage_totals_row(totals, 0)->records, 4);
    conv_usage_totals_free(totals);
}

static void a_zone_that_does_not_exist_is_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "Mars/Olympus",
        "europe/berlin",
        "Europe",
        "../../etc/passwd",
        "/etc/localtime",
        "Europe/Berlin'; DROP TABLE usage_logs; --",
        "PST",
        "EST+5EDT",
        "+03",
        " UTC",
        "Europe/",
        "right/Europe/Berlin",
        "tzdata.zi",
        "zone1970.tab",
        "Europe/Berlin/Mitte",
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"};
    conv_usage_filter filter = CONV_USAGE_FILTER_INIT;
    for (size_t i = 0; i < COUNT(bad); i++) {
        conv_usage_totals *totals = NULL;
        int64_t start = 0;
        filter.zone = conv_text(bad[i]);
        assert_status(conv_usage_sum(client, &filter, CONV_USAGE_GROUP_DAY, &totals, &error),
                      CONV_INVALID_ARGUMENT, error);
        assert_null(totals);
        assert_non_null(strstr(error.message, "time zone"));
        assert_status(conv_zone_day_start(bad[i], "2026-11-23", &start, &error),
                      CONV_INVALID_ARGUMENT, error);
    }
    filter.zone = conv_view("UTC\0x", 5);
    conv_usage_totals *totals = NULL;
    assert_status(conv_usage_sum(client, &filter, CONV_USAGE_GROUP_DAY, &totals, &error),
                  CONV_INVALID_ARGUMENT, error);
    int64_t start = 0;
    assert_status(conv_zone_day_start("UTC", "2026-02-30", &start, &error), CONV_INVALID_ARGUMENT,
                  error);
    assert_status(conv_zone_day_start("UTC", NULL, &start, &error), CONV_INVALID_ARGUMENT, error);
    assert_status(conv_zone_day_start("UTC", "2026-02-03", NULL, &error), CONV_INVALID_ARGUMENT,
                  error);
}

static void a_system_without_zones_says_so(void **state)
{
    (void)state;
    conv_usage_totals *totals = NULL;
    conv_usage_filter filter = CONV_USAGE_FILTER_INIT;
    filter.zone = conv_text("Europe/Berlin");
    setenv("TZDIR", "/nowhere", 1);
    assert_status(conv_usage_sum(client, &filter, CONV_USAGE_GROUP_DAY, &totals, &error),
                  CONV_UNAVAILABLE, error);
    assert_non_null(strstr(error.message, "tzdata"));
    conv_usage_totals_free(sum("UTC", CONV_USAGE_GROUP_DAY));
    unsetenv("TZDIR");
}

static void reconciling_proves_that_all_agree(void **state)
{
    (void)state;
    conv_reconciliation *result = NULL;
    int64_t hours = -1;
    assert_ok(conv_usage_refresh(client, NULL, &hours, &error), error);
    assert_ok(conv_reconcile(client, NULL, &result, &error), error);
    assert_true(conv_reconciliation_agrees(result));
    assert_int_equal(conv_reconciliation_count(result), 0);
    assert_null(conv_reconciliation_difference(result, 0));
    assert_false(conv_reconciliation_has_more(result));
    assert_int_equal(conv_reconciliation_pending(result), 0);
    for (int i = CONV_ACCOUNT_LEDGER; i <= CONV_ACCOUNT_SESSIONS; i++)
        assert_int_equal(conv_reconciliation_sums(result, (conv_account)i)->records, COUNT(times));
    assert_null(conv_reconciliation_sums(result, (conv_account)7));
    conv_reconciliation_free(result);
    conv_reconciliation_free(NULL);

    contract_execute("UPDATE usage_hourly SET records = records + 1");
    assert_ok(conv_reconcile(client, NULL, &result, &error), error);
    assert_false(conv_reconciliation_agrees(result));
    assert_true(conv_reconciliation_count(result) > 0);
    conv_reconciliation_free(result);
    conv_refresh_params params = CONV_REFRESH_PARAMS_INIT;
    params.rebuild = true;
    assert_ok(conv_usage_refresh(client, &params, &hours, &error), error);
    assert_true(hours > 0);
    assert_ok(conv_reconcile(client, NULL, &result, &error), error);
    assert_true(conv_reconciliation_agrees(result));
    conv_reconciliation_free(result);
}

static void what_is_wrong_with_a_call_is_said(void **state)
{
    (void)state;
    conv_reconciliation *result = NULL;
    conv_refresh_params refresh = CONV_REFRESH_PARAMS_INIT;
    conv_reconcile_params params = CONV_RECONCILE_PARAMS_INIT;
    refresh.timeout_ms = -1;
    assert_status(conv_usage_refresh(client, &refresh, NULL, &error), CONV_INVALID_ARGUMENT, error);
    refresh.size = 0;
    assert_status(conv_usage_refresh(client, &refresh, NULL, &error), CONV_INVALID_ARGUMENT, error);
    params.timeout_ms = -1;
    assert_status(conv_reconcile(client, &params, &result, &error), CONV_INVALID_ARGUMENT, error);
    params.size = 0;
    assert_status(conv_reconcile(client, &params, &result, &error), CONV_INVALID_ARGUMENT, error);
    assert_null(result);
    assert_status(conv_reconcile(client, NULL, NULL, &error), CONV_INVALID_ARGUMENT, error);
    assert_status(conv_reconcile(NULL, NULL, &result, &error), CONV_INVALID_ARGUMENT, error);
    assert_status(conv_usage_refresh(NULL, NULL, NULL, &error), CONV_INVALID_ARGUMENT, error);
    if (strcmp(test_store_kind(), "sqlite") != 0) return;
    conv_client *reader = open_client(true);
    assert_status(conv_usage_refresh(reader, NULL, NULL, &error), CONV_PERMISSION, error);
    assert_ok(conv_client_close(reader, 0, &error), error);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_day_holds_what_the_clocks_there_say),
        cmocka_unit_test(totals_are_the_same_in_every_zone),
        cmocka_unit_test(days_of_utc_are_those_of_the_summary),
        cmocka_unit_test(a_range_of_days_takes_their_records),
        cmocka_unit_test(a_zone_that_does_not_exist_is_refused),
        cmocka_unit_test(a_system_without_zones_says_so),
        cmocka_unit_test(reconciling_proves_that_all_agree),
        cmocka_unit_test(what_is_wrong_with_a_call_is_said),
    };
    return RUN_TESTS_WITH("report", tests, setup, teardown);
}
