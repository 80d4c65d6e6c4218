/* Bringing the hours and days under the daily summary up to date: what the triggers on usage_logs
 * noted is added to them, by key, and nothing else is read. */
#include "repositories/sqlite/internal.h"

#define ACTION "refresh usage"

enum { EMPTY_HOURS, EMPTY_DAYS, FORGET, NOTE_ALL, ADD_TO_HOURS, ADD_TO_DAYS, CLEAR, STATEMENTS };
enum { FIRST_OF_REBUILD = EMPTY_HOURS, FIRST = ADD_TO_HOURS };

#define CHANGES                                                                                    \
    "SELECT hour, service, operation, records, failed, unreported, unpriced, input_tokens,"        \
    " output_tokens, total_tokens, cache_read_tokens, cache_write_tokens, reasoning_tokens,"       \
    " cost_usd FROM usage_hourly_changes"
#define CHANGES_OF_DAYS                                                                            \
    "SELECT substr(hour, 1, 10) AS date, service, operation, records, unreported, unpriced,"       \
    " total_tokens, cost_usd FROM usage_hourly_changes"
/* Of `relation` the rows that something is added to. */
#define OF_CHANGED(relation, key)                                                                  \
    " UNION ALL SELECT r.* FROM (SELECT DISTINCT " key " FROM changes) c CROSS JOIN " relation     \
    " r USING (" key ")"

const conv__sqlite_statement conv__sqlite_refresh_statements[] = {
    /* All that is in the ledger becomes a change like any other. */
    [EMPTY_HOURS] = {"DELETE FROM usage_hourly"},
    [EMPTY_DAYS] = {"DELETE FROM usage_daily"},
    [FORGET] = {"DELETE FROM usage_hourly_changes"},
    [NOTE_ALL] = {"INSERT INTO usage_hourly_changes SELECT"
                  " substr(created_at, 1, 14) || '00:00.000000Z', service, operation, count(*),"
                  " count(CASE status WHEN 'failed' THEN 1 END), count(*) - count(total_tokens),"
                  " count(*) - count(cost_usd), coalesce(sum(input_tokens), 0),"
                  " coalesce(sum(output_tokens), 0), coalesce(sum(total_tokens), 0),"
                  " coalesce(sum(cache_read_tokens), 0), coalesce(sum(cache_write_tokens), 0),"
                  " coalesce(sum(reasoning_tokens), 0), coalesce(decimal_sum(cost_usd), '0')"
                  " FROM usage_logs GROUP BY 1, 2, 3"},
    [ADD_TO_HOURS] = {"WITH changes AS (" CHANGES ") INSERT OR REPLACE INTO usage_hourly"
                      " SELECT hour, service, operation, sum(records), sum(failed),"
                      " sum(unreported), sum(unpriced), sum(input_tokens), sum(output_tokens),"
                      " sum(total_tokens), sum(cache_read_tokens), sum(cache_write_tokens),"
                      " sum(reasoning_tokens), decimal_sum(cost_usd) FROM (SELECT * FROM"
                      " changes" OF_CHANGED("usage_hourly",
                                            "hour, service, operation") ")"
                                                                        " GROUP BY 1, 2, 3"},
    [ADD_TO_DAYS] = {"WITH changes AS (" CHANGES_OF_DAYS ") INSERT OR REPLACE INTO usage_daily"
                     " SELECT date, service, operation, sum(records), sum(unreported),"
                     " sum(unpriced), sum(total_tokens), decimal_sum(cost_usd) FROM (SELECT *"
                     " FROM changes" OF_CHANGED("usage_daily",
                                                "date, service, operation") ")"
                                                                            " GROUP BY 1, 2, 3"},
    [CLEAR] = {"DELETE FROM usage_hourly_changes"},
    [STATEMENTS] = {NULL},
};

conv_status conv__sqlite_refresh_usage(conv__usage_repository *usage,
                                       conv__transaction *transaction, bool rebuild,
                                       int64_t *changed, conv_error *error)
{
    (void)usage;
    conv_status status = CONV_OK;
    for (int i = rebuild ? FIRST_OF_REBUILD : FIRST; i < STATEMENTS && status == CONV_OK; i++) {
        conv__sqlite_query query;
        conv__sqlite_prepare(&query, conv__sqlite_of(transaction),
                             &conv__sqlite_refresh_statements[i], ACTION);
        status = conv__sqlite_execute(&query, i == ADD_TO_HOURS ? changed : NULL, error);
    }
    return status;
}
