/* The chain of the program's own turns. */
#ifndef CLI_CHAIN_H
#define CLI_CHAIN_H

#include "cli/arguments.h"
#include "conversation/client.h"
#include "conversation/middleware.h"

/* Sets the chain of a client: the default one, and with --redact a redacting step before it. What
 * it makes lives until cli_chain_free. CONV_NO_MEMORY. */
CONV_WARN_UNUSED conv_status cli_chain_set(const cli_arguments *arguments,
                                           conv_client_params *params, conv_error *error);

/* To be called when every client is closed. */
void cli_chain_free(void);

#endif
