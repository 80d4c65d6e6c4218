/* One connection to a PostgreSQL server. */
#ifndef CONV__DB_POSTGRES_CONNECTION_H
#define CONV__DB_POSTGRES_CONNECTION_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "conversation/status.h"
#include "core/buffer.h"
#include "core/time.h"

typedef struct conv__connection conv__connection;

typedef struct conv__connection_params {
    const char *conninfo;    /* whatever libpq takes */
    const char *application; /* fallback_application_name */
    int64_t timeout_ms; /* for connecting, unless conninfo or PGCONNECT_TIMEOUT says otherwise */
    /* No named statements: set by the user, or as soon as the server turns out not to keep them. */
    atomic_bool *unnamed;
    const conv__latest *latest; /* NULL: none */
} conv__connection_params;

/* Checks the string without connecting. CONV_INVALID_ARGUMENT, CONV_NO_MEMORY. */
CONV_WARN_UNUSED conv_status conv__connection_check(const char *conninfo, conv_error *error);

/* Connects. CONV_UNAVAILABLE: nobody there, or no PostgreSQL. CONV_PERMISSION: wrong password.
 * CONV_NOT_FOUND: no such database. CONV_STATE: the database's encoding is not UTF8. CONV_LIMIT:
 * the server has no connection left. CONV_TIMEOUT, CONV_INVALID_ARGUMENT, CONV_NO_MEMORY. */
CONV_WARN_UNUSED conv_status conv__connection_open(const conv__connection_params *params,
                                                   int64_t deadline_ns,
                                                   conv__connection **connection,
                                                   conv_error *error);

/* Whether an idle connection still lives, as far as can be seen without asking the server. */
bool conv__connection_is_alive(conv__connection *connection);

bool conv__connection_is_broken(const conv__connection *connection);

/* Memory for what is to be sent, empty. It stays with the connection from one use to the next: a
 * large one that each transaction took anew would leave its mark in the heap of each thread that
 * leads. Keeping takes over the memory; the larger one stays, up to a limit. */
conv__buffer conv__connection_take_buffer(conv__connection *connection);
void conv__connection_keep_buffer(conv__connection *connection, conv__buffer *buffer);

/* NULL is allowed. In a forked child the memory of ours is freed and nothing else touched: libpq
 * would end the parent's session. */
void conv__connection_close(conv__connection *connection);

#endif
