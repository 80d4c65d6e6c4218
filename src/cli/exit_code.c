/* From statuses to exit codes: the one place where they are chosen. It must not print. */
#include "cli/exit_code.h"

#include <signal.h>

static cli_exit of_opening(conv_status status)
{
    switch (status) {
    case CONV_INVALID_ARGUMENT:
        return CLI_EXIT_USAGE;
    case CONV_NO_MEMORY:
    case CONV_INTERNAL:
        return CLI_EXIT_FAILED;
    default:
        /* NOT_FOUND too: a missing database must not look like a missing session. */
        return CLI_EXIT_NO_CONNECTION;
    }
}

static cli_exit of_store(conv_status status)
{
    switch (status) {
    case CONV_INVALID_ARGUMENT:
        return CLI_EXIT_USAGE;
    case CONV_NOT_FOUND:
        return CLI_EXIT_NOT_FOUND;
    case CONV_UNAVAILABLE:
    case CONV_TIMEOUT:
    case CONV_PERMISSION:
    case CONV_STATE:
        return CLI_EXIT_NO_CONNECTION;
    default:
        return CLI_EXIT_FAILED;
    }
}

static cli_exit of_input(conv_status status)
{
    if (status == CONV_INVALID_ARGUMENT) return CLI_EXIT_USAGE;
    return status == CONV_NOT_FOUND ? CLI_EXIT_NOT_FOUND : CLI_EXIT_FAILED;
}

static cli_exit of_provider(conv_status status)
{
    return status == CONV_NO_MEMORY || status == CONV_INTERNAL ? CLI_EXIT_FAILED
                                                               : CLI_EXIT_PROVIDER;
}

cli_exit cli_exit_of(cli_part part, conv_status status)
{
    if (status == CONV_OK) return CLI_EXIT_OK;
    switch (part) {
    case CLI_PART_OPEN:
        return of_opening(status);
    case CLI_PART_INPUT:
        return of_input(status);
    case CLI_PART_PROVIDER:
        return of_provider(status);
    default:
        return of_store(status);
    }
}

cli_exit cli_exit_of_signal(int signal_number)
{
    return signal_number == SIGTERM ? CLI_EXIT_TERMINATED : CLI_EXIT_INTERRUPTED;
}
