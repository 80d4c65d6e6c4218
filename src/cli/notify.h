/* --notify: what a command does is told to whoever listens on the store. */
#ifndef CLI_NOTIFY_H
#define CLI_NOTIFY_H

#include <stdbool.h>

#include "cli/arguments.h"
#include "cli/exit_code.h"
#include "conversation/client.h"

/* Whether --notify or what belongs to it was given. */
bool cli_notify_given(const cli_arguments *arguments);

/* CLI_EXIT_USAGE, with a complaint, where nobody could be told. */
cli_exit cli_notify_check(const cli_arguments *arguments);

/* The same for who listens. */
cli_exit cli_notify_check_store(const cli_arguments *arguments, const char *instead);

/* From now on the client tells its events, if that was asked for. */
conv_status cli_notify_begin(const cli_arguments *arguments, conv_client *client,
                             conv_error *error);

#endif
