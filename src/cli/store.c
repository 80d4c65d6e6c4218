/* The client as the program uses it, and the wording of its failures. */
#include "cli/store.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/chain.h"
#include "cli/journal.h"
#include "cli/notify.h"
#include "cli/signals.h"
#include "cli/terminal.h"
#include "conversation/store.h"

/* NULL: the command line names none that could be opened, which opening it says. */
static conv_store_location *locate(const cli_arguments *arguments)
{
    conv_store_location *location = NULL;
    (void)!conv_store_locate(arguments->texts[CLI_OPTION_STORE], &location, NULL);
    return location;
}

const char *cli_store_namer(const cli_arguments *arguments)
{
    conv_store_location *location = locate(arguments);
    const char *by = NULL;
    if (location != NULL && !location->is_default)
        by = location->variable != NULL ? location->variable : "--store";
    conv_store_location_free(location);
    return by;
}

bool cli_store_is_sqlite(const cli_arguments *arguments)
{
    conv_store_location *location = locate(arguments);
    bool is_sqlite = location != NULL && location->kind == CONV_STORE_SQLITE;
    conv_store_location_free(location);
    return is_sqlite;
}

/* Whether this user may make the file, which is not there. Of the default one alone the folders are
 * made, too. Changes the path. */
static bool may_be_made(char *path, bool with_folders)
{
    do {
        char *slash = strrchr(path, '/');
        if (slash == NULL) return access(".", W_OK | X_OK) == 0;
        slash[slash == path ? 1 : 0] = '\0';
    } while (with_folders && access(path, F_OK) != 0 && errno == ENOENT);
    return access(path, W_OK | X_OK) == 0;
}

bool cli_store_is_to_be_made(const cli_arguments *arguments)
{
    conv_store_location *location = locate(arguments);
    char *path = location != NULL && location->file != NULL ? strdup(location->file) : NULL;
    bool is_to_be_made = path != NULL && access(path, F_OK) != 0 && errno == ENOENT &&
                         may_be_made(path, location->is_default);
    free(path);
    conv_store_location_free(location);
    return is_to_be_made;
}

/* Who may not: the user of the server, one without rights to its tables, or this user to a file. */
static void hint_at_permission(const conv_error *error)
{
    if (strncmp(error->sqlstate, "28", 2) == 0 || strstr(error->message, "password") != NULL)
        cli_hint("a password comes from PGPASSWORD, ~/.pgpass or the connection string");
    else if (error->sqlstate[0] != '\0')
        cli_hint("GRANT gives this role of the server the rights to the schema and its tables");
    else
        cli_hint("`ls -ld` on the file and its folder shows who may read and write them");
}

static void hint_at_opening(const cli_arguments *arguments, cli_store_use use,
                            const conv_error *error)
{
    const char *by = cli_store_namer(arguments);
    if (error->status == CONV_PERMISSION)
        hint_at_permission(error);
    else if (error->status != CONV_UNAVAILABLE && error->status != CONV_NOT_FOUND)
        return;
    else if (by == NULL && use == CLI_STORE_READ)
        cli_hint("nothing was saved here yet; --store or CONVERSATION_STORE names another store");
    else if (by == NULL)
        cli_hint("--store or CONVERSATION_STORE names another store");
    else
        cli_hint("this store is named by %s", by);
}

bool cli_is_of_journal(const conv_error *error)
{
    return strstr(error->action, "journal") != NULL;
}

static void hint_at_journal(const conv_error *error)
{
    if (error->status == CONV_STATE && error->recovery == CONV_RECOVERY_WAIT)
        cli_hint("give each process a file of its own with --journal");
    else if (error->status == CONV_PERMISSION)
        cli_hint("a journal is written to as soon as it is opened: its file and its folder must "
                 "let this user write");
    else
        cli_hint("--journal names the file; without it a store that is away is an error");
}

static cli_exit begin_to_tell(const cli_arguments *arguments, conv_client **client,
                              conv_error *error)
{
    if (cli_notify_begin(arguments, *client, error) == CONV_OK) return CLI_EXIT_OK;
    cli_exit code = cli_store_close(*client, cli_report(CLI_PART_OPEN, error));
    *client = NULL;
    return code;
}

cli_exit cli_store_open_why(const cli_arguments *arguments, cli_store_use use, int connections,
                            conv_provider *provider, conv_client **client, conv_error *error)
{
    conv_client_params params = CONV_CLIENT_PARAMS_INIT;
    if (use == CLI_STORE_WRITE && cli_notify_check(arguments) != CLI_EXIT_OK) {
        *client = NULL;
        return CLI_EXIT_USAGE;
    }
    params.provider = provider;
    params.model = arguments->texts[CLI_OPTION_MODEL];
    params.store = arguments->texts[CLI_OPTION_STORE];
    params.pooler = cli_given(arguments, CLI_OPTION_POOLER);
    params.read_only = use == CLI_STORE_READ;
    params.schema = use == CLI_STORE_MIGRATE ? CONV_SCHEMA_IGNORE : CONV_SCHEMA_DEFAULT;
    params.connections = connections;
    if (use == CLI_STORE_WRITE || use == CLI_STORE_LOOK)
        params.journal = arguments->texts[CLI_OPTION_JOURNAL];
    params.journal_stays = use == CLI_STORE_LOOK;
    params.context_tokens = arguments->numbers[CLI_OPTION_CONTEXT_TOKENS];
    params.summary_tokens = arguments->numbers[CLI_OPTION_SUMMARY_TOKENS];
    params.application = "conversation-cli";
    if (cli_chain_set(arguments, &params, error) == CONV_OK &&
        conv_client_open(&params, client, error) == CONV_OK) {
        cli_signals_hurry(*client, true);
        if (params.journal != NULL) cli_signals_catch();
        cli_journal_note_damage(params.journal, conv_client_journal_set_aside(*client));
        return use == CLI_STORE_WRITE ? begin_to_tell(arguments, client, error) : CLI_EXIT_OK;
    }
    *client = NULL;
    cli_exit code = cli_report(CLI_PART_OPEN, error);
    if (cli_is_of_journal(error))
        hint_at_journal(error);
    else
        hint_at_opening(arguments, use, error);
    return code;
}

cli_exit cli_store_open(const cli_arguments *arguments, cli_store_use use, int connections,
                        conv_client **client)
{
    conv_error error = CONV_ERROR_INIT;
    return cli_store_open_why(arguments, use, connections, NULL, client, &error);
}

cli_exit cli_store_open_existing(const cli_arguments *arguments, conv_provider *provider,
                                 conv_client **client)
{
    cli_exit code = cli_store_open(arguments, CLI_STORE_READ, 1, client);
    if (code == CLI_EXIT_OK) code = cli_store_close(*client, code);
    *client = NULL;
    if (code != CLI_EXIT_OK) return code;
    conv_error error = CONV_ERROR_INIT;
    return cli_store_open_why(arguments, CLI_STORE_WRITE, 1, provider, client, &error);
}

cli_exit cli_store_open_to_look(const cli_arguments *arguments, conv_provider *provider,
                                conv_client **client, cli_exit *away, conv_error errors[2])
{
    const conv_error none = CONV_ERROR_INIT;
    errors[0] = errors[1] = none;
    *away = CLI_EXIT_OK;
    cli_exit code = cli_store_open_why(arguments, CLI_STORE_READ, 1, NULL, client, &errors[0]);
    if (code == CLI_EXIT_OK) code = cli_store_close(*client, code);
    *client = NULL;
    if (errors[0].status != CONV_OK && arguments->texts[CLI_OPTION_JOURNAL] != NULL &&
        conv_error_is_retryable(&errors[0])) {
        *away = code;
        code = CLI_EXIT_OK;
    }
    if (code != CLI_EXIT_OK) return code;
    return cli_store_open_why(arguments, CLI_STORE_LOOK, 2, provider, client, &errors[1]);
}

static conv_status close_client(conv_client *client, conv_error *error)
{
    cli_signals_hurry(NULL, false);
    return conv_client_close(client, CLI_END_MS, error);
}

cli_exit cli_store_close(conv_client *client, cli_exit code)
{
    conv_error error = CONV_ERROR_INIT;
    if (close_client(client, &error) == CONV_OK) return code;
    cli_exit own = cli_report(CLI_PART_STORE, &error);
    return code == CLI_EXIT_OK ? own : code;
}

cli_exit cli_store_drain(const cli_arguments *arguments, conv_client *client, cli_exit code)
{
    const char *journal = arguments->texts[CLI_OPTION_JOURNAL];
    conv_error error = CONV_ERROR_INIT;
    if (journal == NULL) return cli_store_close(client, code);
    conv_status status = close_client(client, &error);
    if (status == CONV_OK) return code;
    if (status != CONV_TIMEOUT) {
        cli_exit own = cli_report(CLI_PART_STORE, &error);
        return code == CLI_EXIT_OK ? own : code;
    }
    cli_note("%s", error.message);
    cli_hint("`conversation journal retry --journal %s` brings them to the store", journal);
    return code;
}

/* Where to look for what the store does not have. */
static void hint_at_missing(const char *action)
{
    if (strstr(action, "document") != NULL)
        cli_hint("`conversation documents` lists them; --session names the session of one that has "
                 "one");
    else if (strstr(action, "user") != NULL)
        cli_hint("`conversation sessions` and `conversation documents` show whose they are");
    else
        cli_hint("`conversation sessions` lists them");
}

cli_exit cli_report(cli_part part, const conv_error *error)
{
    bool is_document = strstr(error->action, "document") != NULL;
    if (error->action[0] != '\0')
        cli_complain("%s: %s", error->action, error->message);
    else
        cli_complain("%s", error->message);
    if (error->outcome_unknown)
        cli_hint("it may have been saved or not: the same %s again settles it",
                 is_document ? "command" : "turn id");
    if (part == CLI_PART_STORE && error->status == CONV_NOT_FOUND) hint_at_missing(error->action);
    if (part == CLI_PART_JOURNAL && error->status == CONV_NOT_FOUND)
        cli_hint("`conversation journal list` lists them");
    if ((part == CLI_PART_STORE || part == CLI_PART_JOURNAL) && error->status == CONV_PERMISSION)
        hint_at_permission(error);
    return cli_exit_of(part, error->status);
}
