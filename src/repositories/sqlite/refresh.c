/* Bringing the hours under the daily summary up to date: those that the triggers on usage_logs
 * noted are summed anew, and no others. */
#include "repositories/sqlite/internal.h"

#define ACTION "refresh usage"

enum { NOTE_ALL, FORGET, SUM, CLEAR, STATEMENTS };

const conv__sqlite_statement conv__sqlite_refresh_statements[] = {
    [NOTE_ALL] = {"INSERT INTO usage_hourly_changes"
                  " SELECT hour FROM (SELECT substr(created_at, 1, 14) || '00:00.000000Z' AS hour"
                  "  FROM usage_logs UNION SELECT hour FROM usage_hourly)"
                  " WHERE true ON CONFLICT DO NOTHING"},
    [FORGET] = {"DELETE FROM usage_hourly WHERE hour IN (SELECT hour FROM usage_hourly_changes)"},
    [SUM] = {"INSERT INTO usage_hourly (hour, service, operation, records, failed, unreported,"
             " unpriced, input_tokens, output_tokens, total_tokens, cache_read_tokens,"
             " cache_write_tokens, reasoning_tokens, cost_usd) SELECT c.hour, l.service,"
             " l.operation, count(*) AS records, count(CASE status WHEN 'failed' THEN 1 END) AS"
             " failed, count(*) - count(total_tokens) AS unreported, count(*) - count(cost_usd)"
             " AS unpriced, coalesce(sum(input_tokens), 0) AS input_tokens,"
             " coalesce(sum(output_tokens), 0) AS output_tokens, coalesce(sum(total_tokens), 0)"
             " AS total_tokens, coalesce(sum(cache_read_tokens), 0) AS cache_read_tokens,"
             " coalesce(sum(cache_write_tokens), 0) AS cache_write_tokens,"
             " coalesce(sum(reasoning_tokens), 0) AS reasoning_tokens,"
             " coalesce(decimal_sum(cost_usd), '0') AS cost_usd FROM usage_hourly_changes c CROSS"
             " JOIN usage_logs l WHERE l.created_at >= c.hour AND l.created_at < substr(c.hour,"
             " 1, 13) || '~' GROUP BY 1, 2, 3"},
    [CLEAR] = {"DELETE FROM usage_hourly_changes"},
    [STATEMENTS] = {NULL},
};

conv_status conv__sqlite_refresh_usage(conv__usage_repository *usage,
                                       conv__transaction *transaction, bool rebuild,
                                       int64_t *changed, conv_error *error)
{
    (void)usage;
    conv_status status = CONV_OK;
    for (int i = rebuild ? NOTE_ALL : FORGET; i < STATEMENTS && status == CONV_OK; i++) {
        conv__sqlite_query query;
        conv__sqlite_prepare(&query, conv__sqlite_of(transaction),
                             &conv__sqlite_refresh_statements[i], ACTION);
        status = conv__sqlite_execute(&query, i == SUM ? changed : NULL, error);
    }
    return status;
}
