/* The store's schema: its version, and bringing it up to date. */
#ifndef CONVERSATION_SCHEMA_H
#define CONVERSATION_SCHEMA_H

#include <stdbool.h>
#include <stdint.h>

#include "client.h"
#include "status.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Versions are the migrations' dates: 20261123000000. */
typedef struct conv_schema_state {
    int64_t version; /* newest migration applied; 0: none */
    int64_t wanted;  /* newest migration of this library */
    int applied;     /* migrations that this call applied */
    bool foreign;    /* SQLite: version is 0, yet there are tables of somebody else */
} conv_schema_state;

/* Brings the schema up to date, under a lock so that many may call it at once: one applies, the
 * others find it done. Each migration is one transaction. `state` may be NULL.
 * CONV_STATE: the store is newer than this library, or an applied migration differs from ours (its
 * name is in the message). CONV_PERMISSION: this user may not change the schema. CONV_UNAVAILABLE,
 * CONV_TIMEOUT, CONV_NO_MEMORY. Thread: any. Round trips: 1, and 1 for each migration. */
CONV_WARN_UNUSED conv_status conv_schema_migrate(conv_client *client, conv_schema_state *state,
                                                 conv_error *error);

/* Reads the state without changing anything. Statuses as above. Thread: any. Round trips: 1. */
CONV_WARN_UNUSED conv_status conv_schema_read(conv_client *client, conv_schema_state *state,
                                              conv_error *error);

#ifdef __cplusplus
}
#endif
#endif
