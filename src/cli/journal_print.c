/* conversation journal list and show. A list must not show what was said. */
#include "cli/journal.h"

#include <string.h>

#include "cli/display.h"
#include "cli/format.h"
#include "cli/message_print.h"
#include "cli/output.h"
#include "cli/store.h"
#include "cli/table.h"
#include "cli/terminal.h"
#include "conversation/transcript.h"

#define PAGE            50
#define WIDTH_ELSEWHERE 100

static const cli_column columns[] = {
    {"entry", true, 0},
    {"kind", false, 0},
    {"session", false, CLI_LEAST_TEXT},
    {"user", false, CLI_LEAST_TEXT},
    {"messages", true, 0},
    {"created (UTC)", false, 0},
    {"sqlstate", false, 0},
    {"reason", false, CLI_LEAST_TEXT},
};

#define SESSION_COLUMN 2
#define COLUMN_COUNT   (sizeof columns / sizeof columns[0])

static json_t *usage_value(const conv_usage *usage)
{
    if (usage == NULL) return json_null();
    char id[CONV_UUID_TEXT_SIZE];
    conv_uuid_format(usage->log_id, id);
    json_t *value = json_object();
    bool failed = false;
    cli_json_add(value, &failed, "log_id", json_string(id));
    cli_json_add(value, &failed, "service", cli_json_text(usage->service));
    cli_json_add(value, &failed, "operation", cli_json_text(usage->operation));
    cli_json_add_usage(value, &failed, usage);
    cli_json_add(value, &failed, "document", cli_json_text(usage->document_id));
    cli_json_add(value, &failed, "processed_bytes", cli_json_count(usage->processed_bytes));
    cli_json_add(value, &failed, "status", json_string(conv_outcome_name(usage->status)));
    if (!failed) return value;
    json_decref(value);
    return NULL;
}

static json_t *entry_value(const conv_journal_entry *entry, bool *failed)
{
    json_t *value = json_object();
    conv_bytes sqlstate = conv_text(entry->sqlstate[0] != '\0' ? entry->sqlstate : NULL);
    cli_json_add(value, failed, "entry", json_integer(entry->entry_id));
    cli_json_add(value, failed, "kind", json_string(conv_journal_kind_name(entry->kind)));
    cli_json_add(value, failed, "readable", json_boolean(entry->readable));
    cli_json_add(value, failed, "session", cli_json_text(entry->session_id));
    cli_json_add(value, failed, "user", cli_json_text(entry->user_id));
    cli_json_add(value, failed, "turn_id", cli_json_text(entry->turn_id));
    cli_json_add(value, failed, "status",
                 entry->readable ? json_string(conv_outcome_name(entry->status)) : json_null());
    cli_json_add(value, failed, "created_at", cli_json_time(entry->created_us));
    cli_json_add(value, failed, "sqlstate", cli_json_text(sqlstate));
    cli_json_add(value, failed, "reason", cli_json_text(entry->reason));
    cli_json_add(value, failed, "message_count", json_integer((json_int_t)entry->message_count));
    cli_json_add(value, failed, "usage", usage_value(entry->usage));
    return value;
}

static bool add_row(cli_table *table, const conv_journal_entry *entry)
{
    char number[CLI_FORMAT_SIZE];
    char messages[CLI_FORMAT_SIZE];
    char created[CLI_FORMAT_SIZE];
    snprintf(number, sizeof number, "%lld", (long long)entry->entry_id);
    cli_format_count((int64_t)entry->message_count, messages);
    cli_format_time(entry->created_us, created);
    conv_bytes cells[COLUMN_COUNT] = {
        conv_text(number),
        conv_text(conv_journal_kind_name(entry->kind)),
        entry->session_id,
        entry->user_id,
        conv_text(messages),
        conv_text(created),
        conv_text(entry->sqlstate[0] != '\0' ? entry->sqlstate : NULL),
        entry->reason};
    return cli_table_add(table, cells);
}

static bool print_entry(cli_table *table, cli_form form, const conv_journal_entry *entry,
                        bool first)
{
    bool failed = false;
    if (form == CLI_FORM_PEOPLE) return add_row(table, entry);
    json_t *value = entry_value(entry, &failed);
    if (form == CLI_FORM_JSONL) return cli_json_print(stdout, value, failed);
    if (!first) fputs(", ", stdout);
    if (!cli_json_print_open(stdout, value, failed)) return false;
    fputc('}', stdout);
    return true;
}

/* The gauges, and the beginning of the array of entries. */
static bool print_counts(const conv_journal_counts *counts)
{
    json_t *value = json_object();
    bool failed = false;
    cli_json_add(value, &failed, "exchanges", json_integer(counts->exchanges));
    cli_json_add(value, &failed, "usage", json_integer(counts->usage));
    cli_json_add(value, &failed, "turns", json_integer(counts->turns));
    cli_json_add(value, &failed, "dead", json_integer(counts->dead));
    cli_json_add(value, &failed, "oldest_at",
                 counts->oldest_us == 0 ? json_null() : cli_json_time(counts->oldest_us));
    cli_json_add(value, &failed, "bytes", json_integer(counts->bytes));
    if (!cli_json_print_open(stdout, value, failed)) return false;
    fputs(", \"entries\": [", stdout);
    return true;
}

static cli_exit print_pages(const cli_arguments *arguments, conv_journal *journal, cli_form form,
                            cli_table *table)
{
    int64_t left =
        cli_given(arguments, CLI_OPTION_LIMIT) ? arguments->numbers[CLI_OPTION_LIMIT] : INT64_MAX;
    conv_journal_filter filter = CONV_JOURNAL_FILTER_INIT;
    bool first = true;
    bool printed = true;
    for (bool more = true; more && left > 0 && printed;) {
        conv_journal_page *page = NULL;
        conv_error error = CONV_ERROR_INIT;
        filter.limit = left < PAGE ? (size_t)left : PAGE;
        if (conv_journal_list(journal, &filter, &page, &error) != CONV_OK)
            return cli_report(CLI_PART_JOURNAL, &error);
        for (size_t i = 0; i < conv_journal_page_count(page) && printed; i++, first = false) {
            const conv_journal_entry *entry = conv_journal_page_entry(page, i);
            printed = print_entry(table, form, entry, first);
            filter.after_id = entry->entry_id;
            left--;
        }
        more = conv_journal_page_has_more(page);
        conv_journal_page_free(page);
    }
    if (printed) return CLI_EXIT_OK;
    if (form == CLI_FORM_PEOPLE) cli_complain("list journal: out of memory");
    return CLI_EXIT_FAILED;
}

static cli_exit list_entries(const cli_arguments *arguments, conv_journal *journal, cli_form form,
                             cli_table *table)
{
    conv_journal_counts counts;
    conv_error error = CONV_ERROR_INIT;
    if (conv_journal_count(journal, &counts, &error) != CONV_OK)
        return cli_report(CLI_PART_JOURNAL, &error);
    if (form == CLI_FORM_JSON && !print_counts(&counts)) return CLI_EXIT_FAILED;
    cli_exit code = print_pages(arguments, journal, form, table);
    if (form == CLI_FORM_JSON) fputs("]}\n", stdout);
    if (form != CLI_FORM_PEOPLE || code != CLI_EXIT_OK) return code;
    if (counts.exchanges + counts.usage + counts.turns + counts.dead > 0)
        cli_table_print(table, stdout, cli_terminal_width(stdout));
    cli_journal_note(&counts);
    return code;
}

cli_exit cli_journal_list(const cli_arguments *arguments, conv_journal *journal)
{
    cli_form form;
    if (!cli_form_of(arguments, &form)) return CLI_EXIT_USAGE;
    cli_table *table = cli_table_create(columns, COLUMN_COUNT);
    if (table == NULL) {
        cli_complain("list journal: out of memory");
        return CLI_EXIT_FAILED;
    }
    cli_table_keep(table, SESSION_COLUMN);
    cli_exit code = list_entries(arguments, journal, form, table);
    cli_table_free(table);
    return code;
}

static cli_exit show_json(const conv_journal_entry *entry)
{
    bool failed = false;
    conv_error error = CONV_ERROR_INIT;
    json_t *value = entry_value(entry, &failed);
    if (!cli_json_print_open(stdout, value, failed)) return CLI_EXIT_FAILED;
    fputs(", \"messages\": [", stdout);
    /* What standard output can't take shows at the end of the program. */
    for (size_t i = 0; i < entry->message_count; i++)
        (void)!conv_transcript_write_message(stdout, &entry->messages[i], i == 0, &error);
    fputs("]}\n", stdout);
    return CLI_EXIT_OK;
}

static void show_line(const char *name, conv_bytes value)
{
    if (value.data == NULL) return;
    printf("%-9s ", name);
    cli_display_line(stdout, value, 0);
    putchar('\n');
}

static void show_usage(const conv_usage *usage)
{
    char text[CONV_DECIMAL_TEXT_SIZE];
    show_line("service", usage->service);
    show_line("operation", usage->operation);
    show_line("model", usage->model);
    if (usage->input_tokens != CONV_UNKNOWN)
        printf("%-9s %lld in", "tokens", (long long)usage->input_tokens);
    if (usage->input_tokens != CONV_UNKNOWN && usage->output_tokens != CONV_UNKNOWN)
        printf(", %lld out", (long long)usage->output_tokens);
    if (usage->input_tokens != CONV_UNKNOWN) putchar('\n');
    if (!usage->priced) return;
    conv_decimal_format(usage->cost_usd, text);
    printf("%-9s %s USD\n", "cost", text);
}

static void show_people(const conv_journal_entry *entry)
{
    char text[CLI_FORMAT_SIZE];
    size_t width = cli_terminal_width(stdout);
    printf("%-9s %lld\n%-9s %s\n", "entry", (long long)entry->entry_id, "kind",
           conv_journal_kind_name(entry->kind));
    show_line("session", entry->session_id);
    show_line("user", entry->user_id);
    show_line("turn", entry->turn_id);
    cli_format_time(entry->created_us, text);
    printf("%-9s %s UTC\n", "created", text);
    if (entry->sqlstate[0] != '\0') show_line("sqlstate", conv_text(entry->sqlstate));
    show_line("reason", entry->reason);
    if (entry->usage != NULL) show_usage(entry->usage);
    putchar('\n');
    for (size_t i = 0; i < entry->message_count; i++)
        cli_message_print(stdout, &entry->messages[i], width > 0 ? width : WIDTH_ELSEWHERE);
}

cli_exit cli_journal_show(const cli_arguments *arguments, conv_journal *journal, int64_t entry_id)
{
    cli_form form;
    conv_journal_page *page = NULL;
    conv_error error = CONV_ERROR_INIT;
    if (!cli_form_of(arguments, &form)) return CLI_EXIT_USAGE;
    if (conv_journal_get(journal, entry_id, &page, &error) != CONV_OK)
        return cli_report(CLI_PART_JOURNAL, &error);
    cli_exit code = CLI_EXIT_OK;
    if (form == CLI_FORM_PEOPLE)
        show_people(conv_journal_page_entry(page, 0));
    else
        code = show_json(conv_journal_page_entry(page, 0));
    conv_journal_page_free(page);
    return code;
}
