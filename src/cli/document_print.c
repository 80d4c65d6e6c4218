/* Documents in a table, as JSON or as CSV; one of them with what was done with it. */
#include "cli/document_print.h"

#include <stdlib.h>

#include "cli/display.h"
#include "cli/format.h"
#include "cli/table.h"
#include "cli/terminal.h"

static const cli_column list_columns[] = {
    {"document", false, CLI_LEAST_TEXT}, {"session", false, CLI_LEAST_TEXT},
    {"user", false, CLI_LEAST_TEXT},     {"name", false, CLI_LEAST_TEXT},
    {"type", false, CLI_LEAST_TEXT},     {"size", true, 0},
    {"last", false, CLI_LEAST_TEXT},     {"registered (UTC)", false, 0},
};
static const cli_column operation_columns[] = {
    {"begun (UTC)", false, 0}, {"operation", false, CLI_LEAST_TEXT},
    {"status", false, 0},      {"model", false, CLI_LEAST_TEXT},
    {"tokens", true, 0},       {"bytes", true, 0},
    {"cost USD", true, 0},     {"latency", true, 0},
};

/* A document of a session is named by both. */
enum { DOCUMENT_COLUMN, SESSION_COLUMN };

#define LIST_COLUMNS      (sizeof list_columns / sizeof list_columns[0])
#define OPERATION_COLUMNS (sizeof operation_columns / sizeof operation_columns[0])

struct cli_document_list {
    cli_form form;
    cli_table *table;
    size_t count;
};

static json_t *document_value(const conv_document *document, bool *failed)
{
    char id[CONV_UUID_TEXT_SIZE];
    conv_uuid_format(document->document_id, id);
    json_t *value = json_object();
    conv_bytes sha256 = conv_text(document->sha256[0] != '\0' ? document->sha256 : NULL);
    cli_json_add(value, failed, "id", cli_json_text(document->external_id));
    cli_json_add(value, failed, "document_id", json_string(id));
    cli_json_add(value, failed, "session", cli_json_text(document->external_session_id));
    cli_json_add(value, failed, "user", cli_json_text(document->external_user_id));
    cli_json_add(value, failed, "name", cli_json_text(document->name));
    cli_json_add(value, failed, "media_type", cli_json_text(document->media_type));
    cli_json_add(value, failed, "size_bytes", json_integer(document->size_bytes));
    cli_json_add(value, failed, "sha256", cli_json_text(sha256));
    cli_json_add(value, failed, "last_operation", cli_json_text(document->last_operation));
    cli_json_add(value, failed, "last_status",
                 json_string(conv_outcome_name(document->last_status)));
    cli_json_add(value, failed, "created_at", cli_json_time(document->created_us));
    cli_json_add(value, failed, "updated_at", cli_json_time(document->updated_us));
    return value;
}

static void print_csv_heading(void)
{
    static const char *const names[] = {"id",          "session",    "user",      "name",
                                        "media_type",  "size_bytes", "sha256",    "last_operation",
                                        "last_status", "created_at", "updated_at"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        cli_csv_field(stdout, conv_text(names[i]), i == 0);
    cli_csv_end(stdout);
}

static void print_csv(const conv_document *document)
{
    char size[CLI_FORMAT_SIZE];
    char created[CLI_FORMAT_SIZE];
    char updated[CLI_FORMAT_SIZE];
    snprintf(size, sizeof size, "%lld", (long long)document->size_bytes);
    cli_format_timestamp(document->created_us, created);
    cli_format_timestamp(document->updated_us, updated);
    const conv_bytes fields[] = {document->external_id,
                                 document->external_session_id,
                                 document->external_user_id,
                                 document->name,
                                 document->media_type,
                                 conv_text(size),
                                 conv_text(document->sha256),
                                 document->last_operation,
                                 conv_text(conv_outcome_name(document->last_status)),
                                 conv_text(created),
                                 conv_text(updated)};
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++)
        cli_csv_field(stdout, fields[i], i == 0);
    cli_csv_end(stdout);
}

static bool add_row(cli_table *table, const conv_document *document)
{
    char size[CLI_FORMAT_SIZE];
    char created[CLI_FORMAT_SIZE];
    cli_format_bytes(document->size_bytes, size);
    cli_format_time(document->created_us, created);
    const conv_bytes cells[LIST_COLUMNS] = {
        document->external_id,      document->external_session_id,
        document->external_user_id, document->name,
        document->media_type,       conv_text(size),
        document->last_operation,   conv_text(created)};
    if (cli_table_add(table, cells)) return true;
    cli_complain("list documents: out of memory");
    return false;
}

cli_document_list *cli_document_list_begin(cli_form form)
{
    cli_document_list *list = calloc(1, sizeof *list);
    if (list != NULL) list->table = cli_table_create(list_columns, LIST_COLUMNS);
    if (list == NULL || list->table == NULL) {
        free(list);
        cli_complain("list documents: out of memory");
        return NULL;
    }
    cli_table_keep(list->table, DOCUMENT_COLUMN);
    cli_table_keep(list->table, SESSION_COLUMN);
    list->form = form;
    if (form == CLI_FORM_JSON) fputc('[', stdout);
    if (form == CLI_FORM_CSV) print_csv_heading();
    return list;
}

bool cli_document_list_add(cli_document_list *list, const conv_document *document)
{
    bool failed = false;
    bool first = list->count++ == 0;
    if (list->form == CLI_FORM_PEOPLE) return add_row(list->table, document);
    if (list->form == CLI_FORM_CSV) {
        print_csv(document);
        return true;
    }
    json_t *value = document_value(document, &failed);
    if (list->form == CLI_FORM_JSONL) return cli_json_print(stdout, value, failed);
    if (!first) fputs(", ", stdout);
    if (!cli_json_print_open(stdout, value, failed)) return false;
    fputc('}', stdout);
    return true;
}

size_t cli_document_list_end(cli_document_list *list)
{
    if (list == NULL) return 0;
    size_t count = list->count;
    if (list->form == CLI_FORM_JSON) fputs("]\n", stdout);
    if (list->form == CLI_FORM_PEOPLE && count > 0)
        cli_table_print(list->table, stdout, cli_terminal_width(stdout));
    cli_table_free(list->table);
    free(list);
    return count;
}

json_t *cli_operation_value(const conv_usage *usage)
{
    char id[CONV_UUID_TEXT_SIZE];
    conv_uuid_format(usage->log_id, id);
    json_t *value = json_object();
    bool failed = false;
    cli_json_add(value, &failed, "log_id", json_string(id));
    cli_json_add(value, &failed, "begun_at", cli_json_time(usage->created_us));
    cli_json_add(value, &failed, "service", cli_json_text(usage->service));
    cli_json_add(value, &failed, "operation", cli_json_text(usage->operation));
    cli_json_add(value, &failed, "status", json_string(conv_outcome_name(usage->status)));
    cli_json_add(value, &failed, "error", cli_json_text(usage->error));
    cli_json_add(value, &failed, "user", cli_json_text(usage->user_id));
    cli_json_add_usage(value, &failed, usage);
    cli_json_add(value, &failed, "processed_bytes", cli_json_count(usage->processed_bytes));
    if (!failed) return value;
    json_decref(value);
    return NULL;
}

static cli_exit print_json(const conv_document *document, const conv_usage *const *operations,
                           size_t count)
{
    bool failed = false;
    json_t *value = document_value(document, &failed);
    json_t *array = json_array();
    for (size_t i = 0; i < count; i++)
        if (json_array_append_new(array, cli_operation_value(operations[i])) != 0) failed = true;
    cli_json_add(value, &failed, "operations", array);
    /* Its exact text: a JSON library would turn numbers into doubles. */
    if (!cli_json_print_open(stdout, value, failed)) return CLI_EXIT_FAILED;
    fputs(", \"metadata\": ", stdout);
    if (document->metadata.data == NULL)
        fputs("null", stdout);
    else
        cli_write_repaired(stdout, document->metadata);
    fputs("}\n", stdout);
    return CLI_EXIT_OK;
}

static void print_line(const char *label, conv_bytes text)
{
    if (text.data == NULL) return;
    printf("%-10s  ", label);
    cli_display_line(stdout, text, 0);
    putchar('\n');
}

static void print_head(const conv_document *document)
{
    char size[CLI_FORMAT_SIZE];
    char created[CLI_FORMAT_SIZE];
    cli_format_bytes(document->size_bytes, size);
    cli_format_time(document->created_us, created);
    print_line("document", document->external_id);
    print_line("session", document->external_session_id);
    print_line("user", document->external_user_id);
    print_line("name", document->name);
    print_line("type", document->media_type);
    print_line("size", conv_text(size));
    print_line("sha256", conv_text(document->sha256[0] != '\0' ? document->sha256 : NULL));
    print_line("registered", conv_text(created));
    print_line("metadata", document->metadata);
}

static conv_bytes count_cell(int64_t count, char text[CLI_FORMAT_SIZE])
{
    if (count == CONV_UNKNOWN) return conv_text(NULL);
    cli_format_count(count, text);
    return conv_text(text);
}

static bool add_operation(cli_table *table, const conv_usage *usage)
{
    char texts[OPERATION_COLUMNS][CLI_FORMAT_SIZE];
    char cost[CONV_DECIMAL_TEXT_SIZE];
    cli_format_time(usage->created_us, texts[0]);
    conv_decimal_format(usage->cost_usd, cost);
    if (usage->latency_ms != CONV_UNKNOWN) cli_format_duration(usage->latency_ms, texts[7]);
    const conv_bytes cells[OPERATION_COLUMNS] = {
        conv_text(texts[0]),
        usage->operation,
        conv_text(conv_outcome_name(usage->status)),
        usage->model,
        count_cell(usage->total_tokens != CONV_UNKNOWN ? usage->total_tokens : usage->input_tokens,
                   texts[4]),
        count_cell(usage->processed_bytes, texts[5]),
        conv_text(usage->priced ? cost : NULL),
        conv_text(usage->latency_ms != CONV_UNKNOWN ? texts[7] : NULL)};
    return cli_table_add(table, cells);
}

cli_exit cli_document_print(const conv_document *document, const conv_usage *const *operations,
                            size_t count, bool json)
{
    if (json) return print_json(document, operations, count);
    cli_table *table = cli_table_create(operation_columns, OPERATION_COLUMNS);
    bool ok = table != NULL;
    for (size_t i = 0; ok && i < count; i++)
        ok = add_operation(table, operations[i]);
    if (ok) {
        print_head(document);
        putchar('\n');
        cli_table_print(table, stdout, cli_terminal_width(stdout));
    } else {
        cli_complain("show document: out of memory");
    }
    cli_table_free(table);
    return ok ? CLI_EXIT_OK : CLI_EXIT_FAILED;
}
