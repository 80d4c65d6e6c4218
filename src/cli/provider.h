/* Who answers, as --provider, --model and --base-url say. */
#ifndef CLI_PROVIDER_H
#define CLI_PROVIDER_H

#include "cli/arguments.h"
#include "conversation/provider.h"

/* Makes the provider that --provider names, without it openai's. A failure is reported. */
cli_exit cli_provider_open(const cli_arguments *arguments, conv_provider **provider);

#endif
