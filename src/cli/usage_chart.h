/* What the bars and the sparkline of the usage table show. */
#ifndef CLI_USAGE_CHART_H
#define CLI_USAGE_CHART_H

#include <stdbool.h>

#include "conversation/usage.h"

/* Costs where some are known, else tokens, else records. */
typedef enum cli_measure { CLI_MEASURE_COST, CLI_MEASURE_TOKENS, CLI_MEASURE_RECORDS } cli_measure;

cli_measure cli_usage_measure(const conv_usage_total *sum);
const char *cli_measure_name(cli_measure measure);
conv_decimal cli_measure_of(cli_measure measure, const conv_usage_total *total);

/* The largest of the rows. */
conv_decimal cli_measure_most(cli_measure measure, const conv_usage_totals *totals);

/* Prints a bar for each row below its table, where that had no room for them: at most CLI_BAR_ROWS
 * rows, because more can't be compared at a glance. False when out of memory. */
#define CLI_BAR_ROWS 20
bool cli_usage_bars(const conv_usage_totals *totals, const char *by, cli_measure measure,
                    size_t width);

/* Prints the days (sums by CONV_USAGE_GROUP_DAY) as one line, at most `width` columns wide: days
 * without records count, and where there are too many for the line several share a character.
 * Prints nothing for fewer than two days. */
void cli_usage_spark(const conv_usage_totals *days, cli_measure measure, size_t width);

#endif
