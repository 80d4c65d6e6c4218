/* Bringing the hours and days under the daily summary up to date: what the triggers on usage_logs
 * noted is added to them, by key, and nothing else is read. SQLite has one writer, so each step is
 * small and leaves hours and changes together what the ledger is; others write between steps. */
#include <stdio.h>

#include "repositories/sqlite/internal.h"

#define ACTION "refresh usage"

enum {
    SELECT_BOUNDS,
    ADD_TO_HOURS,
    ADD_TO_DAYS,
    DROP_HOURS,
    DROP_DAYS,
    CLEAR,
    SELECT_DAY,
    EMPTY_DAY,
    EMPTY_HOURS,
    FORGET,
    SUM_HOURS,
    SUM_DAY,
    STATEMENTS
};
enum { CHANGES_AT_ONCE = 4000 };

#define CHANGES                                                                                    \
    "SELECT hour, service, operation, records, failed, unreported, unpriced, input_tokens,"        \
    " output_tokens, total_tokens, cache_read_tokens, cache_write_tokens, reasoning_tokens,"       \
    " cost_usd FROM usage_hourly_changes WHERE rowid <= ?1"
#define CHANGES_OF_DAYS                                                                            \
    "SELECT substr(hour, 1, 10) AS date, service, operation, records, unreported, unpriced,"       \
    " total_tokens, cost_usd FROM usage_hourly_changes WHERE rowid <= ?1"
/* Times of the day ?1, or behind it: 'T' comes before '~', and so does the end of a date. */
#define OF_DAY(column) column " > ?1 AND " column " < ?1 || '~'"
/* The changes, and of `relation` the rows that they are added to; by key. */
#define CHANGES_AND(relation, key)                                                                 \
    " FROM (SELECT * FROM changes UNION ALL SELECT r.* FROM (SELECT DISTINCT " key                 \
    " FROM changes) c CROSS JOIN " relation " r USING (" key ")) GROUP BY 1, 2, 3"

const conv__sqlite_statement conv__sqlite_refresh_statements[] = {
    /* The last of the oldest changes, and of all. */
    [SELECT_BOUNDS] = {"SELECT (SELECT max(rowid) FROM (SELECT rowid FROM usage_hourly_changes"
                       " ORDER BY rowid LIMIT ?1)),"
                       " (SELECT max(rowid) FROM usage_hourly_changes)"},
    [ADD_TO_HOURS] = {"WITH changes AS (" CHANGES ") INSERT OR REPLACE INTO usage_hourly"
                      " SELECT hour, service, operation, sum(records), sum(failed),"
                      " sum(unreported), sum(unpriced), sum(input_tokens), sum(output_tokens),"
                      " sum(total_tokens), sum(cache_read_tokens), sum(cache_write_tokens),"
                      " sum(reasoning_tokens), decimal_sum(cost_usd)" CHANGES_AND(
                          "usage_hourly", "hour, service, operation")},
    [ADD_TO_DAYS] = {"WITH changes AS (" CHANGES_OF_DAYS ") INSERT OR REPLACE INTO usage_daily"
                     " SELECT date, service, operation, sum(records), sum(unreported),"
                     " sum(unpriced), sum(total_tokens), decimal_sum(cost_usd)" CHANGES_AND(
                         "usage_daily", "date, service, operation")},
    /* Those that have no record any more. */
    [DROP_HOURS] = {"DELETE FROM usage_hourly WHERE records = 0 AND (hour, service, operation) IN"
                    " (SELECT hour, service, operation FROM usage_hourly_changes"
                    " WHERE rowid <= ?1 AND records < 0)"},
    [DROP_DAYS] = {"DELETE FROM usage_daily WHERE records = 0 AND (date, service, operation) IN"
                   " (SELECT substr(hour, 1, 10), service, operation FROM usage_hourly_changes"
                   " WHERE rowid <= ?1 AND records < 0)"},
    [CLEAR] = {"DELETE FROM usage_hourly_changes WHERE rowid <= ?1"},
    /* The next day of which anything is said anywhere. */
    [SELECT_DAY] = {"SELECT min(day) FROM ("
                    "SELECT substr(min(created_at), 1, 10) AS day FROM usage_logs"
                    " WHERE created_at > ?1 || '~'"
                    " UNION ALL SELECT substr(min(hour), 1, 10) FROM usage_hourly"
                    " WHERE hour > ?1 || '~'"
                    " UNION ALL SELECT min(date) FROM usage_daily WHERE date > ?1 || '~') AS ways"},
    [EMPTY_DAY] = {"DELETE FROM usage_daily WHERE date = ?1"},
    [EMPTY_HOURS] = {"DELETE FROM usage_hourly WHERE " OF_DAY("hour")},
    [FORGET] = {"DELETE FROM usage_hourly_changes WHERE " OF_DAY("hour")},
    [SUM_HOURS] = {"INSERT INTO usage_hourly SELECT"
                   " substr(created_at, 1, 14) || '00:00.000000Z', service, operation, count(*),"
                   " count(CASE status WHEN 'failed' THEN 1 END), count(*) - count(total_tokens),"
                   " count(*) - count(cost_usd), coalesce(sum(input_tokens), 0),"
                   " coalesce(sum(output_tokens), 0), coalesce(sum(total_tokens), 0),"
                   " coalesce(sum(cache_read_tokens), 0), coalesce(sum(cache_write_tokens), 0),"
                   " coalesce(sum(reasoning_tokens), 0), coalesce(decimal_sum(cost_usd), '0')"
                   " FROM usage_logs WHERE " OF_DAY("created_at") " GROUP BY 1, 2, 3"},
    [SUM_DAY] = {"INSERT INTO usage_daily SELECT ?1, service, operation, sum(records),"
                 " sum(unreported), sum(unpriced), sum(total_tokens), decimal_sum(cost_usd)"
                 " FROM usage_hourly WHERE " OF_DAY("hour") " GROUP BY 2, 3"},
    [STATEMENTS] = {NULL},
};

static void prepare(conv__sqlite_query *query, conv__transaction *transaction, int which)
{
    conv__sqlite_prepare(query, conv__sqlite_of(transaction),
                         &conv__sqlite_refresh_statements[which], ACTION);
}

/* Adds the oldest changes; `left` receives whether some are left of those that there were when the
 * refresh began. */
static conv_status add_changes(conv__transaction *transaction, conv__refresh *refresh, bool *left,
                               conv_error *error)
{
    int64_t bound = 0;
    int64_t last = 0;
    conv__sqlite_query query;
    prepare(&query, transaction, SELECT_BOUNDS);
    conv__sqlite_bind_integer(&query, CHANGES_AT_ONCE);
    if (conv__sqlite_step(&query)) {
        bound = conv__sqlite_integer(&query, 0);
        last = conv__sqlite_integer(&query, 1);
    }
    conv_status status = conv__sqlite_finish(&query, error);
    if (refresh->until == 0) refresh->until = last;
    for (int i = ADD_TO_HOURS; bound > 0 && i <= CLEAR && status == CONV_OK; i++) {
        int64_t rows = 0;
        prepare(&query, transaction, i);
        conv__sqlite_bind_integer(&query, bound);
        status = conv__sqlite_execute(&query, &rows, error);
        if (i == ADD_TO_HOURS) refresh->changed += rows;
    }
    *left = bound < last && bound < refresh->until;
    return status;
}

/* Sums one day anew; `left` receives whether there was one. */
static conv_status sum_day(conv__transaction *transaction, conv__refresh *refresh, bool *left,
                           conv_error *error)
{
    int64_t rows[STATEMENTS] = {0};
    conv__sqlite_query query;
    *left = false;
    prepare(&query, transaction, SELECT_DAY);
    /* Before all days, if none was summed yet. */
    conv__sqlite_bind_text(&query, conv_text(refresh->day[0] != 0 ? refresh->day : "-"));
    if (conv__sqlite_step(&query)) {
        conv_bytes day = conv__sqlite_bytes(&query, 0);
        *left = day.data != NULL;
        if (*left) snprintf(refresh->day, sizeof refresh->day, "%.*s", (int)day.size, day.data);
    }
    conv_status status = conv__sqlite_finish(&query, error);
    for (int i = EMPTY_DAY; *left && i <= SUM_DAY && status == CONV_OK; i++) {
        prepare(&query, transaction, i);
        conv__sqlite_bind_text(&query, conv_text(refresh->day));
        status = conv__sqlite_execute(&query, &rows[i], error);
    }
    refresh->changed += rows[SUM_HOURS] > 0 ? rows[SUM_HOURS] : rows[EMPTY_DAY];
    return status;
}

conv_status conv__sqlite_refresh_usage(conv__usage_repository *usage,
                                       conv__transaction *transaction, conv__refresh *refresh,
                                       conv_error *error)
{
    (void)usage;
    bool left = false;
    conv_status status = CONV_OK;
    if (!refresh->added) {
        status = add_changes(transaction, refresh, &left, error);
        refresh->added = status == CONV_OK && !left;
        refresh->more = left || refresh->rebuild;
    } else {
        status = sum_day(transaction, refresh, &left, error);
        refresh->more = left;
    }
    return status;
}
