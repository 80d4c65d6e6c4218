/* Bringing the hours and days under the daily summary up to date. What there is to add was noted by
 * the triggers on usage_logs, in the transactions that saved it, so that each is added exactly once
 * however late it commits; it is added by key, and nothing else is read. */
#include "repositories/postgres/transaction.h"
#include "repositories/postgres/usage.h"

#define ACTION "refresh usage"

enum { LOCK, REBUILD, EMPTY_DAYS, SUM_DAYS, MERGE, STATEMENTS };

#define COLUMNS                                                                                    \
    "hour, service, operation, records, failed, unreported, unpriced, input_tokens,"               \
    " output_tokens, total_tokens, cache_read_tokens, cache_write_tokens, reasoning_tokens,"       \
    " cost_usd"
#define SUMS                                                                                       \
    "hour, service, operation, sum(records), sum(failed), sum(unreported), sum(unpriced),"         \
    " sum(input_tokens), sum(output_tokens), sum(total_tokens), sum(cache_read_tokens),"           \
    " sum(cache_write_tokens), sum(reasoning_tokens), sum(cost_usd)"
#define DAY_COLUMNS                                                                                \
    "date, service, operation, records, unreported, unpriced, total_tokens, cost_usd"
#define DAY_SUMS                                                                                   \
    "(hour AT TIME ZONE 'UTC')::date AS date, service, operation, sum(records), sum(unreported),"  \
    " sum(unpriced), sum(total_tokens), sum(cost_usd)"
/* Of groups: whether anything is to be added. What came and went in between adds nothing. */
#define SOMETHING                                                                                  \
    "(sum(records), sum(failed), sum(unreported), sum(unpriced), sum(input_tokens),"               \
    " sum(output_tokens), sum(total_tokens), sum(cache_read_tokens), sum(cache_write_tokens),"     \
    " sum(reasoning_tokens), sum(cost_usd)) <> (0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)"
/* Rows of `relation` that have no record any more go, each found by its key. Where nothing was
 * taken away nothing is looked for. */
#define EMPTY(relation, changes, key)                                                              \
    "DELETE FROM " relation " WHERE EXISTS (SELECT FROM " changes " WHERE records < 0)"            \
    " AND ctid = ANY (ARRAY(SELECT (SELECT r.ctid FROM " relation " r WHERE r." key " = c." key    \
    " AND r.service = c.service AND r.operation = c.operation AND r.records + c.records = 0)"      \
    " FROM " changes " c WHERE c.records < 0)) RETURNING " key ", service, operation"
#define GONE_HOURS "gone_hours AS (" EMPTY("usage_hourly", "hours", "hour") ")"
#define GONE_DAYS  "gone_days AS (" EMPTY("usage_daily", "days", "date") ")"
#define NEGATIVE                                                                                   \
    "hour, service, operation, -records, -failed, -unreported, -unpriced, -input_tokens,"          \
    " -output_tokens, -total_tokens, -cache_read_tokens, -cache_write_tokens,"                     \
    " -reasoning_tokens, -cost_usd"

const conv__statement conv__postgres_refresh_statements[] = {
    /* One refresh at a time; readers and writers of usage don't want this lock. */
    [LOCK] = {"conv_refresh_lock", ACTION, 0, true,
              "LOCK TABLE usage_hourly IN SHARE ROW EXCLUSIVE MODE"},
    /* What is wrong becomes a change like any other. One statement sees one moment, whoever
     * saves meanwhile. */
    [REBUILD] = {"conv_refresh_rebuild", ACTION, 0, true,
                 "INSERT INTO usage_hourly_changes SELECT " SUMS " FROM ("
                 " SELECT date_trunc('hour', created_at, 'UTC') AS hour, service, operation,"
                 "  count(*) AS records, count(*) FILTER (WHERE status = 'failed') AS failed,"
                 "  count(*) - count(total_tokens) AS unreported,"
                 "  count(*) - count(cost_usd) AS unpriced,"
                 "  coalesce(sum(input_tokens), 0) AS input_tokens,"
                 "  coalesce(sum(output_tokens), 0) AS output_tokens,"
                 "  coalesce(sum(total_tokens), 0) AS total_tokens,"
                 "  coalesce(sum(cache_read_tokens), 0) AS cache_read_tokens,"
                 "  coalesce(sum(cache_write_tokens), 0) AS cache_write_tokens,"
                 "  coalesce(sum(reasoning_tokens), 0) AS reasoning_tokens,"
                 "  coalesce(sum(cost_usd), 0) AS cost_usd"
                 " FROM usage_logs GROUP BY 1, 2, 3"
                 " UNION ALL SELECT " NEGATIVE " FROM usage_hourly"
                 " UNION ALL SELECT " NEGATIVE " FROM usage_hourly_changes"
                 ") d GROUP BY hour, service, operation HAVING " SOMETHING},
    /* Days that are not the sums of their hours go, and those that are missing come. What was wrong
     * and comes again counts once. */
    [EMPTY_DAYS] = {"conv_refresh_empty_days", ACTION, 0, true,
                    "WITH sums AS (SELECT " DAY_SUMS " FROM usage_hourly GROUP BY 1, 2, 3),"
                    " gone AS (DELETE FROM usage_daily d WHERE (" DAY_COLUMNS ") NOT IN"
                    "  (SELECT * FROM sums) RETURNING date, service, operation)"
                    " SELECT count(*) FROM gone WHERE (date, service, operation) NOT IN"
                    "  (SELECT s.date, s.service, s.operation FROM sums s)"},
    [SUM_DAYS] = {"conv_refresh_sum_days", ACTION, 0, true,
                  "WITH made AS (INSERT INTO usage_daily (" DAY_COLUMNS ") SELECT " DAY_SUMS
                  " FROM usage_hourly GROUP BY 1, 2, 3"
                  " ON CONFLICT (date, service, operation) DO NOTHING RETURNING 1)"
                  " SELECT count(*) FROM made"},
    [MERGE] = {"conv_refresh_merge", ACTION, 0, true,
               "WITH taken AS (DELETE FROM usage_hourly_changes RETURNING *),"
               " hours (" COLUMNS ") AS (SELECT " SUMS " FROM taken"
               "  GROUP BY hour, service, operation HAVING " SOMETHING "),"
               " days (" DAY_COLUMNS ") AS (SELECT " DAY_SUMS " FROM hours GROUP BY 1, 2, 3),"
               " " GONE_HOURS ", " GONE_DAYS ", merged AS ("
               " INSERT INTO usage_hourly AS h (" COLUMNS ") SELECT * FROM hours"
               " WHERE (hour, service, operation) NOT IN (SELECT * FROM gone_hours)"
               " ON CONFLICT (hour, service, operation) DO UPDATE SET"
               " records = h.records + excluded.records, failed = h.failed + excluded.failed,"
               " unreported = h.unreported + excluded.unreported, unpriced = h.unpriced +"
               " excluded.unpriced, input_tokens = h.input_tokens + excluded.input_tokens,"
               " output_tokens = h.output_tokens + excluded.output_tokens, total_tokens ="
               " h.total_tokens + excluded.total_tokens, cache_read_tokens = h.cache_read_tokens +"
               " excluded.cache_read_tokens, cache_write_tokens = h.cache_write_tokens +"
               " excluded.cache_write_tokens, reasoning_tokens = h.reasoning_tokens +"
               " excluded.reasoning_tokens, cost_usd = h.cost_usd + excluded.cost_usd"
               " RETURNING 1), merged_days AS ("
               " INSERT INTO usage_daily AS d (" DAY_COLUMNS ") SELECT * FROM days"
               " WHERE (date, service, operation) NOT IN (SELECT * FROM gone_days)"
               " ON CONFLICT (date, service, operation) DO UPDATE SET"
               " records = d.records + excluded.records, unreported = d.unreported +"
               " excluded.unreported, unpriced = d.unpriced + excluded.unpriced, total_tokens ="
               " d.total_tokens + excluded.total_tokens, cost_usd = d.cost_usd + excluded.cost_usd"
               ") SELECT (SELECT count(*) FROM merged) + (SELECT count(*) FROM gone_hours)"},
    [STATEMENTS] = {NULL, NULL, 0, false, NULL},
};

static conv_status receive_count(void *context, const conv__result *result, conv_error *error)
{
    int64_t *rows = context;
    (void)error;
    if (conv__result_rows(result) != 1) return CONV_BAD_DATA;
    conv__reader reader = conv__reader_at(result, 0, NULL);
    *rows += conv__next_int8(&reader);
    return reader.status;
}

static conv_status queue(conv__transaction *transaction, int which, conv__receiver receive,
                         void *context, conv_error *error)
{
    conv__parameters none = {.count = 0};
    return conv__postgres_queue(transaction, &conv__postgres_refresh_statements[which], &none,
                                receive, context, error);
}

conv_status conv__postgres_refresh_usage(conv__usage_repository *usage,
                                         conv__transaction *transaction, conv__refresh *refresh,
                                         conv_error *error)
{
    (void)usage;
    int64_t *changed = &refresh->changed;
    refresh->more = false; /* it blocks nobody who saves, so it is one step */
    conv_status status = queue(transaction, LOCK, NULL, NULL, error);
    if (refresh->rebuild && status == CONV_OK)
        status = queue(transaction, REBUILD, NULL, NULL, error);
    for (int i = refresh->rebuild ? EMPTY_DAYS : MERGE; i <= MERGE && status == CONV_OK; i++)
        status = queue(transaction, i, receive_count, changed, error);
    return status == CONV_OK ? conv__postgres_ask(transaction, error) : status;
}
