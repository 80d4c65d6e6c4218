/* Bringing the daily summary up to date. What there is to add was noted by the triggers on
 * usage_logs, in the transactions that saved it, so that each is added exactly once however late it
 * commits. */
#include "repositories/postgres/transaction.h"
#include "repositories/postgres/usage.h"

#define ACTION "refresh usage"

enum { LOCK, REBUILD, MERGE, REFRESH, FILL, STATEMENTS };

#define COLUMNS                                                                                    \
    "hour, service, operation, records, failed, unreported, unpriced, input_tokens,"               \
    " output_tokens, total_tokens, cache_read_tokens, cache_write_tokens, reasoning_tokens,"       \
    " cost_usd"
#define SUMS                                                                                       \
    "hour, service, operation, sum(records), sum(failed), sum(unreported), sum(unpriced),"         \
    " sum(input_tokens), sum(output_tokens), sum(total_tokens), sum(cache_read_tokens),"           \
    " sum(cache_write_tokens), sum(reasoning_tokens), sum(cost_usd)"
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
                 ") d GROUP BY hour, service, operation HAVING (sum(records), sum(failed),"
                 " sum(unreported), sum(unpriced), sum(input_tokens), sum(output_tokens),"
                 " sum(total_tokens), sum(cache_read_tokens), sum(cache_write_tokens),"
                 " sum(reasoning_tokens), sum(cost_usd)) <> (0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)"},
    [MERGE] = {"conv_refresh_merge", ACTION, 0, true,
               "WITH taken AS (DELETE FROM usage_hourly_changes RETURNING *), merged AS ("
               " INSERT INTO usage_hourly AS h (" COLUMNS ") SELECT " SUMS " FROM taken"
               " GROUP BY hour, service, operation"
               " ON CONFLICT (hour, service, operation) DO UPDATE SET"
               " records = h.records + excluded.records, failed = h.failed + excluded.failed,"
               " unreported = h.unreported + excluded.unreported, unpriced = h.unpriced +"
               " excluded.unpriced, input_tokens = h.input_tokens + excluded.input_tokens,"
               " output_tokens = h.output_tokens + excluded.output_tokens, total_tokens ="
               " h.total_tokens + excluded.total_tokens, cache_read_tokens = h.cache_read_tokens +"
               " excluded.cache_read_tokens, cache_write_tokens = h.cache_write_tokens +"
               " excluded.cache_write_tokens, reasoning_tokens = h.reasoning_tokens +"
               " excluded.reasoning_tokens, cost_usd = h.cost_usd + excluded.cost_usd"
               " RETURNING 1"
               ") SELECT (SELECT count(*) FROM merged), (SELECT relispopulated FROM pg_class"
               "  WHERE oid = 'daily_usage_summary'::regclass)"},
    [REFRESH] = {"conv_refresh", ACTION, 0, true,
                 "REFRESH MATERIALIZED VIEW CONCURRENTLY daily_usage_summary"},
    /* The first time after a restore without data, when nobody can read it yet. */
    [FILL] = {"conv_refresh_fill", ACTION, 0, true,
              "REFRESH MATERIALIZED VIEW daily_usage_summary"},
    [STATEMENTS] = {NULL, NULL, 0, false, NULL},
};

typedef struct merged {
    int64_t rows;
    bool populated;
} merged;

static conv_status receive_merged(void *context, const conv__result *result, conv_error *error)
{
    merged *self = context;
    (void)error;
    if (conv__result_rows(result) != 1) return CONV_BAD_DATA;
    conv__reader reader = conv__reader_at(result, 0, NULL);
    self->rows = conv__next_int8(&reader);
    self->populated = conv__next_bool(&reader);
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
                                         conv__transaction *transaction, bool rebuild,
                                         int64_t *changed, conv_error *error)
{
    (void)usage;
    merged done = {0, true};
    conv_status status = queue(transaction, LOCK, NULL, NULL, error);
    if (status == CONV_OK && rebuild) status = queue(transaction, REBUILD, NULL, NULL, error);
    if (status == CONV_OK) status = queue(transaction, MERGE, receive_merged, &done, error);
    if (status == CONV_OK) status = conv__postgres_ask(transaction, error);
    if (status != CONV_OK) return status;
    *changed = done.rows;
    if (!done.populated) return queue(transaction, FILL, NULL, NULL, error);
    if (done.rows > 0 || rebuild) return queue(transaction, REFRESH, NULL, NULL, error);
    return CONV_OK;
}
