/* Layout of tables. It must not know what the cells mean. */
#include "cli/table.h"

#include <stdlib.h>
#include <string.h>

#include "cli/display.h"
#include "cli/terminal.h"

#define COLUMNS_MOST 16

typedef struct row {
    bool rule;
    char *cells[COLUMNS_MOST]; /* all NULL in a rule */
} row;

struct cli_table {
    const cli_column *columns;
    size_t column_count;
    cli_style styles[COLUMNS_MOST];
    bool kept[COLUMNS_MOST]; /* yields only when no other column does */
    bool said[COLUMNS_MOST]; /* a cell of it was not absent */
    bool wraps;              /* the last column */
    row *rows;
    size_t count;
    size_t capacity;
};

cli_table *cli_table_create(const cli_column *columns, size_t count)
{
    cli_table *table = calloc(1, sizeof *table);
    if (table == NULL) return NULL;
    table->columns = columns;
    table->column_count = count < COLUMNS_MOST ? count : COLUMNS_MOST;
    return table;
}

static row *add_row(cli_table *table)
{
    if (table->count == table->capacity) {
        size_t capacity = table->capacity == 0 ? 32 : table->capacity * 2;
        row *rows = realloc(table->rows, capacity * sizeof *rows);
        if (rows == NULL) return NULL;
        table->rows = rows;
        table->capacity = capacity;
    }
    row *added = &table->rows[table->count++];
    *added = (row){0};
    return added;
}

static char *shown(conv_bytes cell)
{
    if (cell.data == NULL) return strdup("—");
    char *text = NULL;
    size_t size = 0;
    FILE *file = open_memstream(&text, &size);
    if (file == NULL) return NULL;
    cli_display_line(file, cell, 0);
    bool failed = ferror(file) != 0;
    failed = fclose(file) != 0 || failed;
    if (!failed) return text;
    free(text);
    return NULL;
}

bool cli_table_add(cli_table *table, const conv_bytes *cells)
{
    row *added = add_row(table);
    if (added == NULL) return false;
    for (size_t i = 0; i < table->column_count; i++) {
        added->cells[i] = shown(cells[i]);
        if (added->cells[i] == NULL) return false;
        if (cells[i].data != NULL) table->said[i] = true;
    }
    return true;
}

bool cli_table_rule(cli_table *table)
{
    row *added = add_row(table);
    if (added == NULL) return false;
    added->rule = true;
    return true;
}

void cli_table_wrap(cli_table *table)
{
    table->wraps = true;
}

/* The columns as they are printed. */
typedef struct layout {
    size_t shown[COLUMNS_MOST];
    size_t count;
    size_t widths[COLUMNS_MOST]; /* by the table's column */
} layout;

static layout measure(const cli_table *table)
{
    layout made = {.count = table->column_count};
    for (size_t i = 0; i < table->column_count; i++) {
        made.shown[i] = i;
        made.widths[i] = cli_display_width(conv_text(table->columns[i].title));
    }
    for (size_t r = 0; r < table->count; r++) {
        if (table->rows[r].rule) continue;
        for (size_t i = 0; i < table->column_count; i++) {
            size_t width = cli_display_width(conv_text(table->rows[r].cells[i]));
            if (width > made.widths[i]) made.widths[i] = width;
        }
    }
    return made;
}

void cli_table_style(cli_table *table, size_t column, cli_style style)
{
    table->styles[column] = style;
}

void cli_table_keep(cli_table *table, size_t column)
{
    table->kept[column] = true;
}

static size_t sum(const layout *self)
{
    size_t total = self->count == 0 ? 0 : (self->count - 1) * CLI_TABLE_GAP;
    for (size_t i = 0; i < self->count; i++)
        total += self->widths[self->shown[i]];
    return total;
}

size_t cli_table_width(const cli_table *table)
{
    layout measured = measure(table);
    return sum(&measured);
}

/* A column of text in which nothing stands takes room from the others. */
static void leave_out_empty(const cli_table *table, layout *self)
{
    size_t count = 0;
    for (size_t i = 0; i < self->count; i++) {
        size_t column = self->shown[i];
        bool needed = table->said[column] || table->columns[column].least == 0 || column == 0;
        if (needed) self->shown[count++] = column;
    }
    self->count = count;
}

size_t cli_table_least(const cli_table *table)
{
    layout least = measure(table);
    leave_out_empty(table, &least);
    for (size_t i = 0; i < table->column_count; i++) {
        size_t bound = table->columns[i].least;
        if (bound > 0 && least.widths[i] > bound) least.widths[i] = bound;
    }
    return sum(&least);
}

/* The widest column that still yields, of those that are kept or of the others; NULL: none does. */
static size_t *widest_of(const cli_table *table, layout *self, bool kept)
{
    size_t *widest = NULL;
    for (size_t i = 0; i < self->count; i++) {
        size_t column = self->shown[i];
        size_t least = table->columns[column].least;
        size_t *width = &self->widths[column];
        if (least == 0 || *width <= least || table->kept[column] != kept) continue;
        if (widest == NULL || *width > *widest) widest = width;
    }
    return widest;
}

/* Takes columns away from the widest that yields until the table fits, or nothing yields more. */
static void fit(const cli_table *table, layout *self, size_t width)
{
    if (sum(self) > width) leave_out_empty(table, self);
    while (sum(self) > width) {
        size_t *widest = widest_of(table, self, false);
        if (widest == NULL) widest = widest_of(table, self, true);
        if (widest == NULL) return;
        --*widest;
    }
}

static void pad(FILE *file, size_t count)
{
    for (; count > 0; count--)
        fputc(' ', file);
}

/* `owed` blanks stand before it, and are written only with a text behind them. */
static void print_cell(FILE *file, const char *text, bool right, size_t width, size_t *owed)
{
    size_t own = cli_display_width(conv_text(text));
    size_t blanks = own < width ? width - own : 0;
    if (own == 0) {
        *owed += width + CLI_TABLE_GAP;
        return;
    }
    pad(file, *owed + (right ? blanks : 0));
    cli_display_line(file, conv_text(text), width);
    *owed = (right ? 0 : blanks) + CLI_TABLE_GAP;
}

static void print_rule(FILE *file, size_t width)
{
    for (; width > 0; width--)
        fputs("─", file);
    fputc('\n', file);
}

static void print_heading(const cli_table *table, FILE *file, const layout *self)
{
    size_t owed = 0;
    fputs(cli_style_of(file, CLI_STYLE_BOLD), file);
    for (size_t i = 0; i < self->count; i++) {
        const cli_column *column = &table->columns[self->shown[i]];
        print_cell(file, column->title, column->right, self->widths[self->shown[i]], &owed);
    }
    fputs(cli_style_of(file, CLI_STYLE_PLAIN), file);
    fputc('\n', file);
}

static void print_row(const cli_table *table, FILE *file, const layout *self, const row *printed)
{
    size_t owed = 0;
    bool ended = false;
    for (size_t i = 0; i < self->count; i++) {
        size_t column = self->shown[i];
        const char *text = printed->cells[column];
        size_t width = self->widths[column];
        bool styled = table->styles[column] != CLI_STYLE_PLAIN;
        ended = table->wraps && column + 1 == table->column_count;
        if (styled) fputs(cli_style_of(file, table->styles[column]), file);
        if (ended) {
            pad(file, owed);
            cli_display_hanging(file, conv_text(text), sum(self), sum(self) - width);
        } else {
            print_cell(file, text, table->columns[column].right, width, &owed);
        }
        if (styled) fputs(cli_style_of(file, CLI_STYLE_PLAIN), file);
    }
    if (!ended) fputc('\n', file);
}

void cli_table_print(const cli_table *table, FILE *file, size_t width)
{
    layout fitted = measure(table);
    if (width > 0) fit(table, &fitted, width);
    print_heading(table, file, &fitted);
    for (size_t r = 0; r < table->count; r++) {
        if (table->rows[r].rule)
            print_rule(file, sum(&fitted));
        else
            print_row(table, file, &fitted, &table->rows[r]);
    }
}

void cli_table_free(cli_table *table)
{
    if (table == NULL) return;
    for (size_t r = 0; r < table->count; r++)
        for (size_t i = 0; i < table->column_count; i++)
            free(table->rows[r].cells[i]);
    free(table->rows);
    free(table);
}
