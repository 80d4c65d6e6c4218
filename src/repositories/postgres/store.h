/* The PostgreSQL store: its pool of connections, transactions and schema. */
#ifndef CONV__REPOSITORIES_POSTGRES_STORE_H
#define CONV__REPOSITORIES_POSTGRES_STORE_H

#include <stdbool.h>
#include <stdint.h>

#include "conversation/status.h"
#include "repositories/store.h"

typedef struct conv__postgres_params {
    const char *connection;     /* whatever libpq takes */
    const char *application;    /* fallback_application_name; NULL: "conversation" */
    int connections;            /* open at once at most; 1 to 1000; 0: 8 */
    int64_t connect_timeout_ms; /* unless the connection string says otherwise; 0: 10000 */
    bool pooler;                /* a transaction pooler is between: no named statements */
    bool later;                 /* do not connect yet: the server is known to be away */
} conv__postgres_params;

/* Opens the store and connects once, unless `later`, so that a wrong password shows here. `store`
 * is to be closed by its own `close`; NULL after a failure. CONV_INVALID_ARGUMENT,
 * CONV_UNAVAILABLE, CONV_PERMISSION, CONV_NOT_FOUND, CONV_STATE, CONV_LIMIT, CONV_TIMEOUT: see
 * conv_client_open. CONV_NO_MEMORY. */
CONV_WARN_UNUSED conv_status conv__postgres_store_open(const conv__postgres_params *params,
                                                       conv__store **store, conv_error *error);

typedef struct conv__postgres_gauges {
    int limit;
    int open;
    int idle;
    int waiting;
} conv__postgres_gauges;

conv__postgres_gauges conv__postgres_store_gauges(conv__store *store);

#endif
