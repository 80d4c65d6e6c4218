/* conversation health: whether messages are being saved, and the exit code that tells. It asks a
 * provider only where --provider names one. */
#include "cli/commands.h"

#include "cli/format.h"
#include "cli/output.h"
#include "cli/provider.h"
#include "cli/store.h"
#include "cli/table.h"
#include "cli/terminal.h"
#include "conversation/health.h"
#include "conversation/usage.h"

static const cli_column columns[] = {
    {"check", false, 0},
    {"state", false, 0},
    {"latency", true, 0},
    {"message", false, CLI_LEAST_WRAPPED},
};

#define COLUMN_COUNT (sizeof columns / sizeof columns[0])

static json_t *json_check(const conv_health_check *check, bool *failed)
{
    json_t *value = json_object();
    cli_json_add(value, failed, "check", json_string(check->name));
    cli_json_add(value, failed, "state", json_string(conv_health_state_name(check->state)));
    cli_json_add(value, failed, "value", cli_json_count(check->value));
    cli_json_add(value, failed, "unit", json_string(check->unit));
    cli_json_add(value, failed, "latency_us", cli_json_count(check->latency_us));
    cli_json_add(value, failed, "message", cli_json_text(conv_text(check->message)));
    return value;
}

/* The whole object; takes `checks` over. */
static bool print_object(conv_health_state state, bool live, bool ready, json_t *checks,
                         bool failed)
{
    json_t *value = json_object();
    cli_json_add(value, &failed, "state", json_string(conv_health_state_name(state)));
    cli_json_add(value, &failed, "live", json_boolean(live));
    cli_json_add(value, &failed, "ready", json_boolean(ready));
    cli_json_add(value, &failed, "checks", checks);
    return cli_json_print(stdout, value, failed);
}

static bool print_json(const conv_health *health)
{
    bool failed = false;
    json_t *checks = json_array();
    for (size_t i = 0; i < conv_health_check_count(health); i++) {
        json_t *check = json_check(conv_health_check_at(health, i), &failed);
        if (json_array_append_new(checks, check) != 0) failed = true;
    }
    return print_object(conv_health_overall(health), conv_health_is_live(health),
                        conv_health_is_ready(health), checks, failed);
}

static json_t *json_unopened(const conv_error *error, bool *failed)
{
    const conv_health_check check = {.name =
                                         cli_is_of_journal(error) ? "journal" : "database_saves",
                                     .state = CONV_HEALTH_FAILING,
                                     .value = CONV_UNKNOWN,
                                     .unit = "",
                                     .latency_us = CONV_UNKNOWN,
                                     .message = error->message};
    return json_check(&check, failed);
}

/* A program that asks for JSON gets it also where there is no client to ask. A journal that another
 * process has open is no reason to restart anybody. */
static bool print_json_unopened(const conv_error errors[2])
{
    bool failed = false;
    bool live = true;
    json_t *checks = json_array();
    for (size_t i = 0; i < 2; i++) {
        if (errors[i].status == CONV_OK) continue;
        if (cli_is_of_journal(&errors[i]) && errors[i].recovery != CONV_RECOVERY_WAIT) live = false;
        if (json_array_append_new(checks, json_unopened(&errors[i], &failed)) != 0) failed = true;
    }
    return print_object(CONV_HEALTH_FAILING, live, false, checks, failed);
}

static bool add_row(cli_table *table, const conv_health_check *check)
{
    char latency[CLI_FORMAT_SIZE];
    conv_bytes cells[COLUMN_COUNT] = {conv_text(check->name),
                                      conv_text(conv_health_state_name(check->state))};
    if (check->latency_us != CONV_UNKNOWN) {
        cli_format_duration(check->latency_us / 1000, latency);
        cells[2] = conv_text(latency);
    }
    cells[3] = conv_text(check->message);
    return cli_table_add(table, cells);
}

static bool print_table(const conv_health *health)
{
    cli_table *table = cli_table_create(columns, COLUMN_COUNT);
    bool done = table != NULL;
    for (size_t i = 0; done && i < conv_health_check_count(health); i++)
        done = add_row(table, conv_health_check_at(health, i));
    if (done) {
        cli_table_wrap(table);
        cli_table_print(table, stdout, cli_terminal_width(stdout));
        printf("%s, %s\n", conv_health_is_live(health) ? "live" : "not live",
               conv_health_is_ready(health) ? "ready" : "not ready");
    } else {
        cli_complain("read health: out of memory");
    }
    cli_table_free(table);
    return done;
}

static cli_exit open_client(const cli_arguments *arguments, conv_provider *provider,
                            conv_client **client, cli_exit *away)
{
    conv_error errors[2];
    cli_exit code = cli_store_open_to_look(arguments, provider, client, away, errors);
    if (code == CLI_EXIT_OK || code == CLI_EXIT_USAGE || !cli_given(arguments, CLI_OPTION_JSON))
        return code;
    return print_json_unopened(errors) ? code : CLI_EXIT_FAILED;
}

/* Before the reading, which then tells what came of it. Saving counts for more than an answer. */
static cli_exit look(const cli_arguments *arguments, conv_client *client, bool asks,
                     cli_exit unready)
{
    conv_health *health = NULL;
    conv_error error = CONV_ERROR_INIT;
    conv_error unanswered = CONV_ERROR_INIT;
    conv_status answer = asks ? conv_health_check_provider(client, 0, NULL, &unanswered) : CONV_OK;
    if (conv_health_read(client, NULL, &health, &error) != CONV_OK)
        return cli_report(CLI_PART_STORE, &error);
    bool printed = cli_given(arguments, CLI_OPTION_JSON) ? print_json(health) : print_table(health);
    bool ready = conv_health_is_ready(health);
    conv_health_free(health);
    if (!printed) return CLI_EXIT_FAILED;
    if (answer == CONV_OK) return ready ? CLI_EXIT_OK : unready;
    cli_exit code = cli_report(CLI_PART_PROVIDER, &unanswered);
    return ready ? code : unready;
}

static bool takes_options(const cli_arguments *arguments)
{
    if (cli_given(arguments, CLI_OPTION_PROVIDER) ||
        (!cli_given(arguments, CLI_OPTION_MODEL) && !cli_given(arguments, CLI_OPTION_BASE_URL)))
        return true;
    cli_complain("health: --model and --base-url go with --provider, which asks it");
    return false;
}

cli_exit cli_health(const cli_arguments *arguments)
{
    conv_provider *provider = NULL;
    conv_client *client = NULL;
    cli_exit away = CLI_EXIT_OK;
    if (!takes_options(arguments)) return CLI_EXIT_USAGE;
    bool asks = cli_given(arguments, CLI_OPTION_PROVIDER);
    cli_exit code = asks ? cli_provider_open(arguments, &provider) : CLI_EXIT_OK;
    if (code == CLI_EXIT_OK) code = open_client(arguments, provider, &client, &away);
    cli_exit unready = away != CLI_EXIT_OK ? away : CLI_EXIT_FAILED;
    if (client != NULL)
        code = cli_store_drain(arguments, client, look(arguments, client, asks, unready));
    conv_provider_free(provider);
    return code;
}
