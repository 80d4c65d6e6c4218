/* Comparing the summary, the hours under it and the sessions with the ledger, inside one
 * transaction that sees one moment; it changes nothing. */
#include "core/error.h"
#include "repositories/sqlite/columns.h"
#include "repositories/sqlite/internal.h"

#define ACTION "reconcile usage"

enum { SUMS, HOURS, DAYS, RECORDS, MESSAGES, STATEMENTS };
enum { FIRST_LIST = HOURS, LISTS = STATEMENTS - FIRST_LIST };

#define LEDGER_SUMS                                                                                \
    " count(*) AS records, count(CASE status WHEN 'failed' THEN 1 END) AS failed, count(*) -"      \
    " count(total_tokens) AS unreported, count(*) - count(cost_usd) AS unpriced,"                  \
    " coalesce(sum(input_tokens), 0) AS input_tokens, coalesce(sum(output_tokens), 0) AS"          \
    " output_tokens, coalesce(sum(total_tokens), 0) AS total_tokens,"                              \
    " coalesce(sum(cache_read_tokens), 0) AS cache_read_tokens,"                                   \
    " coalesce(sum(cache_write_tokens), 0) AS cache_write_tokens,"                                 \
    " coalesce(sum(reasoning_tokens), 0) AS reasoning_tokens, coalesce(decimal_sum(cost_usd),"     \
    " '0') AS cost_usd"
#define HOURLY_SUMS                                                                                \
    " sum(records) AS records, sum(failed) AS failed, sum(unreported) AS unreported,"              \
    " sum(unpriced) AS unpriced, sum(input_tokens) AS input_tokens, sum(output_tokens) AS"         \
    " output_tokens, sum(total_tokens) AS total_tokens, sum(cache_read_tokens) AS"                 \
    " cache_read_tokens, sum(cache_write_tokens) AS cache_write_tokens, sum(reasoning_tokens)"     \
    " AS reasoning_tokens, decimal_sum(cost_usd) AS cost_usd"
#define HOUR_FIELDS                                                                                \
    " ('records'), ('failed'), ('unreported'), ('unpriced'), ('input_tokens'),"                    \
    " ('output_tokens'), ('total_tokens'), ('cache_read_tokens'), ('cache_write_tokens'),"         \
    " ('reasoning_tokens'), ('cost_usd')"
#define WANTED_OF_HOURS                                                                            \
    " CASE field WHEN 'records' THEN l.records WHEN 'failed' THEN l.failed WHEN 'unreported'"      \
    " THEN l.unreported WHEN 'unpriced' THEN l.unpriced WHEN 'input_tokens' THEN l.input_tokens"   \
    " WHEN 'output_tokens' THEN l.output_tokens WHEN 'total_tokens' THEN l.total_tokens WHEN"      \
    " 'cache_read_tokens' THEN l.cache_read_tokens WHEN 'cache_write_tokens' THEN"                 \
    " l.cache_write_tokens WHEN 'reasoning_tokens' THEN l.reasoning_tokens WHEN 'cost_usd' THEN"   \
    " l.cost_usd END"
#define FOUND_IN_HOURS                                                                             \
    " CASE field WHEN 'records' THEN h.records WHEN 'failed' THEN h.failed WHEN 'unreported'"      \
    " THEN h.unreported WHEN 'unpriced' THEN h.unpriced WHEN 'input_tokens' THEN h.input_tokens"   \
    " WHEN 'output_tokens' THEN h.output_tokens WHEN 'total_tokens' THEN h.total_tokens WHEN"      \
    " 'cache_read_tokens' THEN h.cache_read_tokens WHEN 'cache_write_tokens' THEN"                 \
    " h.cache_write_tokens WHEN 'reasoning_tokens' THEN h.reasoning_tokens WHEN 'cost_usd' THEN"   \
    " h.cost_usd END"
#define WANTED_OF_DAYS                                                                             \
    " CASE field WHEN 'count' THEN l.count WHEN 'total_tokens' THEN l.total_tokens WHEN"           \
    " 'total_cost' THEN l.total_cost END"
#define FOUND_IN_DAYS                                                                              \
    " CASE field WHEN 'count' THEN h.count WHEN 'total_tokens' THEN h.total_tokens WHEN"           \
    " 'total_cost' THEN h.total_cost END"
/* Of a row that is missing on one side one column says enough. */
#define COMPARE(first, fields, wanted, found)                                                      \
    " k AS (SELECT date, service, operation FROM l UNION SELECT date, service, operation FROM h)," \
    " f(field) AS (VALUES" fields ")"                                                              \
    " SELECT k.date, k.service, k.operation, field, CAST(" wanted " AS TEXT) AS wanted,"           \
    " CAST(" found " AS TEXT) AS found FROM k LEFT JOIN l ON l.date = k.date"                      \
    " AND l.service = k.service AND l.operation = k.operation"                                     \
    " LEFT JOIN h ON h.date = k.date AND h.service = k.service AND h.operation = k.operation"      \
    " CROSS JOIN f WHERE wanted IS NOT found AND (field = '" first "' OR (l." first                \
    " IS NOT NULL AND h." first " IS NOT NULL)) ORDER BY 1, 2, 3, 4 LIMIT ?1"

const conv__sqlite_statement conv__sqlite_reconcile_statements[] = {
    [SUMS] = {"SELECT l.records, l.tokens, l.cost, l.tokens IS NOT NULL, l.cost IS NOT NULL,"
              " s.records, s.tokens, s.cost, s.tokens IS NOT NULL, s.cost IS NOT NULL,"
              " t.records + (SELECT count(*) FROM chat_exchanges e WHERE NOT EXISTS"
              "  (SELECT 1 FROM usage_logs u WHERE u.log_id = e.log_id"
              "   AND u.session_id = e.session_id)), t.tokens, t.cost, t.tokens IS NOT NULL,"
              " t.cost IS NOT NULL"
              " FROM (SELECT count(*) AS records, sum(total_tokens) AS tokens,"
              "  decimal_sum(cost_usd) AS cost FROM usage_logs) l,"
              " (SELECT sum(count) AS records, sum(total_tokens) AS tokens,"
              "  decimal_sum(total_cost) AS cost FROM daily_usage_summary) s,"
              " (SELECT coalesce(sum(records), 0) AS records, sum(tokens) AS tokens,"
              "  decimal_sum(cost) AS cost FROM (SELECT count(*) AS records,"
              "   sum(total_tokens) AS tokens, decimal_sum(cost_usd) AS cost FROM usage_logs"
              "   GROUP BY session_id)) t"},
    /* What the next refresh will add is part of the hours. */
    [HOURS] =
        {"WITH l AS MATERIALIZED (SELECT substr(created_at, 1, 10) AS date, service,"
         " operation," LEDGER_SUMS " FROM usage_logs GROUP BY 1, 2, 3),"
         " h AS MATERIALIZED (SELECT substr(hour, 1, 10) AS date, service, operation," HOURLY_SUMS
         " FROM (SELECT * FROM usage_hourly UNION ALL SELECT * FROM usage_hourly_changes)"
         " GROUP BY 1, 2, 3 HAVING (sum(records), sum(total_tokens), decimal_sum(cost_usd))"
         " <> (0, 0, '0'))," COMPARE("records", HOUR_FIELDS, WANTED_OF_HOURS, FOUND_IN_HOURS)},
    [DAYS] = {"WITH l AS MATERIALIZED (SELECT substr(created_at, 1, 10) AS date, service,"
              " operation, count(*) AS count, sum(total_tokens) AS total_tokens,"
              " decimal_sum(cost_usd) AS total_cost FROM usage_logs GROUP BY 1, 2, 3),"
              " h AS MATERIALIZED (SELECT * FROM daily_usage_summary)," COMPARE(
                  "count", " ('count'), ('total_tokens'), ('total_cost')", WANTED_OF_DAYS,
                  FOUND_IN_DAYS)},
    /* Of each session's exchanges; a record that went to another session is too many there. */
    [RECORDS] = {"SELECT e.session_id, s.external_id, s.originals, CAST(e.wanted AS TEXT),"
                 " CAST(e.found AS TEXT) FROM (SELECT session_id, sum(wanted) AS wanted,"
                 "  sum(found) AS found FROM ("
                 "  SELECT session_id, 1 AS wanted, 0 AS found FROM chat_exchanges UNION ALL"
                 "  SELECT l.session_id, 0, 1 FROM chat_exchanges e CROSS JOIN usage_logs l"
                 "  ON l.log_id = e.log_id WHERE l.session_id = e.session_id"
                 "  OR (l.session_id IS NOT NULL AND NOT EXISTS (SELECT 1 FROM usage_logs o"
                 "   WHERE o.log_id = e.log_id AND o.session_id = e.session_id)))"
                 "  GROUP BY 1 HAVING sum(found) <> sum(wanted) ORDER BY 1 LIMIT ?1) e"
                 " LEFT JOIN chat_sessions s ON s.session_id = e.session_id ORDER BY 1"},
    [MESSAGES] = {"SELECT k.session_id, s.external_id, s.originals,"
                  " CAST(coalesce(m.count, 0) AS TEXT) AS wanted,"
                  " CAST(s.message_count AS TEXT) AS found"
                  " FROM (SELECT session_id FROM chat_sessions"
                  "  UNION SELECT session_id FROM chat_messages) k"
                  " LEFT JOIN chat_sessions s ON s.session_id = k.session_id"
                  " LEFT JOIN (SELECT session_id, count(*) AS count FROM chat_messages"
                  "  GROUP BY 1) m ON m.session_id = k.session_id"
                  " WHERE wanted IS NOT found ORDER BY 1 LIMIT ?1"},
    [STATEMENTS] = {NULL},
};

static void prepare(conv__sqlite_query *query, conv__sqlite *connection, int which)
{
    conv__sqlite_prepare(query, connection, &conv__sqlite_reconcile_statements[which], ACTION);
}

/* A sum of nothing is NULL, which reads as 0. */
static conv_status read_sums(conv__sqlite *connection, conv__reconciliation *result,
                             conv_error *error)
{
    conv__sqlite_query query;
    prepare(&query, connection, SUMS);
    while (conv__sqlite_step(&query)) {
        for (int i = 0; i <= CONV_ACCOUNT_SESSIONS; i++) {
            conv_account_sums *sums = &result->sums[i];
            sums->records = conv__sqlite_integer(&query, 5 * i);
            sums->total_tokens = conv__sqlite_integer(&query, 5 * i + 1);
            (void)conv__sqlite_decimal(&query, 5 * i + 2, &sums->cost_usd);
            sums->reported = conv__sqlite_integer(&query, 5 * i + 3) != 0 || sums->records == 0;
            sums->priced = conv__sqlite_integer(&query, 5 * i + 4) != 0 || sums->records == 0;
        }
    }
    return conv__sqlite_finish(&query, error);
}

static void read_day(conv__sqlite_query *query, int which, conv__arena *arena,
                     conv_difference *difference)
{
    difference->relation = conv_text(which == HOURS ? "usage_hourly" : "daily_usage_summary");
    difference->date = conv__sqlite_copy(query, 0, arena);
    difference->service = conv__sqlite_copy(query, 1, arena);
    difference->operation = conv__sqlite_copy(query, 2, arena);
    difference->field = conv__sqlite_copy(query, 3, arena);
    difference->wanted = conv__sqlite_copy(query, 4, arena);
    difference->found = conv__sqlite_copy(query, 5, arena);
}

static void read_session(conv__sqlite_query *query, int which, conv__arena *arena,
                         conv_difference *difference)
{
    difference->relation = conv_text(which == RECORDS ? "usage_logs" : "chat_sessions");
    difference->field = conv_text(which == RECORDS ? "records" : "message_count");
    difference->session_id = conv__sqlite_copy_name(query, 0, 1, arena);
    difference->wanted = conv__sqlite_copy(query, 3, arena);
    difference->found = conv__sqlite_copy(query, 4, arena);
}

/* One row more than the limit, to see whether there is more. */
static conv_status read_list(conv__sqlite *connection, int which, size_t limit, conv__arena *arena,
                             conv__difference_list *list, conv_error *error)
{
    size_t capacity = 0;
    conv__sqlite_query query;
    *list = (conv__difference_list){0};
    prepare(&query, connection, which);
    conv__sqlite_bind_integer(&query, (int64_t)limit + 1);
    while (conv__sqlite_step(&query)) {
        list->has_more = list->count == limit;
        if (list->has_more) break;
        void *rows = list->differences;
        conv_difference *difference =
            conv__sqlite_grow(arena, &rows, list->count, &capacity, sizeof *difference);
        if (difference == NULL) {
            conv__sqlite_no_memory(&query);
            break;
        }
        list->differences = rows;
        *difference = (conv_difference){0};
        if (which == HOURS || which == DAYS)
            read_day(&query, which, arena, difference);
        else
            read_session(&query, which, arena, difference);
        list->count++;
    }
    return conv__sqlite_finish(&query, error);
}

conv_status conv__sqlite_reconcile_usage(conv__usage_repository *usage,
                                         conv__transaction *transaction, size_t limit,
                                         conv__arena *arena, conv__reconciliation *result,
                                         conv_error *error)
{
    (void)usage;
    conv__sqlite *connection = conv__sqlite_of(transaction);
    conv__difference_list lists[LISTS];
    conv_status status = read_sums(connection, result, error);
    for (int i = 0; i < LISTS && status == CONV_OK; i++)
        status = read_list(connection, FIRST_LIST + i, limit, arena, &lists[i], error);
    if (status != CONV_OK) return status;
    if (conv__differences_join(arena, lists, LISTS, &result->list) == CONV_OK) return CONV_OK;
    return conv__fail_memory(error, ACTION);
}
