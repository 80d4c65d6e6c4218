#include "support/replay_totals.h"

#include <stdlib.h>

#include "conversation/conversation.h"
#include "support/store_rows.h"
#include "support/test.h"

/* The cost of any record is a whole number of ten millionths of a dollar. */
enum { INPUT_UNITS = 25, OUTPUT_UNITS = 100, UNITS = 10000000 };

static long long cost_of(const replay_totals *totals)
{
    return totals->input_tokens * INPUT_UNITS + totals->output_tokens * OUTPUT_UNITS;
}

void replay_totals_summed(conv_client *client, const replay_totals *totals)
{
    conv_error error;
    conv_usage_totals *sums = NULL;
    conv_decimal cost;
    char text[64];
    long long units = cost_of(totals);
    snprintf(text, sizeof text, "%lld.%07lld", units / UNITS, units % UNITS);
    assert_int_equal(conv_decimal_parse(conv_text(text), &cost), CONV_OK);
    assert_ok(conv_usage_sum(client, NULL, CONV_USAGE_GROUP_NONE, &sums, &error), error);
    const conv_usage_total *sum = conv_usage_totals_row(sums, 0);
    assert_int_equal(sum->records, totals->exchanges);
    assert_int_equal(sum->unpriced, 0);
    assert_true(sum->input_tokens == totals->input_tokens);
    assert_true(sum->output_tokens == totals->output_tokens);
    assert_int_equal(conv_decimal_compare(sum->cost_usd, cost), 0);
    conv_usage_totals_free(sums);
}

static void assert_row(const char *kind, const char *url, const char *sql, const char *wanted)
{
    char *rows = store_rows(kind, url, sql, NULL);
    if (strcmp(rows, wanted) != 0) fail_msg("%s\ngives\n%snot\n%s", sql, rows, wanted);
    free(rows);
}

/* A sum of a column of money in ten millionths, exact on either store. */
static const char *units_of(const char *kind, const char *column)
{
    static char text[128];
    if (strcmp(kind, "sqlite") == 0)
        snprintf(text, sizeof text, "sum(CAST(round(%s * 10000000) AS INTEGER))", column);
    else
        snprintf(text, sizeof text, "(sum(%s) * 10000000)::numeric(30, 0)", column);
    return text;
}

void replay_totals_stored(const char *kind, const char *url, const replay_totals *totals)
{
    char sql[512];
    char wanted[256];
    long long tokens = totals->input_tokens + totals->output_tokens;
    snprintf(wanted, sizeof wanted, "%zu\t%zu\t%zu\n", totals->conversations, totals->exchanges,
             totals->messages);
    assert_row(kind, url,
               "SELECT (SELECT count(*) FROM chat_sessions),"
               " (SELECT count(*) FROM chat_exchanges), (SELECT count(*) FROM chat_messages)",
               wanted);
    snprintf(wanted, sizeof wanted, "%zu\n", totals->messages);
    assert_row(kind, url, "SELECT sum(message_count) FROM chat_sessions", wanted);
    snprintf(sql, sizeof sql,
             "SELECT count(*), sum(input_tokens), sum(output_tokens), sum(total_tokens), %s"
             " FROM usage_logs",
             units_of(kind, "cost_usd"));
    snprintf(wanted, sizeof wanted, "%zu\t%lld\t%lld\t%lld\t%lld\n", totals->exchanges,
             totals->input_tokens, totals->output_tokens, tokens, cost_of(totals));
    assert_row(kind, url, sql, wanted);
    snprintf(sql, sizeof sql, "SELECT sum(count), sum(total_tokens), %s FROM daily_usage_summary",
             units_of(kind, "total_cost"));
    snprintf(wanted, sizeof wanted, "%zu\t%lld\t%lld\n", totals->exchanges, tokens,
             cost_of(totals));
    assert_row(kind, url, sql, wanted);
}
