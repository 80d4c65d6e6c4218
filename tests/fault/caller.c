/* See caller.h. */
#include "fault/caller.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "conversation/journal.h"

enum { CLOSE_MS = 30000, TOGETHER = 3, MOST_OPENINGS = 10 };

conv_client *caller_open(witness *lines, const caller_params *params)
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
    for (int i = 0; i < MOST_OPENINGS; i++) {
        conv_status status = witness_connect(lines, &settings, &client, &error);
        if (status == CONV_OK) return client;
        fprintf(stderr, "caller: %s: %s\n", error.action, error.message);
        if (status != CONV_TIMEOUT) break;
    }
    exit(99);
}

void caller_await_drain(conv_client *client)
{
    conv_journal_counts counts = {.exchanges = 1};
    for (int i = 0; i < 20000 && counts.exchanges > 0; i++) {
        if (conv_client_journal_count(client, &counts, NULL) != CONV_OK) exit(99);
        if (counts.exchanges > 0) usleep(2000);
    }
    if (counts.exchanges == 0) return;
    fprintf(stderr, "caller: the journal does not drain\n");
    exit(99);
}

void caller_end(witness *lines, conv_client *client)
{
    conv_error error;
    if (witness_shut(lines, client, CLOSE_MS, &error) == CONV_OK) return;
    fprintf(stderr, "caller: %s: %s\n", error.action, error.message);
    exit(99);
}

witness_call caller_way(const fault_turn *turn)
{
    static const witness_call ways[] = {WITNESS_SAVE, WITNESS_PROCESS, WITNESS_ASYNC,
                                        WITNESS_PROCESS, WITNESS_TOGETHER};
    return ways[turn->turn % (sizeof ways / sizeof ways[0])];
}

/* The turn and those that go with it. */
static conv_status save_together(witness *lines, conv_client *client, const fault_turn *turn,
                                 int64_t timeout_ms, conv_error *error)
{
    fault_turn turns[TOGETHER];
    for (uint64_t i = 0; i < TOGETHER; i++) {
        turns[i] = *turn;
        turns[i].turn += i * CALLER_COMPANIONS;
    }
    return witness_together(lines, client, turns, TOGETHER, timeout_ms, error);
}

static conv_status call(witness *lines, conv_client *client, witness_call way,
                        const fault_turn *turn, int64_t timeout_ms, conv_error *error)
{
    switch (way) {
    case WITNESS_PROCESS:
        return witness_process(lines, client, turn, timeout_ms, error);
    case WITNESS_ASYNC:
        return witness_async(lines, client, turn, timeout_ms, error);
    case WITNESS_TOGETHER:
        return save_together(lines, client, turn, timeout_ms, error);
    default:
        return witness_save(lines, client, turn, timeout_ms, error);
    }
}

int caller_save(witness *lines, conv_client *client, witness_call way, const fault_turn *turn,
                int64_t timeout_ms, int tries)
{
    for (int i = 1; i <= tries; i++) {
        conv_error error;
        if (call(lines, client, way, turn, timeout_ms, &error) == CONV_OK) return i;
        if (i == tries)
            fprintf(stderr, "caller: gave up after %d tries: %s: %s\n", i, error.action,
                    error.message);
        else
            usleep(5000);
    }
    return 0;
}
