/* Sums of usage for people and programs. */
#ifndef CLI_USAGE_PRINT_H
#define CLI_USAGE_PRINT_H

#include "cli/exit_code.h"
#include "cli/output.h"
#include "conversation/usage.h"

/* Prints the rows and their sum; `by` names what they are grouped by. */
cli_exit cli_usage_print(const conv_usage_totals *totals, const char *by, cli_form form);

/* sum = sum + row, exactly. False when a sum passes what it can hold; `sum` is then of no use. */
bool cli_usage_add(conv_usage_total *sum, const conv_usage_total *row);

#endif
