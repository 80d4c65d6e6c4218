/* conversation erase: removes all that a user said, and shows the receipt. It asks before, unless
 * told not to. */
#include "cli/commands.h"

#include "cli/confirm.h"
#include "cli/display.h"
#include "cli/receipt.h"
#include "cli/store.h"
#include "cli/terminal.h"
#include "conversation/session.h"

cli_exit cli_erase(const cli_arguments *arguments)
{
    const char *user_id = arguments->texts[CLI_OPTION_USER];
    bool sure = cli_given(arguments, CLI_OPTION_YES);
    if (user_id == NULL) {
        cli_complain("erase: --user ID says whom");
        return CLI_EXIT_USAGE;
    }
    if (!sure && !cli_is_terminal(stdin)) {
        cli_complain("erase: nobody can be asked here: add --yes");
        return CLI_EXIT_USAGE;
    }
    if (!sure) {
        fputs("erase all that user ", stderr);
        cli_display_line(stderr, conv_text(user_id), 60);
        fputs(" said, for good?", stderr);
        if (!cli_confirmed()) {
            cli_note("nothing was erased");
            return CLI_EXIT_FAILED;
        }
    }
    conv_client *client = NULL;
    cli_exit code = cli_store_open_existing(arguments, NULL, &client);
    if (code != CLI_EXIT_OK) return code;
    conv_erase_receipt receipt = {.pseudonym = {{0}}};
    conv_error error = CONV_ERROR_INIT;
    if (conv_user_erase(client, user_id, &receipt, &error) == CONV_OK)
        code = cli_receipt_print(&receipt.removed, receipt.pseudonym,
                                 cli_given(arguments, CLI_OPTION_JSON));
    else
        code = cli_report(CLI_PART_STORE, &error);
    return cli_store_drain(arguments, client, code);
}
