/* Sums of usage for people and programs. */
#ifndef CLI_USAGE_PRINT_H
#define CLI_USAGE_PRINT_H

#include "cli/exit_code.h"
#include "cli/output.h"
#include "conversation/usage.h"

/* What is printed. */
typedef struct cli_usage_report {
    const conv_usage_totals *totals;
    int64_t limit;                 /* rows at most; 0: all. The sum is that of all */
    const char *by;                /* what they are grouped by */
    const conv_usage_totals *days; /* the same by day, for a terminal; NULL: not drawn */
    const char *zone;              /* whose days; NULL: UTC, and not said */
} cli_usage_report;

/* Prints the rows and their sum; where there are more than `limit`, of days the last ones, else
 * those that cost most, or used most tokens where nothing is priced, and a remark says how many
 * were left out. */
cli_exit cli_usage_print(const cli_usage_report *report, cli_form form);

/* sum = sum + row, exactly. False when a sum passes what it can hold; `sum` is then of no use. */
bool cli_usage_add(conv_usage_total *sum, const conv_usage_total *row);

#endif
