/* conversation version: which program and which library this is. */
#include "cli/commands.h"

#include <string.h>

#include "cli/output.h"
#include "conversation/version.h"

cli_exit cli_version(const cli_arguments *arguments)
{
    if (cli_given(arguments, CLI_OPTION_JSON)) {
        json_t *value = json_object();
        bool failed = false;
        cli_json_add(value, &failed, "program", json_string(CONV_VERSION));
        cli_json_add(value, &failed, "library", json_string(conv_version()));
        return cli_json_print(stdout, value, failed) ? CLI_EXIT_OK : CLI_EXIT_FAILED;
    }
    printf("conversation %s\n", CONV_VERSION);
    if (strcmp(conv_version(), CONV_VERSION) != 0)
        printf("with libconversation %s\n", conv_version());
    return CLI_EXIT_OK;
}
