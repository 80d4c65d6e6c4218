/* Threads that save one turn after the other, each in sessions of its own and in all the ways there
 * are, and repeat what failed until it is acknowledged; now and then they track and flush. */
#ifndef TESTS_FAULT_LOAD_H
#define TESTS_FAULT_LOAD_H

#include <stdint.h>

#include "fault/witness.h"

typedef struct load load;

typedef struct load_params {
    int threads;
    uint64_t first_session; /* the load's sessions have this number and higher ones */
    int64_t timeout_ms;     /* of the client's store */
    bool journaled;         /* the client has a journal */
    int64_t pause_ms;       /* of a thread before each turn, at random up to this; 0: hardly any */
    bool one_way;           /* each turn by WITNESS_SAVE, so that group commit sees them all */
} load_params;

load *load_start(witness *lines, conv_client *client, const load_params *params);

/* Turns acknowledged so far. */
long load_acknowledged(load *self);

/* Waits until so many more are acknowledged than now; ends the program after two minutes. */
void load_await(load *self, long more);

/* Each thread ends when its turn is acknowledged. Frees the load. */
void load_stop(load *self);

#endif
