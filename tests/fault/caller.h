/* Clients as the campaigns use them: short timeouts, few connections, and a caller that repeats a
 * failed turn under its id, as an application should. */
#ifndef TESTS_FAULT_CALLER_H
#define TESTS_FAULT_CALLER_H

#include <stdbool.h>
#include <stdint.h>

#include "conversation/client.h"
#include "fault/witness.h"

typedef struct caller_params {
    const char *store;
    const char *journal; /* NULL: none */
    int connections;
    int64_t timeout_ms; /* of the store and of connecting */
    bool any_schema;    /* do not look at the store's schema */
} caller_params;

/* Ends the program on a failure. */
conv_client *caller_open(const caller_params *params);

/* Closes the client, which must have nothing left within 30 s; else ends the program. */
void caller_close(conv_client *client);

/* Calls until it is acknowledged; gives the number of calls, or 0 after `tries` without success.
 * Turns with an even number are saved whole, the others go through conv_process_message. */
int caller_save(witness *lines, conv_client *client, const fault_turn *turn, int64_t timeout_ms,
                int tries);

#endif
