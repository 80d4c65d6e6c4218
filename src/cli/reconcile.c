/* conversation usage refresh, and conversation reconcile: the summary is made, and proved. */
#include "cli/commands.h"

#include <stdlib.h>
#include <string.h>

#include "cli/format.h"
#include "cli/output.h"
#include "cli/store.h"
#include "cli/table.h"
#include "cli/terminal.h"
#include "conversation/report.h"

#define TIMEOUT_SECONDS 600

static const char *const accounts[] = {"ledger", "summary", "sessions"};
#define ACCOUNTS (sizeof accounts / sizeof accounts[0])

static int64_t timeout_ms(const cli_arguments *arguments)
{
    bool given = cli_given(arguments, CLI_OPTION_TIMEOUT);
    return (given ? arguments->numbers[CLI_OPTION_TIMEOUT] : TIMEOUT_SECONDS) * 1000;
}

cli_exit cli_usage_refresh(const cli_arguments *arguments)
{
    if (strcmp(arguments->words[0], "refresh") != 0) {
        cli_complain("usage: the only word it takes is refresh");
        return CLI_EXIT_USAGE;
    }
    const uint64_t taken = CLI_OPTIONS_EVERYWHERE | CLI_OPTION_BIT(REBUILD) |
                           CLI_OPTION_BIT(TIMEOUT) | CLI_OPTION_BIT(JSON);
    if ((arguments->given & ~taken) != 0) {
        cli_complain("usage refresh: it takes --rebuild, --timeout and --json only");
        return CLI_EXIT_USAGE;
    }
    conv_client *client = NULL;
    conv_error error = CONV_ERROR_INIT;
    conv_refresh_params params = CONV_REFRESH_PARAMS_INIT;
    int64_t hours = 0;
    params.timeout_ms = timeout_ms(arguments);
    params.rebuild = cli_given(arguments, CLI_OPTION_REBUILD);
    cli_exit code = cli_store_open(arguments, CLI_STORE_WRITE, 1, &client);
    if (code != CLI_EXIT_OK) return code;
    if (conv_usage_refresh(client, &params, &hours, &error) != CONV_OK) {
        code = cli_report(CLI_PART_STORE, &error);
    } else if (cli_given(arguments, CLI_OPTION_JSON)) {
        printf("{\"changed\": %lld}\n", (long long)hours);
    } else {
        char count[CLI_FORMAT_SIZE];
        cli_format_count(hours, count);
        printf("%s %s of the summary changed\n", count, hours == 1 ? "row" : "rows");
    }
    return cli_store_close(client, code);
}

static json_t *sums_value(const conv_account_sums *sums)
{
    json_t *value = json_object();
    bool failed = false;
    cli_json_add(value, &failed, "records", json_integer(sums->records));
    cli_json_add(value, &failed, "total_tokens",
                 sums->reported ? json_integer(sums->total_tokens) : json_null());
    cli_json_add(value, &failed, "cost_usd",
                 sums->priced ? cli_json_decimal(sums->cost_usd) : json_null());
    if (!failed) return value;
    json_decref(value);
    return NULL;
}

static json_t *difference_value(const conv_difference *difference)
{
    json_t *value = json_object();
    bool failed = false;
    cli_json_add(value, &failed, "relation", cli_json_text(difference->relation));
    cli_json_add(value, &failed, "field", cli_json_text(difference->field));
    if (difference->date.data != NULL) {
        cli_json_add(value, &failed, "date", cli_json_text(difference->date));
        cli_json_add(value, &failed, "service", cli_json_text(difference->service));
        cli_json_add(value, &failed, "operation", cli_json_text(difference->operation));
    } else {
        cli_json_add(value, &failed, "session", cli_json_text(difference->session_id));
    }
    cli_json_add(value, &failed, "wanted", cli_json_text(difference->wanted));
    cli_json_add(value, &failed, "found", cli_json_text(difference->found));
    if (!failed) return value;
    json_decref(value);
    return NULL;
}

static cli_exit print_json(const conv_reconciliation *result)
{
    json_t *value = json_object();
    json_t *differences = json_array();
    bool failed = false;
    for (size_t i = 0; i < conv_reconciliation_count(result); i++) {
        json_t *one = difference_value(conv_reconciliation_difference(result, i));
        if (json_array_append_new(differences, one) != 0) failed = true;
    }
    cli_json_add(value, &failed, "agrees", json_boolean(conv_reconciliation_agrees(result)));
    for (size_t i = 0; i < ACCOUNTS; i++)
        cli_json_add(value, &failed, accounts[i],
                     sums_value(conv_reconciliation_sums(result, (conv_account)i)));
    cli_json_add(value, &failed, "pending", json_integer(conv_reconciliation_pending(result)));
    cli_json_add(value, &failed, "differences", differences);
    cli_json_add(value, &failed, "more", json_boolean(conv_reconciliation_has_more(result)));
    return cli_json_print(stdout, value, failed) ? CLI_EXIT_OK : CLI_EXIT_FAILED;
}

static bool print_sums(const conv_reconciliation *result)
{
    static const cli_column columns[] = {
        {"account", false, 0}, {"records", true, 0}, {"tokens", true, 0}, {"cost USD", true, 0}};
    char literals[ACCOUNTS][CONV_DECIMAL_TEXT_SIZE];
    size_t places = 2;
    cli_table *table = cli_table_create(columns, sizeof columns / sizeof columns[0]);
    bool ok = table != NULL;
    for (size_t i = 0; i < ACCOUNTS; i++) {
        conv_decimal_format(conv_reconciliation_sums(result, (conv_account)i)->cost_usd,
                            literals[i]);
        if (cli_decimal_places(literals[i]) > places) places = cli_decimal_places(literals[i]);
    }
    for (size_t i = 0; i < ACCOUNTS && ok; i++) {
        const conv_account_sums *sums = conv_reconciliation_sums(result, (conv_account)i);
        char records[CLI_FORMAT_SIZE];
        char tokens[CLI_FORMAT_SIZE];
        char cost[CLI_FORMAT_SIZE];
        cli_format_count(sums->records, records);
        cli_format_count(sums->total_tokens, tokens);
        cli_format_decimal(literals[i], places, cost);
        conv_bytes cells[] = {conv_text(accounts[i]), conv_text(records),
                              conv_text(sums->reported ? tokens : NULL),
                              conv_text(sums->priced ? cost : NULL)};
        ok = cli_table_add(table, cells);
    }
    if (ok) cli_table_print(table, stdout, cli_terminal_width(stdout));
    cli_table_free(table);
    return ok;
}

/* Of what: "2026-11-23 chat chat", or "session support-42". */
static bool add_difference(cli_table *table, const conv_difference *difference)
{
    char *text = NULL;
    size_t size = 0;
    FILE *file = open_memstream(&text, &size);
    if (file == NULL) return false;
    fprintf(file, "%.*s.%.*s", (int)difference->relation.size, difference->relation.data,
            (int)difference->field.size, difference->field.data);
    size_t named = (size_t)ftell(file);
    if (difference->date.data != NULL) {
        const conv_bytes parts[] = {difference->date, difference->service, difference->operation};
        for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
            if (i > 0) fputc(' ', file);
            fwrite(parts[i].data, 1, parts[i].size, file);
        }
    } else {
        fputs("session ", file);
        fwrite(difference->session_id.data, 1, difference->session_id.size, file);
    }
    bool ok = ferror(file) == 0;
    ok = fclose(file) == 0 && ok;
    if (ok) {
        conv_bytes cells[] = {conv_view(text, named), conv_view(text + named, size - named),
                              difference->wanted, difference->found};
        ok = cli_table_add(table, cells);
    }
    free(text);
    return ok;
}

static bool print_differences(const conv_reconciliation *result)
{
    static const cli_column columns[] = {
        {"where", false, 12}, {"of", false, 16}, {"should be", true, 0}, {"is", true, 0}};
    size_t count = conv_reconciliation_count(result);
    if (count == 0) return true;
    cli_table *table = cli_table_create(columns, sizeof columns / sizeof columns[0]);
    bool ok = table != NULL;
    for (size_t i = 0; i < count && ok; i++)
        ok = add_difference(table, conv_reconciliation_difference(result, i));
    if (ok) {
        fputc('\n', stdout);
        cli_table_print(table, stdout, cli_terminal_width(stdout));
    }
    cli_table_free(table);
    return ok;
}

/* What a refresh can mend, and what it can't. */
static void hint_at_remedies(const conv_reconciliation *result)
{
    size_t count = conv_reconciliation_count(result);
    size_t of_summary = 0;
    for (size_t i = 0; i < count; i++)
        of_summary += conv_reconciliation_difference(result, i)->date.data != NULL;
    if (of_summary > 0)
        cli_hint("`conversation usage refresh --rebuild` sums the ledger anew, which mends what "
                 "differs of a day");
    if (of_summary < count)
        cli_hint("no command mends what differs of a session: its rows were changed or lost "
                 "outside this program; compare them with a backup");
}

static void note_pending(int64_t pending)
{
    char count[CLI_FORMAT_SIZE];
    int64_t records = pending < 0 ? -pending : pending;
    if (pending == 0) return;
    cli_format_count(records, count);
    cli_note("daily_usage_summary shows %s %s too %s until the next `conversation usage refresh`; "
             "that is no difference",
             count, records == 1 ? "record" : "records", pending < 0 ? "many" : "few");
}

static cli_exit print_people(const conv_reconciliation *result)
{
    if (!print_sums(result) || !print_differences(result)) {
        cli_complain("reconcile usage: out of memory");
        return CLI_EXIT_FAILED;
    }
    note_pending(conv_reconciliation_pending(result));
    if (conv_reconciliation_has_more(result))
        cli_note("there are more differences than are shown: --limit N shows more of them");
    if (conv_reconciliation_agrees(result)) {
        cli_note("summary, ledger and sessions agree");
    } else {
        cli_complain("reconcile usage: summary, ledger and sessions do not agree");
        hint_at_remedies(result);
    }
    return CLI_EXIT_OK;
}

cli_exit cli_reconcile(const cli_arguments *arguments)
{
    conv_client *client = NULL;
    conv_reconciliation *result = NULL;
    conv_error error = CONV_ERROR_INIT;
    conv_reconcile_params params = CONV_RECONCILE_PARAMS_INIT;
    params.timeout_ms = timeout_ms(arguments);
    if (cli_given(arguments, CLI_OPTION_LIMIT))
        params.limit = (size_t)arguments->numbers[CLI_OPTION_LIMIT];
    cli_exit code = cli_store_open(arguments, CLI_STORE_READ, 1, &client);
    if (code != CLI_EXIT_OK) return code;
    if (conv_reconcile(client, &params, &result, &error) != CONV_OK)
        code = cli_report(CLI_PART_STORE, &error);
    else
        code = cli_given(arguments, CLI_OPTION_JSON) ? print_json(result) : print_people(result);
    if (code == CLI_EXIT_OK && !conv_reconciliation_agrees(result)) code = CLI_EXIT_FAILED;
    conv_reconciliation_free(result);
    return cli_store_close(client, code);
}
