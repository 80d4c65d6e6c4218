/* Whether a session that the command line names is one. */
#ifndef CLI_SESSION_CHECK_H
#define CLI_SESSION_CHECK_H

#include "cli/arguments.h"
#include "conversation/client.h"

/* For commands that choose by a session: CLI_EXIT_OK if `session_id` is NULL, or the store has the
 * session or a record of its usage, which is all that one without turns or a deleted one has. Else
 * it says that there is none, in the command's name. */
cli_exit cli_session_check(const cli_arguments *arguments, conv_client *client,
                           const char *session_id);

#endif
