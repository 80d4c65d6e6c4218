/* conversation delete: removes a session and shows the receipt. It asks before, unless told not to.
 */
#include "cli/commands.h"

#include "cli/confirm.h"
#include "cli/display.h"
#include "cli/format.h"
#include "cli/journal.h"
#include "cli/receipt.h"
#include "cli/signals.h"
#include "cli/store.h"
#include "cli/terminal.h"
#include "conversation/session.h"

/* Whether the answer is yes. */
static bool confirm(const char *session_id, int64_t messages)
{
    char count[CLI_FORMAT_SIZE];
    cli_format_count(messages, count);
    fputs("delete session ", stderr);
    cli_display_line(stderr, conv_text(session_id), 60);
    fprintf(stderr, " with %s %s?", count, messages == 1 ? "message" : "messages");
    return cli_confirmed();
}

/* Looks through a store opened for reading, so that deleting from one that is not there makes none.
 */
static cli_exit look(const cli_arguments *arguments, int64_t *messages)
{
    conv_client *client = NULL;
    cli_exit code = cli_store_open(arguments, CLI_STORE_READ, 1, &client);
    if (code != CLI_EXIT_OK) return code;
    conv_session_page *page = NULL;
    conv_error error = CONV_ERROR_INIT;
    if (conv_session_get(client, arguments->words[0], &page, &error) == CONV_OK)
        *messages = conv_session_page_session(page, 0)->message_count;
    else
        code = cli_report(CLI_PART_STORE, &error);
    conv_session_page_free(page);
    return cli_store_close(client, code);
}

static cli_exit delete_session(const cli_arguments *arguments)
{
    conv_client *client = NULL;
    cli_exit code = cli_store_open(arguments, CLI_STORE_WRITE, 1, &client);
    if (code != CLI_EXIT_OK) return code;
    conv_delete_receipt receipt = {0};
    conv_error error = CONV_ERROR_INIT;
    if (conv_session_delete(client, arguments->words[0], &receipt, &error) == CONV_OK)
        code = cli_receipt_print(&receipt, (conv_uuid){{0}}, cli_given(arguments, CLI_OPTION_JSON));
    else
        code = cli_report(CLI_PART_STORE, &error);
    return cli_store_close(client, code);
}

/* What waits for the store would bring the session back after its deletion: it goes there first. */
static cli_exit bring_in(const cli_arguments *arguments)
{
    conv_client *client = NULL;
    conv_error error = CONV_ERROR_INIT;
    int64_t left = 0;
    cli_exit code = cli_store_open(arguments, CLI_STORE_WRITE, 1, &client);
    if (code != CLI_EXIT_OK) return code;
    if (cli_journal_await(client, &left, &error) != CONV_OK)
        code = cli_report(CLI_PART_STORE, &error);
    if (code == CLI_EXIT_OK && left > 0) {
        cli_complain("delete: %lld entries still wait in the journal; nothing was deleted",
                     (long long)left);
        code = cli_signals_caught() != 0 ? cli_exit_of_signal(cli_signals_caught())
                                         : CLI_EXIT_NO_CONNECTION;
    }
    return left > 0 ? cli_store_drain(arguments, client, code) : cli_store_close(client, code);
}

cli_exit cli_delete(const cli_arguments *arguments)
{
    bool sure = cli_given(arguments, CLI_OPTION_YES);
    if (!sure && !cli_is_terminal(stdin)) {
        cli_complain("delete: nobody can be asked here: add --yes");
        return CLI_EXIT_USAGE;
    }
    int64_t messages = 0;
    bool journal = cli_given(arguments, CLI_OPTION_JOURNAL);
    cli_exit code = journal ? bring_in(arguments) : CLI_EXIT_OK;
    if (code == CLI_EXIT_OK) code = look(arguments, &messages);
    if (code != CLI_EXIT_OK) return code;
    if (!sure && !confirm(arguments->words[0], messages)) {
        cli_note("nothing was deleted");
        return CLI_EXIT_FAILED;
    }
    return delete_session(arguments);
}
