/* A bounded set of connections that threads lease. */
#ifndef CONV__DB_POSTGRES_POOL_H
#define CONV__DB_POSTGRES_POOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "conversation/status.h"
#include "db/postgres/connection.h"

typedef struct conv__pool conv__pool;

typedef struct conv__pool_params {
    const char *conninfo;
    const char *application;
    int connections; /* open at once at most; at least 1 */
    int64_t connect_timeout_ms;
    bool pooler;                /* never use named statements */
    const conv__latest *latest; /* of the store; NULL: none */
} conv__pool_params;

typedef struct conv__pool_gauges {
    int limit;
    int open; /* leased ones and those being opened included */
    int idle;
    int waiting; /* callers */
} conv__pool_gauges;

/* Opens nothing yet. Copies the texts. CONV_INVALID_ARGUMENT: malformed connection string.
 * CONV_NO_MEMORY. */
CONV_WARN_UNUSED conv_status conv__pool_create(const conv__pool_params *params, conv__pool **pool,
                                               conv_error *error);

/* Gives a living connection: an idle one, else a new one, else whoever asked first gets the next
 * that comes back. CONV_LIMIT: none came back before the deadline. CONV_STATE: the process was
 * forked. Else as conv__connection_open. Thread: any. */
CONV_WARN_UNUSED conv_status conv__pool_lease(conv__pool *pool, int64_t deadline_ns,
                                              conv__connection **connection, conv_error *error);

/* Gives a leased connection back; a broken one is closed. Thread: any. */
void conv__pool_return(conv__pool *pool, conv__connection *connection);

/* Puts a new connection in the place of a leased one that broke. On failure the lease is over and
 * `connection` NULL. */
CONV_WARN_UNUSED conv_status conv__pool_renew(conv__pool *pool, int64_t deadline_ns,
                                              conv__connection **connection, conv_error *error);

conv__pool_gauges conv__pool_read_gauges(conv__pool *pool);

/* Nothing may be leased or asked for any more; NULL is allowed. */
void conv__pool_close(conv__pool *pool);

#endif
