/* See caller.h. */
#include "fault/caller.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

conv_client *caller_open(const caller_params *params)
{
    conv_error error;
    conv_client *client = NULL;
    conv_client_params settings = CONV_CLIENT_PARAMS_INIT;
    settings.store = params->store;
    settings.journal = params->journal;
    settings.schema = params->any_schema ? CONV_SCHEMA_IGNORE : CONV_SCHEMA_CHECK;
    settings.connections = params->connections;
    settings.store_timeout_ms = params->timeout_ms;
    settings.connect_timeout_ms = params->timeout_ms;
    if (conv_client_open(&settings, &client, &error) != CONV_OK) {
        fprintf(stderr, "caller: %s: %s\n", error.action, error.message);
        exit(99);
    }
    return client;
}

void caller_close(conv_client *client)
{
    conv_error error;
    if (conv_client_close(client, 30000, &error) == CONV_OK) return;
    fprintf(stderr, "caller: %s: %s\n", error.action, error.message);
    exit(99);
}

static conv_status call(witness *lines, conv_client *client, const fault_turn *turn,
                        int64_t timeout_ms, conv_error *error)
{
    return turn->turn % 2 == 0 ? witness_save(lines, client, turn, timeout_ms, error)
                               : witness_process(lines, client, turn, timeout_ms, error);
}

int caller_save(witness *lines, conv_client *client, const fault_turn *turn, int64_t timeout_ms,
                int tries)
{
    for (int i = 1; i <= tries; i++) {
        conv_error error;
        if (call(lines, client, turn, timeout_ms, &error) == CONV_OK) return i;
        if (i == tries)
            fprintf(stderr, "caller: gave up after %d tries: %s: %s\n", i, error.action,
                    error.message);
        else
            usleep(5000);
    }
    return 0;
}
