/* The texts of --help, made from the tables, so that they can't fall behind them. */
#include "cli/commands.h"

#include <string.h>

#include "cli/terminal.h"

static void print_option(FILE *file, const cli_option_row *row)
{
    char name[80];
    snprintf(name, sizeof name, "--%s%s%s", row->name, row->value_name == NULL ? "" : " ",
             row->value_name == NULL ? "" : row->value_name);
    if (strlen(name) > 21)
        fprintf(file, "  %s\n  %-21s  %s\n", name, "", row->help);
    else
        fprintf(file, "  %-21s  %s\n", name, row->help);
}

static void print_options(FILE *file, uint64_t options)
{
    for (size_t i = 0; i < CLI_OPTION_COUNT; i++)
        if ((options & (UINT64_C(1) << i)) != 0) print_option(file, &cli_options[i]);
}

static void print_command(FILE *file, const cli_command *command)
{
    fprintf(file, "conversation %s%s%s", command->name, command->words[0] == '\0' ? "" : " ",
            command->words);
    fprintf(file, " [OPTIONS]: %s\n", command->summary);
    if (command->details[0] != '\0') fprintf(file, "\n%s", command->details);
    if (command->options != 0) {
        fputs("\noptions\n", file);
        print_options(file, command->options);
    }
    fputs("\neverywhere\n", file);
    print_options(file, CLI_OPTIONS_EVERYWHERE);
}

static void print_program(FILE *file)
{
    fputs("conversation COMMAND [OPTIONS]: saves conversations with language models, and what they "
          "cost\n\ncommands\n",
          file);
    for (const cli_command *command = cli_commands; command->name != NULL; command++)
        fprintf(file, "  %-9s %s\n", command->name, command->summary);
    fputs("\noptions\n", file);
    print_options(file, CLI_OPTIONS_EVERYWHERE | CLI_OPTION_BIT(VERSION));
    fputs("\nThe store is that of --store, else of CONVERSATION_STORE, else of DATABASE_URL, else "
          "an\n"
          "SQLite file in $XDG_DATA_HOME/conversation (~/.local/share/conversation). Passwords\n"
          "belong into ~/.pgpass or PGPASSWORD. NO_COLOR switches colours off.\n"
          "\nexit codes\n",
          file);
#define PRINT_CODE(name, number, meaning) fprintf(file, "  %3d  %s\n", number, meaning);
    CLI_EXIT_MAP(PRINT_CODE)
#undef PRINT_CODE
    fputs("\n`conversation help COMMAND` says more about a command.\n", file);
}

void cli_help_print(FILE *file, const cli_command *command)
{
    if (command == NULL)
        print_program(file);
    else
        print_command(file, command);
}

cli_exit cli_help(const cli_arguments *arguments)
{
    const cli_command *command = NULL;
    if (arguments->word_count > 0) {
        command = cli_command_find(cli_commands, arguments->words[0]);
        if (command == NULL) {
            cli_complain("help: there is no such command");
            cli_hint("`conversation help` lists the commands");
            return CLI_EXIT_USAGE;
        }
    }
    cli_help_print(stdout, command);
    return CLI_EXIT_OK;
}
