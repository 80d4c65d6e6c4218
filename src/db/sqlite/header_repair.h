/* The first hundred bytes of a damaged file, of which nearly all are known. */
#ifndef CONV__DB_SQLITE_HEADER_REPAIR_H
#define CONV__DB_SQLITE_HEADER_REPAIR_H

#include <stdbool.h>

#include "conversation/status.h"

/* Writes what must stand in the header of a file that this library made, where something else
 * stands: without it SQLite reads nothing of what follows. A file without a whole page is left as
 * it is. CONV_UNAVAILABLE, CONV_PERMISSION: it can't be read or written. */
CONV_WARN_UNUSED conv_status conv__sqlite_header_repair(const char *path, conv_error *error);

/* Whether a file that is not empty begins with other bytes than one of ours, or one in which
 * nothing is yet: SQLite might take it for a file to be written in another way. False where it
 * can't be read, which opening it then says. */
bool conv__sqlite_header_is_damaged(const char *path);

#endif
