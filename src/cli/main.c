/* The program `conversation`: finds the command and runs it. All it knows of the library are its
 * public headers. */
#include <errno.h>
#include <string.h>

#include "cli/chain.h"
#include "cli/commands.h"
#include "cli/terminal.h"

static cli_exit run(int count, char **words)
{
    cli_arguments arguments;
    char problem[CLI_PROBLEM_SIZE];
    bool understood = cli_arguments_parse(cli_commands, words + 1,
                                          count > 0 ? (size_t)count - 1 : 0, &arguments, problem);
    cli_terminal_setup(cli_given(&arguments, CLI_OPTION_NO_COLOR));
    if (!understood) {
        cli_complain("%s", problem);
        if (arguments.command != NULL)
            cli_hint("`conversation help %s` shows how", arguments.command->name);
        else
            cli_hint("`conversation help` lists the commands");
        return CLI_EXIT_USAGE;
    }
    if (cli_given(&arguments, CLI_OPTION_HELP)) {
        cli_help_print(stdout, arguments.command);
        return CLI_EXIT_OK;
    }
    if (arguments.command != NULL) return arguments.command->run(&arguments);
    if (cli_given(&arguments, CLI_OPTION_VERSION)) return cli_version(&arguments);
    cli_help_print(stderr, NULL);
    return CLI_EXIT_USAGE;
}

int main(int count, char **words)
{
    cli_exit code = run(count, words);
    cli_chain_free();
    /* What standard output could not take (a full disk) must not pass for success. */
    errno = 0;
    if (fflush(stdout) == 0 && ferror(stdout) == 0) return (int)code;
    if (errno != EPIPE)
        cli_complain("write standard output: %s",
                     errno != 0 ? strerror(errno) : "not all of it could be written");
    return code == CLI_EXIT_OK ? CLI_EXIT_FAILED : (int)code;
}
