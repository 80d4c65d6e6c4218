/* The schema's version, and bringing it up to date. */
#ifndef CONV__DB_POSTGRES_MIGRATIONS_H
#define CONV__DB_POSTGRES_MIGRATIONS_H

#include <stdint.h>

#include "conversation/schema.h"
#include "conversation/status.h"
#include "db/migration.h"
#include "db/postgres/connection.h"

/* Reads which migrations were applied; a database without our table is at version 0. CONV_STATE: an
 * applied one differs from the one of that version in `migrations`. */
CONV_WARN_UNUSED conv_status conv__migrations_read(conv__connection *connection,
                                                   const conv__migration *migrations,
                                                   int64_t deadline_ns, conv_schema_state *state,
                                                   conv_error *error);

/* Applies what is missing, each in a transaction of its own under an advisory lock, and writes the
 * checksum beside what another tool applied. CONV_STATE: as above, or the schema is newer than
 * `migrations`, or tables of these names belong to somebody else. */
CONV_WARN_UNUSED conv_status conv__migrations_apply(conv__connection *connection,
                                                    const conv__migration *migrations,
                                                    int64_t deadline_ns, conv_schema_state *state,
                                                    conv_error *error);

#endif
