/* The store in an SQLite file. */
#ifndef CONV__REPOSITORIES_SQLITE_STORE_H
#define CONV__REPOSITORIES_SQLITE_STORE_H

#include "conversation/status.h"
#include "db/sqlite/connection.h"
#include "repositories/store.h"

/* Opens the file, or, with `later`, leaves that to the first transaction; the schema is not looked
 * at. `store` is to be given back with its close function. Statuses as conv__sqlite_open. */
CONV_WARN_UNUSED conv_status conv__sqlite_store_open(const conv__sqlite_params *params, bool later,
                                                     conv__store **store, conv_error *error);

#endif
