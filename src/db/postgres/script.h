/* A text of several commands, sent as psql would. */
#ifndef CONV__DB_POSTGRES_SCRIPT_H
#define CONV__DB_POSTGRES_SCRIPT_H

#include <stdint.h>

#include "conversation/status.h"
#include "db/postgres/connection.h"

/* Runs all commands, inside the open transaction if there is one, and answers with the first
 * failure; the transaction is then still open, unless the connection broke. */
CONV_WARN_UNUSED conv_status conv__script_run(conv__connection *connection, const char *sql,
                                              const char *action, int64_t deadline_ns,
                                              conv_error *error);

#endif
