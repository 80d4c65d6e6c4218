/* The parts of `conversation sessions`. */
#ifndef CLI_SESSIONS_H
#define CLI_SESSIONS_H

#include "cli/arguments.h"

/* Each does what the first word says, and reports what fails. */
cli_exit cli_sessions_search(const cli_arguments *arguments);
cli_exit cli_sessions_change(const cli_arguments *arguments);

#endif
