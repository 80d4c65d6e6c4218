/* The sparkline of days, and what is measured. It asks nobody: the sums are given. */
#include "cli/usage_chart.h"

#include <stdlib.h>
#include <string.h>

#include "cli/chart.h"
#include "cli/format.h"
#include "cli/table.h"
#include "cli/terminal.h"

#define LABEL_COLUMNS 52 /* of what stands around the sparkline, at most */

cli_measure cli_usage_measure(const conv_usage_total *sum)
{
    if (sum->unpriced < sum->records) return CLI_MEASURE_COST;
    return sum->unreported < sum->records ? CLI_MEASURE_TOKENS : CLI_MEASURE_RECORDS;
}

const char *cli_measure_name(cli_measure measure)
{
    static const char *const names[] = {"cost", "tokens", "records"};
    return names[measure];
}

conv_decimal cli_measure_of(cli_measure measure, const conv_usage_total *total)
{
    if (measure == CLI_MEASURE_COST) return total->cost_usd;
    return conv_decimal_from_integer(measure == CLI_MEASURE_TOKENS ? total->total_tokens
                                                                   : total->records);
}

conv_decimal cli_measure_most(cli_measure measure, const cli_usage_rows *rows)
{
    conv_decimal most = {0};
    for (size_t i = 0; i < rows->count; i++) {
        conv_decimal value = cli_measure_of(measure, rows->rows[i]);
        if (conv_decimal_compare(value, most) > 0) most = value;
    }
    return most;
}

bool cli_usage_bars(const cli_usage_rows *rows, const char *by, cli_measure measure, size_t width)
{
    const cli_column columns[] = {{by, false, CLI_LEAST_TEXT},
                                  {cli_measure_name(measure), false, CLI_BAR_LEAST}};
    size_t count = rows->count;
    if (count < 2 || count > CLI_BAR_ROWS) return true;
    cli_table *table = cli_table_create(columns, sizeof columns / sizeof columns[0]);
    bool ok = table != NULL;
    for (size_t i = 0; i < count && ok; i++) {
        const conv_usage_total *row = rows->rows[i];
        char bar[CLI_BAR_SIZE];
        cli_chart_bar(cli_measure_of(measure, row), cli_measure_most(measure, rows),
                      CLI_BAR_COLUMNS, bar);
        const conv_bytes cells[] = {row->key, conv_text(bar)};
        ok = cli_table_add(table, cells);
    }
    if (ok) {
        cli_table_style(table, 1, CLI_STYLE_BAR);
        fputc('\n', stdout);
        cli_table_print(table, stdout, width);
    }
    cli_table_free(table);
    return ok;
}

/* Days since 1970; keys are dates. */
static int64_t day_of(const conv_usage_totals *days, size_t index)
{
    int64_t time_us = 0;
    bool is_day;
    const conv_usage_total *row = conv_usage_totals_row(days, index);
    /* What is before 1970 can't be drawn, and stands at its beginning. */
    return row->key.data != NULL && cli_read_date(row->key.data, &time_us, &is_day)
               ? time_us / CLI_DAY_US
               : 0;
}

void cli_usage_spark(const conv_usage_totals *days, cli_measure measure, size_t width)
{
    size_t count = conv_usage_totals_count(days);
    if (count < 2 || width <= LABEL_COLUMNS) return;
    int64_t first = day_of(days, 0);
    int64_t span = day_of(days, count - 1) - first + 1;
    int64_t room = (int64_t)(width - LABEL_COLUMNS);
    int64_t shared = (span + room - 1) / room; /* days of one character */
    size_t places = (size_t)((span + shared - 1) / shared);
    conv_decimal *values = calloc(places, sizeof *values);
    if (values == NULL) return;
    for (size_t i = 0; i < count; i++) {
        conv_decimal *value = &values[(day_of(days, i) - first) / shared];
        /* A sum too long to be drawn is left at what it was. */
        (void)(conv_decimal_add(*value, cli_measure_of(measure, conv_usage_totals_row(days, i)),
                                value) == CONV_OK);
    }
    printf("\n%s by ", cli_measure_name(measure));
    if (shared > 1)
        printf("%lld days  ", (long long)shared);
    else
        printf("day  ");
    printf("%s  %s", conv_usage_totals_row(days, 0)->key.data, cli_style_of(stdout, CLI_STYLE_BAR));
    cli_chart_spark(stdout, values, places);
    printf("%s  %s\n", cli_style_of(stdout, CLI_STYLE_PLAIN),
           conv_usage_totals_row(days, count - 1)->key.data);
    free(values);
}
