/* What each day cost in a city's own time, and the proof that the sums agree. Usage: daily_report
 * [STORE] */
#include <conversation/conversation.h>
#include <stdio.h>

/* One metered operation at a time of UTC, in hours since 2026-11-23. */
static conv_status track(conv_client *client, int64_t hour, const char *cost, conv_error *error)
{
    conv_usage usage = CONV_USAGE_INIT;
    usage.created_us = (INT64_C(1795392000) + hour * 3600) * 1000000;
    usage.service = conv_text("document");
    usage.operation = conv_text("summarise");
    usage.input_tokens = 1000;
    usage.output_tokens = 200;
    usage.priced = true;
    conv_status status = conv_decimal_parse(conv_text(cost), &usage.cost_usd);
    return status == CONV_OK ? conv_track_usage(client, &usage, error) : status;
}

static conv_status print_days(conv_client *client, const char *zone, conv_error *error)
{
    conv_usage_filter filter = CONV_USAGE_FILTER_INIT;
    conv_usage_totals *days = NULL;
    filter.zone = conv_text(zone);
    conv_status status = conv_usage_sum(client, &filter, CONV_USAGE_GROUP_DAY, &days, error);
    for (size_t i = 0; status == CONV_OK && i < conv_usage_totals_count(days); i++) {
        const conv_usage_total *day = conv_usage_totals_row(days, i);
        char cost[CONV_DECIMAL_TEXT_SIZE];
        conv_decimal_format(day->cost_usd, cost);
        printf("%.*s  %lld tokens  %s USD\n", (int)day->key.size, day->key.data,
               (long long)day->total_tokens, cost);
    }
    conv_usage_totals_free(days);
    return status;
}

/* Brings daily_usage_summary up to date for those who read it with SQL, and compares all sums. */
static conv_status prove(conv_client *client, conv_error *error)
{
    conv_reconciliation *result = NULL;
    conv_status status = conv_usage_refresh(client, NULL, NULL, error);
    if (status == CONV_OK) status = conv_reconcile(client, NULL, &result, error);
    if (status == CONV_OK && conv_reconciliation_agrees(result))
        puts("summary, ledger and sessions agree");
    for (size_t i = 0; status == CONV_OK && i < conv_reconciliation_count(result); i++) {
        const conv_difference *one = conv_reconciliation_difference(result, i);
        printf("differs: %s.%s\n", one->relation.data, one->field.data);
    }
    conv_reconciliation_free(result);
    return status;
}

int main(int count, char **arguments)
{
    conv_error error = CONV_ERROR_INIT;
    conv_client_params params = CONV_CLIENT_PARAMS_INIT;
    params.store = count > 1 ? arguments[1] : "sqlite:daily_report.db";
    conv_client *client = NULL;

    conv_status status = conv_client_open(&params, &client, &error);
    if (status == CONV_OK) status = track(client, 10, "0.02", &error);
    if (status == CONV_OK) status = track(client, 23, "0.005", &error);
    if (status == CONV_OK) status = track(client, 36, "0.0125", &error);
    if (status == CONV_OK) status = conv_track_flush(client, 5000, NULL, &error);
    if (status == CONV_OK) status = print_days(client, "Asia/Kathmandu", &error);
    if (status == CONV_OK) status = prove(client, &error);
    if (status != CONV_OK) fprintf(stderr, "%s: %s\n", error.action, error.message);

    conv_client_close(client, 5000, NULL);
    return status == CONV_OK ? 0 : 1;
}
