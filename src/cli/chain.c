/* Which steps a turn of the program passes. It must not open a store. */
#include "cli/chain.h"

static conv_middleware *redact;
static conv_middleware *steps[6];

conv_status cli_chain_set(const cli_arguments *arguments, conv_client_params *params,
                          conv_error *error)
{
    size_t count = 0;
    if (cli_given(arguments, CLI_OPTION_REDACT)) {
        conv_status status =
            redact != NULL ? CONV_OK : conv_middleware_redact(NULL, &redact, error);
        if (status != CONV_OK) return status;
        steps[count++] = redact;
    }
    steps[count++] = conv_middleware_validate_ids();
    steps[count++] = conv_middleware_provider();
    steps[count++] = conv_middleware_save_to_database();
    steps[count++] = conv_middleware_track_usage();
    steps[count++] = conv_middleware_publish();
    params->chain = steps;
    params->chain_count = count;
    return CONV_OK;
}

void cli_chain_free(void)
{
    conv_middleware_free(redact);
    redact = NULL;
}
