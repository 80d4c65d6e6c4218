/* Comparing the summary, the hours under it and the sessions with the ledger. All statements are
 * asked together, so that they see the same moment; it changes nothing. */
#include "core/error.h"
#include "repositories/postgres/columns.h"
#include "repositories/postgres/transaction.h"
#include "repositories/postgres/usage.h"

#define ACTION "reconcile usage"

enum { SUMS, HOURS, DAYS, RECORDS, MESSAGES, STATEMENTS };
enum { FIRST_LIST = HOURS, LISTS = STATEMENTS - FIRST_LIST };

#define LEDGER_SUMS                                                                                \
    " count(*) AS records, count(*) FILTER (WHERE status = 'failed') AS failed, count(*) -"        \
    " count(total_tokens) AS unreported, count(*) - count(cost_usd) AS unpriced,"                  \
    " coalesce(sum(input_tokens), 0) AS input_tokens, coalesce(sum(output_tokens), 0) AS"          \
    " output_tokens, coalesce(sum(total_tokens), 0) AS total_tokens,"                              \
    " coalesce(sum(cache_read_tokens), 0) AS cache_read_tokens,"                                   \
    " coalesce(sum(cache_write_tokens), 0) AS cache_write_tokens,"                                 \
    " coalesce(sum(reasoning_tokens), 0) AS reasoning_tokens, coalesce(sum(cost_usd), 0) AS"       \
    " cost_usd"
#define HOURLY_SUMS                                                                                \
    " sum(records) AS records, sum(failed) AS failed, sum(unreported) AS unreported,"              \
    " sum(unpriced) AS unpriced, sum(input_tokens) AS input_tokens, sum(output_tokens) AS"         \
    " output_tokens, sum(total_tokens) AS total_tokens, sum(cache_read_tokens) AS"                 \
    " cache_read_tokens, sum(cache_write_tokens) AS cache_write_tokens, sum(reasoning_tokens)"     \
    " AS reasoning_tokens, sum(cost_usd) AS cost_usd"
#define FIELDS                                                                                     \
    " ('records', l.records::numeric, h.records), ('failed', l.failed::numeric, h.failed),"        \
    " ('unreported', l.unreported::numeric, h.unreported), ('unpriced', l.unpriced::numeric,"      \
    " h.unpriced), ('input_tokens', l.input_tokens::numeric, h.input_tokens), ('output_tokens',"   \
    " l.output_tokens::numeric, h.output_tokens), ('total_tokens', l.total_tokens::numeric,"       \
    " h.total_tokens), ('cache_read_tokens', l.cache_read_tokens::numeric,"                        \
    " h.cache_read_tokens), ('cache_write_tokens', l.cache_write_tokens::numeric,"                 \
    " h.cache_write_tokens), ('reasoning_tokens', l.reasoning_tokens::numeric,"                    \
    " h.reasoning_tokens), ('cost_usd', l.cost_usd::numeric, h.cost_usd)"
/* Of a row that is missing on one side one column says enough. */
#define DIFFERING(first)                                                                           \
    " AS v (field, wanted, found) WHERE v.wanted IS DISTINCT FROM v.found AND (v.field = '" first  \
    "' OR (l." first " IS NOT NULL AND h." first " IS NOT NULL))"                                  \
    " ORDER BY date, service, operation, field LIMIT $1::int8"
#define OF_A_DAY                                                                                   \
    "SELECT to_char(date, 'YYYY-MM-DD'), service, operation, v.field,"                             \
    " trim_scale(v.wanted)::text, trim_scale(v.found)::text"

const conv__statement conv__postgres_reconcile_statements[] = {
    [SUMS] =
        {"conv_reconcile_sums", ACTION, 0, true,
         "SELECT l.records, l.tokens, l.cost, l.reported > 0, l.priced > 0,"
         " s.records + c.records, s.tokens + c.tokens, s.cost + c.cost,"
         " h.reported + c.reported > 0, h.priced + c.priced > 0,"
         " t.records + (SELECT count(*) FROM chat_exchanges e WHERE NOT EXISTS"
         "  (SELECT FROM usage_logs u WHERE u.log_id = e.log_id"
         "   AND u.session_id = e.session_id)), t.tokens, t.cost, t.reported > 0, t.priced > 0,"
         " c.records::int8"
         " FROM (SELECT count(*) AS records, coalesce(sum(total_tokens), 0) AS tokens,"
         "  coalesce(sum(cost_usd), 0) AS cost, count(total_tokens) AS reported,"
         "  count(cost_usd) AS priced FROM usage_logs) l,"
         " (SELECT coalesce(sum(count), 0) AS records, coalesce(sum(total_tokens), 0) AS tokens,"
         "  coalesce(sum(total_cost), 0) AS cost FROM daily_usage_summary) s,"
         " (SELECT coalesce(sum(records - unreported), 0) AS reported,"
         "  coalesce(sum(records - unpriced), 0) AS priced FROM usage_hourly) h,"
         " (SELECT coalesce(sum(records), 0) AS records,"
         "  coalesce(sum(total_tokens), 0) AS tokens, coalesce(sum(cost_usd), 0) AS cost,"
         "  coalesce(sum(records - unreported), 0) AS reported,"
         "  coalesce(sum(records - unpriced), 0) AS priced FROM usage_hourly_changes) c,"
         " (SELECT coalesce(sum(records), 0) AS records, coalesce(sum(tokens), 0) AS tokens,"
         "  coalesce(sum(cost), 0) AS cost, coalesce(sum(reported), 0) AS reported,"
         "  coalesce(sum(priced), 0) AS priced FROM (SELECT count(*) AS records,"
         "   sum(total_tokens) AS tokens, sum(cost_usd) AS cost, count(total_tokens) AS reported,"
         "   count(cost_usd) AS priced FROM usage_logs GROUP BY session_id) one) t"},
    [HOURS] =
        {"conv_reconcile_hours", ACTION, 1, true,
         "WITH ledger AS ("
         " SELECT (created_at AT TIME ZONE 'UTC')::date AS date, service, operation," LEDGER_SUMS
         " FROM usage_logs GROUP BY 1, 2, 3"
         "), hourly AS ("
         " SELECT (hour AT TIME ZONE 'UTC')::date AS date, service, operation," HOURLY_SUMS
         " FROM (SELECT * FROM usage_hourly UNION ALL SELECT * FROM usage_hourly_changes) a"
         " GROUP BY 1, 2, 3"
         " HAVING (sum(records), sum(total_tokens), sum(cost_usd)) <> (0, 0, 0)"
         ") " OF_A_DAY " FROM ledger l FULL JOIN hourly h USING (date, service, operation)"
         " CROSS JOIN LATERAL (VALUES" FIELDS ")" DIFFERING("records")},
    /* What the next refresh will add is not in the summary yet. */
    [DAYS] =
        {"conv_reconcile_days", ACTION, 1, true,
         "WITH l AS ("
         " SELECT date, service, operation, sum(records) AS count,"
         "  CASE WHEN sum(unreported) < sum(records) THEN sum(total_tokens) END AS total_tokens,"
         "  CASE WHEN sum(unpriced) < sum(records) THEN sum(cost_usd) END AS total_cost FROM ("
         "  SELECT (created_at AT TIME ZONE 'UTC')::date AS date, service, operation," LEDGER_SUMS
         "   FROM usage_logs GROUP BY 1, 2, 3 UNION ALL"
         "  SELECT (hour AT TIME ZONE 'UTC')::date, service, operation, -records, -failed,"
         "   -unreported, -unpriced, -input_tokens, -output_tokens, -total_tokens,"
         "   -cache_read_tokens, -cache_write_tokens, -reasoning_tokens, -cost_usd"
         "   FROM usage_hourly_changes) a"
         " GROUP BY 1, 2, 3 HAVING sum(records) > 0"
         ") " OF_A_DAY " FROM l FULL JOIN daily_usage_summary h USING (date, service, operation)"
         " CROSS JOIN LATERAL (VALUES ('count', l.count, h.count::numeric),"
         "  ('total_tokens', l.total_tokens, h.total_tokens),"
         "  ('total_cost', l.total_cost, h.total_cost))" DIFFERING("count")},
    /* Of each session's exchanges; a record that went to another session is too many there. */
    [RECORDS] = {"conv_reconcile_records", ACTION, 1, true,
                 "SELECT e.session_id, s.external_id, s.originals, e.wanted::text, e.found::text"
                 " FROM (SELECT session_id, sum(wanted) AS wanted, sum(found) AS found FROM ("
                 "  SELECT session_id, 1 AS wanted, 0 AS found FROM chat_exchanges UNION ALL"
                 "  SELECT l.session_id, 0, 1 FROM chat_exchanges e JOIN usage_logs l"
                 "  ON l.log_id = e.log_id WHERE l.session_id = e.session_id"
                 "  OR (l.session_id IS NOT NULL AND NOT EXISTS (SELECT FROM usage_logs o"
                 "   WHERE o.log_id = e.log_id AND o.session_id = e.session_id))) a"
                 "  GROUP BY session_id HAVING sum(found) <> sum(wanted)"
                 "  ORDER BY session_id LIMIT $1::int8) e"
                 " LEFT JOIN chat_sessions s ON s.session_id = e.session_id"
                 " ORDER BY e.session_id"},
    [MESSAGES] = {"conv_reconcile_messages", ACTION, 1, true,
                  "SELECT session_id, s.external_id, s.originals, coalesce(m.count, 0)::text,"
                  " s.message_count::text FROM chat_sessions s FULL JOIN"
                  " (SELECT session_id, count(*) AS count FROM chat_messages GROUP BY session_id) m"
                  " USING (session_id) WHERE coalesce(m.count, 0) IS DISTINCT FROM s.message_count"
                  " ORDER BY session_id LIMIT $1::int8"},
    [STATEMENTS] = {NULL, NULL, 0, false, NULL},
};

static conv_status receive_sums(void *context, const conv__result *result, conv_error *error)
{
    conv__reconciliation *self = context;
    (void)error;
    if (conv__result_rows(result) != 1) return CONV_BAD_DATA;
    conv__reader reader = conv__reader_at(result, 0, NULL);
    for (int i = 0; i <= CONV_ACCOUNT_SESSIONS; i++) {
        conv_account_sums *sums = &self->sums[i];
        sums->records =
            i == CONV_ACCOUNT_LEDGER ? conv__next_int8(&reader) : conv__next_sum(&reader);
        sums->total_tokens = conv__next_sum(&reader);
        (void)conv__next_decimal(&reader, &sums->cost_usd);
        sums->reported = conv__next_bool(&reader) || sums->records == 0;
        sums->priced = conv__next_bool(&reader) || sums->records == 0;
    }
    self->pending = conv__next_int8(&reader);
    return reader.status;
}

typedef struct part {
    conv__arena *arena;
    size_t limit;
    int which;
    conv__difference_list list;
} part;

static void read_day(conv__reader *reader, conv_difference *difference)
{
    difference->date = conv__next_bytes(reader);
    difference->service = conv__next_bytes(reader);
    difference->operation = conv__next_bytes(reader);
    difference->field = conv__next_bytes(reader);
}

static void read_session(conv__reader *reader, conv_difference *difference)
{
    conv__name_row name = {.id = conv__next_uuid(reader)};
    name.external_id = conv__next_bytes(reader);
    name.originals = conv__next_bytes(reader);
    if (reader->status == CONV_OK)
        reader->status = conv__name_from_row(reader->arena, &name, &difference->session_id, NULL);
}

/* One row more than the limit, to see whether there is more. */
static conv_status receive_differences(void *context, const conv__result *result, conv_error *error)
{
    static const char *const relations[] = {[HOURS] = "usage_hourly",
                                            [DAYS] = "daily_usage_summary",
                                            [RECORDS] = "usage_logs",
                                            [MESSAGES] = "chat_sessions"};
    part *self = context;
    (void)error;
    size_t count = conv__result_rows(result);
    self->list = (conv__difference_list){.has_more = count > self->limit};
    if (count > self->limit) count = self->limit;
    self->list.differences = conv__arena_allocate(self->arena, count * sizeof(conv_difference));
    if (self->list.differences == NULL) return CONV_NO_MEMORY;
    for (size_t i = 0; i < count; i++) {
        conv__reader reader = conv__reader_at(result, i, self->arena);
        conv_difference *difference = &self->list.differences[i];
        difference->relation = conv_text(relations[self->which]);
        if (self->which == HOURS || self->which == DAYS) {
            read_day(&reader, difference);
        } else {
            read_session(&reader, difference);
            difference->field = conv_text(self->which == RECORDS ? "records" : "message_count");
        }
        difference->wanted = conv__next_bytes(&reader);
        difference->found = conv__next_bytes(&reader);
        if (reader.status != CONV_OK) return reader.status;
        self->list.count++;
    }
    return CONV_OK;
}

static conv_status queue(conv__transaction *transaction, int which, conv__parameters *parameters,
                         conv__receiver receive, void *context, conv_error *error)
{
    return conv__postgres_queue(transaction, &conv__postgres_reconcile_statements[which],
                                parameters, receive, context, error);
}

conv_status conv__postgres_reconcile_usage(conv__usage_repository *usage,
                                           conv__transaction *transaction, size_t limit,
                                           conv__arena *arena, conv__reconciliation *result,
                                           conv_error *error)
{
    (void)usage;
    part parts[LISTS];
    conv__difference_list lists[LISTS];
    conv__parameters parameters = {.count = 0};
    conv_status status = queue(transaction, SUMS, &parameters, receive_sums, result, error);
    for (int i = 0; i < LISTS && status == CONV_OK; i++) {
        parts[i] = (part){arena, limit, FIRST_LIST + i, {0}};
        conv__parameter_int8(&parameters, (int64_t)limit + 1);
        status =
            queue(transaction, FIRST_LIST + i, &parameters, receive_differences, &parts[i], error);
    }
    if (status == CONV_OK) status = conv__postgres_ask(transaction, error);
    if (status != CONV_OK) return status;
    for (int i = 0; i < LISTS; i++)
        lists[i] = parts[i].list;
    if (conv__differences_join(arena, lists, LISTS, &result->list) == CONV_OK) return CONV_OK;
    return conv__fail_memory(error, ACTION);
}
