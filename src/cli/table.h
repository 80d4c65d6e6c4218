/* Tables for people: columns as wide as what stands in them, in a terminal's width. */
#ifndef CLI_TABLE_H
#define CLI_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "cli/terminal.h"
#include "conversation/bytes.h"

typedef struct cli_column {
    const char *title;
    bool right;   /* numbers */
    size_t least; /* where the terminal is too narrow it is cut down to this; 0: it is never cut */
} cli_column;

#define CLI_TABLE_GAP     2  /* columns between two of the table */
#define CLI_LEAST_TEXT    6  /* for most columns of text */
#define CLI_LEAST_WRAPPED 20 /* for a column that wraps */

typedef struct cli_table cli_table;

/* A table of `count` columns (borrowed), at most 16. NULL when out of memory. */
cli_table *cli_table_create(const cli_column *columns, size_t count);

/* Adds a row of cells, one for each column; copied in the form that a terminal may show, in one
 * line. An absent cell shows "—". False when out of memory. */
bool cli_table_add(cli_table *table, const conv_bytes *cells);

/* A line across before the next row: what follows is the sum. False when out of memory. */
bool cli_table_rule(cli_table *table);

/* Shows the cells of a column in a style. */
void cli_table_style(cli_table *table, size_t column, cli_style style);

/* Cuts a column only where cutting all others does not help: an id is there to be typed again. */
void cli_table_keep(cli_table *table, size_t column);

/* The last column goes on in further lines instead of being cut. */
void cli_table_wrap(cli_table *table);

/* Columns of the terminal that the table wants. */
size_t cli_table_width(const cli_table *table);

/* The columns of the terminal without which it does not fit, however much is cut. */
size_t cli_table_least(const cli_table *table);

/* Prints title and rows in `width` columns, 0: as wide as needed. Where that is too narrow, columns
 * of text without any cell are left out, and then the widest are cut. */
void cli_table_print(const cli_table *table, FILE *file, size_t width);

void cli_table_free(cli_table *table); /* NULL is allowed */

#endif
