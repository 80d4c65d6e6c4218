/* The schema of an SQLite file: its version, and bringing it up to date. */
#ifndef CONV__DB_SQLITE_MIGRATIONS_H
#define CONV__DB_SQLITE_MIGRATIONS_H

#include <stdint.h>

#include "conversation/schema.h"
#include "db/migration.h"
#include "db/sqlite/connection.h"

/* `migrations` is a table such as conv__migrations_sqlite. Changes nothing. CONV_STATE: an applied
 * one differs from the one of that version in `migrations`, or one is newer than all and another
 * missing.
 */
CONV_WARN_UNUSED conv_status conv__sqlite_read_schema(conv__sqlite *connection,
                                                      const conv__migration *migrations,
                                                      int64_t deadline_ns, conv_schema_state *state,
                                                      conv_error *error);

/* Applies what is missing, each migration in a transaction of its own. A migration that another
 * tool applied from the same file has no checksum yet and gets it. CONV_STATE: the file is newer,
 * or an applied migration is not ours. */
CONV_WARN_UNUSED conv_status conv__sqlite_migrate(conv__sqlite *connection,
                                                  const conv__migration *migrations,
                                                  int64_t deadline_ns, conv_schema_state *state,
                                                  conv_error *error);

#endif
