/* What the bars and the sparkline of the usage table show. */
#ifndef CLI_USAGE_CHART_H
#define CLI_USAGE_CHART_H

#include <stdbool.h>

#include "conversation/usage.h"

/* Costs where some are known, else tokens, else records. */
typedef enum cli_measure { CLI_MEASURE_COST, CLI_MEASURE_TOKENS, CLI_MEASURE_RECORDS } cli_measure;

/* Those of the totals that are shown, in their order. */
typedef struct cli_usage_rows {
    const conv_usage_total **rows;
    size_t count;
} cli_usage_rows;

cli_measure cli_usage_measure(const conv_usage_total *sum);
const char *cli_measure_name(cli_measure measure);
conv_decimal cli_measure_of(cli_measure measure, const conv_usage_total *total);

/* The largest of the rows. */
conv_decimal cli_measure_most(cli_measure measure, const cli_usage_rows *rows);

/* Chooses at most `limit` rows (0: all): the last ones, or those of the largest measure.
 * `rows->rows` is on the heap. False when out of memory. */
bool cli_usage_rows_choose(const conv_usage_totals *totals, int64_t limit, bool last,
                           cli_measure measure, cli_usage_rows *rows);

/* Prints a bar for each row below its table, where that had no room for them: at most CLI_BAR_ROWS
 * rows, because more can't be compared at a glance. False when out of memory. */
#define CLI_BAR_ROWS 20
bool cli_usage_bars(const cli_usage_rows *rows, const char *by, cli_measure measure, size_t width);

/* Prints the days (sums by CONV_USAGE_GROUP_DAY) as one line, at most `width` columns wide: days
 * without records count, and where there are too many for the line several share a character.
 * Prints nothing for fewer than two days. */
void cli_usage_spark(const conv_usage_totals *days, cli_measure measure, size_t width);

#endif
