/* Where the store is: the setting, the environment, or the default file. */
#ifndef CONV__STORE_LOCATION_H
#define CONV__STORE_LOCATION_H

#include <stdbool.h>

#include "conversation/status.h"
#include "core/memory.h"

/* `setting` if there is one, else $CONVERSATION_STORE, else $DATABASE_URL, else the default file
 * under $XDG_DATA_HOME, whose folders are made unless `read_only`. An empty one counts as unset.
 * CONV_INVALID_ARGUMENT: neither "sqlite:", a URI of PostgreSQL nor key=value, and the message
 * repeats nothing but the scheme; or no home folder. CONV_PERMISSION: a folder can't be made.
 * CONV_NO_MEMORY. */
CONV_WARN_UNUSED conv_status conv__store_location(conv__arena *arena, const char *setting,
                                                  bool read_only, const char **location,
                                                  conv_error *error);

/* The file of "sqlite:FILE" or "sqlite://FILE", or NULL: then libpq understands the location. */
const char *conv__store_sqlite_file(const char *location);

/* Whether both paths lead to one file, or would when it is made. */
bool conv__store_is_same_file(const char *one, const char *other);

#endif
