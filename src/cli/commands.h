/* The commands. Each prints its data on standard output, all else on standard error. */
#ifndef CLI_COMMANDS_H
#define CLI_COMMANDS_H

#include <stdio.h>

#include "cli/arguments.h"

cli_exit cli_chat(const cli_arguments *arguments);
cli_exit cli_delete(const cli_arguments *arguments);
cli_exit cli_doctor(const cli_arguments *arguments);
cli_exit cli_documents(const cli_arguments *arguments);
cli_exit cli_erase(const cli_arguments *arguments);
cli_exit cli_events(const cli_arguments *arguments);
cli_exit cli_export(const cli_arguments *arguments);
cli_exit cli_health(const cli_arguments *arguments);
cli_exit cli_help(const cli_arguments *arguments);
cli_exit cli_history(const cli_arguments *arguments);
cli_exit cli_import(const cli_arguments *arguments);
cli_exit cli_journal(const cli_arguments *arguments);
cli_exit cli_metrics(const cli_arguments *arguments);
cli_exit cli_migrate(const cli_arguments *arguments);
cli_exit cli_reconcile(const cli_arguments *arguments);
cli_exit cli_replay(const cli_arguments *arguments);
cli_exit cli_sessions(const cli_arguments *arguments);
cli_exit cli_summaries(const cli_arguments *arguments);
cli_exit cli_track(const cli_arguments *arguments);
cli_exit cli_usage(const cli_arguments *arguments);
cli_exit cli_usage_refresh(const cli_arguments *arguments); /* `usage refresh` */
cli_exit cli_version(const cli_arguments *arguments);

/* Prints what the program or one command is for; `command` NULL: the program. */
void cli_help_print(FILE *file, const cli_command *command);

#endif
