/* Bars and sparklines of exact numbers, out of block characters. Pure, without floating point. */
#ifndef CLI_CHART_H
#define CLI_CHART_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "conversation/decimal.h"

#define CLI_BAR_COLUMNS 24 /* of a bar at most */
#define CLI_BAR_LEAST   8  /* a shorter one says nothing */
#define CLI_BAR_SIZE    (CLI_BAR_COLUMNS * 3 + 1)

/* How many of `steps` a value is worth where `most` is worth all of them; at least 1 unless it is
 * 0, so that little is not taken for nothing. */
size_t cli_chart_level(conv_decimal value, conv_decimal most, size_t steps);

/* A bar of at most `columns` columns, in steps of an eighth of one. */
void cli_chart_bar(conv_decimal value, conv_decimal most, size_t columns, char text[CLI_BAR_SIZE]);

/* One character for each value, a blank for 0. */
void cli_chart_spark(FILE *file, const conv_decimal *values, size_t count);

#endif
