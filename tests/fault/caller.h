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

/* Opens a client between two lines of the witness. Tries again when the time was too short, as on a
 * busy machine; ends the program on a failure. */
conv_client *caller_open(witness *lines, const caller_params *params);

/* Until nothing waits in the client's journal; ends the program after 40 s. A client without one
 * never waits.
 */
void caller_await_drain(conv_client *client);

/* Closes the client, which must have nothing left within 30 s; else ends the program. Between two
 * lines of the witness, too. */
void caller_end(witness *lines, conv_client *client);

/* How a turn is saved where any way will do: by itself, with its answer, submitted, or with others,
 * by its number. */
witness_call caller_way(const fault_turn *turn);

/* Calls until it is acknowledged; gives the number of calls, or 0 after `tries` without success.
 * `way` is one of those that save; WITNESS_TOGETHER saves two more turns of the session with it,
 * whose numbers are greater by CALLER_COMPANIONS each. */
#define CALLER_COMPANIONS (UINT64_C(1) << 40)
int caller_save(witness *lines, conv_client *client, witness_call way, const fault_turn *turn,
                int64_t timeout_ms, int tries);

#endif
