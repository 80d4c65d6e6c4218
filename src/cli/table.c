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

static void measure(const cli_table *table, size_t *widths)
{
    for (size_t i = 0; i < table->column_count; i++)
        widths[i] = cli_display_width(conv_text(table->columns[i].title));
    for (size_t r = 0; r < table->count; r++) {
        if (table->rows[r].rule) continue;
        for (size_t i = 0; i < table->column_count; i++) {
            size_t width = cli_display_width(conv_text(table->rows[r].cells[i]));
            if (width > widths[i]) widths[i] = width;
        }
    }
}

void cli_table_style(cli_table *table, size_t column, cli_style style)
{
    table->styles[column] = style;
}

static size_t sum(const size_t *widths, size_t count)
{
    size_t total = count == 0 ? 0 : (count - 1) * CLI_TABLE_GAP;
    for (size_t i = 0; i < count; i++)
        total += widths[i];
    return total;
}

size_t cli_table_width(const cli_table *table)
{
    size_t widths[COLUMNS_MOST] = {0};
    measure(table, widths);
    return sum(widths, table->column_count);
}

/* Takes columns away from the widest that yields until the table fits, or nothing yields more. */
static void fit(const cli_table *table, size_t *widths, size_t width)
{
    while (sum(widths, table->column_count) > width) {
        size_t widest = table->column_count;
        for (size_t i = 0; i < table->column_count; i++) {
            size_t least = table->columns[i].least;
            if (least == 0 || widths[i] <= least) continue;
            if (widest == table->column_count || widths[i] > widths[widest]) widest = i;
        }
        if (widest == table->column_count) return;
        widths[widest]--;
    }
}

static void pad(FILE *file, size_t count)
{
    for (; count > 0; count--)
        fputc(' ', file);
}

static void print_cell(FILE *file, const char *text, bool right, size_t width, bool last)
{
    size_t own = cli_display_width(conv_text(text));
    size_t blanks = own < width ? width - own : 0;
    if (right) pad(file, blanks);
    cli_display_line(file, conv_text(text), width);
    if (!right && !last) pad(file, blanks);
    if (!last) pad(file, CLI_TABLE_GAP);
}

static void print_rule(FILE *file, size_t width)
{
    for (; width > 0; width--)
        fputs("─", file);
    fputc('\n', file);
}

void cli_table_print(const cli_table *table, FILE *file, size_t width)
{
    size_t widths[COLUMNS_MOST] = {0};
    size_t count = table->column_count;
    measure(table, widths);
    if (width > 0) fit(table, widths, width);

    fputs(cli_style_of(file, CLI_STYLE_BOLD), file);
    for (size_t i = 0; i < count; i++)
        print_cell(file, table->columns[i].title, table->columns[i].right, widths[i],
                   i + 1 == count);
    fputs(cli_style_of(file, CLI_STYLE_PLAIN), file);
    fputc('\n', file);
    for (size_t r = 0; r < table->count; r++) {
        const row *printed = &table->rows[r];
        if (printed->rule) {
            print_rule(file, sum(widths, count));
            continue;
        }
        for (size_t i = 0; i < count; i++) {
            bool styled = table->styles[i] != CLI_STYLE_PLAIN;
            if (styled) fputs(cli_style_of(file, table->styles[i]), file);
            print_cell(file, printed->cells[i], table->columns[i].right, widths[i], i + 1 == count);
            if (styled) fputs(cli_style_of(file, CLI_STYLE_PLAIN), file);
        }
        fputc('\n', file);
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
