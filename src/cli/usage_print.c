/* The usage table. The sum is added up from the rows, so that the two can't disagree. */
#include "cli/usage_print.h"

#include <stdlib.h>
#include <string.h>

#include "cli/chart.h"
#include "cli/format.h"
#include "cli/table.h"
#include "cli/terminal.h"
#include "cli/usage_chart.h"

#define PLACES_LEAST 2
#define KEY_LEAST    20 /* the name of a model, cut to this, can still be told from the others */

typedef enum column {
    KEY,
    RECORDS,
    INPUT,
    OUTPUT,
    TOKENS,
    COST,
    UNPRICED,
    UNREPORTED,
    FAILED,
    BAR,
    COLUMN_COUNT
} column;

/* The columns of one table: those that say something. */
typedef struct selection {
    const cli_usage_rows *rows;
    size_t key; /* what the keys are cut down to */
    column shown[COLUMN_COUNT];
    size_t count;
    size_t places; /* of costs, so many that all points stand below each other */
    cli_measure measure;
    conv_decimal most; /* what a whole bar is worth */
    size_t bar;        /* its columns; 0: there are none */
    column left_out[COLUMN_COUNT];
    size_t left_out_count; /* for want of room */
} selection;

bool cli_usage_add(conv_usage_total *sum, const conv_usage_total *row)
{
    bool over = false;
#define ADD(field) over = __builtin_add_overflow(sum->field, row->field, &sum->field) || over
    ADD(records);
    ADD(failed);
    ADD(unreported);
    ADD(unpriced);
    ADD(input_tokens);
    ADD(output_tokens);
    ADD(total_tokens);
    ADD(cache_read_tokens);
    ADD(cache_write_tokens);
    ADD(reasoning_tokens);
#undef ADD
    return !over && conv_decimal_add(sum->cost_usd, row->cost_usd, &sum->cost_usd) == CONV_OK;
}

/* Nothing is known as long as there are records and every one lacks it. */
static bool is_priced(const conv_usage_total *total)
{
    return total->records == 0 || total->unpriced < total->records;
}

static bool is_reported(const conv_usage_total *total)
{
    return total->records == 0 || total->unreported < total->records;
}

static conv_bytes count_cell(int64_t count, bool known, char text[CLI_FORMAT_SIZE])
{
    if (!known) return conv_text(NULL);
    cli_format_count(count, text);
    return conv_text(text);
}

static bool add_row(cli_table *table, const selection *selected, const conv_usage_total *total,
                    conv_bytes key, bool with_bar)
{
    char texts[COLUMN_COUNT][CLI_FORMAT_SIZE];
    char literal[CONV_DECIMAL_TEXT_SIZE];
    char bar[CLI_BAR_SIZE] = "";
    conv_decimal_format(total->cost_usd, literal);
    cli_format_decimal(literal, selected->places, texts[COST]);
    if (with_bar)
        cli_chart_bar(cli_measure_of(selected->measure, total), selected->most, selected->bar, bar);
    bool reported = is_reported(total);
    const conv_bytes all[COLUMN_COUNT] = {
        [KEY] = key,
        [RECORDS] = count_cell(total->records, true, texts[RECORDS]),
        [INPUT] = count_cell(total->input_tokens, reported, texts[INPUT]),
        [OUTPUT] = count_cell(total->output_tokens, reported, texts[OUTPUT]),
        [TOKENS] = count_cell(total->total_tokens, reported, texts[TOKENS]),
        [COST] = conv_text(is_priced(total) ? texts[COST] : NULL),
        [UNPRICED] = count_cell(total->unpriced, true, texts[UNPRICED]),
        [UNREPORTED] = count_cell(total->unreported, true, texts[UNREPORTED]),
        [FAILED] = count_cell(total->failed, true, texts[FAILED]),
        [BAR] = conv_text(bar),
    };
    conv_bytes cells[COLUMN_COUNT];
    for (size_t i = 0; i < selected->count; i++)
        cells[i] = all[selected->shown[i]];
    return cli_table_add(table, cells);
}

static size_t places_of(const cli_usage_rows *rows, const conv_usage_total *sum)
{
    char literal[CONV_DECIMAL_TEXT_SIZE];
    conv_decimal_format(sum->cost_usd, literal);
    size_t places = cli_decimal_places(literal);
    if (places < PLACES_LEAST) places = PLACES_LEAST;
    for (size_t i = 0; i < rows->count; i++) {
        conv_decimal_format(rows->rows[i]->cost_usd, literal);
        if (cli_decimal_places(literal) > places) places = cli_decimal_places(literal);
    }
    return places;
}

/* Leaves out what would be the same in every row: remarks that count nothing, and costs of which
 * none is known. */
static selection choose(const cli_usage_rows *rows, const conv_usage_total *sum)
{
    bool priced = is_priced(sum);
    const bool says[COLUMN_COUNT] = {
        [KEY] = true,
        [RECORDS] = true,
        [INPUT] = true,
        [OUTPUT] = true,
        [TOKENS] = true,
        [COST] = priced,
        [UNPRICED] = priced && sum->unpriced > 0,
        [UNREPORTED] = sum->unreported > 0,
        [FAILED] = sum->failed > 0,
    };
    selection made = {.rows = rows,
                      .key = KEY_LEAST,
                      .places = places_of(rows, sum),
                      .measure = cli_usage_measure(sum)};
    made.most = cli_measure_most(made.measure, rows);
    for (column i = KEY; i < BAR; i++)
        if (says[i]) made.shown[made.count++] = i;
    return made;
}

/* Other than the column of numbers that the bars stand for. */
static const char *bar_title(cli_measure measure)
{
    static const char *const titles[] = {[CLI_MEASURE_COST] = "by cost",
                                         [CLI_MEASURE_TOKENS] = "by tokens",
                                         [CLI_MEASURE_RECORDS] = "by records"};
    return titles[measure];
}

/* The whole table; the titles are the caller's. NULL when out of memory. */
static cli_table *make_table(const cli_usage_report *report, const conv_usage_total *sum,
                             const selection *selected, cli_column columns[COLUMN_COUNT])
{
    const cli_column all[COLUMN_COUNT] = {
        [KEY] = {report->by, false, selected->key},
        [RECORDS] = {"records", true, 0},
        [INPUT] = {"input", true, 0},
        [OUTPUT] = {"output", true, 0},
        [TOKENS] = {"tokens", true, 0},
        [COST] = {"cost USD", true, 0},
        [UNPRICED] = {"unpriced", true, 0},
        [UNREPORTED] = {"unreported", true, 0},
        [FAILED] = {"failed", true, 0},
        [BAR] = {bar_title(selected->measure), false, 0},
    };
    for (size_t i = 0; i < selected->count; i++)
        columns[i] = all[selected->shown[i]];
    cli_table *table = cli_table_create(columns, selected->count);
    bool ok = table != NULL;
    for (size_t i = 0; i < selected->rows->count && ok; i++) {
        const conv_usage_total *row = selected->rows->rows[i];
        ok = add_row(table, selected, row, row->key, true);
    }
    ok = ok && cli_table_rule(table) && add_row(table, selected, sum, conv_text("total"), false);
    if (ok && selected->bar > 0) cli_table_style(table, selected->count - 1, CLI_STYLE_BAR);
    if (ok) return table;
    cli_table_free(table);
    return NULL;
}

/* What a narrow terminal can do without: first what a remark says as well, last what tells the rows
 * from each other; the last column of numbers stays. False if all of that is gone. */
static bool leave_out(selection *selected)
{
    static const column order[] = {UNREPORTED, FAILED, UNPRICED, OUTPUT, INPUT, RECORDS, TOKENS};
    for (size_t i = 0; i < sizeof order / sizeof order[0] && selected->count > 2; i++) {
        size_t kept = 0;
        if (order[i] == TOKENS && selected->key > CLI_LEAST_TEXT) {
            selected->key = CLI_LEAST_TEXT;
            return true;
        }
        for (size_t k = 0; k < selected->count; k++)
            if (selected->shown[k] != order[i]) selected->shown[kept++] = selected->shown[k];
        if (kept == selected->count) continue;
        selected->count = kept;
        selected->left_out[selected->left_out_count++] = order[i];
        return true;
    }
    return false;
}

static cli_table *make_fitting_table(const cli_usage_report *report, const conv_usage_total *sum,
                                     selection *selected, cli_column columns[COLUMN_COUNT])
{
    size_t width = cli_terminal_width(stdout);
    cli_table *table = make_table(report, sum, selected, columns);
    while (table != NULL && width > 0 && cli_table_least(table) > width && leave_out(selected)) {
        cli_table_free(table);
        table = make_table(report, sum, selected, columns);
    }
    return table;
}

/* "no room for 2 unreported, 1 failed" */
static void note_left_out(const selection *selected, const conv_usage_total *sum)
{
    static const char *const names[COLUMN_COUNT] = {
        [UNREPORTED] = "unreported", [FAILED] = "failed", [UNPRICED] = "unpriced",
        [OUTPUT] = "output",         [INPUT] = "input",   [RECORDS] = "records",
        [TOKENS] = "tokens"};
    const int64_t counts[COLUMN_COUNT] = {
        [UNREPORTED] = sum->unreported, [FAILED] = sum->failed,      [UNPRICED] = sum->unpriced,
        [OUTPUT] = sum->output_tokens,  [INPUT] = sum->input_tokens, [RECORDS] = sum->records,
        [TOKENS] = sum->total_tokens};
    char line[COLUMN_COUNT * CLI_FORMAT_SIZE] = "";
    size_t used = 0;
    for (size_t i = 0; i < selected->left_out_count; i++) {
        column left_out = selected->left_out[i];
        char count[CLI_FORMAT_SIZE];
        cli_format_count(counts[left_out], count);
        used += (size_t)snprintf(line + used, sizeof line - used, "%s%s %s", i > 0 ? ", " : "",
                                 count, names[left_out]);
    }
    if (used > 0) cli_note("no room for %s; --csv shows all", line);
}

/* Bars go where a terminal has room for them behind all columns. */
static bool add_bars(selection *selected, size_t table_width)
{
    size_t width = cli_terminal_width(stdout);
    size_t title = strlen(bar_title(selected->measure));
    size_t least = title > CLI_BAR_LEAST ? title : CLI_BAR_LEAST;
    if (width < table_width + CLI_TABLE_GAP + least) return false;
    size_t room = width - table_width - CLI_TABLE_GAP;
    selected->bar = room < CLI_BAR_COLUMNS ? room : CLI_BAR_COLUMNS;
    selected->shown[selected->count++] = BAR;
    return true;
}

static cli_exit print_people(const cli_usage_report *report, const cli_usage_rows *rows,
                             const conv_usage_total *sum)
{
    cli_column columns[COLUMN_COUNT];
    selection selected = choose(rows, sum);
    cli_table *table = make_fitting_table(report, sum, &selected, columns);
    if (table != NULL && sum->records > 0 && add_bars(&selected, cli_table_width(table))) {
        cli_table_free(table);
        table = make_table(report, sum, &selected, columns);
    }
    if (table == NULL) {
        cli_complain("sum usage: out of memory");
        return CLI_EXIT_FAILED;
    }
    cli_table_print(table, stdout, cli_terminal_width(stdout));
    /* Of days the line below says as much. */
    size_t width = cli_terminal_width(stdout);
    bool drawn = report->days == NULL || report->days == report->totals || selected.bar > 0 ||
                 cli_usage_bars(rows, report->by, selected.measure, width);
    if (report->days != NULL) cli_usage_spark(report->days, selected.measure, width);
    if (!drawn) cli_complain("sum usage: out of memory");
    note_left_out(&selected, sum);
    if (!is_priced(sum)) cli_note("no record has a price: what they cost is unknown");
    cli_table_free(table);
    return CLI_EXIT_OK;
}

static json_t *row_value(const conv_usage_total *total)
{
    bool reported = is_reported(total);
    json_t *value = json_object();
    bool failed = false;
    cli_json_add(value, &failed, "records", json_integer(total->records));
    cli_json_add(value, &failed, "failed", json_integer(total->failed));
    cli_json_add(value, &failed, "unreported", json_integer(total->unreported));
    cli_json_add(value, &failed, "unpriced", json_integer(total->unpriced));
#define ADD(field)                                                                                 \
    cli_json_add(value, &failed, #field, reported ? json_integer(total->field) : json_null())
    ADD(input_tokens);
    ADD(output_tokens);
    ADD(total_tokens);
    ADD(cache_read_tokens);
    ADD(cache_write_tokens);
    ADD(reasoning_tokens);
#undef ADD
    cli_json_add(value, &failed, "cost_usd",
                 is_priced(total) ? cli_json_decimal(total->cost_usd) : json_null());
    if (!failed) return value;
    json_decref(value);
    return NULL;
}

/* The row with its key under the name of the group, in front. */
static json_t *keyed_value(const conv_usage_total *total, const char *by)
{
    json_t *value = json_object();
    json_t *rest = row_value(total);
    bool failed = rest == NULL;
    cli_json_add(value, &failed, by, cli_json_text(total->key));
    if (!failed) failed = json_object_update(value, rest) != 0;
    json_decref(rest);
    if (!failed) return value;
    json_decref(value);
    return NULL;
}

static cli_exit print_json(const cli_usage_report *report, const cli_usage_rows *shown,
                           const conv_usage_total *sum)
{
    json_t *value = json_object();
    json_t *rows = json_array();
    bool failed = false;
    for (size_t i = 0; i < shown->count; i++)
        if (json_array_append_new(rows, keyed_value(shown->rows[i], report->by)) != 0)
            failed = true;
    cli_json_add(value, &failed, "by", json_string(report->by));
    if (report->zone != NULL) cli_json_add(value, &failed, "zone", json_string(report->zone));
    cli_json_add(value, &failed, "rows", rows);
    if (report->limit > 0)
        cli_json_add(
            value, &failed, "left_out",
            json_integer((json_int_t)(conv_usage_totals_count(report->totals) - shown->count)));
    cli_json_add(value, &failed, "total", row_value(sum));
    return cli_json_print(stdout, value, failed) ? CLI_EXIT_OK : CLI_EXIT_FAILED;
}

static cli_exit print_jsonl(const cli_usage_rows *rows, const char *by)
{
    for (size_t i = 0; i < rows->count; i++)
        if (!cli_json_print(stdout, keyed_value(rows->rows[i], by), false)) return CLI_EXIT_FAILED;
    return CLI_EXIT_OK;
}

static void csv_count(int64_t count, bool known)
{
    char text[CLI_FORMAT_SIZE];
    snprintf(text, sizeof text, "%lld", (long long)count);
    cli_csv_field(stdout, conv_text(known ? text : NULL), false);
}

static void print_csv(const cli_usage_rows *rows, const char *by)
{
    static const char *const names[] = {"records",
                                        "failed",
                                        "unreported",
                                        "unpriced",
                                        "input_tokens",
                                        "output_tokens",
                                        "total_tokens",
                                        "cache_read_tokens",
                                        "cache_write_tokens",
                                        "reasoning_tokens",
                                        "cost_usd"};
    cli_csv_field(stdout, conv_text(by), true);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        cli_csv_field(stdout, conv_text(names[i]), false);
    cli_csv_end(stdout);
    for (size_t i = 0; i < rows->count; i++) {
        const conv_usage_total *row = rows->rows[i];
        bool reported = is_reported(row);
        char literal[CONV_DECIMAL_TEXT_SIZE];
        conv_decimal_format(row->cost_usd, literal);
        cli_csv_field(stdout, row->key, true);
        csv_count(row->records, true);
        csv_count(row->failed, true);
        csv_count(row->unreported, true);
        csv_count(row->unpriced, true);
        csv_count(row->input_tokens, reported);
        csv_count(row->output_tokens, reported);
        csv_count(row->total_tokens, reported);
        csv_count(row->cache_read_tokens, reported);
        csv_count(row->cache_write_tokens, reported);
        csv_count(row->reasoning_tokens, reported);
        cli_csv_field(stdout, conv_text(is_priced(row) ? literal : NULL), false);
        cli_csv_end(stdout);
    }
}

static cli_exit print_rows(const cli_usage_report *report, const cli_usage_rows *rows,
                           const conv_usage_total *sum, cli_form form)
{
    switch (form) {
    case CLI_FORM_JSON:
        return print_json(report, rows, sum);
    case CLI_FORM_JSONL:
        return print_jsonl(rows, report->by);
    case CLI_FORM_CSV:
        print_csv(rows, report->by);
        return CLI_EXIT_OK;
    default:
        return print_people(report, rows, sum);
    }
}

/* "7 of 12 rows left out; the total counts all" */
static void note_rows(const cli_usage_report *report, size_t shown)
{
    size_t count = conv_usage_totals_count(report->totals);
    char left_out[CLI_FORMAT_SIZE];
    char all[CLI_FORMAT_SIZE];
    if (shown == count) return;
    cli_format_count((int64_t)(count - shown), left_out);
    cli_format_count((int64_t)count, all);
    cli_note("%s of %s rows left out; the total counts all", left_out, all);
}

cli_exit cli_usage_print(const cli_usage_report *report, cli_form form)
{
    conv_usage_total sum = {0};
    for (size_t i = 0; i < conv_usage_totals_count(report->totals); i++) {
        if (cli_usage_add(&sum, conv_usage_totals_row(report->totals, i))) continue;
        cli_complain("sum usage: the total is too large for a number");
        return CLI_EXIT_FAILED;
    }
    cli_usage_rows rows;
    if (!cli_usage_rows_choose(report->totals, report->limit, strcmp(report->by, "day") == 0,
                               cli_usage_measure(&sum), &rows)) {
        cli_complain("sum usage: out of memory");
        return CLI_EXIT_FAILED;
    }
    cli_exit code = print_rows(report, &rows, &sum, form);
    note_rows(report, rows.count);
    free(rows.rows);
    return code;
}
