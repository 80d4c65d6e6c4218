/* The texts of --help, made from the tables, so that they can't fall behind them. */
#include "cli/commands.h"

#include <stdlib.h>
#include <string.h>

#include "cli/display.h"
#include "cli/terminal.h"

#define WIDTH 80

/* `text` behind `lead`, wrapped; its further lines begin below its first one. */
static void print_behind(FILE *file, const char *lead, const char *text)
{
    char indent[WIDTH] = "";
    char *wrapped = NULL;
    size_t size = 0;
    size_t columns = cli_display_width(conv_text(lead));
    FILE *memory = open_memstream(&wrapped, &size);
    if (memory == NULL) return;
    memset(indent, ' ', columns);
    cli_display_wrapped(memory, conv_text(text), WIDTH, indent);
    if (fclose(memory) == 0) fprintf(file, "%s%s", lead, wrapped + columns);
    free(wrapped);
}

static void print_option(FILE *file, const cli_option_row *row)
{
    char name[WIDTH];
    char lead[WIDTH];
    snprintf(name, sizeof name, "--%s%s%s", row->name, row->value_name == NULL ? "" : " ",
             row->value_name == NULL ? "" : row->value_name);
    bool is_long = strlen(name) > 21;
    if (is_long) fprintf(file, "  %s\n", name);
    snprintf(lead, sizeof lead, "  %-21.21s  ", is_long ? "" : name);
    print_behind(file, lead, row->help);
}

static void print_options(FILE *file, uint64_t options)
{
    for (size_t i = 0; i < CLI_OPTION_COUNT; i++)
        if ((options & (UINT64_C(1) << i)) != 0) print_option(file, &cli_options[i]);
}

static void print_command(FILE *file, const cli_command *command)
{
    char heading[256];
    snprintf(heading, sizeof heading, "conversation %s%s%s [OPTIONS]: %s", command->name,
             command->words[0] == '\0' ? "" : " ", command->words, command->summary);
    cli_display_wrapped(file, conv_text(heading), WIDTH, "");
    if (command->details[0] != '\0') {
        fputc('\n', file);
        cli_display_wrapped(file, conv_text(command->details), WIDTH, "");
    }
    if (command->options != 0) {
        fputs("\noptions\n", file);
        print_options(file, command->options);
    }
    fputs("\neverywhere\n", file);
    print_options(file, CLI_OPTIONS_EVERYWHERE);
}

static void print_program(FILE *file)
{
    char lead[WIDTH];
    cli_display_wrapped(file,
                        conv_text("conversation COMMAND [OPTIONS]: saves conversations with "
                                  "language models, and what they cost"),
                        WIDTH, "");
    fputs("\ncommands\n", file);
    for (const cli_command *command = cli_commands; command->name != NULL; command++) {
        snprintf(lead, sizeof lead, "  %-9s ", command->name);
        print_behind(file, lead, command->summary);
    }
    fputs("\noptions\n", file);
    print_options(file, CLI_OPTIONS_EVERYWHERE | CLI_OPTION_BIT(VERSION));
    fputc('\n', file);
    cli_display_wrapped(
        file,
        conv_text("The store is that of --store, else of CONVERSATION_STORE, else of DATABASE_URL, "
                  "else an SQLite file in $XDG_DATA_HOME/conversation "
                  "(~/.local/share/conversation). Passwords belong into ~/.pgpass or PGPASSWORD. "
                  "NO_COLOR switches colours off."),
        WIDTH, "");
    fputs("\nexit codes\n", file);
#define PRINT_CODE(name, number, meaning)                                                          \
    snprintf(lead, sizeof lead, "  %3d  ", number);                                                \
    print_behind(file, lead, meaning);
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
